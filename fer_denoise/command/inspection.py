"""The health of a dataset of faces, as `python -m fer_denoise inspect` reports it: copies, labels, blank images."""

import base64
import html
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_denoise.data import EMOTIONS, DataError, Faces, load_splits
from fer_denoise.data.health import blank, exact_copies, near_copies
from fer_denoise.data.votes import NO_FACE, Votes, load_votes
from fer_denoise.files import write_whole

REPORT, PAGE = "report.json", "index.html"
SHOWN = 200
"""Groups of images on the page, of each finding."""
ENLARGED = 96
"""Side in pixels of a face on the page."""


@dataclass(frozen=True)
class Inspection:
    """All images of a dataset, one split after the other, and what was found among them.

    Attributes:
        splits: the faces, by split.
        findings: groups of images, by what is wrong with them; an image is an index over all splits.
        votes: of the crowd, where they are known.
    """

    splits: dict[str, Faces]
    findings: dict[str, list[list[int]]]
    votes: dict[str, Votes]

    def place(self, index: int) -> tuple[str, int]:
        """The split of an image, and its number there."""
        for split, faces in self.splits.items():
            if index < len(faces):
                return split, index
            index -= len(faces)
        raise IndexError(index)

    def describe(self, index: int) -> dict[str, Any]:
        """An image as the report has it."""
        split, row = self.place(index)
        description = {"split": split, "row": row, "label": EMOTIONS[self.splits[split].labels[row]]}
        if split in self.votes and (majority := int(self.votes[split].majority[row])) >= 0:
            description["crowd"] = EMOTIONS[majority]
        return description

    def agreement(self) -> dict[str, dict[str, Any]]:
        """How many images of each split with votes have a clear majority, and how many labels are that."""
        found = {}
        for split, votes in self.votes.items():
            clear = votes.majority >= 0
            labels = self.splits[split].labels
            confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
            np.add.at(confusion, (labels[clear], votes.majority[clear]), 1)
            agreement = float((labels == votes.majority)[clear].mean()) if clear.any() else 0.0
            found[split] = {
                "clear": int(clear.sum()),
                "agreement": round(agreement, 4),
                "crowd_by_label": {
                    label: dict(zip(EMOTIONS, row.tolist(), strict=True))
                    for label, row in zip(EMOTIONS, confusion, strict=True)
                },
            }
        return found

    def lines(self) -> list[str]:
        """The report in words."""
        images = ", ".join(f"{len(faces):,} {split}" for split, faces in self.splits.items())
        lines = [f"images: {sum(map(len, self.splits.values())):,} ({images})"]
        for name, groups in self.findings.items():
            count = sum(map(len, groups))
            grouped = f" in {len(groups):,} groups" if any(len(group) > 1 for group in groups) else ""
            lines.append(f"{name}: {count:,}{grouped}")
        for split, found in self.agreement().items():
            lines.append(
                f"label is what most people see, of {found['clear']:,} clear {split} images: {found['agreement']:.1%}"
            )
        return lines


def inspect(source: str, revision: str | None = None, votes_file: str | None = None) -> Inspection:
    """Look for what is wrong with a dataset; arguments as those of `load_fer2013` and `load_votes`.

    Raises:
        DataError: it cannot be read, or the votes are not on it.
    """
    splits = load_splits(source, revision)
    votes = {split: load_votes(votes_file, faces, split) for split, faces in splits.items()} if votes_file else {}
    images = np.concatenate([faces.images for faces in splits.values()])
    labels = np.concatenate([faces.labels for faces in splits.values()])
    of_split = np.repeat(np.arange(len(splits)), [len(faces) for faces in splits.values()])
    copies = exact_copies(images)
    findings = {
        "exact copies": copies,
        "exact copies with two labels": [group for group in copies if len({*labels[group]}) > 1],
        "exact copies in two splits": [group for group in copies if len({*of_split[group]}) > 1],
        "near copies": [list(pair) for pair in near_copies(images)],
        "blank": [[int(index)] for index in np.flatnonzero(blank(images))],
    }
    if votes:
        counts = np.concatenate([of_one.counts for of_one in votes.values()])
        no_face = np.flatnonzero(2 * counts[:, NO_FACE] > counts.sum(axis=1))
        findings["not a face, most people say"] = [[int(index)] for index in no_face]
    return Inspection(splits, findings, votes)


def write_report(inspection: Inspection, folder: Path) -> None:
    """Write `REPORT` with every image that was found, and `PAGE`, which shows the first of them, into `folder`.

    Raises:
        DataError: the folder holds something else.
    """
    if folder.exists() and not {path.name for path in folder.iterdir()} <= {REPORT, PAGE}:
        raise DataError(f"{folder}: holds something else; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "splits": {
            split: {"source": faces.source, "images": len(faces), "sha256": faces.fingerprint}
            for split, faces in inspection.splits.items()
        },
        "findings": {
            name: [[inspection.describe(index) for index in group] for group in groups]
            for name, groups in inspection.findings.items()
        },
        "labels_and_crowd": inspection.agreement(),
    }
    write_whole(folder / REPORT, (json.dumps(report, indent=1) + "\n").encode())
    write_whole(folder / PAGE, _page(inspection).encode())


def _page(inspection: Inspection) -> str:
    parts = [
        "<!doctype html><meta charset=utf-8><title>Dataset health</title>",
        "<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui;max-width:70rem;margin:2rem auto;"
        "padding:0 1rem}ul{display:flex;flex-wrap:wrap;gap:1rem;padding:0}li{display:flex;gap:.25rem;list-style:none;"
        "padding:.5rem;border:1px solid #8884;border-radius:.5rem}figure{margin:0;font-size:12px;text-align:center}"
        "img{display:block;image-rendering:pixelated}</style>",
        "<h1>Dataset health</h1>",
        *(f"<p>{html.escape(line)}</p>" for line in inspection.lines()),
    ]
    for name, groups in inspection.findings.items():
        more = f", the first {SHOWN} of {len(groups):,}" if len(groups) > SHOWN else ""
        parts.append(f"<h2>{html.escape(name)}{more}</h2>\n<ul>")
        parts += [f"<li>{''.join(_figure(inspection, index) for index in group)}</li>" for group in groups[:SHOWN]]
        parts.append("</ul>" if groups else "</ul><p>none</p>")
    return "\n".join(parts) + "\n"


def _figure(inspection: Inspection, index: int) -> str:
    split, row = inspection.place(index)
    stream = io.BytesIO()
    Image.fromarray(inspection.splits[split].images[row]).save(stream, "PNG")
    description = inspection.describe(index)
    crowd = f"<br>crowd: {description['crowd']}" if "crowd" in description else ""
    source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    words = f"{split} {row}<br>{description['label']}{crowd}"
    return f"<figure><img src='{source}' width={ENLARGED} height={ENLARGED} alt='{split} {row}'>{words}</figure>"
