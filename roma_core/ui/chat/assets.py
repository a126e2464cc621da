"""Files that the chat's page is made of, and the same as one module for a notebook.

There is no build step: a browser loads the modules as they stand here. Notebooks take a single module, so ``bundle``
puts them into one another; the modules keep to ``import {names} from "./file.js"`` and named exports for that.
"""

from __future__ import annotations

import functools
import hashlib
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from roma_core import theme

MEDIA_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
NAMES: Final = (
    "app.js",
    "chat.css",
    "chat.js",
    "compare.js",
    "dom.js",
    "enrich.js",
    "exports.js",
    "history.js",
    "http.js",
    "icon.svg",
    "reader.js",
    "suggestions.js",
    "turn.js",
    "uploads.js",
    "vendor/katex.min.css",
    "vendor/katex.min.js",
    "vendor/preact-htm.js",
    "widget.js",
)
_FONT = re.compile(r"vendor/fonts/KaTeX_[A-Za-z0-9-]+\.woff2")
THEME_CSS: Final = "theme.css"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w./-]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|const|class|let) (\w+)", re.MULTILINE)
_VENDOR_EXPORT = re.compile(r"export\{([^}]*)\};?\s*$")


class Asset(NamedTuple):
    """A file of the page."""

    data: bytes
    media_type: str
    etag: str


def read_page() -> bytes:
    """Return the HTML of the page."""
    return _read("index.html")


@functools.cache
def find_asset(name: str) -> Asset | None:
    """Return a file by its name; None for a name that is none of them."""
    if name == THEME_CSS:
        data = theme.write_css(".roma").encode()
    elif name in NAMES or (_FONT.fullmatch(name) and _exists(name)):
        data = _read(name)
    else:
        return None
    suffix = name[name.rindex(".") :]
    return Asset(data, MEDIA_TYPES[suffix], f'"{hashlib.sha256(data).hexdigest()[:32]}"')


@functools.cache
def bundle(entry: str = "widget.js") -> str:
    """Return ``entry`` and all that it imports as one module with a default export."""
    order: list[str] = []
    _collect(entry, order)
    parts = [_wrap(name) for name in order]
    return "\n".join([*parts, f"export default {_variable(entry)}.default_;\n"])


def read_styles() -> str:
    """Return the styles of the chat with the theme, for a notebook."""
    return theme.write_css(".roma") + _read("chat.css").decode()


def _collect(name: str, order: list[str]) -> None:
    if name in order:
        return
    for _, imported in _IMPORT.findall(_read(name).decode()):
        _collect(imported, order)
    order.append(name)


def _wrap(name: str) -> str:
    """Return a module as a function that is called at once and returns its exports."""
    source = _read(name).decode()
    if vendored := _VENDOR_EXPORT.search(source):
        pairs = [part.partition(" as ")[::2] for part in vendored[1].split(",")]
        body = source[: vendored.start()]
        exports = ", ".join(f"{outer or inner}: {inner}" for inner, outer in pairs)
    else:
        body = _IMPORT.sub(
            lambda found: f"const {{{found[1].replace(' as ', ': ')}}} = {_variable(found[2])};\n", source
        )
        exports = ", ".join(_EXPORT.findall(source))
        body = re.sub(r"^export ", "", body, flags=re.MULTILINE)
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{{exports}}};\n}})();"


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name)


@functools.cache
def _read(name: str) -> bytes:
    return _locate(name).read_bytes()


def _exists(name: str) -> bool:
    return _locate(name).is_file()


def _locate(name: str) -> Traversable:
    return files("roma_core.ui.chat").joinpath("static", *name.split("/"))
