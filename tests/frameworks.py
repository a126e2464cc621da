"""Environments of others' frameworks: ``make clients`` makes them, ``CLIENTS_PYTHON`` and its like name another."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest


def find_python(name: str) -> str:
    """Return the Python of the environment that ``tests/NAME.txt`` describes; skip the test where there is none."""
    own = Path(__file__).parents[1] / ".venv" / name / "bin/python"
    python = Path(os.environ.get(f"{name.upper()}_PYTHON") or own)
    if not python.exists():
        pytest.skip(f"the frameworks of tests/{name}.txt have no environment here; make clients makes it")
    return str(python)


def lend_packages(folder: Path) -> None:
    """Let a Python with ``folder`` on its path find this environment's packages behind its own, as its processes do."""
    lent = f"import site\nsite.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (folder / "sitecustomize.py").write_text(lent)
