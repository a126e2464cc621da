"""Questions, topics, ratings, speed and cost: ``panel serve dashboards/usage.py``."""

import panel as pn

from roma_core import build_roma
from roma_core.ui import UsageDashboard

roma = pn.state.as_cached("roma", build_roma)
UsageDashboard(roma).page().servable()
