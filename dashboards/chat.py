"""The chat alone, without the HTTP API: ``panel serve dashboards/chat.py``."""

from roma_core import Settings, build_roma
from roma_core.ui import ChatPane

ChatPane(build_roma(Settings.load())).servable()
