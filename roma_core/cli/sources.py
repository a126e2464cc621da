"""Commands about sources: source, sync, forget, restore."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from roma_core.app import Roma, build_roma
from roma_core.cli.backups import restore_backup
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.documents import show_ingest
from roma_core.cli.interruption import ItemWatch
from roma_core.cli.output import FAILED, OK, PARTIAL, note, write, write_table
from roma_core.connectors.local.paths import is_local, path_of
from roma_core.connectors.local.watch import FolderWatch
from roma_core.errors import InputError
from roma_core.types import ErasureCertificate, IngestionReport, Principal, SourceRecord, SyncPlan
from roma_core.ui.progress import ingest_bar


@command(examples=("roma forget notes/diary.md", "roma forget --source handbook", "roma forget --user anna"))
@click.argument("uris", nargs=-1, metavar="[URI]...")
@click.option("--document", "documents", multiple=True, metavar="ID", help="A document's id; may be repeated.")
@click.option("--source", metavar="NAME", help="A source with all that no other source lists.")
@click.option("--user", metavar="NAME", help="A user with all that it asked, was answered, rated and was granted.")
@click.option(
    "--certificate",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the certificate here as well.",
)
async def forget(
    call: Invocation,
    uris: tuple[str, ...],
    documents: tuple[str, ...],
    source: str | None,
    user: str | None,
    target: Path | None,
) -> int:
    """Remove documents or a user at once, with every trace, and certify what was removed where.

    Documents go with text, passages, ledger, caches, old versions, and the answers and evaluations that quote them; a
    user with conversations, answers, ratings, grants, tokens, traces, and its name in the audit log. There is no way
    back. What a document's source still has comes again with the next ingest, unless it is left out there.
    """
    if user is not None and (uris or documents or source is not None):
        raise InputError("Forget either a user or documents at once.")
    if user is not None:
        return await _forget_user(call, user, target)
    if not uris and not documents and source is None:
        raise InputError("Say what to forget: addresses, --document ID, --source NAME, or --user NAME.")
    async with build_roma(call.settings) as roma:
        report = await roma.forget(*uris, document_ids=documents, source=source)
    if report.certificate is not None:
        await asyncio.to_thread(_write_certificate, report.certificate, target)
    rows = [
        ("documents", report.documents),
        ("passages", report.passages),
        ("cached results", report.cached),
        ("answers blanked", report.answers),
    ]
    call.emit(report, lambda: write_table("Forgotten", ["", "number"], rows))
    return OK


async def _forget_user(call: Invocation, name: str, target: Path | None) -> int:
    """Forget a user in the workspace and in the tables of the HTTP service."""
    from roma_core.api.erasure import list_service_steps
    from roma_core.erasure import Erasure

    who = Principal(subject=name, tenant=call.settings.tenant)
    async with build_roma(call.settings) as roma:
        certificate = await Erasure(roma).forget_user(who, list_service_steps(call.settings, who))
    await asyncio.to_thread(_write_certificate, certificate, target)
    rows = [(place.place, place.removed) for place in certificate.places]
    call.emit(certificate, lambda: write_table("Forgotten", ["", "number"], rows))
    note(f"Certificate {certificate.id}; not erased here: {' '.join(certificate.not_erased)}")
    return OK


def _write_certificate(certificate: ErasureCertificate, target: Path | None) -> None:
    if target is not None:
        target.write_text(certificate.model_dump_json(indent=1) + "\n", encoding="utf-8")


@command(
    examples=(
        "roma restore --list",
        "roma restore --run 20261128T101500-1a2b3c4d",
        "roma restore --backup monday.tar",
    )
)
@click.argument("uris", nargs=-1, metavar="[URI]...")
@click.option("--run", "run_id", metavar="ID", help="All that this run deleted.")
@click.option("--list", "lists", is_flag=True, help="Show what can be restored.")
@click.option(
    "--backup",
    "archive",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Make the whole workspace of this backup; there must be none.",
)
async def restore(
    call: Invocation, uris: tuple[str, ...], run_id: str | None, lists: bool, archive: Path | None
) -> int:
    """Undo deletions: what is restored stays until its source lists it again. Or restore a backup."""
    if archive is not None:
        if uris or run_id or lists:
            raise InputError("--backup restores the whole workspace; leave the rest away.")
        return await restore_backup(call, archive)
    async with build_roma(call.settings) as roma:
        if lists:
            graves = await roma.ingestion.tombstones(call.settings.tenant)
            rows = [(g.deleted_at.isoformat(timespec="seconds"), g.run_id, g.uri, g.reason) for g in graves]
            columns = ["deleted at", "run", "item", "reason"]
            call.emit(
                [dict(zip(columns, row, strict=True)) for row in rows],
                lambda: write_table("", columns, rows) if rows else write("Nothing was deleted."),
            )
            return OK
        report = await roma.restore(*uris, run_id=run_id)
    call.emit(report, lambda: show_ingest(report))
    return {"all": OK, "some": PARTIAL, "none": FAILED}[report.worked]


# Sources


F = TypeVar("F", bound=Callable[..., Any])
MOST_PLANNED = 50
WATCH_EVERY_S = 30.0
"""How often ``--watch`` looks at sources that have no schedule and give no notice of changes."""


def source_options(function: F) -> F:
    """Add the options that hold a source's own settings."""
    for option in reversed(
        (
            click.option("--name", metavar="NAME", help="A short name to use in place of the address."),
            click.option("--include", multiple=True, metavar="GLOB", help="Only these files; may be repeated."),
            click.option("--ignore", multiple=True, metavar="GLOB", help="Not these files; may be repeated."),
            click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Links that a crawl follows."),
            click.option("--max-pages", type=click.IntRange(min=1), metavar="N", help="Pages that a crawl asks for."),
            click.option("--render", type=click.Choice(("auto", "always", "never")), help="When to use Chromium."),
            click.option("--cookies", metavar="FILE", help="Cookie file (Netscape format) to sign in with."),
            click.option("--header", multiple=True, metavar="NAME=VALUE", help="Header; VALUE may be env:VARIABLE."),
            click.option("--query", metavar="TEXT", help="SQL statement, or words of a search, of the source."),
            click.option("--secrets", type=click.Choice(("leave_out", "include")), help="Files that hold keys."),
            click.option("--collection", metavar="NAME", help="Part of the corpus that its documents belong to."),
            click.option("--every", metavar="TIME", help="Sync by itself that often: 15m, 2h, 1d; 0 = by hand."),
        )
    ):
        function = option(function)
    return function


def _changes(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, by the names of ``SourceOptions``."""
    from roma_core.ingestion.catalog import read_duration

    changes = {key: value for key, value in settings.items() if value not in (None, ()) and key not in _SPECIAL}
    if settings.get("header"):
        pairs = [text.partition("=") for text in settings["header"]]
        if not all(equals for _, equals, _ in pairs):
            raise InputError("--header wants NAME=VALUE.")
        changes["headers"] = {name: value for name, _, value in pairs}
    if settings.get("every") is not None:
        changes["schedule_s"] = read_duration(settings["every"]) or None
    return changes


_SPECIAL = frozenset({"header", "every", "name"})


@click.group(cls=RomaGroup)
def source() -> None:
    """Add, list, show, edit or remove sources that are read again and again."""


@command("add", examples=("roma source add ~/papers --name papers --every 1h", "roma source add https://a.org?depth=2"))
@click.argument("uri")
@source_options
async def add_source(call: Invocation, /, uri: str, **settings: Any) -> int:
    """Add a source with its own settings. Nothing is read yet: `roma sync` does that."""
    from roma_core.ingestion.catalog import make_options

    options = make_options(_changes(settings), "This source")
    async with build_roma(call.settings) as roma:
        record = await roma.sources.add(uri, name=settings["name"] or "", options=options, tenant=call.settings.tenant)
    call.emit(record, lambda: _show_sources([record]))
    return OK


@command("list", examples=("roma source list", "roma source list --json"))
async def list_sources(call: Invocation) -> int:
    """List all sources, those of `roma.toml` among them, with how their last sync went."""
    async with build_roma(call.settings) as roma:
        records = await roma.sources.all(call.settings.tenant)
    call.emit([record.model_dump(mode="json") for record in records], lambda: _show_sources(records))
    return OK


@command("show", examples=("roma source show papers",))
@click.argument("label", metavar="NAME")
async def show_source(call: Invocation, label: str) -> int:
    """Show one source: its settings and its last sync."""
    async with build_roma(call.settings) as roma:
        record = await roma.sources.require(label, call.settings.tenant)
    facts = record.model_dump(mode="json", exclude={"options"}) | record.options.model_dump(exclude_defaults=True)
    call.emit(record, lambda: write_table(record.label, ["", ""], list(facts.items())))
    return OK


@command("edit", examples=("roma source edit papers --every 10m --ignore 'drafts/*'",))
@click.argument("label", metavar="NAME")
@source_options
async def edit_source(call: Invocation, /, label: str, **settings: Any) -> int:
    """Change the settings that are named; the others stay."""
    async with build_roma(call.settings) as roma:
        record = await roma.sources.edit(label, _changes(settings), name=settings["name"], tenant=call.settings.tenant)
    call.emit(record, lambda: _show_sources([record]))
    return OK


@command("remove", examples=("roma source remove papers",))
@click.argument("label", metavar="NAME")
async def remove_source(call: Invocation, label: str) -> int:
    """Remove a source and the documents that no other source lists; `roma restore` brings those back for a time."""
    async with build_roma(call.settings) as roma:
        report = await roma.sources.remove(label, call.settings.tenant)
    call.emit(report, lambda: show_ingest(report))
    return {"all": OK, "some": PARTIAL, "none": FAILED}[report.worked]


@command("status", examples=("roma source status",))
async def source_status(call: Invocation) -> int:
    """Show what needs a look: failed syncs and missing items. Exit code 2 when something does."""
    async with build_roma(call.settings) as roma:
        records = await roma.sources.all(call.settings.tenant)
    troubled = [record for record in records if record.last_failure or record.missing]
    rows = [(record.label, record.missing, record.last_failure) for record in troubled]
    call.emit(
        [record.model_dump(mode="json") for record in troubled],
        lambda: write_table("", ["source", "missing", "last failure"], rows) if rows else write("All is well."),
    )
    return PARTIAL if troubled else OK


for _command in (add_source, list_sources, show_source, edit_source, remove_source, source_status):
    source.add_command(_command)


def _show_sources(records: Sequence[SourceRecord]) -> None:
    rows = [
        (
            record.name,
            record.uri,
            record.declared_in or "ingest",
            f"{record.options.schedule_s:g} s" if record.options.schedule_s else "",
            record.items,
            record.missing,
            record.last_ended_at.isoformat(timespec="seconds") if record.last_ended_at else "",
            record.last_failure,
        )
        for record in records
    ]
    columns = ["name", "address", "from", "every", "items", "missing", "last sync", "failure"]
    write_table("", columns, rows) if rows else write("There are no sources; `roma source add` adds one.")


@command(examples=("roma sync", "roma sync papers --dry-run", "roma sync --watch"), resumes=True)
@click.argument("labels", nargs=-1, metavar="[SOURCE]...")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--watch", is_flag=True, help="Go on: when files change, and when a schedule is due.")
@click.option("--prune", is_flag=True, help="Delete at once what the sources no longer have, however much it is.")
@click.option(
    "--on", metavar="PLACE", help="Where the work is done: local:8, dask, dask://host:8786, slurm://partition."
)
async def sync(
    call: Invocation, labels: tuple[str, ...], dry_run: bool, watch: bool, prune: bool, on: str | None
) -> int:
    """Bring sources up to date: those that are named, or all that were added by name."""
    async with build_roma(call.settings) as roma:
        plan = await roma.sources.plan(labels, tenant=call.settings.tenant, prune=prune) if dry_run else None
        if plan is not None:
            call.emit(plan, lambda: _show_plan(plan))
            return PARTIAL if any(one.failures for one in plan.sources) else OK
        if watch:
            await _sync_and_watch(call, roma, labels, prune=prune, on=on)
        report = await _sync_once(call, roma, labels, prune=prune, on=on)
        _emit_sync(call, report, is_watching=False)
        return {"all": OK, "some": PARTIAL, "none": FAILED}[report.worked]


async def _sync_once(
    call: Invocation, roma: Roma, labels: Sequence[str], *, prune: bool, on: str | None
) -> IngestionReport:
    with ingest_bar(call.is_interactive) as bar:
        progress = ItemWatch(bar)
        call.interruption.describe = progress.describe
        return await roma.sync(*labels, progress=progress, prune=prune, on=on)


async def _sync_and_watch(call: Invocation, roma: Roma, labels: Sequence[str], *, prune: bool, on: str | None) -> None:
    """Sync again and again: after a change of a local file, and when a schedule is due. Ends with the process."""
    while True:
        places = await _present_places(roma, labels)
        async with FolderWatch(places, call.settings.workspace) as watch:
            while places == await _present_places(roma, labels):
                report = await _sync_once(call, roma, labels, prune=prune, on=on)
                if report.items or report.failures:
                    _emit_sync(call, report, is_watching=True)
                call.interruption.describe = lambda: "Stopped watching; all that was found is done."
                await watch.wait(await _next_look_s(roma, labels))


async def _present_places(roma: Roma, labels: Sequence[str]) -> list[Path]:
    """Return the folders and files of the sources on this machine that are there now."""
    records = await roma.sources.select(labels, roma.settings.tenant)
    places = [path_of(record.uri) for record in records if is_local(record.uri)]
    return [place for place in places if await asyncio.to_thread(place.exists)]


async def _next_look_s(roma: Roma, labels: Sequence[str]) -> float:
    """Return the seconds after which sources are read again when nothing gave notice of a change."""
    records = await roma.sources.select(labels, roma.settings.tenant)
    return min((record.options.schedule_s for record in records if record.options.schedule_s), default=WATCH_EVERY_S)


def _emit_sync(call: Invocation, report: IngestionReport, is_watching: bool) -> None:
    counts = {state: number for state, number in report.counts().items() if number}
    if is_watching and not report.failures and set(counts) <= {"unchanged", "skipped"}:
        return
    call.emit(report, lambda: show_ingest(report))


def _show_plan(plan: SyncPlan) -> None:
    for one in plan.sources:
        counts = ", ".join(f"{number} {action}" for action, number in sorted(one.counts.items())) or "nothing"
        size = f"{one.size_bytes:,} bytes to read, about {one.estimated_tokens:,} tokens to embed"
        write(f"{one.source}: {counts}; {size}.")
        if not one.is_complete:
            note(f"{one.source}: the listing is incomplete, so nothing of it would be deleted.")
        for failure in one.failures:
            note(f"{failure.code}: {failure.message}")
        rows = [(item.action, item.uri, item.reason) for item in one.items[:MOST_PLANNED]]
        if rows:
            write_table("", ["would be", "item", "why"], rows)
