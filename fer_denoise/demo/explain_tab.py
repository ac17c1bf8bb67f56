"""The tab that explains: the noise, the methods, how to read the numbers, and what a restored face is not."""

import gradio as gr

from fer_denoise import __version__

TEXT = """
## What this is for

Small gray faces, as in the dataset FER2013, are often noisy. This app adds noise to a clean face, removes it again, and
shows what was gained. *Your own picture* restores a picture that is noisy already.

## The noise

- **Gaussian**: every pixel is shifted by a random amount. *Sigma* says how much: 0.02 is about 5 of 255 gray levels,
  hardly seen; 0.06 is about 15, clearly seen.
- **Salt and pepper**: some pixels are lost and turn white or black. The others stay as they are.

## The methods

- **Universal** is one network for every level of both, and for what else pictures carry: impulses of any value, noise
  in a part, from little light, stripes, JPEG. It is told nothing: how noisy each pixel is, and which are lost, it
  estimates first. What is lost it fills in from around; the rest it corrects a little.
- **Attention U-Nets** are specialists for one noise each. *Attention gates* weigh the details that they pass on.
- **PatchGANs** are trained against a second network that tells restored faces from real ones. Their faces are less
  smooth, and a little less true.
- **Filters** need no training: median, total variation, wavelets, non-local means, BM3D. They are told the true noise
  level, which nobody knows of a real picture. Against salt and pepper, a *switching median* goes before them.

## The numbers

- **PSNR**, in decibels: how small the error is. 3 dB more is half the squared error. Around 30 dB the error of a face
  can be seen; above 40 hardly.
- **SSIM**, up to 1: how alike the structure is.
- **MSE**: the squared error itself.

They compare with the clean face. Of your own picture there is none, so there are no such numbers.
*Universal* saw the cat when it was trained, so its numbers there are flattered; the faces it never saw.

## The emotions

A small network guesses which of seven labels people would give a face: clean, noisy and restored. That is what noise
costs, and what restoring gives back, to programs that read faces; *Results* has the figures. It learned FER2013's
labels, on which people disagree themselves, and what ten people each saw in the same faces (FER+); in the tabs with a
face, the guess at that stands in italics. It does not know what somebody feels, and must not be used to decide anything
about a person.

## What a restored face is not

A restorer fills in what is likely, not what was there. Do not use a restored face to identify anybody, as evidence, or
to judge what somebody feels. The networks learned from the faces of FER2013: small faces from the web, unevenly spread
over age, gender and ethnicity. Whoever is rare there may be restored worse. *Universal* also learned from parts of
photographs, one of them that of the cat.

## For researchers

`pip install git+https://github.com/fer-denoise/fer-denoise` installs the package, without the app:

```python
from fer_denoise import Restorer

restorer = Restorer.from_pretrained("universal")
restored = restorer(faces)  # uint8 or float in [0, 1], (H, W) or (N, H, W)
```

Every figure in *Results* comes from a script of the repository, which trains and measures anew with one command;
`train/fer_denoise.ipynb` does so on a free GPU. To cite it:

```bibtex
@software{fer_denoise,
  author  = {{The fer-denoise authors}},
  title   = {fer-denoise: restoring noisy faces, with honest numbers},
  url     = {https://github.com/fer-denoise/fer-denoise},
  version = {VERSION},
}
```

## For programs

Every program can call this app: `/restore`, `/add_noise` and `/estimate_noise`. *Use via API*, at the foot of the
page, has examples in Python, JavaScript and curl. Where the app runs with `gradio[mcp]`, the same three are tools for
language models.
"""


def build_explain_tab() -> None:
    """Fill the current tab."""
    gr.Markdown(TEXT.replace("VERSION", __version__), elem_classes="reading")
