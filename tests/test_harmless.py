import numpy as np
import pytest

from train.measures.shared.harmless import HARMLESS, PADDING, harmless


@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_pictures_hold_true_black_and_white_and_depend_on_their_index_alone(kind, make_faces):
    faces = make_faces(4)
    pictures = harmless(kind, faces, seed=3)
    assert len(pictures) == 4 and pictures.dtype == np.uint8
    np.testing.assert_array_equal(harmless(kind, faces[:2], seed=3), pictures[:2])
    assert ((pictures == 0) | (pictures == 255)).mean(axis=(1, 2)).min() > 0.04
    if pictures.shape == faces.shape:
        assert (pictures[:, 24, 24] == faces[:, 24, 24]).all() or kind == "turned face"
    assert not np.array_equal(pictures[0], pictures[1])


def test_padding_lies_on_opposite_sides(make_faces):
    faces = make_faces(8)
    for face, picture in zip(faces, harmless("black or white padding", faces, seed=0), strict=True):
        changed = picture != face
        rows, columns = changed.all(axis=1), changed.all(axis=0)
        assert rows.sum() + columns.sum() == 2 * PADDING
        assert changed.sum() == 2 * PADDING * 48
