"""User interfaces: the console, dashboards, views of documents, and progress in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.ui.chat.pane import ChatPane as ChatPane
    from roma_core.ui.chat.widget import Chat as Chat
    from roma_core.ui.comparison import compare_page as compare_page
    from roma_core.ui.dashboards import CorpusDashboard as CorpusDashboard
    from roma_core.ui.dashboards import EvalsDashboard as EvalsDashboard
    from roma_core.ui.dashboards import UsageDashboard as UsageDashboard
    from roma_core.ui.explorer import explore as explore
    from roma_core.ui.jupyter import explain as explain
    from roma_core.ui.jupyter import notebook as notebook
    from roma_core.ui.lab import LabelPad as LabelPad
    from roma_core.ui.lab import PromptLab as PromptLab
    from roma_core.ui.progress import ingest_bar as ingest_bar
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "chat.pane": ("ChatPane",),
            "chat.widget": ("Chat",),
            "comparison": ("compare_page",),
            "dashboards": ("CorpusDashboard", "EvalsDashboard", "UsageDashboard"),
            "explorer": ("explore",),
            "lab": ("LabelPad", "PromptLab"),
            "jupyter": ("explain", "notebook"),
            "progress": ("ingest_bar",),
        },
    )

__all__ = [
    "Chat",
    "ChatPane",
    "CorpusDashboard",
    "EvalsDashboard",
    "LabelPad",
    "PromptLab",
    "UsageDashboard",
    "compare_page",
    "explain",
    "explore",
    "ingest_bar",
    "notebook",
]
