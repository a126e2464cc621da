"""``roma pii``: personal data that was found in documents, and a document before it was masked."""

from __future__ import annotations

from collections import Counter

import click

from roma_core.app import Roma, build_roma
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import OK, note, write, write_table
from roma_core.connectors.sources import redact_uri
from roma_core.errors import AgentFailure
from roma_core.types import Document, Noun
from roma_core.types.privacy import PERSONAL_KINDS, PersonalFinding, PersonalKind, PrivacyMode, read_findings

MOST_PLACES = 5


@click.group(cls=RomaGroup)
def pii() -> None:
    """List personal data that was found in documents."""


class FindingCount(Noun):
    """How often a kind of personal data was found in a document, and where; never its value."""

    uri: str
    document_id: str
    collection: str
    kind: PersonalKind
    mode: PrivacyMode
    count: int
    places: tuple[str, ...]
    """Places for a person, each once; in fields beside the text the field's name."""
    spans: tuple[tuple[int, int], ...]
    """Offsets of those in the text."""


class PersonalDataReport(Noun):
    """Findings in the stored documents, and the items that were left out for theirs."""

    findings: tuple[FindingCount, ...]
    refused: tuple[tuple[str, str], ...]
    """Address and reason."""
    documents: int
    """Documents that are stored."""


@command("report", examples=("roma pii report", "roma pii report --kind email --collection hr --json"))
@click.option("--kind", type=click.Choice(list(PERSONAL_KINDS)), help="Only findings of this kind.")
@click.option("--collection", metavar="NAME", help="Only documents of this collection.")
async def report(call: Invocation, kind: PersonalKind | None, collection: str | None) -> int:
    """List what was found at ingest, by document and kind, with its places. No value is shown."""
    async with build_roma(call.settings) as roma:
        found = await _make_report(roma, call.settings.tenant, kind, collection)
    rows = [
        (entry.uri, entry.kind, entry.mode, entry.count, ", ".join(entry.places[:MOST_PLACES]), entry.document_id)
        for entry in found.findings
    ]
    call.emit(found, lambda: write_table("", ["address", "kind", "mode", "found", "places", "document"], rows))
    if found.refused and not call.as_json:
        write_table("left out", ["address", "why"], found.refused)
    if not call.as_json:
        holding = len({entry.document_id for entry in found.findings})
        note(f"{holding} of {found.documents} documents hold personal data that the policy looks for.")
    return OK


@command("show", examples=("roma pii show 3f0a9c",))
@click.argument("document")
async def show(call: Invocation, document: str) -> int:
    """Print a document with the personal data that is masked for all others. It is logged."""
    async with build_roma(call.settings) as roma:
        found = await roma.unmasked(document)
    if isinstance(found, AgentFailure):
        return call.fail(found)
    call.emit(found, lambda: write(found.text))
    return OK


for _command in (report, show):
    pii.add_command(_command)


async def _make_report(
    roma: Roma, tenant: str, kind: PersonalKind | None, collection: str | None
) -> PersonalDataReport:
    counts: list[FindingCount] = []
    stored = 0
    async for document in roma.store.documents(tenant):
        stored += 1
        if collection in {None, document.collection}:
            counts += _count(document, kind)
    skipped = await roma.ingestion.ledger_items(tenant, state="skipped")
    refused = [(redact_uri(item.uri), item.reason) for item in skipped if "personal data" in item.reason]
    return PersonalDataReport(
        findings=tuple(sorted(counts, key=lambda entry: (entry.uri, PERSONAL_KINDS.index(entry.kind), entry.mode))),
        refused=tuple(refused),
        documents=stored,
    )


def _count(document: Document, kind: PersonalKind | None) -> list[FindingCount]:
    """Return the findings of a document by kind and mode."""
    groups: dict[tuple[PersonalKind, PrivacyMode], list[PersonalFinding]] = {}
    for finding in read_findings(document):
        if kind in {None, finding.kind}:
            groups.setdefault((finding.kind, finding.mode), []).append(finding)
    counts: list[FindingCount] = []
    for (found, mode), group in groups.items():
        places = Counter(finding.place if finding.field == "text" else finding.field for finding in group)
        counts.append(
            FindingCount(
                uri=redact_uri(document.uri),
                document_id=document.id,
                collection=document.collection,
                kind=found,
                mode=mode,
                count=len(group),
                places=tuple(place for place in places if place),
                spans=tuple((finding.start, finding.end) for finding in group if finding.field == "text"),
            )
        )
    return counts
