"""Evaluations over time, and two runs item by item: ``panel serve dashboards/evals.py``."""

import panel as pn

from roma_core import Settings, build_roma
from roma_core.ui import EvalsDashboard

roma = pn.state.as_cached("roma", build_roma, settings=Settings.load())
EvalsDashboard(roma).page().servable()
