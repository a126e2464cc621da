"""The frame of a dashboard: its page in ROMA's theme, its filters in the address, and its parts as they are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

import panel as pn
import panel_material_ui as pmui

from roma_core.display import Html
from roma_core.errors import AgentFailure
from roma_core.theme import SIZES, colour
from roma_core.ui.alerts import failure_alert
from roma_core.ui.dashboards.tables import STYLE, hint

DASHBOARDS: Final[Mapping[str, str]] = {
    "/console/evals": "Evaluations",
    "/console/usage": "Use",
    "/console/corpus": "Corpus",
}
"""Paths of the dashboards in the service."""
PAGES: Final[Mapping[str, str]] = {**DASHBOARDS, "/console/ab": "Trials", "/console/sources": "Sources"}
"""Paths of all pages of the service beside the chat, by which they link to each other."""
PAGE_SIZE: Final = 25
_PALETTES: Final = {
    scheme: {
        "palette": {
            "primary": {"main": colour("accent", scheme), "contrastText": colour("on-accent", scheme)},
            "background": {"default": colour("page", scheme), "paper": colour("surface", scheme)},
            "text": {"primary": colour("text", scheme), "secondary": colour("muted", scheme)},
        },
        "typography": {"fontFamily": SIZES["font"]},
        "shape": {"borderRadius": 8},
    }
    for scheme in ("light", "dark")
}
_SHAPES: Final = {
    "& .MuiLinearProgress-root": {"display": "none"},  # it says "busy" without a name for screen readers
    "& .MuiAppBar-root": {
        "backgroundColor": "background.paper",
        "backgroundImage": "none",
        "color": "text.primary",
        "boxShadow": "none",
        "borderBottom": "1px solid",
        "borderColor": "divider",
    },
    "& .MuiAppBar-root a": {"color": "inherit"},
    "& .MuiToolbar-root": {"minHeight": "3rem !important"},
    "& .MuiAppBar-root .title": {
        "color": "inherit !important",
        "fontSize": "1rem",
        "fontWeight": 700,
        "letterSpacing": ".08em",
        "marginRight": {"xs": ".25rem", "sm": "1.5rem"},
    },
}


class Filters:
    """Widgets whose values stand in the address, so that a view can be reloaded, shared and gone back to.

    >>> filters = Filters({"words": pmui.TextInput(label="Words")}, refresh)  # doctest: +SKIP
    """

    def __init__(self, widgets: Mapping[str, Any], refresh: Callable[[], Awaitable[None]]) -> None:
        self._widgets = dict(widgets)
        self._refresh = refresh
        self._location = pn.state.location
        self._is_setting = False
        self._defaults = {name: widget.value for name, widget in self._widgets.items()}
        self._wanted = read_address("" if self._location is None else self._location.search)
        for name, widget in self._widgets.items():
            if not hasattr(widget, "options"):
                self._set(name, self._wanted.get(name, self._defaults[name]))
            widget.param.watch(self._follow, "value")

    def __getitem__(self, name: str) -> str:
        """Return the value of a filter; an empty string for none."""
        value = self._widgets[name].value
        return "" if value is None else str(value)

    @property
    def given(self) -> dict[str, str]:
        """The filters that differ from their defaults, as the address has them."""
        chosen = {name: self[name] for name in self._widgets}
        return {name: value for name, value in chosen.items() if value and value != str(self._defaults[name] or "")}

    @property
    def address(self) -> dict[str, str]:
        """Everything that the address of the page said when it was opened."""
        return dict(self._wanted)

    def offer(self, name: str, options: Mapping[str, str] | Sequence[str], default: str = "") -> None:
        """Offer the options of a filter. It has the value of the address, else the one it had, else ``default``."""
        widget = self._widgets[name]
        values = list(options.values()) if isinstance(options, Mapping) else list(options)
        wanted, before = self._wanted.get(name), widget.value
        first = default if default in values else next(iter(values), None)
        value = next((each for each in (wanted, before) if each in values), first)
        self._is_setting = True
        try:
            widget.param.update(options=options if isinstance(options, Mapping) else list(options), value=value)
        finally:
            self._is_setting = False
        self._defaults[name] = first

    def _set(self, name: str, value: Any) -> None:
        self._is_setting = True
        try:
            self._widgets[name].value = value
        finally:
            self._is_setting = False

    def _follow(self, _: Any) -> None:
        """Write the address and draw the page again, when a person has changed a filter."""
        if self._is_setting:
            return
        self._wanted = self.given
        if self._location is not None:
            self._location.search = f"?{urlencode(self._wanted)}" if self._wanted else ""
        pn.state.execute(self._refresh)


def read_address(search: str) -> dict[str, str]:
    """Return the parameters of an address, the last of several.

    >>> read_address("?a=1&b=two%20words")
    {'a': '1', 'b': 'two words'}
    """
    return {name: values[-1] for name, values in parse_qs(search.removeprefix("?")).items()}


def make_page(title: str, filters: Sequence[Any], body: Any, *, places: Mapping[str, str] | None = None) -> pmui.Page:
    """Return a page: its filters above its body, and the way to ``places`` of the service, None outside of it."""
    is_served = places is not None
    bar = pn.FlexBox(*filters, sizing_mode="stretch_width", margin=(0, 0, 8, 0), gap="8px")
    for part in (bar, body):
        part.styles = {**part.styles, "min-width": "0", "max-width": "100%"}
    scheme = SystemScheme(width=0, height=0, margin=0)
    edges = {"padding": "0 10px", "box-sizing": "border-box", "min-width": "0", "max-width": "100%"}
    main = pn.Column(bar, body, scheme, sizing_mode="stretch_width", margin=0, styles=edges)
    return pmui.Page(
        title="ROMA" if is_served else f"ROMA: {title.lower()}",
        meta_title=f"ROMA: {title.lower()}",
        site_url="/console" if is_served else "#",
        header=[] if places is None else [make_pane(render_links(title, places), stylesheets=[LINK_STYLE])],
        main=[main],
        main_width="78rem",
        theme_toggle=True,
        theme_config=_PALETTES,
        sx=_SHAPES,
    )


class SystemScheme(pn.custom.JSComponent):  # type: ignore[misc]
    """Light or dark, as the reader has chosen in the console or here, else as the system says.

    It stays in the browser: every part of the page follows ``data-theme`` of the document, now or when it is drawn.
    By way of the server the choice could come before the page listens, and be lost.
    """

    _esm = """
    const KEY = "roma:theme";

    function read() {
      try {
        return localStorage.getItem(KEY);
      } catch {
        return null;
      }
    }

    function write(scheme) {
      try {
        localStorage.setItem(KEY, scheme);
      } catch {}
    }

    export function render({view}) {
      const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
      document.documentElement.dataset.theme = read() || (isDark ? "dark" : "light");
      let page = view.parent;
      while (page && page.model.class_name !== "Page") page = page.parent;
      page?.model.data.properties.dark_theme.change.connect(() => {
        const scheme = page.model.data.dark_theme ? "dark" : "light";
        if (scheme === document.documentElement.dataset.theme) return;
        document.documentElement.dataset.theme = scheme; // what is drawn later follows as well
        write(scheme);
      });
    }
    """


SELECT_STYLE: Final = """
label { display: block; font-size: .75rem; padding: 0 .2rem .1rem; color: inherit; }
select.bk-input { font: inherit; color: inherit; height: 2.5rem; padding: .3rem 1.8rem .3rem .8rem;
  border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-radius: 8px;
  background-color: transparent; }
select.bk-input:focus-visible { outline: 2px solid currentColor; outline-offset: 1px; }
option { color: #1d1f23; background: #ffffff; }
"""


LINK_STYLE: Final = """
nav { display: flex; gap: 1rem; font-size: .9rem; white-space: nowrap; overflow-x: auto; }
a { color: inherit; text-decoration: none; padding: .2rem 0; }
a:hover { text-decoration: underline; }
@media (max-width: 30rem) { nav { gap: .65rem; font-size: .8rem; } }
a[aria-current] { border-bottom: 2px solid currentColor; font-weight: 600; }
"""


def render_links(current: str, places: Mapping[str, str]) -> Html:
    """Return the links between the console and other pages."""
    links = [
        f'<a href="{path}"{" aria-current=page" if name == current else ""}>{escape(name)}</a>'
        for path, name in {"/console": "Console", **places}.items()
    ]
    return Html(f'<nav aria-label="Pages">{"".join(links)}</nav>')


def make_pane(html: str, stylesheets: Sequence[str] = (STYLE,)) -> pn.pane.HTML:
    """Return a pane of HTML in which every value is escaped already."""
    return pn.pane.HTML(html, sizing_mode="stretch_width", margin=0, stylesheets=list(stylesheets))


def make_row(*cells: Any) -> pn.FlexBox:
    """Return parts side by side where there is room, else below each other."""
    for each in cells:
        each.styles = {**each.styles, "flex": "1 1 18rem", "min-width": "0", "max-width": "100%"}
    return pn.FlexBox(*cells, sizing_mode="stretch_width", gap="24px")


def make_cell(html: str, *parts: Any) -> pn.Column:
    """Return a heading or a text with what stands below it."""
    return pn.Column(make_pane(html), *parts, sizing_mode="stretch_width", margin=0)


def make_waiting() -> pn.pane.HTML:
    """Return what stands on a page until it is read."""
    return make_pane('<p role="status" class="muted">Reading the workspace …</p>')


def make_problem(failure: AgentFailure, retry: Callable[[], None] | None = None) -> Any:
    """Return the alert of a failure."""
    return failure_alert(failure, retry)


def make_hint(text: str) -> pn.pane.HTML:
    """Return what to do where there is nothing to show."""
    return make_pane(hint(text))


def make_select(label: str, width: int = 220) -> Any:
    """Return a filter of options that are offered when they are known.

    It is the browser's own: the menu of the theme's has a list of options that are none for a screen reader.
    """
    looks = {"stylesheets": [SELECT_STYLE], "margin": (0, 0, 6, 0)}
    return pn.widgets.Select(label=label, options=[], value=None, width=width, **looks)


def make_words(label: str, placeholder: str) -> Any:
    """Return a filter of words; it acts when Enter is pressed or the box is left."""
    return pmui.TextInput(label=label, placeholder=placeholder, value="", width=220, size="small", margin=(6, 0))


class Pager:
    """The pages of a list; its number stands in no address, since new entries come in at its front."""

    def __init__(self, draw: Callable[[int], Any], size: int = PAGE_SIZE) -> None:
        self._draw = draw
        self.size = size
        self.view = pn.Column(sizing_mode="stretch_width", margin=0)
        self._buttons = pmui.Pagination(count=1, value=0, size="small", margin=(4, 0))
        self._buttons.param.watch(self._turn, "value")

    def show(self, total: int) -> None:
        """Show the first page of ``total`` entries."""
        pages = max(1, -(-total // self.size))
        self._buttons.param.update(count=pages, value=0)
        self.view.objects = [self._draw(0), *([self._buttons] if pages > 1 else [])]

    def _turn(self, event: Any) -> None:
        if self.view.objects:
            self.view[0] = self._draw(int(event.new or 0) * self.size)
