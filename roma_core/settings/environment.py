"""The variables that set something: those of the environment, and of ``.env`` below them."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from roma_core.environment import describe_unreadable
from roma_core.errors import ConfigError
from roma_core.settings.base import PREFIX
from roma_core.workspace import find_in_project

TOOLING: Final = ("ROMA_SHARED", "ROMA_TEST_", "ROMA_SOAK_", "ROMA_SCREENSHOTS")
"""Beginnings of variables that ROMA's own tests and benchmarks read; they set nothing."""
TOKEN_VARIABLE: Final = "ROMA_TOKEN"  # noqa: S105  (a name, no secret)
"""The bearer token that a command sends to another service. No setting: a file of settings holds no sign-in."""
OUTSIDE_PREFIX: Final = "LLM_"
"""Other programs use this prefix too, so only a name that is nearly one of ROMA's is taken for a slip."""
NEARLY: Final = 0.85


def read_variables(env_file: Path | str | None) -> dict[str, str]:
    """Return the variables by name in upper case; empty ones count as unset.

    ``env_file`` is read at the project's root and in the working folder, which wins; the environment wins over both.
    """
    variables: dict[str, str] = {}
    for path in () if env_file is None else find_in_project(Path(env_file)):
        if path.is_file():
            variables |= _read_file(path)
    variables |= {name.upper(): value for name, value in os.environ.items() if value}
    return variables


def misspelt_variables(variables: Collection[str], known: Collection[str]) -> list[str]:
    """Return the names in ``variables`` that are meant for ROMA but are none of the ``known`` ones."""
    outside = [name for name in known if name.startswith(OUTSIDE_PREFIX)]
    misspelt = []
    for name in sorted(set(variables) - set(known)):
        if name.startswith(PREFIX):
            if name != TOKEN_VARIABLE and not name.startswith(TOOLING):
                misspelt.append(name)
        elif name.startswith(OUTSIDE_PREFIX):
            is_former_own = PREFIX + name in known
            if is_former_own or difflib.get_close_matches(name, outside, n=1, cutoff=NEARLY):
                misspelt.append(name)
    return misspelt


def _read_file(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({describe_unreadable(error)}); it must be a text file in UTF-8."
        ) from None
    for binding in parse_stream(io.StringIO(text)):  # dotenv leaves such lines out, and settings with them
        name = (binding.key or "").upper()
        is_unset = binding.value is None and name.startswith((PREFIX, OUTSIDE_PREFIX)) and name not in os.environ
        if binding.error or is_unset:
            raise ConfigError(
                f"Line {binding.original.line} of {path} is no setting; write NAME=value, quotes in pairs."
            )
    values = dotenv_values(stream=io.StringIO(text))
    variables = {name.upper(): value for name, value in values.items() if value}
    if "ROMA_WORKSPACE" in variables:
        variables["ROMA_WORKSPACE"] = str(path.parent / variables["ROMA_WORKSPACE"])  # beside the file that names it
    return variables
