"""Files that a visitor sent, restored one after the other: pictures as pictures, tables as tables."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from fer_denoise.command.tables import encode
from fer_denoise.data import DataError
from fer_denoise.demo.batch_report import Pair, ReportRow
from fer_denoise.demo.batch_restoration import BatchRestorer, PictureToRestore, RestoredPicture
from fer_denoise.demo.batch_results import BatchResults
from fer_denoise.demo.incoming import Incoming
from fer_denoise.demo.received_table import ReceivedTable, decode_row
from fer_denoise.demo.references import Clean, References
from fer_denoise.demo.uploads import read_upload
from fer_denoise.pictures import Picture, PictureError, encode_picture, lossless_suffix

SHOWN = 8
"""How many pictures, the first, are shown beside what became of them."""


class UploadBatch:
    """Restores files, and keeps what there is to say and to show of them.

    Args:
        restorer: restores pictures.
        references: the clean ones.
        white: of pictures that do not tell what number is white.
        folder: where tables and results lie for the time.
    """

    def __init__(self, restorer: BatchRestorer, references: References, white: float | None, folder: Path) -> None:
        self._restorer, self._references, self._white, self._folder = restorer, references, white, folder
        self._results = BatchResults(folder)
        self.rows = [ReportRow(name, remark=reason) for name, reason in references.left_out]
        self.pairs: list[tuple[str, Pair]] = []
        self._all_in_8_bits = True

    @property
    def white_matters(self) -> bool:
        """Whether another `white` might give another result: not where all that came had 8 bits and was read."""
        return not self._all_in_8_bits or any(row.remark for row in self.rows)

    def leave_out(self, name: str, reason: str) -> None:
        """Say in the report that something is not restored, and why."""
        self.rows.append(ReportRow(name, remark=reason))

    def restore(self, file: Incoming) -> Iterator[int]:
        """Restore a file; of a table, gives again and again how many rows are done.

        Of a table that is not done to its end nothing stays.
        """
        clean = self._references.of(file, self._white, self._folder)
        try:
            if file.is_table:
                yield from self._restore_table(file, clean)
            else:
                self._restore_picture(file, next(clean))
        except (PictureError, DataError) as error:
            self.leave_out(file.name, str(error))

    def leave_out_references(self) -> None:
        """Say in the report, once all files are restored, which clean ones nothing was compared with."""
        for name in self._references.unused():
            self.leave_out(name, "is clean, and no noisy one has its name")

    def finish(self, alone: bool) -> list[str]:
        """The files to hand out; `alone` as that of `BatchResults.finish`."""
        return self._results.finish(self.rows, alone)

    def _restore_picture(self, file: Incoming, clean: Clean) -> None:
        picture = read_upload(BytesIO(file.read()), self._restorer.model, white=self._white, name=file.name)
        (result,) = self._restorer.restore([self._to_restore(file.name, picture, clean)])
        suffix = lossless_suffix(result.restored)
        name = self._results.add_picture(file.name, suffix, encode_picture(result.restored, suffix))
        self._keep([result.row], [result], name)

    def _to_restore(self, name: str, picture: Picture, clean: Clean) -> PictureToRestore:
        self._all_in_8_bits &= not (picture.deep or (clean.picture and clean.picture.deep))
        return PictureToRestore(name, picture, clean)

    def _restore_table(self, file: Incoming, clean: Iterator[Clean]) -> Iterator[int]:
        table, output = ReceivedTable(file, self._folder), self._results.path_for_table(file.name)
        parts: list[Path] = []
        rows: list[ReportRow] = []
        shown: list[RestoredPicture] = []
        for first, part in table.parts():
            values = part.images.to_pylist()
            yield from self._restore_values(file.name, first, values, clean, rows, shown)
            parts.append(output.with_name(f"part-{len(parts)}"))
            parts[-1].write_bytes(part.with_images(pa.array(values, part.images.type)))
        table.join(parts, output)
        self._keep(rows, shown, self._results.add_table(file.name, output))

    def _restore_values(
        self,
        name: str,
        first: int,
        values: list[Any],
        clean: Iterator[Clean],
        rows: list[ReportRow],
        shown: list[RestoredPicture],
    ) -> Iterator[int]:
        """Restore images of a table in their place, adding to `rows`, and to `shown` while these are few."""
        own = [ReportRow(f"{name}, row {first + index}") for index in range(len(values))]

        def readable() -> Iterator[tuple[int, PictureToRestore]]:
            for index, (row, value) in enumerate(zip(own, list(values), strict=True)):
                reference = next(clean)
                try:
                    picture = decode_row(value, row.file, self._restorer.model, self._white)
                except (PictureError, DataError) as error:
                    own[index] = replace(row, remark=f"left as it was: {error}")
                else:
                    yield index, self._to_restore(row.file, picture, reference)

        for index, result in self._restorer.restore_each(readable()):
            values[index], own[index] = encode(result.restored, values[index]), result.row
            shown += [result] if len(shown) < SHOWN else []
            yield len(rows) + index + 1
        rows += own

    def _keep(self, rows: list[ReportRow], shown: list[RestoredPicture], name: str) -> None:
        """Take over what came of a file, which is now called `name`; what was left as it was has no such name."""
        self.rows += [replace(row, restored_as=name) if row.width else row for row in rows]
        self.pairs += [(result.row.file, result.seen) for result in shown][: SHOWN - len(self.pairs)]
