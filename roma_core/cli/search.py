"""Command that searches: passages with what ranked them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from roma_core.app import build_roma
from roma_core.cli.answers import top_k_option
from roma_core.cli.command import Invocation, command
from roma_core.cli.filters import collect_filters, filter_options
from roma_core.cli.inputs import TEXT
from roma_core.cli.output import OK, write, write_table
from roma_core.errors import AgentFailure
from roma_core.pictures import PictureHit
from roma_core.types import SearchReport

SHORT_TEXT = 160


@command(
    examples=(
        'roma search "rope bridge"',
        'roma search "annual leave" --explain',
        'roma search --images "map of the harbour"',
        'roma search "travel costs author:doe after:2024" --top-k 20 --json',
    )
)
@click.argument("query", type=TEXT)
@top_k_option
@click.option("--explain", is_flag=True, help="Show what each leg, fusion and reranker made of it, in milliseconds.")
@click.option("--images", is_flag=True, help="Pictures instead, by words beside them and by what a model sees.")
@filter_options
async def search(
    call: Invocation, /, query: str, top_k: int, explain: bool, images: bool, **filters: tuple[str, ...]
) -> int:
    """List the passages that an answer would be written from, best first. No model writes anything.

    QUERY is what to look for, or - to read it from stdin. It may hold filters: author:doe after:2024 lang:de.
    """
    async with build_roma(call.settings) as roma:
        if images:
            pictures = await roma.search_pictures(query, limit=top_k, filters=collect_filters(filters))
            if isinstance(pictures, AgentFailure):
                return call.fail(pictures)
            call.emit([hit.model_dump(mode="json") for hit in pictures], lambda: show_pictures(pictures))
            return OK
        report = await roma.explain_search(query, limit=top_k, filters=collect_filters(filters))
    if isinstance(report, AgentFailure):
        return call.fail(report)
    value: Any = report if explain else [passage.model_dump(mode="json") for passage in report.passages]
    call.emit(value, lambda: show_report(report, explain=explain))
    return OK


def show_report(report: SearchReport, *, explain: bool) -> None:
    """Print passages; with ``explain`` also their ranks, the legs and the filters."""
    rows = [(h.rank, f"{h.score:.4f}", h.title, h.place, _shorten(h.text)) for h in report.hits]
    if not explain:
        write_table("", ["rank", "score", "source", "where", "words"], rows)
        return
    filters = ", ".join(f"{name}={value}" for name, value in report.filters.items())
    numbers = ", ".join(f"{name}={value:g}" for name, value in report.numbers.items())
    write(f"searched: {report.searched}")
    write(f"filters: {filters or 'none'}")
    write(f"numbers: {numbers}")
    write(f"took: {report.ms:.1f} ms")
    legs = [(leg.name, leg.found, f"{leg.ms:.1f}", leg.failure) for leg in report.legs]
    write_table("Legs", ["leg", "found", "ms", "failure"], legs)
    explained = [
        (
            *row[:4],
            h.bm25_rank,
            h.dense_rank,
            h.fused_rank,
            "yes" if h.was_reranked else "",
            _show_scores(h.passage.scores),
        )
        for row, h in zip(rows, report.hits, strict=True)
    ]
    columns = ["rank", "score", "source", "where", "bm25", "dense", "fused", "reranked", "scores"]
    write_table("Passages", columns, explained)


def show_pictures(hits: Sequence[PictureHit]) -> None:
    """Print pictures with their places and the ways that found them."""
    rows = [
        (
            hit.rank,
            hit.picture.title,
            hit.picture.place,
            hit.picture.name,
            ", ".join(hit.ways),
            _shorten(hit.picture.text),
        )
        for hit in hits
    ]
    write_table("", ["rank", "source", "where", "picture", "found by", "words"], rows)


def _show_scores(scores: dict[str, float]) -> str:
    return " ".join(f"{name}={score:.3f}" for name, score in scores.items())


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHORT_TEXT else line[: SHORT_TEXT - 1].rstrip() + "…"
