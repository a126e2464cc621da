"""Notebooks: Panel without the network, and values that show something without a kernel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from roma_core.errors import AgentFailure, ConfigError
from roma_core.settings import Settings
from roma_core.types import TailorOutput

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.explanation import AnswerExplanation


def notebook() -> None:
    """Make Panel show its views in this notebook; what it needs is put into the notebook, nothing is loaded.

    >>> notebook()  # doctest: +SKIP
    >>> ChatPane(roma)  # doctest: +SKIP

    Raises ``ConfigError`` where there is no notebook.
    """
    import panel as pn

    ipython = sys.modules.get("IPython")  # a notebook has imported it
    if ipython is None or ipython.get_ipython() is None:
        raise ConfigError("notebook() works in a notebook; elsewhere Panel needs no set-up.")
    pn.extension(inline=True)


class LiveView:
    """A value with widgets where a kernel runs, and with ``_repr_html_`` in a page without one (nbconvert, GitHub)."""

    def widget(self) -> Any:
        """Return the value as widgets (ipywidgets)."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = self.widget()._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**data, "text/html": self._repr_html_()}


async def explain(answer: TailorOutput | AgentFailure | str, roma: Roma | None = None) -> AnswerExplanation:
    """Return where an answer went wrong, with its passages and the time of each stage.

    ``answer`` is what ``roma.query`` returned, the id of its record, or ``"last"``. Without ``roma`` the record is
    looked up in the workspace of the settings.

    >>> await explain(output, roma)  # doctest: +SKIP
    """
    from roma_core.app import build_roma
    from roma_core.explanation import explain_answer

    if roma is not None:
        return await explain_answer(roma, answer)
    async with build_roma(Settings.load()) as own:
        return await explain_answer(own, answer)
