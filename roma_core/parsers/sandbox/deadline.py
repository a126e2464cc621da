"""The time that is left for the file at hand, so that slow steps (OCR) stop before the worker is killed."""

from __future__ import annotations

import math
import time

_end = math.inf


def start(seconds: float) -> None:
    """Begin the time of one file."""
    global _end
    _end = time.monotonic() + seconds


def remaining_s() -> float:
    """Seconds left; infinite outside of a worker."""
    return _end - time.monotonic()
