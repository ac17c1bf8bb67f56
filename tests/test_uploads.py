import numpy as np
import pytest
import tifffile
from pictures_on_disk import save
from PIL import Image
from skimage import data

from fer_denoise.demo.uploads import read_face, read_upload
from fer_denoise.photos import find_faces
from fer_denoise.pictures import PictureError, to_face


def test_a_picture_that_is_too_large_for_a_shared_app_is_refused_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("fer_denoise.demo.uploads.MAX_MEGAPIXELS", {"network": 0.02, "filter": 0.01})
    path = save(tmp_path / "photo.png", np.zeros((120, 120), np.uint8))
    assert read_upload(path, "universal").frames[0].shape == (120, 120)
    with pytest.raises(PictureError, match=r"photo.png has 0.0 megapixels, and here nl-means takes 0.01.*python -m"):
        read_upload(path, "nl-means")
    with pytest.raises(PictureError, match="choose one first"):
        read_upload(None, "universal")


def test_what_becomes_of_a_picture_that_is_taken_as_a_face_is_said(tmp_path, make_faces):
    face, second = make_faces(2)
    taken, said = read_face(save(tmp_path / "face.png", face))
    np.testing.assert_array_equal(taken, face)
    assert said == ""

    deep = tmp_path / "deep.tif"
    tifffile.imwrite(deep, np.stack([face, second]).astype(np.uint16) * 257, photometric="minisblack")
    taken, said = read_face(deep)
    np.testing.assert_array_equal(taken, face)
    assert said == "Taken as FER2013 has faces: of several frames, the first was taken."
    tifffile.imwrite(deep, face.astype(np.uint16) * 256 + 255, photometric="minisblack")
    assert read_face(deep)[1] == "Taken as FER2013 has faces: 16 bits became 8."
    assert "colours became gray" in read_face(save(tmp_path / "red.png", np.stack([face, second, face], axis=-1)))[1]

    _, said = read_face(save(tmp_path / "wide.png", np.tile(face, (1, 2))))
    assert "the largest centred square of 96x48 pixels was resized to 48x48." in said
    clear = np.stack([face, np.full_like(face, 100)], axis=-1)
    assert "transparency was laid on white." in read_face(save(tmp_path / "clear.png", clear))[1]


@pytest.mark.slow
def test_the_largest_face_in_a_photo_is_cut_out_and_that_is_said(tmp_path):
    photo = data.astronaut()
    gray = np.asarray(Image.fromarray(photo).convert("L"))
    (box,) = find_faces(gray)
    face, said = read_face(save(tmp_path / "photo.png", photo))
    np.testing.assert_array_equal(face, to_face(gray[box.slices]))
    assert said.endswith(f"the face found in it, {box.side}x{box.side} pixels, was cut out and reduced to 48x48.")

    small = np.asarray(Image.fromarray(gray[box.slices]).resize((60, 60)))
    scene = np.full((256, 400), 128, np.uint8)
    scene[20:80, 20:80], scene[90 : 90 + box.side, 200 : 200 + box.side] = small, gray[box.slices]
    lesser, greater = sorted(find_faces(scene), key=lambda box: box.side)
    assert lesser.side < 80 and greater.left > 150
    face, said = read_face(save(tmp_path / "two.png", scene))
    np.testing.assert_array_equal(face, to_face(scene[greater.slices]))
    assert f"the largest of 2 faces found in it, {greater.side}x{greater.side} pixels" in said


@pytest.mark.slow
def test_where_there_is_no_face_or_nothing_else_the_picture_is_taken_as_a_whole(tmp_path):
    stones = data.gravel()
    face, said = read_face(save(tmp_path / "gravel.png", stones))
    np.testing.assert_array_equal(face, to_face(stones))
    assert "no face was found in it, so the largest centred square of 512x512 pixels was resized to 48x48." in said
    (box,) = find_faces(data.astronaut())
    portrait = np.asarray(Image.fromarray(data.astronaut()[box.slices]).convert("L").resize((96, 96)))
    face, said = read_face(save(tmp_path / "portrait.png", portrait))
    np.testing.assert_array_equal(face, to_face(portrait))
    assert "faces: the largest centred square of 96x96 pixels was resized" in said


def test_colour_is_kept_where_there_is_some(tmp_path):
    colour = np.zeros((9, 9, 3), np.uint8)
    gray = save(tmp_path / "gray.png", colour)
    colour[2, 3] = (200, 10, 10)
    path = save(tmp_path / "colour.png", colour)
    np.testing.assert_array_equal(read_upload(path, "median").frames[0], colour)
    assert read_upload(path, "median", gray=True).frames[0].shape == (9, 9)
    assert read_upload(gray, "median").frames[0].shape == (9, 9)
