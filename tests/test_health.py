import numpy as np

from fer_denoise.data.health import blank, exact_copies, near_copies


def test_copies_are_found_exact_near_and_mirrored(make_faces):
    faces = make_faces(12, seed=4)
    brighter = (0.8 * faces[1] + 30).round().astype(np.uint8)
    nearly = faces[2].copy()
    nearly[20:23, 20:23] ^= 8
    mirrored = faces[3][:, ::-1]
    black = np.zeros((2, 48, 48), np.uint8)
    images = np.concatenate([faces, faces[:1], black, [brighter, nearly, mirrored]])
    assert exact_copies(images) == [[0, 12]]
    pairs = near_copies(images)
    assert {(1, 15), (2, 16), (3, 17)} <= set(pairs)
    # No two of the drawn faces are alike, and what is the same is no near copy.
    assert all(other > 12 for _, other in pairs)
    assert np.flatnonzero(blank(images)).tolist() == [13, 14]


def test_many_images_are_compared_in_parts_as_at_once(make_faces, monkeypatch):
    faces = make_faces(20, seed=5)
    images = np.concatenate([faces, (0.9 * faces[::-1]).astype(np.uint8)])
    at_once = near_copies(images)
    monkeypatch.setattr("fer_denoise.data.health.ROWS", 7)
    assert near_copies(images) == at_once and len(at_once) >= 20
