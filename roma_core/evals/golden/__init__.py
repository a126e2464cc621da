"""Golden sets: questions with their evidence and facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.evals.golden.beir import load_beir as load_beir
    from roma_core.evals.golden.dataset import Evidence as Evidence
    from roma_core.evals.golden.dataset import Golden as Golden
    from roma_core.evals.golden.dataset import GoldenCase as GoldenCase
    from roma_core.evals.golden.dataset import Nugget as Nugget
    from roma_core.evals.golden.dataset import load_golden as load_golden
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "beir": ("load_beir",),
            "dataset": (
                "Evidence",
                "Golden",
                "GoldenCase",
                "Nugget",
                "load_golden",
            ),
        },
    )

__all__ = [
    "Evidence",
    "Golden",
    "GoldenCase",
    "Nugget",
    "load_beir",
    "load_golden",
]
