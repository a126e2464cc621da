"""Names of local sources: the one reading of paths and ``file:`` addresses, and the fence around them.

The check of a request and the later read use the same reading, so nothing can be spelt past the check.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from roma_core.errors import AccessError, ErrorCode, InputError

_PASS: Final = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)
"""To go through a folder. Where there is ``O_PATH`` (Linux), that needs no right to read it."""


def is_local(uri: str) -> bool:
    """Return whether ``uri`` is a ``file:`` address (in any case) or a plain path."""
    return _is_file_address(uri) or "://" not in uri


def path_of(uri: str) -> Path:
    """The path that a ``file:`` address or a plain path names; ``~`` is a home folder in the latter alone.

    Raises ``InputError`` for another host, an unknown user's home, and what cannot be a path.
    """
    text = _of_address(uri) if _is_file_address(uri) else _at_home(uri)
    try:
        usable = bool(text) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise InputError("A path has at least one character, none of them NUL or half of a surrogate pair.")
    return Path("/" + text.lstrip("/") if text.startswith("//") else text)  # POSIX lets // be another place


def compose_accents(text: str) -> str:
    """Return text with letters and their accents as one character, where there is one.

    A Mac writes a name in two parts that a keyboard types in one; to a person they are the same name.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def find_spelling(path: Path) -> Path:
    """Return the path as the disk spells it, when a name on the way differs in how its accents are written alone.

    A name that is there as it is given, and one that two entries would answer to, stays as it is.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    absolute = path.absolute()
    spelt = Path(absolute.anchor)
    for name in absolute.parts[1:]:
        step = spelt / name
        if not name.isascii() and not os.path.lexists(step):
            wanted = compose_accents(name)
            answers = [entry for entry in _names_in(spelt) if compose_accents(entry) == wanted]
            step = spelt / answers[0] if len(answers) == 1 else step
        spelt = step
    return spelt if os.path.lexists(spelt) else path


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def real(path: Path) -> Path:
    """``path`` with every link resolved, also where it does not exist. Never raises."""
    return Path(os.path.realpath(path))


def open_without_links(path: Path, flags: int) -> int:
    """A descriptor of the absolute ``path``; each part is opened in the one before it, and none may be a link.

    So no link that is put in place at this very moment leads elsewhere. Raises ``OSError``.
    """
    folder = os.open(path.anchor, _PASS)
    try:
        for name in path.parts[1:-1]:
            below = os.open(name, _PASS, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(path.name or ".", flags | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


@dataclass(frozen=True)
class Fence:
    """Folders in which paths may lie: one of ``roots`` (resolved; None: anywhere).

    A root that has ``private``, ROMA's workspace, somewhere below it does not open that: it holds other tenants' texts.
    """

    roots: tuple[Path, ...] | None
    private: Path

    @classmethod
    def around(cls, within: Sequence[str] | None, workspace: Path) -> Fence:
        """The fence of a source that is confined to the places ``within``; those that are not local mean nothing."""
        roots = None if within is None else tuple(real(path_of(w)) for w in within if is_local(w))
        return cls(roots, real(workspace))

    def holds(self, place: Path) -> bool:
        """Return whether the resolved ``place`` lies inside."""
        if self.roots is None:
            return True
        opened = [root for root in self.roots if place.is_relative_to(root)]
        hidden = place.is_relative_to(self.private)
        return any(root.is_relative_to(self.private) for root in opened) if hidden else bool(opened)

    def demand(self, place: Path) -> None:
        """Raises ``AccessError`` when ``place`` lies outside, with the same words whatever is there."""
        if not self.holds(place):
            raise AccessError(
                "This path is not in ROMA_INGEST_ROOTS, the folders that may be ingested over HTTP.",
                ErrorCode.ACCESS_FORBIDDEN,
            )


def _is_file_address(uri: str) -> bool:
    return uri[:5].lower() == "file:"


def _of_address(uri: str) -> str:
    path = uri[5:]
    if path.startswith("//"):
        host, slash, rest = path[2:].partition("/")
        if host.lower() not in {"", "localhost"}:
            raise InputError("This file:// address names another machine; only files of this one can be read.")
        path = slash + rest
    return os.fsdecode(unquote_to_bytes(path))


def _at_home(text: str) -> str:
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise InputError("There is no such user's home; write ./~name for a file of that name.") from None
