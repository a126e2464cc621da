"""A model that grades answers, and how far its grades agree with people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.evals.judge.calibration import cohen_kappa as cohen_kappa
    from roma_core.evals.judge.calibration import corrected_rate as corrected_rate
    from roma_core.evals.judge.calibration import krippendorff_alpha as krippendorff_alpha
    from roma_core.evals.judge.card import JudgeCard as JudgeCard
    from roma_core.evals.judge.card import calibrate_judge as calibrate_judge
    from roma_core.evals.judge.labels import Label as Label
    from roma_core.evals.judge.labels import load_labels as load_labels
    from roma_core.evals.judge.labels import load_preferences as load_preferences
    from roma_core.evals.judge.model import Judge as Judge
    from roma_core.evals.judge.pairwise import PairJudge as PairJudge
    from roma_core.evals.judge.pairwise import compare_answers as compare_answers
    from roma_core.evals.judge.plan import plan_labels as plan_labels
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "calibration": ("cohen_kappa", "corrected_rate", "krippendorff_alpha"),
            "card": ("JudgeCard", "calibrate_judge"),
            "labels": ("Label", "load_labels", "load_preferences"),
            "model": ("Judge",),
            "pairwise": ("PairJudge", "compare_answers"),
            "plan": ("plan_labels",),
        },
    )

__all__ = [
    "Judge",
    "JudgeCard",
    "Label",
    "PairJudge",
    "calibrate_judge",
    "cohen_kappa",
    "compare_answers",
    "corrected_rate",
    "krippendorff_alpha",
    "load_labels",
    "load_preferences",
    "plan_labels",
]
