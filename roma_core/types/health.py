"""Health of the whole and of its components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from roma_core import display
from roma_core.types.base import Noun, frame

if TYPE_CHECKING:
    import pandas as pd

HealthState = Literal["ok", "degraded", "down"]


class ComponentHealth(Noun):
    """State of one component and its reason, as every ``health()`` returns it.

    >>> ComponentHealth(state="degraded", reason="The disk is nearly full; free some room.")  # doctest: +ELLIPSIS
    ComponentHealth(...)
    """

    name: str = ""
    """Given by the report."""
    state: HealthState = "ok"
    reason: str = ""
    """Empty, or a sentence that says what to do."""
    latency_ms: float | None = None
    details: dict[str, Any] = Field(default_factory=dict)
    """Small values, for people and metrics."""


class HealthReport(Noun):
    """State of the whole: ``down`` if a needed component is, else ``degraded`` if any is not ``ok``."""

    state: HealthState
    version: str
    components: tuple[ComponentHealth, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the components as a table, one a row."""
        return frame(self.components, ("name", "state", "reason", "latency_ms"))

    def _repr_html_(self) -> str:
        rows = [(c.name, display.state(c.state), c.reason, c.latency_ms) for c in self.components]
        return display.box(
            f"<p><strong>ROMA {display.cell(self.version)}</strong>: {display.state(self.state)}</p>",
            display.table(("Component", "State", "Reason", "ms"), rows),
        )

    def _repr_markdown_(self) -> str:
        rows = [(c.name, c.state, c.reason, c.latency_ms) for c in self.components]
        head = f"**ROMA {display.escape_markdown(self.version)}: {self.state}**"
        return f"{head}\n\n{display.markdown_table(('Component', 'State', 'Reason', 'ms'), rows)}"
