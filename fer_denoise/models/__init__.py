"""The networks."""

from fer_denoise.models.attention_unet import AttentionUNet

__all__ = ["AttentionUNet"]
