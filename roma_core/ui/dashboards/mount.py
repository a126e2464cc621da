"""Panel's pages in the service: the sources and the dashboards, each for the user who opens it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import panel_material_ui as pmui
from panel.io.fastapi import add_applications

from roma_core.types import Principal
from roma_core.ui.dashboards import CorpusDashboard, EvalsDashboard, UsageDashboard
from roma_core.ui.dashboards.frame import PAGES
from roma_core.ui.sockets import patch_bokeh_fastapi
from roma_core.ui.source_page import SourcePage

if TYPE_CHECKING:
    from roma_core.app import Roma

KEPT_MS: Final = 60_000
"""How long a page that has lost its connection can come back."""
BOARDS: Final[dict[str, type[EvalsDashboard] | type[UsageDashboard] | type[CorpusDashboard]]] = {
    "/console/evals": EvalsDashboard,
    "/console/usage": UsageDashboard,
    "/console/corpus": CorpusDashboard,
}


def mount_pages(
    app: Any,
    roma: Roma,
    who: Callable[[], Principal | None] = lambda: None,
    may_open: Callable[[Principal, str], bool] = lambda person, path: True,
) -> None:
    """Serve Panel's pages below ``/console`` of the FastAPI ``app``.

    ``who`` returns the user who opens one; None is the local user, with the tenant of the settings. ``may_open`` says
    to which paths a user's pages link.
    """
    patch_bokeh_fastapi()

    def list_places(person: Principal | None) -> dict[str, str]:
        return {path: name for path, name in PAGES.items() if person is None or may_open(person, path)}

    def open_sources() -> pmui.Page:
        person = who()
        places = list_places(person)
        if person is None:
            return SourcePage(roma, places=places).page()
        system = roma.of_tenant(person.tenant)
        may_sync = person.may("documents.ingest")
        return SourcePage(system, person.tenant, may_sync=may_sync, who=person, places=places).page()

    def make_opener(kind: Callable[..., Any]) -> Callable[[], pmui.Page]:
        def open_board() -> pmui.Page:  # Panel takes a function, and shows any other callable as a value
            person = who()
            system = roma.of_tenant(None if person is None else person.tenant)
            return kind(system, person, places=list_places(person)).page()

        return open_board

    pages = {path: make_opener(kind) for path, kind in BOARDS.items()}
    app.state.pages = PAGES
    add_applications(
        {"/console/sources": open_sources, **pages},
        app=app,
        title="ROMA",
        sign_sessions=True,
        secret_key=secrets.token_bytes(32),  # of this process, whose end ends every session
        include_headers=["User-Agent"],  # what is kept stands in the page, and a password is among the headers
        include_cookies=[],
        unused_session_lifetime_milliseconds=KEPT_MS,
    )
