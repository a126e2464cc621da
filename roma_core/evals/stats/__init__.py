"""Intervals and tests over clustered questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.evals.stats.inference import Difference as Difference
    from roma_core.evals.stats.inference import Interval as Interval
    from roma_core.evals.stats.inference import compare_pairs as compare_pairs
    from roma_core.evals.stats.inference import interval as interval
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "inference": (
                "Difference",
                "Interval",
                "interval",
                "compare_pairs",
            ),
        },
    )

__all__ = [
    "Difference",
    "Interval",
    "compare_pairs",
    "interval",
]
