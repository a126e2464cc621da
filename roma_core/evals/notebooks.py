"""Run a notebook with parameters that it has: papermill itself only warns about unknown ones.

Beside the notebook with its outputs lies a card of all that made it (``evals.provenance``).
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roma_core.environment import describe_unreadable
from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.provenance import RunProvenance, describe_environment, notebook_card, write_card_files
from roma_core.evals.runs import CARD, RunStore
from roma_core.workspace import Workspace, resolve_workspace

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SCRIPTS_ELSEWHERE = ("require_js_url", "mathjax_url", "jquery_url", "widget_renderer_url")
"""Settings of nbconvert that name scripts of other addresses."""
_SCRIPTS = re.compile(
    r'<script src="">\s*</script>|<script type="module">(?:(?!</script>).)*?mermaid(?:(?!</script>).)*</script>',
    re.DOTALL,
)
"""Scripts that are left over without an address, and nbconvert's own one that loads mermaid."""


async def run_notebook(source: Path, target: Path, parameters: Mapping[str, Any] | None = None) -> Path:
    """Execute ``source`` and keep it with its outputs as ``target``, and its card beside it; returns ``target``.

    A ``target`` that ends in ``.html`` is a page of the notebook, which is kept beside it.

    >>> await run_notebook(Path("notebooks/02_ask.ipynb"), Path("out.ipynb"), {"question": "Who?"})  # doctest: +SKIP

    Raises ``EvalError``: ``ERR_EVAL_PARAMETERS`` before anything runs, when a name or a type does not fit;
    ``ERR_EVAL_NOTEBOOK`` when a cell fails (its outputs up to there are kept).
    """
    if target.suffix.lower() not in {".html", ".htm"}:
        return await asyncio.to_thread(_run, source, target, dict(parameters or {}))
    notebook = await asyncio.to_thread(_run, source, target.with_suffix(".ipynb"), dict(parameters or {}))
    return await asyncio.to_thread(write_page, notebook, target)


def _run(source: Path, target: Path, parameters: dict[str, Any]) -> Path:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    allowed = defaults(source)
    given = check_parameters(parameters, allowed)
    target.parent.mkdir(parents=True, exist_ok=True)
    card, started = describe_notebook(source, {**allowed, **given}), time.time()
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
    finally:
        _write_card(card, target, started)
    return target


def write_page(notebook: Path, target: Path) -> Path:
    """Write a notebook with its outputs as one HTML page that loads nothing from another address; return ``target``.

    Widgets, which need a kernel, are shown by their static form.

    >>> write_page(Path("out.ipynb"), Path("out.html"))  # doctest: +SKIP
    """
    import nbformat
    from nbconvert import HTMLExporter

    book = nbformat.read(notebook, as_version=4)
    book.metadata.pop("widgets", None)
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET_VIEW, None)
    exporter = HTMLExporter(**dict.fromkeys(SCRIPTS_ELSEWHERE, ""))  # type: ignore[no-untyped-call]
    page, _ = exporter.from_notebook_node(book)
    target.write_text(_SCRIPTS.sub("", page), encoding="utf-8")
    return target


def describe_notebook(source: Path, parameters: Mapping[str, Any]) -> RunProvenance:
    """Return the card of a notebook as it would be run now. Raises ``EvalError`` when it cannot be read."""
    try:
        code = hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        message = f"Notebook {source} cannot be read ({describe_unreadable(error)})."
        raise EvalError(message, ErrorCode.EVAL_PARAMETERS) from None
    return RunProvenance(
        kind="notebook",
        name=source.name,
        code_sha256=code,
        parameters={"notebook": str(source.resolve()), **parameters},
        **describe_environment(),
    )


def _write_card(card: RunProvenance, target: Path, started: float) -> None:
    """Write the card beside ``target`` as ``NAME.card.json`` and ``NAME.card.md``."""
    finished = card.model_copy(
        update={
            "name": target.name,
            "finished_at": datetime.now(UTC).replace(microsecond=0),
            "seconds": time.time() - started,
            "runs": _find_runs(card.parameters.get("workspace"), started),
        }
    )
    path = notebook_card(target)
    write_card_files(finished, path, path.with_suffix(".md"), path.with_suffix(".patch"))


def _find_runs(workspace: object, started: float) -> tuple[str, ...]:
    """Return the runs of the workspace that were saved since ``started``."""
    if not isinstance(workspace, str) or not workspace:
        return ()
    store = RunStore(Workspace(resolve_workspace(Path(workspace))).evals)
    cards = [store.folder / card.run_id / CARD for card in store.list()]
    return tuple(path.parent.name for path in cards if path.is_file() and path.stat().st_mtime >= started)


def defaults(source: Path) -> dict[str, Any]:
    """Parameters of a notebook with their default values. Raises ``EvalError`` when it cannot be read."""
    import papermill
    from nbformat.reader import NotJSONError

    try:
        found = papermill.inspect_notebook(str(source))
    except (OSError, NotJSONError, ValueError) as error:
        message = f"Notebook {source} cannot be read ({describe_unreadable(error)})."
        raise EvalError(message, ErrorCode.EVAL_PARAMETERS) from None
    return {name: ast.literal_eval(str(info["default"])) for name, info in found.items()}


def check_parameters(given: Mapping[str, Any], allowed: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters in the types of their defaults; words from a command line are read as Python literals.

    Raises ``EvalError`` that names what is allowed.
    """
    if unknown := sorted(set(given) - set(allowed)):
        raise EvalError(
            f"Unknown parameters: {', '.join(unknown)}. Allowed: {', '.join(sorted(allowed)) or 'none'}.",
            ErrorCode.EVAL_PARAMETERS,
            details={"unknown": unknown, "allowed": sorted(allowed)},
        )
    return {name: _read_as(name, value, allowed[name]) for name, value in given.items()}


def _read_as(name: str, value: Any, default: Any) -> Any:
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
