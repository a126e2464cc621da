"""Sizes of long tests: a part of a battery in each run, the whole of it in ``make soak``."""

from __future__ import annotations

import os
from typing import Any

import pytest

IS_WHOLE = os.environ.get("ROMA_TEST_SIZES") == "whole"
"""Read here because no ROMA_ variable reaches a test; ``make soak`` sets it."""


def examples(some: int, *, whole: int) -> int:
    """Return how many examples a property is tried on: ``some`` by default, ``whole`` in ``make soak``."""
    return whole if IS_WHOLE else some


def some_and_whole(some: Any, whole: Any) -> list[Any]:
    """Return the two sizes of a parametrized test: the first runs by default, the second in ``make soak``.

    A tuple is a value for each of several names.

        @pytest.mark.parametrize("share", some_and_whole(20, 1))
    """
    sizes = ((some, pytest.mark.slow, "some"), (whole, pytest.mark.soak, "whole"))
    return [
        pytest.param(*(size if isinstance(size, tuple) else (size,)), marks=mark, id=name) for size, mark, name in sizes
    ]
