"""The chat's side of ROMA: what a page or a notebook's widget asks for, as plain values.

One ``ChatService`` belongs to one person. Ids of a person's conversations begin with the person's id, which a page
never sees: the API separates tenants, the chat also the people of a tenant.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field

from roma_core import __version__
from roma_core.answers import AnswerRecord, AnswerSummary
from roma_core.connectors.sources import redact_uri
from roma_core.display import show_overrides
from roma_core.errors import AgentFailure, InputError, NotFoundError, guarded
from roma_core.sessions.service import Feedback, Rating, Turn
from roma_core.transcripts import (
    FileFormat,
    SavedFile,
    collect_answer,
    collect_conversation,
    make_file,
    merge_entries,
    restore_output,
)
from roma_core.types import (
    CompleteEvent,
    Document,
    ErrorEvent,
    Persona,
    Principal,
    Query,
    ReadScope,
    StageEvent,
    StreamEvent,
    TokenEvent,
)
from roma_core.ui.chat.compare import choose_model, compare_answer, list_choices
from roma_core.ui.chat.growing import GrowingText, TextUpdate
from roma_core.ui.chat.reader import cut_part, find_cited_pages, has_pages, mark_page, require_span, view_part
from roma_core.ui.chat.suggest import (
    MOST_OFFERED,
    find_related,
    list_questions,
    match_questions,
    suggest_questions,
)
from roma_core.ui.chat.uploads import find_upload_path, require_right, write_upload
from roma_core.ui.chat.views import View, name_place, view_failure, view_output, view_record, web_address
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.app import Roma

CONVERSATION: Final = r"^[A-Za-z0-9-]{8,40}$"
"""Ids of conversations as a page knows them: they stand in addresses."""
_PLACE: Final = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}")
MOST_CONVERSATIONS: Final = 200
MOST_ANSWERS: Final = 1000
"""Answers of a tenant among which conversations without a finished answer are looked for."""
MOST_TURNS: Final = 20
"""Turns of a conversation that are shown at once."""
LONGEST_OFFERED: Final = 200
"""Longer questions are not offered while one is typed."""
BATCH_S: Final = 0.08
"""Words are sent at most this often: a person sees no difference, the browser and the wire do."""


_KNOWN_SCOPES: Final = 64
"""Scopes of readers whose questions of the corpus are remembered."""
_known_questions: WeakKeyDictionary[Any, dict[tuple[str, ReadScope], tuple[str, list[str]]]] = WeakKeyDictionary()
"""By system, tenant and scope: the state of the store, and the questions that its documents answered in it."""


class ChatQuestion(BaseModel):
    """A question as the page sends it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=100_000)
    persona: Persona = "general"
    collections: tuple[str, ...] = Field(default=(), max_length=100)
    documents: tuple[str, ...] = Field(default=(), max_length=100)
    model: str = Field(default="", max_length=200)
    """One of the offered models; empty for the configured one."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of the question."""
        chosen = {"collection": list(self.collections), "document_id": list(self.documents)}
        return {name: values for name, values in chosen.items() if values}


class ChatRating(BaseModel):
    """A thumb with the reason for it."""

    model_config = ConfigDict(extra="forbid")

    rating: Rating
    comment: str = Field(default="", max_length=4000)


class ChatService:
    """The conversations of one person.

    Example::

        chat = ChatService(roma, Principal.local())
        answer = await chat.ask("2f6c1b90", ChatQuestion(text="What does the bridge span?"), key="1")
        updates = [update async for update in chat.follow(answer["id"])]
    """

    def __init__(self, roma: Roma, who: Principal | None = None) -> None:
        """``who`` is the person; by default the user of this machine."""
        self._roma = roma
        self._who = who or roma.user
        self._tenant = self._who.tenant
        self._prefix = f"{self._who.subject}:"

    # --- the whole ---

    async def state(self) -> View:
        """Return the workspace, its documents and collections, questions to begin with, and parts that are unwell."""
        counts = await self._roma.count_documents(self._who)
        collections = await self._roma.collections(self._who)
        health = await self._roma.health()
        view: View = {
            "workspace": workspace_name(self._roma),
            "version": __version__,
            "personas": list(get_args(Persona)),
            "user": {"name": self._who.subject, "may_sign_out": self._who.signed_in_by not in {"local", "token"}},
            "choices": list_choices(self._roma),
            "may_ingest": self._who.may("documents.ingest"),
            "may_audit": self._who.may("audit.read"),
            "health": health.state,
            "unwell": [
                {"name": part.name, "state": part.state, "reason": part.reason}
                for part in health.components
                if part.state != "ok"
            ],
        }
        if isinstance(counts, AgentFailure):
            return {**view, "failure": view_failure(counts), "documents": 0, "collections": [], "questions": []}
        named = {} if isinstance(collections, AgentFailure) else collections
        view["documents"] = counts[0]
        view["collections"] = [{"name": name, "documents": sizes[0]} for name, sizes in sorted(named.items())]
        view["questions"] = await self._suggest() if counts[0] else []
        return view

    async def _suggest(self) -> list[str]:
        scope = await self._roma.grants.find_scope(self._who)
        async with aclosing(self._roma.store.documents(self._tenant, scope)) as documents:  # type: ignore[type-var]
            found = await guarded("store", suggest_questions(documents))
        return [] if isinstance(found, AgentFailure) else found

    async def suggestions(self, text: str) -> list[str]:
        """Return questions with the typed words: the person's own, the newest first, then those of the corpus."""
        own = match_questions(text, await self._own_questions())
        if len(own) == MOST_OFFERED:
            return own
        return match_questions(text, [*own, *await self._corpus_questions()])

    async def related(self, question: str) -> list[str]:
        """Return questions near to one that was asked: of permitted documents, and the person's own of before."""
        own = await self._own_questions()
        known = [*await self._corpus_questions(), *own]
        return await asyncio.to_thread(find_related, question, known)

    async def _own_questions(self) -> list[str]:
        """Return what the person has asked, the newest first, each once."""
        answers = await guarded("answers", self._roma.answers.list(self._who, limit=MOST_ANSWERS))
        if isinstance(answers, AgentFailure):
            return []
        asked = [" ".join(one.question.split()) for one in answers if self._own_part(one.session_id or "")]
        return list(dict.fromkeys(question for question in asked if len(question) <= LONGEST_OFFERED))

    async def _corpus_questions(self) -> list[str]:
        """Return the questions that the documents answer which the person may read; none while they cannot be read."""
        scope = await self._roma.grants.find_scope(self._who)
        state = await guarded("store", self._roma.store.version(self._tenant))
        if isinstance(state, AgentFailure):
            return []
        remembered = _known_questions.setdefault(self._roma, {})
        name = (self._tenant, scope)
        known = remembered.pop(name, None)
        if known is None or known[0] != state:
            async with aclosing(self._roma.store.documents(self._tenant, scope)) as documents:  # type: ignore[type-var]
                found = await guarded("store", list_questions(documents))
            if isinstance(found, AgentFailure):
                return []
            known = (state, found)
        remembered[name] = known
        while len(remembered) > _KNOWN_SCOPES:
            remembered.pop(next(iter(remembered)))
        return known[1]

    # --- conversations ---

    async def conversations(self) -> list[View]:
        """Return the conversations, the one used last first; those of which no answer was finished are among them."""
        sessions = await self._roma.sessions.list(self._who, MOST_CONVERSATIONS, self._prefix)
        views = {
            session.id: {
                "id": self._own_part(session.id),
                "title": session.title,
                "updated_at": session.updated_at.isoformat(),
                "state": "complete",
            }
            for session in sessions
            if self._own_part(session.id)
        }
        answers = await guarded("answers", self._roma.answers.list(self._who, limit=MOST_ANSWERS))
        for answer in () if isinstance(answers, AgentFailure) else answers:
            own = self._own_part(answer.session_id or "")
            if not own or answer.session_id is None:
                continue
            view = views.setdefault(
                answer.session_id,
                {
                    "id": own,
                    "title": " ".join(answer.question.split())[:80],
                    "updated_at": answer.created_at.isoformat(),
                    "state": answer.state,
                },
            )
            if answer.state == "running":
                view["state"] = "running"
        return sorted(views.values(), key=lambda view: str(view["updated_at"]), reverse=True)

    async def conversation(self, conversation: str, most: int = MOST_TURNS) -> View:
        """Return the last ``most`` turns of a conversation; none of one that does not exist yet."""
        session_id = self._session(conversation)
        turns = await self._roma.turns(session_id, self._who)
        answers = await self._roma.answers.list(self._who, session_id, MOST_ANSWERS)
        opinions = {
            opinion.answer_id: opinion
            for opinion in await self._roma.sessions.feedback(self._who, session_id=session_id)
        }
        entries = merge_entries(turns, answers)
        views = [await self._view_entry(entry, opinions) for entry in entries[-most:]]
        return {"id": conversation, "turns": views, "earlier": max(0, len(entries) - most)}

    async def _view_entry(self, entry: Turn | AnswerSummary, opinions: Mapping[str, Feedback]) -> View:
        if isinstance(entry, AnswerSummary):
            record = await self._roma.answer_record(entry.id, self._who)
            return view_record(record, opinions.get(entry.answer_id))
        output = await restore_output(self._roma, self._who, entry)
        opinion = opinions.get(entry.answer_id)
        return {
            "id": entry.answer_id,
            "state": "complete",
            "question": entry.question,
            "filters": {},
            "created_at": entry.created_at.isoformat() if entry.created_at else "",
            "seconds": None,
            "rating": opinion.rating if opinion else None,
            "comment": opinion.comment if opinion else "",
            "restored": True,
            **view_output(output),
        }

    async def rename(self, conversation: str, title: str) -> None:
        """Give a conversation another title. Raises ``NotFoundError``, and ``InputError`` for an empty title."""
        if not title.strip():
            raise InputError("A title has at least one letter.")
        await self._roma.sessions.rename(self._who, self._session(conversation), title.strip()[:200])

    async def delete(self, conversation: str) -> None:
        """Remove a conversation with all that belongs to it. Raises ``NotFoundError``."""
        await self._roma.delete_session(self._session(conversation), self._who)

    # --- answers ---

    async def ask(self, conversation: str, question: ChatQuestion, key: str) -> View:
        """Begin an answer and return its id. The same ``key`` is one answer, however often it is asked."""
        if not question.text.strip():
            raise InputError("Type a question first.")
        query = Query(
            text=question.text,
            persona=question.persona,
            filters=question.filters(),
            session_id=self._session(conversation),
            principal=self._who,
        )
        changes = choose_model(self._roma, question.model)
        return {"id": await self._roma.start_answer(query, key=key, owner=self._who.subject, changes=changes)}

    async def follow(self, record_id: str) -> AsyncGenerator[View]:
        """Yield what a page shows of an answer, from its beginning on, however late one comes.

        An update is a stage, words (``GrowingText``), or the end with the whole turn.
        """
        async with aclosing(self.follow_from(record_id)) as placed:
            async for _, update in placed:
                yield update

    async def follow_from(self, record_id: str, place: str = "") -> AsyncGenerator[tuple[str, View]]:
        """Yield updates as ``follow`` does, each with its place; with the ``place`` of one, what came behind it.

        A place is the number of events and of finished blocks that are shown then; an empty one stands inside of what
        one read of the events makes, and is no place to go on from. Raises ``InputError`` for what is no place.
        """
        shown_events, shown_blocks = read_place(place)
        record = await self._load_own(record_id)
        growing = GrowingText()
        read = 0
        async with aclosing(batch_events(self._roma.answers.follow(self._who, record_id))) as batches:
            async for events in batches:
                known = events[: max(0, shown_events - read)]
                read += len(events)
                growing.add(join_words(known))
                updates: list[View] = []
                if known and read >= shown_events:
                    updates.append(view_words(growing.catch_up(shown_blocks)))
                updates += self._updates(events[len(known) :], growing)
                for update in updates[:-1]:
                    yield "", update
                if updates:
                    yield f"{read}.{len(growing.blocks)}", updates[-1]
                if isinstance(events[-1], CompleteEvent | ErrorEvent):
                    yield "", {"type": "end", "turn": await self._end_turn(record, events[-1])}
                    return

    @staticmethod
    def _updates(events: Sequence[StreamEvent], growing: GrowingText) -> list[View]:
        stages = [view_stage(event) for event in events if isinstance(event, StageEvent)]
        words = join_words(events)
        return [*stages, view_words(growing.add(words))] if words else stages

    async def _end_turn(self, record: AnswerRecord, last: CompleteEvent | ErrorEvent) -> View:
        """Return the turn as it ended. What is not kept is shown from the event."""
        stored = await guarded("answers", self._roma.answers.get(self._who, record.id))
        if isinstance(stored, AgentFailure) or stored.state == "running":
            output = last.output if isinstance(last, CompleteEvent) else None
            failure = last.failure if isinstance(last, ErrorEvent) else None
            state: Any = "complete" if output is not None else "failed"
            stored = record.model_copy(update={"state": state, "output": output, "failure": failure})
        elif isinstance(last, CompleteEvent):
            stored = stored.model_copy(update={"output": last.output})
        return view_record(stored)

    async def require_own(self, record_id: str) -> None:
        """Raise ``NotFoundError`` for an answer that is not one of this person's conversations."""
        await self._load_own(record_id)

    async def stop(self, record_id: str) -> None:
        """Stop an answer that is being written."""
        await self._load_own(record_id)
        await self._roma.answers.stop(self._who, record_id)

    async def compare(self, record_id: str, changes: Mapping[str, str]) -> View:
        """Return an answer beside what one change makes of it: another model, prompt or persona."""
        return await compare_answer(self._roma, await self._load_own(record_id), changes, self._who)

    async def keep_upload(self, name: str, body: AsyncIterator[bytes]) -> Path:
        """Keep a file that the person brings, to be ingested.

        Raises ``AccessError``, ``InputError``, and ``NotFoundError`` for a collection that is withheld.
        """
        require_right(self._who)
        path = find_upload_path(Workspace.of(self._roma.settings).folder, self._who, name)
        await self._roma.require_collections(str(path), collection=None, principal=self._who, within=None)
        await self._roma.log_action(self._who, "ingest", sources=[redact_uri(str(path))], collection=None)
        await write_upload(path, body)
        return path

    async def rate(self, conversation: str, answer_id: str, rating: ChatRating) -> None:
        """Keep an opinion of an answer; the last one counts."""
        opinion = Feedback(
            answer_id=answer_id,
            rating=rating.rating,
            comment=rating.comment,
            session_id=self._session(conversation),
        )
        await self._roma.sessions.rate(self._who, opinion)

    async def export_answer(self, record_id: str, file_format: FileFormat, base_url: str = "") -> SavedFile:
        """Return an answer as a file with its proof. Raises ``NotFoundError``."""
        record = await self._load_own(record_id)
        transcript = await collect_answer(self._roma, self._who, record.id, base_url)
        return await asyncio.to_thread(make_file, transcript, file_format)

    async def export(self, conversation: str, file_format: FileFormat, base_url: str = "") -> SavedFile:
        """Return a conversation as a file with its proof. Raises ``NotFoundError``."""
        session_id = self._session(conversation)
        transcript = await collect_conversation(self._roma, self._who, session_id, base_url)
        return await asyncio.to_thread(make_file, transcript, file_format)

    async def _load_own(self, record_id: str) -> AnswerRecord:
        """Return a record of this person's conversations. Raises ``NotFoundError``, also for another person's."""
        session_id = await self._roma.answers.find_session(self._who, record_id)
        if not self._own_part(session_id or ""):
            raise NotFoundError("There is no such answer.")
        await self._roma.require_readable(record_id, self._who)
        record: AnswerRecord = await self._roma.answers.get(self._who, record_id)
        return record

    # --- sources ---

    async def source(self, document_id: str, start: int | None = None, end: int | None = None, offset: int = 0) -> View:
        """Return a document as it reads around a span, or from ``offset`` on, and what there is beside its text."""
        document = await self._document(document_id)
        span = require_span(document, start, end)
        part = await asyncio.to_thread(cut_part, document, span, min(max(0, offset), len(document.text)))
        at = span[0] if span else part.start
        pages = find_cited_pages(document, span) if span else []
        return {
            "document": document.id,
            "title": show_overrides(document.title),
            "place": show_overrides(name_place(document.place(at), document.title)),
            "media_type": document.media_type,
            "collection": document.collection,
            "length": len(document.text),
            "web": web_address(document.uri),
            "part": view_part(part),
            "quote": show_overrides(document.text[span[0] : span[1]]) if span else "",
            "pages": [_view_page(page) for page in document.pages] if has_pages(document) else [],
            "page": pages[0].number if pages else None,
        }

    async def page(self, document_id: str, number: int, start: int | None = None, end: int | None = None) -> View:
        """Return the boxes of the cited words on a page."""
        document = await self._document(document_id)
        page = next((page for page in document.pages if page.number == number), None)
        if page is None:
            raise NotFoundError(f"The document has no page {number}.")
        span = require_span(document, start, end)
        if span is None or page not in find_cited_pages(document, span):
            return {"number": number, "boxes": [], "exact": False}
        words = await self._roma.source_words(document, number, self._who)
        known = () if isinstance(words, AgentFailure) else words
        marked = await asyncio.to_thread(mark_page, document, page, span, known)
        return {"number": number, "boxes": [list(box) for box in marked.boxes], "exact": marked.is_exact}

    async def page_image(self, document_id: str, number: int) -> bytes | AgentFailure:
        """Return the picture of a page as PNG."""
        return await self._roma.source_page(await self._document(document_id), number, self._who)

    async def original(self, document_id: str) -> tuple[str, bytes] | AgentFailure:
        """Return the name and the bytes that a document was made of."""
        document = await self._document(document_id)
        raw = await self._roma.original(document, self._who)
        if isinstance(raw, AgentFailure):
            return raw
        try:
            return file_name(document), await asyncio.to_thread(lambda: raw.data)
        finally:
            await asyncio.to_thread(raw.discard)

    async def _document(self, document_id: str) -> Document:
        found = await self._roma.document(document_id, self._who)
        if isinstance(found, AgentFailure):
            raise NotFoundError(found.message)
        return found

    def _own_part(self, session_id: str) -> str:
        """Return the id of a conversation as a page knows it; empty for one of another person."""
        own = session_id.removeprefix(self._prefix)
        return own if own != session_id and re.fullmatch(CONVERSATION, own) else ""

    def _session(self, conversation: str) -> str:
        if not re.fullmatch(CONVERSATION, conversation):
            raise NotFoundError("There is no such conversation.")
        return f"{self._prefix}{conversation}"


def view_stage(event: StageEvent) -> View:
    """Return a stage: the words for a person who waits, when it was, and the titles of what was found."""
    says = event.says or f"{event.stage.replace('_', ' ').capitalize()} …"
    titles = event.detail.get("titles")
    return {
        "type": "stage",
        "stage": event.stage,
        "says": says,
        "at_ms": round(event.elapsed_ms),
        "titles": [show_overrides(str(title)) for title in titles] if isinstance(titles, list) else [],
    }


def workspace_name(roma: Roma) -> str:
    """Return the name of the workspace for a person: of its folder, or of the one around a hidden folder."""
    folder = roma.settings.workspace.absolute()
    return folder.parent.name if folder.name.startswith(".") else folder.name


def file_name(document: Document) -> str:
    """Return a name to save a document under."""
    last = re.split(r"[/\\#?]", document.uri.rstrip("/"))[-1] or document.title
    return re.sub(r"[^\w. ()-]", "_", last)[:120] or "document"


def read_place(place: str) -> tuple[int, int]:
    """Return the numbers of events and of blocks that a place of ``follow_from`` names; none for an empty one.

    >>> read_place("120.4"), read_place("")
    ((120, 4), (0, 0))
    """
    if not place:
        return 0, 0
    if not _PLACE.fullmatch(place):
        raise InputError("Last-Event-ID is the id of an update of this answer, or is left out.")
    events, _, blocks = place.partition(".")
    return int(events), int(blocks)


def join_words(events: Sequence[StreamEvent]) -> str:
    """Return the words of the events among which there are others."""
    return "".join(event.text for event in events if isinstance(event, TokenEvent))


def view_words(update: TextUpdate) -> View:
    """Return an update of words as the page takes it."""
    view: View = {"type": "words", "text": update.text}
    if update.blocks:
        view["blocks"] = list(update.blocks)
    if update.starts_over:
        view["over"] = True
    return view


async def batch_events(events: AsyncGenerator[tuple[int, StreamEvent]]) -> AsyncGenerator[list[StreamEvent]]:
    """Yield events in groups: the first at once, then at most one group each ``BATCH_S``; the last has the end.

    Closing it closes ``events``.
    """
    waiting: list[StreamEvent] = []
    has_news = asyncio.Event()

    async def read() -> None:
        try:
            async with aclosing(events) as numbered:
                async for _, event in numbered:
                    waiting.append(event)
                    has_news.set()
        finally:
            has_news.set()

    reader = asyncio.create_task(read(), name="chat reader")
    try:
        while True:
            await has_news.wait()
            has_news.clear()
            if waiting:
                group = waiting[:]
                waiting.clear()
                yield group
            elif reader.done():
                await reader  # raises what ended it
                return
            if not reader.done():
                await asyncio.sleep(BATCH_S)
            else:
                has_news.set()
    finally:
        reader.cancel()
        await asyncio.wait({reader})


def _view_page(page: Any) -> View:
    ratio = page.width / page.height if page.width and page.height else 0.707
    return {"number": page.number, "label": page.label or str(page.number), "ratio": round(ratio, 4)}
