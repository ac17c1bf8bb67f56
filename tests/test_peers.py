import sys

import numpy as np
import pytest
from PIL import Image
from published_networks import random_convolutions, write_network, write_peers
from scipy.ndimage import correlate

from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.noise import gaussian_noise
from train import peers
from train.measures.shared.peers import PEERS, Peer


def convolved(image: np.ndarray, convolutions) -> np.ndarray:
    """What the layers make of (C, H, W), without torch."""
    for index, (weight, bias) in enumerate(convolutions):
        parts = [[correlate(*pair, mode="constant") for pair in zip(image, kernels, strict=True)] for kernels in weight]
        image = np.sum(parts, axis=1) + bias[:, None, None]
        if index < len(convolutions) - 1:
            image = np.maximum(image, 0)
    return image


def test_a_blind_network_subtracts_the_noise_that_it_finds(tmp_path, make_faces):
    convolutions = random_convolutions((1, 3, 3, 1))
    write_network(tmp_path / PEERS["DnCNN-B"].file, convolutions)
    noisy = gaussian_noise(make_faces(3), 0.1, seed=0)
    restored = Peer("DnCNN-B", tmp_path)(noisy)
    expected = [np.clip(image - convolved(image[None].astype(float), convolutions)[0], 0, 1) for image in noisy]
    np.testing.assert_allclose(restored, expected, atol=1e-5)


def test_a_network_that_is_told_sigma_gets_it_as_a_map(tmp_path, make_faces):
    convolutions = random_convolutions((2, 3, 1))
    convolutions[-1][1][:] = 0.5
    write_network(tmp_path / PEERS["FDnCNN"].file, convolutions)
    noisy = gaussian_noise(make_faces(1), 0.1, seed=0)[0]
    peer = Peer("FDnCNN", tmp_path)
    expected = convolved(np.stack([noisy, np.full_like(noisy, 0.1)]).astype(float), convolutions)[0]
    np.testing.assert_allclose(peer(noisy, 0.1), np.clip(expected, 0, 1), atol=1e-5)
    assert np.abs(peer(noisy, 0.5) - peer(noisy, 0.1)).max() > 1e-4
    with pytest.raises(ValueError, match="has to be given sigma"):
        peer(noisy)


def test_ffdnet_sees_the_quarters_in_the_order_of_matlab(tmp_path, make_faces):
    # The first quarter becomes the second one, which is a row further down; the others stay.
    weight = np.zeros((4, 5, 3, 3))
    for out, into in enumerate((1, 1, 2, 3)):
        weight[out, into, 1, 1] = 1
    write_network(tmp_path / PEERS["FFDNet"].file, [(weight, np.zeros(4))])
    face = make_faces(1)[0] / np.float32(255)
    expected = face.copy()
    expected[::2, ::2] = face[1::2, ::2]
    peer = Peer("FFDNet", tmp_path)
    np.testing.assert_allclose(peer(face, 0.1), expected, atol=1e-6)
    assert peer(face[:-1, :-3], 0.1).shape == (47, 45)


@pytest.mark.parametrize("name", PEERS)
def test_every_network_is_called_like_a_restorer(name, tmp_path, make_faces):
    peer = Peer(name, write_peers(tmp_path))
    faces = make_faces(2, shape=(25, 31))
    restored = peer(faces, 0.1)
    assert restored.dtype == np.uint8 and restored.shape == faces.shape
    np.testing.assert_array_equal(peer(faces[0], 0.1), restored[0])
    in_colour = np.stack([*faces, faces[0]], axis=-1)
    np.testing.assert_array_equal(peer(in_colour, 0.1), np.stack([*restored, restored[0]], axis=-1))
    assert peer.record["told"] == ("sigma" if PEERS[name].takes_sigma else "nothing")
    assert peer.record["authors"] and peer.record["paper"].startswith("https://")


def test_what_cannot_be_read_ends_with_a_message(tmp_path, monkeypatch):
    with pytest.raises(ModelNotFoundError, match=r"GD_Gray_Blind\.mat: no such file; fetch it from https"):
        Peer("DnCNN-B", tmp_path)
    file = tmp_path / PEERS["DnCNN-B"].file
    for content in (b"MATLAB 5.0 MAT-file", b"\x80\x04N."):
        file.write_bytes(content)
        with pytest.raises(ModelNotFoundError, match="as its authors published it"):
            Peer("DnCNN-B", tmp_path)
    write_network(file, random_convolutions((1, 3, 1)))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ModelNotFoundError, match="pip install h5py"):
        Peer("DnCNN-B", tmp_path)


def test_the_check_against_published_figures_does_not_clip_the_noise(tmp_path, make_faces, capsys):
    write_peers(tmp_path / "peers")
    pictures = tmp_path / "pictures" / "BSD68"
    pictures.mkdir(parents=True)
    for index, face in enumerate(make_faces(2)):
        Image.fromarray(face // 250 * 255).save(pictures / f"{index}.png")
    peers.main([str(tmp_path / "peers"), str(pictures.parent)])
    printed = capsys.readouterr().out
    assert printed.startswith("PSNR in dB on 2 pictures at sigma 25 of 255")
    assert "DnCNN-B: " in printed and "published: 29.16" in printed
    # On black, half of the noise would be gone.
    value = float(printed.partition("DnCNN-B: ")[2].partition(",")[0])
    assert value == pytest.approx(-10 * np.log10((25 / 255) ** 2 / 2), abs=0.7)
    with pytest.raises(SystemExit, match="holds no BSD68"):
        peers.main([str(tmp_path / "peers"), str(tmp_path / "peers")])
