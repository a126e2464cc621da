"""Rules that leave files out of a folder: patterns, keys and passwords by their names, ``.gitignore``, ``.romaignore``.

Names are judged below the source alone: a file that is named itself is read whatever it is called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import cached_property
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from roma_core.connectors.local.paths import compose_accents, open_without_links

IGNORE_FILES: Final = (".gitignore", ".romaignore")
"""Read in each folder, in this order: a later file may take back what an earlier one leaves out (``!name``)."""
MOST_IGNORE_BYTES: Final = 256 * 1024

SECRET_NAMES: Final = (
    ".env",
    ".env.*",
    "*.env",
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".dockercfg",
    ".vault-token",
    ".*_history",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.ovpn",
    "*.tfstate",
    "*.tfvars",
    "credentials",
    "credentials.json",
    "credentials.csv",
    "client_secret*.json",
    "service[-_]account*.json",
    "secrets.json",
    "secrets.toml",
    "secrets.y*ml",
    "known_hosts",
    "authorized_keys",
)
"""Names of files that hold keys, passwords or typed commands; compared without regard to case."""

DOT_FOLDER: Final = "a folder whose name begins with a dot"


@dataclass(frozen=True)
class NameRules:
    """Patterns over names, or over relative paths where they hold a slash; the first that matches is the reason."""

    patterns: tuple[str, ...]
    leaves_out_secrets: bool = True

    def reason(self, relative: str, *, is_folder: bool) -> str | None:
        """Return why ``relative`` (a posix path) is left out, else None.

        >>> NameRules(("*.tmp",)).reason("notes/a.tmp", is_folder=False)
        "ignored by the pattern '*.tmp'"
        """
        relative = compose_accents(relative)
        name = relative.rpartition("/")[2]
        if self._names.match(name) or (self._has_paths and self._matches_path(relative)):
            return f"ignored by the pattern {self._pattern_of(relative, name)!r}"
        if not self.leaves_out_secrets:
            return None
        if is_folder:
            return DOT_FOLDER if name.startswith(".") else None
        return "its name is that of a file with keys or passwords" if _SECRETS.match(name.lower()) else None

    def reason_of_path(self, relative: str) -> str | None:
        """Return why a file is left out: by its own name, or by that of a folder on the way to it."""
        parts = relative.split("/")
        for depth in range(1, len(parts)):
            reason = self.reason("/".join(parts[:depth]), is_folder=True)
            if reason is not None:
                return reason
        return self.reason(relative, is_folder=False)

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return _any_of(pattern for pattern in self.patterns if "/" not in pattern)

    @cached_property
    def _has_paths(self) -> bool:
        return any("/" in pattern for pattern in self.patterns)

    def _matches_path(self, relative: str) -> bool:
        return any(fnmatchcase(relative, compose_accents(pattern)) for pattern in self.patterns if "/" in pattern)

    def _pattern_of(self, relative: str, name: str) -> str:
        return next(p for p in self.patterns if fnmatchcase(relative if "/" in p else name, compose_accents(p)))


@dataclass(frozen=True)
class FolderRules:
    """The ignore files of a folder and of those above it, up to the source. ``specs`` hold the prefix they are for."""

    specs: tuple[tuple[str, str, GitIgnoreSpec], ...] = ()

    def inside(self, folder: Path, prefix: str, names: Sequence[str]) -> FolderRules:
        """Return the rules for what lies in ``folder``, whose entries are ``names``."""
        added = [
            (prefix, name, spec)
            for name in IGNORE_FILES
            if name in names and (spec := _read_spec(folder / name)) is not None
        ]
        return FolderRules((*self.specs, *added)) if added else self

    def reason(self, relative: str, *, is_folder: bool) -> str | None:
        """Return why ``relative`` is left out: the last rule that speaks of it counts, as git has it."""
        if not self.specs:
            return None
        asked = f"{relative}/" if is_folder else relative
        ignoring: str | None = None
        for prefix, file, spec in self.specs:
            verdict = spec.check_file(compose_accents(asked.removeprefix(prefix)))
            if verdict.include is not None:
                ignoring = file if verdict.include else None
        return f"ignored by {ignoring}" if ignoring else None


def _read_spec(path: Path) -> GitIgnoreSpec | None:
    """Return the rules of an ignore file; None for one that cannot be read. A link is not followed."""
    try:
        with open(open_without_links(path.absolute(), os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            text = file.read(MOST_IGNORE_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    return GitIgnoreSpec.from_lines(_valid(text.splitlines()))


def _valid(lines: Iterable[str]) -> list[str]:
    """Return the lines that are patterns: one broken line must not switch off the others."""
    valid: list[str] = []
    for line in lines:
        pattern = compose_accents(line)
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError:
            continue
        valid.append(pattern)
    return valid


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    alternatives = "|".join(translate(compose_accents(pattern)) for pattern in patterns)
    return re.compile(alternatives or r"(?!)")


_SECRETS: Final = _any_of(SECRET_NAMES)
