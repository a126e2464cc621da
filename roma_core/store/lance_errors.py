"""Errors of LanceDB, whose reasons stand in their text alone, as errors of ROMA."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from roma_core.environment import explain_environment
from roma_core.errors import DISK_FULL, ErrorCode, RomaError, StoreError
from roma_core.store.folder import StoreFolder
from roma_core.workspace import GoneError

_FULL = ("os error 28", "os error 122", "no space left", "quota exceeded")
_DAMAGED = ("not found:", "corrupt", "invalid magic", "unexpected end of file", "failed to decode")


def _explain(error: Exception, place: str) -> str:
    """Return the sentence for a refusal, whose number stands in the text of LanceDB's errors alone."""
    number = re.search(r"(?:os error |\bcode: )(\d+)", str(error))
    refused = OSError(int(number[1]), "", place) if number else error
    return (
        explain_environment(refused) or f"The store in {place} could not be read or written ({type(error).__name__})."
    )


@contextmanager
def translate_store_errors(folder: StoreFolder, same: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Translate errors of LanceDB, which are RuntimeError, ValueError or OSError with the reason in their text alone.

    A missing file means damage only while the table is still the one that was opened.
    """
    try:
        yield
    except RomaError:
        raise
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, GoneError) or not same():
            raise StoreError("The store's folder is gone or another one; put it back and ask again.") from error
        explained = folder.explain(error)
        if explained is not None:
            raise explained from error
        reason = str(error).lower()
        if any(sign in reason for sign in _FULL):
            raise StoreError(DISK_FULL, ErrorCode.STORAGE_FULL) from error
        code = ErrorCode.STORAGE_CORRUPT if any(s in reason for s in _DAMAGED) else ErrorCode.STORAGE_UNAVAILABLE
        raise StoreError(
            _explain(error, folder.place),
            code,
            details={"exception": type(error).__name__},
        ) from error
