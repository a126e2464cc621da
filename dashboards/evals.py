"""Evaluations over time, and two runs item by item: ``panel serve dashboards/evals.py``."""

import panel as pn

from roma_core import build_roma
from roma_core.ui import EvalsDashboard

roma = pn.state.as_cached("roma", build_roma)
EvalsDashboard(roma).page().servable()
