"""Files that a new project begins with, and those of the checkout that travel in the wheel."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from roma_core.errors import InputError, NotFoundError

__all__ = ["FOLDERS", "TEMPLATES", "NewProject", "find_shipped", "make_project"]

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parents[1]

TEMPLATES = {
    "roma.toml": "roma.toml",
    "env.example": ".env.example",
    "gitignore": ".gitignore",
    "README.md": "README.md",
    "welcome.md": "documents/welcome.md",
    "golden_set.json": "golden/golden_set.json",
    "workflow.yml": ".github/workflows/answers.yml",
}
"""Place of each template in a new project."""

FOLDERS = {"notebooks": "*.ipynb", "dashboards": "*.py"}
"""Folders of the checkout of which a new project gets the files of this pattern."""
_DEMO_SET, _OWN_SET = "datasets/golden/golden_dataset.json", "golden/golden_set.json"
"""The golden set of the notebooks here, and that of a new project's."""


@dataclass(frozen=True)
class NewProject:
    """Files that ``make_project`` wrote, and those that were there and stayed, relative to the folder."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def find_shipped(relative: str) -> Path:
    """Return a file or folder that the wheel carries (a checkout has it at its root).

    Raises ``NotFoundError``.

    >>> find_shipped("notebooks").is_dir()
    True
    """
    for root in (_HERE / "shipped", _CHECKOUT):
        if (root / relative).exists():
            return root / relative
    raise NotFoundError(f"This installation of ROMA lacks {relative}: install it again, from a wheel or a checkout.")


def make_project(folder: Path) -> NewProject:
    """Write the files of a new project into ``folder``; a file that is there stays as it is.

    Raises ``InputError`` when ``folder`` is a file, ``NotFoundError`` when the installation is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the project.")
    sources = {target: _HERE / template for template, target in TEMPLATES.items()}
    for name, pattern in FOLDERS.items():
        sources |= {f"{name}/{path.name}": path for path in sorted(find_shipped(name).glob(pattern))}
    written: list[str] = []
    kept: list[str] = []
    for target, source in sources.items():
        place = folder / target
        if place.exists():
            kept.append(target)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".ipynb":
            text = source.read_text(encoding="utf-8").replace(_DEMO_SET, _OWN_SET)
            place.write_text(text, encoding="utf-8", newline="\n")
        else:
            shutil.copyfile(source, place)
        written.append(target)
    return NewProject(folder, tuple(written), tuple(kept))
