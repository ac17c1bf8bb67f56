"""What is said of a visitor's picture: its form, its noise before and after, and its faces."""

from fer_denoise.photos import Box
from fer_denoise.pictures import Picture
from fer_denoise.restore import NoiseLevel

FEW_IMPULSES, NO_IMPULSES = 0.015, 0.005
"""An estimate below the first also stands for somewhat more: the network tells few impulses as hardly any."""
STRENGTHS = ((1.5, "hardly any"), (5, "weak"), (13, "moderate"), (30, "strong"), (float("inf"), "very strong"))
"""Up to how many of 255 gray levels random noise is called so."""


def describe(
    picture: Picture, before: NoiseLevel | None, after: NoiseLevel | None = None, boxes: list[Box] | None = None
) -> str:
    """What was found in a picture, and what is left of its noise; `boxes` are None where no faces were looked for."""
    parts = [f"{form(picture)}.", *(f"{note[0].upper()}{note[1:]}." for note in picture.notes)]
    if boxes is not None:
        found = {0: "No face was found, so nothing was changed.", 1: "One face was found."}
        parts.append(found.get(len(boxes), f"{len(boxes)} faces were found."))
    lines = [" ".join(parts)]
    for when, estimate in (("before", before), ("after", after)):
        if estimate is not None:
            lines.append(f"**Estimated noise {when}:** {noise_in_words(estimate)}.")
    return "  \n".join(lines)


def form(picture: Picture) -> str:
    """Size, colour, depth and frames."""
    height, width, *colours = picture.frames[0].shape
    facts = [f"{width}x{height} pixels", "in colour" if colours else "gray"]
    if not picture.usual:
        facts.append(f"{8 * picture.frames[0].dtype.itemsize} bits, white is {picture.white:g}")
    if len(picture.frames) > 1:
        facts.append(f"{len(picture.frames)} frames, of which the first is shown and measured")
    return ", ".join(facts)


def noise_in_words(estimate: NoiseLevel) -> str:
    """How strong the random noise is, whether there are impulses, and what else was found."""
    gray_levels = estimate.sigma * 255
    strength = next(words for limit, words in STRENGTHS if gray_levels < limit)
    if estimate.amount < NO_IMPULSES:
        impulses = "no impulses found"
    elif estimate.amount < FEW_IMPULSES:
        impulses = "impulses on less than about 2% of the pixels, if any"
    else:
        impulses = f"impulses on about {estimate.amount:.0%} of the pixels"
    about = f"about {gray_levels:.0f}" if gray_levels >= 1 else "less than 1"
    random = f"{strength} random noise ({about} of 255 gray levels)"
    return ", ".join([random, impulses, *estimate.others])
