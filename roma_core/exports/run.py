"""``export``: the one call behind ``roma export``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from roma_core import __version__
from roma_core.errors import InputError, suggest_name
from roma_core.exports.formats import FORMATS, ExportFormat, ExportOptions
from roma_core.exports.frameworks import keep_in_mlflow
from roma_core.exports.records import ExportedFile, ExportReport, WorkspaceReader, open_records, tenant_of
from roma_core.exports.retrieval import UNITS, Unit
from roma_core.exports.tables import TABLES
from roma_core.exports.target import describe_file, whole_or_nothing
from roma_core.settings import Settings

MANIFEST = "manifest.json"
"""File beside the others of a folder: counts, sizes and hashes of all of them."""
DATASET_NAME = re.compile(r"[\w.@+-]{1,120}")


async def export(
    settings: Settings,
    target: str | Path | None = None,
    *,
    to: str,
    what: Sequence[str] = (),
    runs: Sequence[str] = (),
    golden: str | Path = "",
    unit: Unit = "document",
    everyone: bool = False,
    replace: bool = False,
) -> ExportReport:
    """Write records of a workspace to ``target`` in the format ``to``, whole or not at all.

    ``what`` names tables, all by default, for formats that hold tables; the others hold the rows of one run, scored on
    ``golden`` where its card does not say on which set. ``target`` is a folder or a file as the format asks for, and
    the name of a dataset for ``mlflow-dataset``; by default the format names it. Nothing that is there is replaced
    unless ``replace`` is set. ``everyone`` takes the answers of all users of the tenant, not those of this machine's
    user alone. No model is loaded.

    Raises ``InputError``, ``EvalError`` and ``StoreError`` (also when documents change meanwhile).

    >>> report = await export(settings, "out", to="parquet", what=["passages"])  # doctest: +SKIP
    """
    form = _find_format(to)
    options = ExportOptions(_find_tables(form, what), unit)
    if unit not in UNITS:
        raise InputError(f"A ranking is of documents or of passages. {suggest_name(unit, UNITS)}")
    async with open_records(settings, runs, golden, everyone=everyone) as reader:
        if form.write is None:
            return await _keep_dataset(reader, form, str(target or ""), replace=replace)
        place = Path(target or _default_target(form))
        return await _write(reader, form, place, options, replace=replace)


async def _write(
    reader: WorkspaceReader, form: ExportFormat, target: Path, options: ExportOptions, *, replace: bool
) -> ExportReport:
    assert form.write is not None  # noqa: S101  (held by the caller)
    reads_store = not form.takes_tables or any(TABLES[name].reads_store for name in options.tables)
    before = await reader.watch_store() if reads_store else None
    with whole_or_nothing(target, replace=replace) as place:
        if form.kind == "folder":
            place.mkdir(parents=True)
        counts = await form.write(reader, place, options)
        index_sha256 = ""
        if before is not None:
            await reader.require_unchanged(before)
            index_sha256 = await _find_index(reader, form)
        if form.kind == "folder":
            files = tuple(describe_file(place / name, name, rows) for name, rows in counts.items())
        else:
            files = (describe_file(place, target.name, sum(counts.values())),)
            counts = counts if form.takes_tables else {target.name: sum(counts.values())}
        report = _make_report(reader, form, str(target), counts, files, index_sha256)
        if form.kind == "folder":
            (place / MANIFEST).write_text(report.model_dump_json(indent=1, exclude={"target"}) + "\n", "utf-8")
    return report


async def _find_index(reader: WorkspaceReader, form: ExportFormat) -> str:
    """Return the hash of the passages that were read, of a run those that it searched; note when they differ."""
    if form.takes_tables:
        return await reader.store.index_sha256(reader.tenant)
    run = reader.require_run()
    searched = run.report.index_sha256
    if searched and searched != await reader.store.index_sha256(tenant_of(run, reader.tenant)):
        reader.notes.append(f"{run.name} searched other passages than those that are stored now")
    return searched


async def _keep_dataset(reader: WorkspaceReader, form: ExportFormat, name: str, *, replace: bool) -> ExportReport:
    if name and not DATASET_NAME.fullmatch(name):
        raise InputError(f"A dataset cannot be called {name!r}: use letters, digits and . _ - + @.")
    counts = await keep_in_mlflow(reader, name, replace=replace)
    return _make_report(reader, form, next(iter(counts)), counts, (), "")


def _make_report(
    reader: WorkspaceReader,
    form: ExportFormat,
    target: str,
    counts: dict[str, int],
    files: tuple[ExportedFile, ...],
    index_sha256: str,
) -> ExportReport:
    return ExportReport(
        to=form.name,
        target=target,
        roma=__version__,
        tenant=reader.tenant,
        index_sha256=index_sha256,
        rows=counts,
        files=files,
        notes=tuple(reader.notes),
    )


def _find_format(name: str) -> ExportFormat:
    if name not in FORMATS:
        raise InputError(f"There is no format {name!r}. {suggest_name(name, FORMATS)}")
    return FORMATS[name]


def _find_tables(form: ExportFormat, what: Sequence[str]) -> tuple[str, ...]:
    for name in what:
        if name not in TABLES:
            raise InputError(f"There is no table {name!r}. {suggest_name(name, TABLES)}")
    if what and not form.takes_tables and tuple(what) != ("rows",):
        holding = ", ".join(each.name for each in FORMATS.values() if each.takes_tables)
        raise InputError(f"{form.name} holds the rows of one run; for {', '.join(what)} use {holding}.")
    return tuple(dict.fromkeys(what)) or tuple(TABLES)


def _default_target(form: ExportFormat) -> str:
    suffixes = {"duckdb": ".duckdb", "ragas": ".jsonl", "deepeval": ".json"}
    return f"roma-{form.name}{suffixes.get(form.name, '')}"
