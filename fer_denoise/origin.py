"""What the origin of this project reports.

Its PSNR was computed on images normalised twice, with `data_range=2` (`data_range=1` for its PatchGAN) and pooled over
batches of 64: compare it with `metrics.origin_convention` alone.
"""

ORIGIN_RECIPE = "attention-unet, origin's recipe"
"""The name of our own network trained by its recipe."""

ORIGIN_REPORTED = {
    "low": {"Attention U-Net": (30.1480, 0.9593), "PatchGAN": (21.9678, 0.9221)},
    "high": {"Attention U-Net": (23.9465, 0.8720), "PatchGAN": (15.6816, 0.7745)},
    "salt_pepper": {"Attention U-Net": (30.3950, 0.9774)},
}
"""PSNR and SSIM on the test split, by task and model."""

PATCHGAN_OFFSET = 6.02
"""What `data_range=1` costs its PatchGAN beside its U-Net, in dB."""
