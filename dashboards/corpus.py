"""Documents, sources, the ledger, losses and duplicates: ``panel serve dashboards/corpus.py``."""

import panel as pn

from roma_core import build_roma
from roma_core.ui import CorpusDashboard

roma = pn.state.as_cached("roma", build_roma)
CorpusDashboard(roma).page().servable()
