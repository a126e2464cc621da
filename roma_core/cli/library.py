"""Commands about what a workspace holds and what people say of it: documents, open, feedback."""

from __future__ import annotations

import asyncio
from typing import get_args
from urllib.parse import quote, urlsplit

import click

from roma_core.app import Roma, build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.output import FAILED, OK, note, write, write_table
from roma_core.connectors.local.paths import is_local, path_of
from roma_core.errors import AgentFailure, InputError
from roma_core.facts import read_facts
from roma_core.sessions.service import GivenFeedback, Rating
from roma_core.types import Document, DocumentFacts, Noun

SERVER_WAIT_S = 2.0


class ListedDocument(Noun):
    """A stored document in a list."""

    id: str
    title: str
    uri: str
    characters: int
    pages: int
    facts: DocumentFacts


@command(examples=("roma documents", "roma documents harbour --collection hr", "roma documents --json"))
@click.argument("words", nargs=-1)
@click.option("--collection", metavar="NAME", help="Only documents of this collection.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N by title.")
async def documents(call: Invocation, words: tuple[str, ...], collection: str | None, limit: int | None) -> int:
    """List the stored documents, by title.

    WORDS must all stand in the title or the address. What became of items that are not stored is in roma ledger.
    """
    async with build_roma(call.settings) as roma:
        stored = [_list_document(document) async for document in roma.store.documents(call.settings.tenant)]
    chosen = [document for document in stored if _matches(document, words, collection)]
    chosen.sort(key=lambda document: (document.title.casefold(), document.uri))
    shown = chosen[:limit]
    rows = [(d.title, d.facts.type, d.facts.language, d.facts.collection, d.characters, d.id, d.uri) for d in shown]
    columns = ["title", "type", "language", "collection", "characters", "document", "address"]
    call.emit([document.model_dump(mode="json") for document in shown], lambda: write_table("", columns, rows))
    if len(shown) < len(chosen) and not call.as_json:
        note(f"{len(chosen) - len(shown)} more.")
    return OK


def _list_document(document: Document) -> ListedDocument:
    return ListedDocument(
        id=document.id,
        title=document.title,
        uri=document.uri,
        characters=len(document.text),
        pages=len(document.pages),
        facts=read_facts(document),
    )


def _matches(document: ListedDocument, words: tuple[str, ...], collection: str | None) -> bool:
    text = f"{document.title} {document.uri}".casefold()
    in_collection = collection is None or document.facts.collection == collection
    return in_collection and all(word.casefold() in text for word in words)


@command(
    "open",
    examples=("roma open last", "roma open last 2", "roma open 3f2a... --original", "roma open last --print"),
)
@click.argument("target")
@click.argument("citation", type=click.IntRange(min=1), default=1)
@click.option("--original", is_flag=True, help="The file or page itself instead of ROMA's reader.")
@click.option("--print", "prints", is_flag=True, help="Print the address, and open nothing.")
async def open_source(call: Invocation, target: str, citation: int, original: bool, prints: bool) -> int:
    """Open a source in the browser, with the cited words marked.

    TARGET is the id of a document; or an answer, as for roma replay, whose source number CITATION is opened. The
    reader is a page of roma serve.
    """
    async with build_roma(call.settings) as roma:
        document_id, span = await _find_source(roma, target, citation)
        document = await roma.document(document_id)
    if isinstance(document, AgentFailure):
        return call.fail(document)
    if original:
        address = _find_original(document)
    else:
        serving = call.settings.serving
        host = serving.host if serving.host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104  (compared only)
        address = f"http://{f'[{host}]' if ':' in host else host}:{serving.port}/read/{quote(document_id)}"
        if span is not None:
            address += f"?start={span[0]}&end={span[1]}"
        if not prints and not await _is_served(host, serving.port):
            note(f"No server answers at {host}:{serving.port}. Start roma serve, or open the source with --original.")
            return FAILED
    if not prints:
        await asyncio.to_thread(click.launch, address)
    call.emit({"address": address, "document_id": document_id}, lambda: write(address))
    return OK


async def _find_source(roma: Roma, target: str, number: int) -> tuple[str, tuple[int, int] | None]:
    """Return the id of a document and the span to be marked in it. Raises ``NotFoundError`` and ``InputError``."""
    if not isinstance(await roma.document(target), AgentFailure):
        return target, None
    record = await roma.answers.get(roma.user, await roma.answers.find_id(roma.user, target))
    citations = record.output.citations if record.output is not None else ()
    for citation in citations:
        if citation.marker == number:
            return citation.document_id, (citation.start, citation.end)
    numbers = sorted({citation.marker for citation in citations})
    has = f"it cites {', '.join(map(str, numbers))}" if numbers else "it cites nothing"
    raise InputError(f"This answer has no source number {number}: {has}.")


def _find_original(document: Document) -> str:
    """Return the address of the original for a browser. Raises ``InputError`` where a browser cannot open it."""
    if urlsplit(document.uri).scheme in {"http", "https"}:
        return document.uri
    if is_local(document.uri) and path_of(document.uri).is_file():
        return str(path_of(document.uri))
    raise InputError(f"No browser can open {document.uri}; leave --original away for ROMA's reader.")


async def _is_served(host: str, port: int) -> bool:
    """Return whether a server listens at an address."""
    try:
        async with asyncio.timeout(SERVER_WAIT_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # a timeout is one, too
        return False
    writer.close()
    await writer.wait_closed()
    return True


@command(examples=("roma feedback", "roma feedback --rating down", "roma feedback --json"))
@click.option("--rating", type=click.Choice(get_args(Rating)), help="Only these.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N", help="At most N rows."
)
async def feedback(call: Invocation, rating: Rating | None, limit: int) -> int:
    """List what people think of answers, the newest first, with the questions.

    Those of all users of the tenant. A bad answer becomes a golden case with roma golden candidates.
    """
    async with build_roma(call.settings) as roma:
        given = await roma.sessions.all_feedback(call.settings.tenant, rating=rating, limit=limit)
    rows = [
        (opinion.rating, opinion.question, opinion.comment, opinion.owner, _minute(opinion), opinion.answer_id)
        for opinion in given
    ]
    columns = ["rating", "question", "comment", "user", "given", "answer"]
    call.emit([opinion.model_dump(mode="json") for opinion in given], lambda: write_table("", columns, rows))
    return OK


def _minute(opinion: GivenFeedback) -> str:
    return opinion.created_at.isoformat(sep=" ", timespec="minutes") if opinion.created_at is not None else ""
