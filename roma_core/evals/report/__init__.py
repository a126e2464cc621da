"""Records of evaluations, and the decision between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.evals.report.comparison import Comparison as Comparison
    from roma_core.evals.report.comparison import compare as compare
    from roma_core.evals.report.record import EvalReport as EvalReport
    from roma_core.evals.report.record import EvalRow as EvalRow
    from roma_core.evals.report.record import read_report as read_report
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "comparison": (
                "Comparison",
                "compare",
            ),
            "record": (
                "EvalReport",
                "EvalRow",
                "read_report",
            ),
        },
    )

__all__ = [
    "Comparison",
    "EvalReport",
    "EvalRow",
    "compare",
    "read_report",
]
