"""Alerts and text of a Panel page. Panel's own text panes run HTML, so none is used for text of others."""

from __future__ import annotations

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui

from roma_core.errors import AgentFailure
from roma_core.ui.render import to_html


def safe_pane(text: str) -> pn.pane.HTML:
    """Return a pane of text of any origin."""
    return pn.pane.HTML(f'<div class="roma-text">{to_html(text)}</div>', css_classes=["roma-pane"], margin=0)


def failure_alert(failure: AgentFailure, retry: Callable[[], None] | None = None) -> pn.Column:
    """Return the alert of a failure: its cause and what to do; a recoverable one offers to try again."""
    wait = f" Wait {failure.retry_after_s:.0f} s first." if failure.retry_after_s else ""
    alert = pmui.Alert(
        safe_pane(f"{failure.message}{wait}"),
        title=f"{'That did not work this time' if failure.recoverable else 'That cannot work'} ({failure.code})",
        severity="warning" if failure.recoverable else "error",
        sizing_mode="stretch_width",
        margin=0,
    )
    if not failure.recoverable or retry is None:
        return pn.Column(alert, sizing_mode="stretch_width")
    button = pmui.Button(label="Try again", variant="outlined", size="small", margin=(8, 0, 0, 0))
    button.on_click(lambda _: retry())
    return pn.Column(alert, button, sizing_mode="stretch_width")
