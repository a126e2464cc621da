"""The prompts of a workspace: ROMA's own, and versions of them below ``prompts/NAME/VERSION.md``.

A version is called by the name of its file. It has the places of the prompt that it stands in for, so that it can be
tried on whatever uses that::

    library.create("answer", "lazy")          # a copy to edit
    library.diff("answer", "lazy")            # what was changed
    build_roma(settings, prompt_files=library.resolve({"answer": "lazy"}))
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from roma_core.errors import ConfigError, suggest_name
from roma_core.prompts.file import Prompt, load_prompt
from roma_core.workspace import private_folder

OWN = "own"
"""Version by which ROMA's own text of a prompt is called."""
_VERSION = re.compile(r"[\w.+-]{1,60}")
_VERSION_LINE = re.compile(r"^version:.*$", re.MULTILINE)


@dataclass(frozen=True)
class PromptVersion:
    """One version of a prompt. ``path`` is None for ROMA's own."""

    name: str
    """Name of the prompt."""
    version: str
    prompt: Prompt
    path: Path | None = None


class PromptLibrary:
    """Versions of prompts in one folder, beside ``own``: ROMA's prompts by name.

    >>> from roma_core.agents.prompts import all_prompts
    >>> library = PromptLibrary(Path("prompts"), all_prompts())
    >>> library.create("answer", "lazy").as_posix()
    'prompts/answer/lazy.md'
    >>> [version.version for version in library.list("answer")]
    ['own', 'lazy']
    """

    def __init__(self, folder: Path, own: Mapping[str, Prompt]) -> None:
        self.folder = folder
        self.own = dict(own)

    def list(self, name: str = "") -> tuple[PromptVersion, ...]:
        """Return every version of the prompt ``name``, or of all; ROMA's own first. Raises ``ConfigError``."""
        names = [self._require(name)] if name else list(self.own)
        return tuple(version for each in names for version in self._versions(each))

    def find(self, name: str, version: str = OWN) -> PromptVersion:
        """Return a version of a prompt, or a file by its path. Raises ``ConfigError`` that lists what there is."""
        own = self.own[self._require(name)]
        if version == OWN:
            return PromptVersion(name, OWN, own)
        kept = self._path(name, version) if _VERSION.fullmatch(version) else None
        path = kept if kept is not None and kept.is_file() else Path(version).expanduser()
        if not path.is_file():
            known = [each.version for each in self.list(name)]
            raise ConfigError(f"The prompt {name!r} has no version {version!r}. {suggest_name(version, known)}")
        prompt = load_prompt(path)
        if set(prompt.variables) != set(own.variables):
            places = ", ".join(own.variables) or "none"
            raise ConfigError(f"Prompt file {path} must have the places [{places}], as ROMA's own {name} has.")
        return PromptVersion(name, path.stem, prompt, path)

    def resolve(self, chosen: Mapping[str, str | Path]) -> dict[str, Path]:
        """Return the file of each chosen version (or path) by prompt; ROMA's own are left out. Raises ``ConfigError``.

        >>> from roma_core.agents.prompts import all_prompts
        >>> library = PromptLibrary(Path("prompts"), all_prompts())
        >>> path = library.create("answer", "brief")
        >>> library.resolve({"answer": "brief", "plan": OWN}) == {"answer": path}
        True
        """
        found = {name: self.find(name, str(version)).path for name, version in chosen.items()}
        return {name: path for name, path in found.items() if path is not None}

    def create(self, name: str, version: str, base: str = OWN) -> Path:
        """Write a copy of the version ``base`` to edit and return its path. Raises ``ConfigError`` when it is there."""
        if version == OWN or not _VERSION.fullmatch(version):
            raise ConfigError(f"A version cannot be called {version!r}: use letters, digits and . _ + - (not {OWN!r}).")
        source = self.find(name, base).prompt
        return self.write(name, version, _VERSION_LINE.sub(f"version: {version}", source.text, count=1))

    def write(self, name: str, version: str, text: str) -> Path:
        """Keep ``text`` as a version and return its path. Raises ``ConfigError`` when there is one of that name."""
        path = self._path(self._require(name), version)
        private_folder(path.parent)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise ConfigError(f"The prompt {name!r} has a version {version!r} already: {path}.") from None
        return path

    def diff(self, name: str, version: str, base: str = OWN) -> str:
        """Return what ``version`` changes of ``base``, as a unified diff; empty when nothing."""
        before, after = self.find(name, base), self.find(name, version)
        lines = difflib.unified_diff(
            before.prompt.template.splitlines(),
            after.prompt.template.splitlines(),
            f"{name} {before.version}",
            f"{name} {after.version}",
            lineterm="",
        )
        return "\n".join(lines)

    def _versions(self, name: str) -> Iterator[PromptVersion]:
        yield PromptVersion(name, OWN, self.own[name])
        for path in sorted((self.folder / name).glob("*.md")):
            yield PromptVersion(name, path.stem, load_prompt(path), path)

    def _path(self, name: str, version: str) -> Path:
        return self.folder / name / f"{version}.md"

    def _require(self, name: str) -> str:
        if name not in self.own:
            raise ConfigError(f"There is no prompt {name!r}. {suggest_name(name, list(self.own))}")
        return name
