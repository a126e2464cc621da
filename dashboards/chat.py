"""The chat alone: ``panel serve dashboards/chat.py``; of the service at ``ROMA_URL`` where that is set."""

from roma_core import Settings
from roma_core.ui import ChatPane

ChatPane.from_settings(Settings.load()).servable()
