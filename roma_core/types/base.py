"""The base of all values, and the hash that every id is made with."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:  # a name for signatures; pandas is not loaded for it
    import pandas as pd


def digest(*parts: str | bytes) -> str:
    """Return the SHA-256 (hex) of the parts, each framed by its length so that no two lists of parts collide."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


class Noun(BaseModel):
    """Base of all values: frozen, and unknown fields are a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_nan(value: object) -> object:
    """Return NaN for None: JSON has no number for it. For a validator of fields that may be unknown."""
    return math.nan if value is None else value


def frame(rows: Iterable[BaseModel], columns: Sequence[str]) -> pd.DataFrame:
    """Return a table with one row a value and the named columns (also when there is no row)."""
    import pandas as pd

    return pd.DataFrame([row.model_dump(include=set(columns)) for row in rows], columns=list(columns))
