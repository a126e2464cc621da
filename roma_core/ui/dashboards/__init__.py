"""Dashboards as pages of Panel: evaluations, use, and the corpus. Their filters stand in the address."""

from __future__ import annotations

from roma_core.ui.dashboards.corpus import CorpusDashboard
from roma_core.ui.dashboards.evals import EvalsDashboard
from roma_core.ui.dashboards.frame import DASHBOARDS
from roma_core.ui.dashboards.usage import UsageDashboard

__all__ = ["DASHBOARDS", "CorpusDashboard", "EvalsDashboard", "UsageDashboard"]
