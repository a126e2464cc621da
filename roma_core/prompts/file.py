"""Prompts are files: Markdown with a version in front matter, ``{{name}}`` where a value goes.

A prompt's hash covers its whole file, so a changed word changes the cache key of every call that uses it and the
record of every run. A notebook passes the path of another file to try it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roma_core.environment import describe_unreadable
from roma_core.errors import ConfigError
from roma_core.types import digest

_FRONT_MATTER = re.compile(r"\A---\n(?P<fields>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
_PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Prompt:
    """One prompt. ``sha256`` identifies its words, ``version`` is for people."""

    name: str
    version: str
    template: str = field(repr=False)
    sha256: str
    description: str = ""
    text: str = field(default="", repr=False)
    """The whole file, front matter included."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The places that are to be filled, each once."""
        return tuple(dict.fromkeys(_PLACE.findall(self.template)))

    def render(self, **values: str) -> str:
        """Return the text with its places filled, in one pass: a value that looks like a place stays as it is.

        Raises ``ConfigError`` when a value is missing or not asked for.
        """
        if set(values) != set(self.variables):
            wanted, got = ", ".join(self.variables), ", ".join(values)
            raise ConfigError(f"Prompt {self.name!r} has the places [{wanted}] but was given [{got}].")
        return _PLACE.sub(lambda place: values[place[1]], self.template)


def load_prompt(path: Path) -> Prompt:
    """Read a prompt file. Raises ``ConfigError`` when it is missing or has no front matter with a version."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Prompt file {path} cannot be read ({describe_unreadable(error)}).") from None
    found = _FRONT_MATTER.match(text.replace("\r\n", "\n"))
    fields = dict(_field(line) for line in found["fields"].splitlines() if line.strip()) if found else {}
    if not found or not fields.get("version"):
        raise ConfigError(f"Prompt file {path} needs front matter (between two lines of ---) with a version.")
    return Prompt(
        name=fields.get("name") or path.stem,
        version=fields["version"],
        template=found["body"].strip(),
        sha256=digest("prompt", text),
        description=fields.get("description", ""),
        text=text,
    )


def load_prompts(folder: Path, overrides: Mapping[str, Path] | None = None) -> dict[str, Prompt]:
    """Return every prompt of a folder by file name (``answer``, ...), with files of the caller put in for some.

    Raises ``ConfigError`` for an unknown name, or for a file that asks for other values than the one it stands for.
    """
    prompts = {path.stem: load_prompt(path) for path in sorted(folder.glob("*.md"))}
    for name, path in (overrides or {}).items():
        if name not in prompts:
            raise ConfigError(f"There is no prompt {name!r}; the prompts are {', '.join(prompts)}.")
        prompt = load_prompt(path)
        if set(prompt.variables) != set(prompts[name].variables):
            raise ConfigError(f"Prompt file {path} must have the places [{', '.join(prompts[name].variables)}].")
        prompts[name] = prompt
    return prompts


def _field(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()
