"""Answers while they are written and after: recorded, followed by any number of clients, stopped, forgotten.

What is written in this process is followed in memory, what another process writes or has written by its database.
Events reach the disk within ``FLUSH_S``, those of all running answers in one transaction.
"""

from __future__ import annotations

import asyncio
import builtins
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roma_core.answers.record import (
    AnswerIdentity,
    AnswerRecord,
    AnswerState,
    AnswerSummary,
    StageSnapshot,
    is_terminal,
    make_ending,
)
from roma_core.answers.store import LEASE_S, AnswerFigures, AnswerStore, NewEvents
from roma_core.errors import AccessError, AgentFailure, ErrorCode, InputError, NotFoundError, guarded
from roma_core.telemetry import logs
from roma_core.types import CompleteEvent, ComponentHealth, Principal, Query, StreamEvent, digest

FLUSH_S = 0.5
BEAT_S = LEASE_S / 3
POLL_S = 0.25
"""How often the answer of another process is looked at."""
PRUNE_S = 3600.0
KEPT_MB = 1024
_log = logs.get("answers")

Identify = Callable[[], AnswerIdentity]


class Recorder:
    """Notes of one answer while it is written. Where nothing is kept it can be followed all the same."""

    def __init__(self, answers: Answers, record_id: str, query: Query, identify: Identify) -> None:
        self.id = record_id
        self.query = query
        self.events: list[StreamEvent] = []
        self.has_begun = False
        self.task: asyncio.Task[Any] | None = None
        """The task that writes the answer, where it is ROMA's own: stopping cancels it."""
        self.forgotten: set[str] = set()
        """Documents that were forgotten meanwhile."""
        self._answers = answers
        self._identify = identify
        self._stages: list[StageSnapshot] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._followers = 0
        self._stored = 0
        self._is_stored = False
        self._is_ending = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and id."""
        return self.query.tenant, self.id

    @property
    def has_ended(self) -> bool:
        """Return whether no further event will come."""
        return bool(self.events) and is_terminal(self.events[-1])

    @property
    def is_followed(self) -> bool:
        """Return whether a client reads it beside the one that asked."""
        return self._followers > 0

    @property
    def is_here(self) -> bool:
        """Return whether it is written on the running event loop."""
        return self._loop is asyncio.get_running_loop()

    async def begin(self) -> bool:
        """Store the question. Return False when this answer exists or is being written already.

        Raises ``InputError`` when the id belongs to another question.
        """
        live = self._answers.find_any(*self.key)
        if live is not None and live is not self:
            if not _is_same_question(live.query, self.query):
                raise InputError("This idempotency key was used for another question; use a fresh one.")
            return False
        self.has_begun = True
        self._loop = asyncio.get_running_loop()
        self._answers.add_live(self)
        if not self._answers.is_kept:
            return True
        inserted = await guarded("answers", asyncio.to_thread(self._insert))
        if isinstance(inserted, AgentFailure):
            if inserted.code is InputError.default_code:
                self._answers.drop_live(self)
                raise InputError(inserted.message)
            _log.warning("answer_not_recorded", answer=self.id, code=inserted.code.value)
            return True
        if not inserted:
            self._answers.drop_live(self)
            return False
        self._is_stored = True
        return True

    def add(self, event: StreamEvent) -> None:
        """Append an event; those who follow get it."""
        self.events.append(event)
        self._wake()

    def note_stage(self, snapshot: StageSnapshot) -> None:
        """Keep the state after a stage."""
        self._stages.append(snapshot)

    async def finish(self, event: StreamEvent) -> None:
        """Append the last event and store all that is left. It never raises: an answer is given also without a record.

        It is on the disk when this returns, so a client that has the end finds the record.
        """
        state: AnswerState = "complete" if isinstance(event, CompleteEvent) else "failed"
        await self._end(event, state)

    def stop(self) -> None:
        """End an answer early: its reader is gone, or a client has stopped it."""
        if self.has_begun and not self._is_ending:
            state: AnswerState = "interrupted" if self._answers.is_closing else "stopped"
            self._answers.run_later(self._end(make_ending(state), state))

    async def wait(self) -> None:
        """Wait for the next event."""
        if self.has_ended:
            return
        change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await change

    def new_events(self) -> NewEvents | None:
        """Return the events that are not stored yet."""
        if not self._is_stored or self._is_ending or self._stored == len(self.events):
            return None
        return NewEvents(*self.key, self._stored, self.events[self._stored :])

    def count_stored(self, piece: NewEvents) -> None:
        """Note that these events are stored."""
        self._stored = piece.first + len(piece.events)

    @property
    def is_stored(self) -> bool:
        """Return whether its question stands in the database."""
        return self._is_stored

    def follow(self) -> None:
        """Count one more client that reads."""
        self._followers += 1

    def unfollow(self) -> None:
        """Count one less."""
        self._followers -= 1

    def _insert(self) -> bool:
        return self._answers.store.insert(self.id, self.query, self._identify(), self._answers.now())

    async def _end(self, event: StreamEvent, state: AnswerState) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        first = self._stored
        last = NewEvents(*self.key, first, [*self.events[first:], event])
        try:
            if self._is_stored:
                stored = await guarded("answers", self._answers.store_end(last, state, self._stages, self.forgotten))
                if isinstance(stored, AgentFailure):
                    _log.warning("answer_not_recorded", answer=self.id, code=stored.code.value)
        finally:
            self._answers.drop_live(self)
            self.events.append(event)
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)


class Answers:
    """The answers of a workspace, or of the PostgreSQL at ``server_url``, which replicas share.

    ``days`` 0 keeps none: running ones can be followed all the same.

    >>> answers = Answers(Path(".roma/answers.sqlite"))
    >>> asyncio.run(answers.list(Principal.local()))
    []
    """

    def __init__(
        self,
        path: Path,
        *,
        server_url: str | None = None,
        days: int = 30,
        most_mb: int = KEPT_MB,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = AnswerStore(path, server_url)
        self.now = now
        self._days = days
        self._most_bytes = most_mb << 20
        self.is_closing = False
        """True once the service ends: what it cannot finish was interrupted, not stopped."""
        self._live: dict[tuple[str, str], Recorder] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._flusher: asyncio.Task[None] | None = None
        self._pruned_at: float | None = None

    @property
    def is_kept(self) -> bool:
        """Return whether answers are stored."""
        return self._days > 0

    def record(self, query: Query, identify: Identify, record_id: str | None = None) -> Recorder:
        """Return a recorder for a question that is about to be asked."""
        return Recorder(self, record_id or uuid.uuid4().hex, query, identify)

    @staticmethod
    def id_of_key(tenant: str, owner: str, key: str) -> str:
        """Return the id of the answer that the idempotency ``key`` of ``owner`` stands for."""
        return digest("answer key", tenant, owner, key)[:32]

    async def get(self, who: Principal, record_id: str) -> AnswerRecord:
        """Return a record; of a running answer what there is so far. Raises ``NotFoundError``."""
        live = self.find_live(who, record_id)
        if live is not None and not live.is_stored:
            return AnswerRecord(
                id=live.id, state="running", query=live.query, created_at=self.now(), events=tuple(live.events)
            )
        record = await asyncio.to_thread(self.store.load, who, record_id)
        return record if live is None else record.model_copy(update={"events": tuple(live.events)})

    async def count_events(self, who: Principal, record_id: str) -> tuple[int, bool]:
        """Return how many events an answer has and whether it has ended. Raises ``NotFoundError``."""
        live = self.find_live(who, record_id)
        if live is not None:
            return len(live.events), live.has_ended
        stored = await asyncio.to_thread(self.store.events, who, record_id, 0)
        return len(stored.events), stored.state != "running"

    async def find_session(self, who: Principal, record_id: str) -> str | None:
        """Return the conversation of an answer, None for one without. Raises ``NotFoundError``.

        The query of a record is masked, and the id of a token's conversation looks like a secret there.
        """
        live = self.find_live(who, record_id)
        if live is not None:
            return live.query.session_id
        return await asyncio.to_thread(self.store.find_session, who, record_id)

    async def find_id(self, who: Principal, name: str) -> str:
        """Return the id that ``name`` means: an id or its beginning, an ``answer_id``, or ``last``."""
        return await asyncio.to_thread(self.store.find_id, who, name)

    async def list(self, who: Principal, session_id: str | None = None, limit: int = 100) -> list[AnswerSummary]:
        """Return the answers of a user, the newest first, of one conversation when it is given."""
        return await asyncio.to_thread(self.store.list, who, session_id, limit)

    async def records(self, who: Principal, *, everyone: bool = False) -> AsyncGenerator[AnswerRecord]:
        """Yield a user's records, the oldest first, one in memory at a time; those removed meanwhile are left out.

        ``everyone``: those of all users of the tenant, for who manages the service. Raises ``AccessError``.

        >>> questions = [record.query.text async for record in roma.answers.records(roma.user)]  # doctest: +SKIP
        """
        if everyone and not who.may("service.manage"):
            raise AccessError("Answers of all users are for who manages the service.", ErrorCode.ACCESS_FORBIDDEN)
        for owner, record_id in await asyncio.to_thread(self.store.list_ids, who.tenant):
            if not everyone and owner != who.subject:
                continue
            try:
                yield await self.get(who.model_copy(update={"subject": owner}), record_id)
            except NotFoundError:
                continue

    async def figures(
        self, who: Principal, since: datetime | None = None, limit: int = 20_000
    ) -> Sequence[AnswerFigures]:
        """Return the figures of the newest answers of all users of the tenant, the newest first.

        Raises ``AccessError`` without the permission ``insights.read``.
        """
        if not who.may("insights.read"):
            raise AccessError("Figures of all users need the permission insights.read.", ErrorCode.ACCESS_FORBIDDEN)
        return await asyncio.to_thread(self.store.figures, who.tenant, since, limit)

    async def documents_of_answers(self, tenant: str) -> Sequence[tuple[str, str]]:
        """Return the id of each answer of a tenant with that of each document that it has words of."""
        return await asyncio.to_thread(self.store.documents_of_answers, tenant)

    async def follow(self, who: Principal, record_id: str, first: int = 0) -> AsyncGenerator[tuple[int, StreamEvent]]:
        """Yield the events from number ``first`` on with their numbers, until the last one. Raises ``NotFoundError``.

        It reads what is written here, in another process, or was written long ago.
        """
        number = first
        live = self.find_live(who, record_id)
        if live is not None and live.is_here:
            live.follow()
            try:
                while True:
                    while number < len(live.events):
                        yield number, live.events[number]
                        number += 1
                    if live.has_ended:
                        return
                    await live.wait()
            finally:
                live.unfollow()
        while True:
            stored = await asyncio.to_thread(self.store.events, who, record_id, number)
            for event in stored.events:
                yield number, event
                number += 1
            if stored.state != "running":
                return
            await asyncio.sleep(POLL_S)

    async def stop(self, who: Principal, record_id: str) -> None:
        """Stop an answer that is being written, here or elsewhere; one that has ended stays. ``NotFoundError``."""
        live = self.find_live(who, record_id)
        if live is not None and live.task is not None:
            live.task.cancel()
            return
        if live is None or live.is_stored:
            await asyncio.to_thread(self.store.request_stop, who, record_id)

    async def forget_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Take the words of documents out of all records; return how many answers were blanked."""
        for (owner, _), recorder in self._live.items():
            if owner == tenant:
                recorder.forgotten |= set(document_ids)
        if not document_ids:
            return 0
        return await asyncio.to_thread(self.store.forget_documents, tenant, document_ids)

    async def forget_user(self, who: Principal) -> int:
        """Remove every answer of a user, those that are being written included; return how many there were."""
        for recorder in list(self._live.values()):
            if (recorder.query.tenant, recorder.query.principal.subject) == (who.tenant, who.subject):
                recorder.stop()
        return await asyncio.to_thread(self.store.forget_user, who)

    async def list_sessions(self, who: Principal) -> builtins.list[str]:
        """Return the ids of the conversations in which a user was answered."""
        return await asyncio.to_thread(self.store.list_sessions, who)

    async def delete_before(
        self, tenant: str, moment: datetime, owners_on_hold: frozenset[str], *, counts_only: bool = False
    ) -> int:
        """Remove a tenant's answers from before ``moment``, but for those of ``owners_on_hold``; return how many.

        ``counts_only`` removes none.
        """
        return await asyncio.to_thread(
            lambda: self.store.delete_before(tenant, moment, owners_on_hold, counts_only=counts_only)
        )

    async def find_last_uses(self, tenant: str) -> dict[str, datetime]:
        """Return when an answer was last written from each document, by document id."""
        return await asyncio.to_thread(self.store.find_last_uses, tenant)

    async def delete_session(self, who: Principal, session_id: str) -> int:
        """Remove the answers of a conversation; return how many there were."""
        return await asyncio.to_thread(self.store.delete_session, who, session_id)

    async def mark_interrupted(self) -> int:
        """Give every record whose process is gone its end; return how many there were."""
        return await asyncio.to_thread(self.store.mark_interrupted)

    async def health(self) -> ComponentHealth:
        """Report the database as degraded when it cannot be read; answers are given without their records."""
        if not self.is_kept:
            return ComponentHealth(name="answers", reason="ROMA_ANSWER_DAYS=0: no answer is kept")
        read = await guarded("answers", asyncio.to_thread(self.store.check))
        if isinstance(read, AgentFailure):
            return ComponentHealth(name="answers", state="degraded", reason=read.message)
        return ComponentHealth(name="answers")

    async def close(self) -> None:
        """End what runs on this loop, store it, and close the file."""
        for recorder in list(self._live.values()):
            if recorder.is_here:
                if recorder.task is not None:
                    recorder.task.cancel()
                    await asyncio.wait({recorder.task}, timeout=5)
                recorder.stop()
        loop = asyncio.get_running_loop()
        waiting = {task for task in self._tasks if task.get_loop() is loop}
        if waiting:
            await asyncio.wait(waiting, timeout=5)
        if self._flusher is not None and self._flusher.get_loop() is loop:
            self._flusher.cancel()
            self._flusher = None
        await asyncio.to_thread(self.store.close)

    # For recorders

    def find_live(self, who: Principal, record_id: str) -> Recorder | None:
        """Return the recorder of an answer of ``who`` that is being written by this process."""
        live = self.find_any(who.tenant, record_id)
        return live if live is not None and live.query.principal.subject == who.subject else None

    def find_any(self, tenant: str, record_id: str) -> Recorder | None:
        """Return the recorder of an answer that is being written by this process, of any user of a tenant."""
        return self._live.get((tenant, record_id))

    def add_live(self, recorder: Recorder) -> None:
        """Count an answer as being written, and see to it that its events are stored."""
        self._live[recorder.key] = recorder
        loop = asyncio.get_running_loop()
        flusher = self._flusher
        if self.is_kept and (flusher is None or flusher.done() or flusher.get_loop() is not loop):
            self._flusher = asyncio.create_task(self._flush_until_idle(), name="answers")

    def drop_live(self, recorder: Recorder) -> None:
        """Count an answer as no longer being written."""
        if self._live.get(recorder.key) is recorder:
            del self._live[recorder.key]

    def run_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` in a task that ``close`` waits for."""
        task = asyncio.create_task(work, name="answer record")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def store_end(
        self, last: NewEvents, state: AnswerState, stages: Sequence[StageSnapshot], forgotten: set[str]
    ) -> None:
        """Store the end of an answer, without what was forgotten while it was written."""
        await asyncio.to_thread(self.store.finish, last, state, tuple(stages), self.now())
        if forgotten:
            await asyncio.to_thread(self.store.forget_documents, last.tenant, sorted(forgotten))

    async def _flush_until_idle(self) -> None:
        """Store new events and renew leases until no answer is being written."""
        time = asyncio.get_running_loop().time
        beaten = time()
        await self._prune(beaten)
        while self._live:
            await asyncio.sleep(FLUSH_S)
            recorders = [recorder for recorder in self._live.values() if recorder.is_stored and recorder.is_here]
            pieces = {recorder: piece for recorder in recorders if (piece := recorder.new_events()) is not None}
            beats = [recorder.key for recorder in recorders] if time() - beaten >= BEAT_S else []
            if beats:
                beaten = time()
            if not pieces and not beats:
                continue
            stops = await guarded("answers", asyncio.to_thread(self.store.append, list(pieces.values()), beats))
            if isinstance(stops, AgentFailure):
                _log.warning("answers_not_recorded", code=stops.code.value)
                continue
            for recorder, piece in pieces.items():
                recorder.count_stored(piece)
            for recorder in recorders:
                if recorder.key in stops and recorder.task is not None:
                    recorder.task.cancel()

    async def _prune(self, now: float) -> None:
        """Remove old answers, at most once an hour."""
        if self._pruned_at is not None and now - self._pruned_at < PRUNE_S:
            return
        self._pruned_at = now
        removed = await guarded(
            "answers", asyncio.to_thread(self.store.prune, self._days, self._most_bytes, self.now())
        )
        if isinstance(removed, AgentFailure):
            _log.warning("answers_not_pruned", code=removed.code.value)


def _is_same_question(asked: Query, again: Query) -> bool:
    """Return whether two queries of one user ask the same; its groups and roles may have changed meanwhile."""
    if asked.principal.subject != again.principal.subject:
        return False
    return asked.model_dump(exclude={"principal"}) == again.model_dump(exclude={"principal"})


def require_record_id(last_event_id: str) -> tuple[str, int]:
    """Return the id and the number of the next event of ``<id>:<number>``. Raises ``NotFoundError``."""
    record_id, _, number = last_event_id.partition(":")
    if not record_id or not number.isascii() or not number.isdigit():
        raise NotFoundError("This event id is none of an answer's; send the id of the last event that you have.")
    return record_id, int(number[:9]) + 1
