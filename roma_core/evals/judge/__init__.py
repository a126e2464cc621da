"""A model that grades answers, and how far its grades agree with people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.evals.judge.calibration import Confusion as Confusion
    from roma_core.evals.judge.calibration import JudgeCalibration as JudgeCalibration
    from roma_core.evals.judge.calibration import calibrate as calibrate
    from roma_core.evals.judge.calibration import cohen_kappa as cohen_kappa
    from roma_core.evals.judge.calibration import krippendorff_alpha as krippendorff_alpha
    from roma_core.evals.judge.model import Grade as Grade
    from roma_core.evals.judge.model import Judge as Judge
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "calibration": (
                "JudgeCalibration",
                "Confusion",
                "calibrate",
                "cohen_kappa",
                "krippendorff_alpha",
            ),
            "model": (
                "Grade",
                "Judge",
            ),
        },
    )

__all__ = [
    "Confusion",
    "Grade",
    "Judge",
    "JudgeCalibration",
    "calibrate",
    "cohen_kappa",
    "krippendorff_alpha",
]
