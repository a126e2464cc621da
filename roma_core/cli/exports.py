"""Commands that carry results out of a workspace: export for other tools, report for other people."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.output import OK, PARTIAL, note, write, write_table
from roma_core.errors import count_noun
from roma_core.exports import FORMATS, TABLES, ExportReport
from roma_core.exports import export as export_records
from roma_core.exports.retrieval import UNITS, Unit
from roma_core.exports.target import whole_or_nothing


@command(
    examples=(
        "roma export --to parquet",
        "roma export documents passages --to jsonl --out corpus",
        "roma export --to trec --run base --out runs/base",
        "roma export --to ragas --run base --out base.jsonl",
    )
)
@click.argument("what", nargs=-1, type=click.Choice(tuple(TABLES)))
@click.option("--to", required=True, type=click.Choice(tuple(FORMATS)), help="The format.")
@click.option("--out", default="", metavar="PLACE", help="Folder, file, or name of MLflow's dataset.")
@click.option("--run", multiple=True, metavar="NAME", help="Rows of this run; may be repeated for tables.")
@click.option("--golden", default="", metavar="SET", help="The golden set, where the run does not say it.")
@click.option("--unit", type=click.Choice(UNITS), default="document", show_default=True, help="Of a ranking's lines.")
@click.option("--everyone", is_flag=True, help="Also the answers of other users of the tenant.")
@click.option("--replace", is_flag=True, help="Replace what is at PLACE.")
async def export(
    call: Invocation,
    what: tuple[str, ...],
    to: str,
    out: str,
    run: tuple[str, ...],
    golden: str,
    unit: Unit,
    everyone: bool,
    replace: bool,
) -> int:
    """Write documents, passages, answers and rows of evaluations in the formats of other tools.

    WHAT names tables, all by default. trec, beir, ragas, deepeval and mlflow-dataset hold the rows of one run. The
    export is whole or not there at all; no model is loaded for it.
    """
    report = await export_records(
        call.settings,
        Path(out) if out and FORMATS[to].kind != "dataset" else out or None,
        to=to,
        what=what,
        runs=run,
        golden=golden,
        unit=unit,
        everyone=everyone,
        replace=replace,
    )
    call.emit(report, lambda: _show_report(report))
    return PARTIAL if report.notes else OK


def _show_report(report: ExportReport) -> None:
    rows = [(file.name, file.rows, file.size_bytes, file.sha256[:12]) for file in report.files]
    if rows:
        write_table("", ["file", "rows", "bytes", "sha256"], rows)
    for text in report.notes:
        note(text)
    write(f"{sum(report.rows.values())} rows in {report.target}")


@command(examples=("roma report", "roma report --out quality.html"))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("roma-report.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@click.option("--everyone", is_flag=True, help="Also what other users of the tenant asked and rated.")
async def report(call: Invocation, out: Path, everyone: bool) -> int:
    """Write one HTML page from the last runs: quality over time, cost, coverage, open failures.

    The page needs nothing else, so it can be sent round. No model is loaded for it.
    """
    from roma_core.evals.report.quality_page import render_quality_page
    from roma_core.quality import report_quality

    async with build_roma(call.settings) as roma:
        quality = await report_quality(roma, everyone=everyone)
    with whole_or_nothing(out, replace=True) as place:
        await asyncio.to_thread(place.write_text, render_quality_page(quality), encoding="utf-8")
    held = f"{count_noun(len(quality.trends), 'trend')}, {count_noun(len(quality.failures), 'open failure')}"
    call.emit(quality, lambda: write(f"{held}: {out}"))
    return OK
