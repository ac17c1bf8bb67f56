import numpy as np

from fer_denoise.samples import sample_faces


def test_sample_faces_are_distinct_48x48_pictures_with_titles():
    faces = sample_faces()
    assert len(faces) >= 6 and all(title.strip() for title in faces)
    for face in faces.values():
        assert face.shape == (48, 48) and face.dtype == np.uint8
        assert face.std() > 15
    assert len({face.tobytes() for face in faces.values()}) == len(faces)


def test_the_drawing_holds_true_black_and_white():
    face = sample_faces()["Drawing"]
    assert (face == 0).sum() > 10 and (face == 255).sum() > 10
