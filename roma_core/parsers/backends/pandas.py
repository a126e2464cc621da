"""Workbooks and CSV by pandas: one table a sheet, every value as text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from roma_core.parsers import media
from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.tables import Grid
from roma_core.types import RawDocument

if TYPE_CHECKING:
    from pandas import DataFrame


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield each sheet's name and its cells; of a CSV file its cells."""
    import pandas

    source = io.BytesIO(raw.data)
    if raw.media_type in {media.CSV, media.TSV}:
        separator = "\t" if raw.media_type == media.TSV else None
        frame = pandas.read_csv(
            source,
            header=None,
            dtype=str,
            keep_default_na=False,
            sep=separator,
            engine="python",
            skip_blank_lines=False,
        )
        yield BackendBlock("table", rows=_rows(frame), first_row=1)
        return
    sheets = pandas.read_excel(
        source, sheet_name=None, header=None, dtype=str, keep_default_na=False, na_filter=False, engine="calamine"
    )
    for name, frame in sheets.items():
        yield BackendBlock("heading", name, level=2, section="sheet")
        if not frame.empty:
            yield BackendBlock("table", rows=_rows(frame), first_row=1)


def _rows(frame: DataFrame) -> Grid:
    return [[str(value) for value in row] for row in frame.fillna("").itertuples(index=False, name=None)]
