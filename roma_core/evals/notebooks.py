"""Run a notebook with parameters that it has: papermill itself only warns about unknown ones."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roma_core.errors import ErrorCode, EvalError


async def run_notebook(source: Path, target: Path, parameters: Mapping[str, Any] | None = None) -> Path:
    """Execute ``source`` and keep it with its outputs as ``target``; returns ``target``.

    Raises ``EvalError``: ``ERR_EVAL_PARAMETERS`` before anything runs, when a name or a type does not fit;
    ``ERR_EVAL_NOTEBOOK`` when a cell fails (its outputs up to there are kept).
    """
    return await asyncio.to_thread(_run, source, target, dict(parameters or {}))


def _run(source: Path, target: Path, parameters: dict[str, Any]) -> Path:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    given = checked(parameters, defaults(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            given,
            kernel_name="python3",
            progress_bar=False,
            log_output=False,
            extra_arguments=["--IPKernelApp.log_level=40"],  # it warns of its loopback socket in every run
        )
    except PapermillExecutionError as error:
        # Only the kind of error: its text may quote a document.
        raise EvalError(
            f"{source.name} failed in cell {error.exec_count} with {error.ename}; see {target}.",
            ErrorCode.EVAL_NOTEBOOK,
        ) from None
    return target


def defaults(source: Path) -> dict[str, Any]:
    """Parameters of a notebook with their default values. Raises ``EvalError`` when it cannot be read."""
    import papermill
    from nbformat.reader import NotJSONError

    try:
        found = papermill.inspect_notebook(str(source))
    except (OSError, NotJSONError, ValueError) as error:
        message = f"Notebook {source} cannot be read ({type(error).__name__})."
        raise EvalError(message, ErrorCode.EVAL_PARAMETERS) from None
    return {name: ast.literal_eval(str(info["default"])) for name, info in found.items()}


def checked(given: Mapping[str, Any], allowed: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters in the types of their defaults; words from a command line are read as Python literals.

    Raises ``EvalError`` that names what is allowed.
    """
    if unknown := sorted(set(given) - set(allowed)):
        raise EvalError(
            f"Unknown parameters: {', '.join(unknown)}. Allowed: {', '.join(sorted(allowed)) or 'none'}.",
            ErrorCode.EVAL_PARAMETERS,
            details={"unknown": unknown, "allowed": sorted(allowed)},
        )
    return {name: _typed(name, value, allowed[name]) for name, value in given.items()}


def _typed(name: str, value: Any, default: Any) -> Any:
    read = _literal(value) if isinstance(value, str) and not isinstance(default, str) else value
    wanted = type(default)
    if default is None or read is None or type(read) is wanted:
        return read
    if wanted is float and type(read) is int:
        return float(read)
    if wanted is list and isinstance(read, tuple):
        return list(read)
    raise EvalError(
        f"Parameter {name} must be {wanted.__name__} like {default!r}, not {type(read).__name__}.",
        ErrorCode.EVAL_PARAMETERS,
        details={"parameter": name, "type": wanted.__name__},
    )


def _literal(word: str) -> Any:
    """``5``, ``0.5``, ``True``, ``None``, ``['a']`` as Python reads them; other words as they are."""
    try:
        return ast.literal_eval({"true": "True", "false": "False", "null": "None"}.get(word, word))
    except (ValueError, SyntaxError):
        return word
