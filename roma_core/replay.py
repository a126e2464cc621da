"""Forks of recorded answers: what one change makes of an answer, with all that came before it taken from the record.

The first stage that the change decides runs, and all behind it; passages, prompt and draft before it are the recorded
ones. A change before retrieval has nothing recorded to go on with and searches today's corpus; the result says so.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from roma_core.answers import AnswerRecord, StageSnapshot
from roma_core.errors import AgentFailure, InputError, suggest_name
from roma_core.settings import Settings, own_settings
from roma_core.types import EVERYTHING, Document, Noun, Query, ReadScope, ScoredChunk, TailorOutput

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.store.base import ChunkStore, Filters
    from roma_core.types import Vector

SWITCHES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "rerank": {"off": ("reranker", "none"), "on": ("reranker", "local")},
    "plan": {"off": ("planner", "off"), "on": ("planner", "auto")},
}
"""Words of a person for settings."""
QUERY_CHANGES: Mapping[str, str] = {"question": "", "persona": "write", "top_k": "select"}
"""Changes of the question itself, and the first stage that each decides; the question decides all of them."""
PROMPTS = "prompts"
"""Setting that decides answers by the words of its files, which are part of the stages' fingerprints."""
PART_STAGES: Mapping[str, str] = {"embedder": "retrieve", "reranker": "rerank", "llm": "write"}
"""The stage whose result a model decides."""


class ForkedAnswer(Noun):
    """The answer that a change makes of a recorded one."""

    record_id: str
    changes: dict[str, str]
    from_stage: str
    """The first stage that ran anew."""
    on_todays_corpus: bool
    """True when passages were searched for again: the corpus may have changed since."""
    gone: tuple[str, ...] = ()
    """Addresses of recorded sources that are no longer in the store."""
    changed: tuple[str, ...] = ()
    """Addresses of recorded sources whose text is another one today."""
    forgotten: tuple[str, ...] = ()
    """Addresses of sources that were removed on demand, whose words the record no longer has."""
    before: TailorOutput | None = None
    output: TailorOutput | None = None
    failure: AgentFailure | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know, a sentence each."""
        notes = [f"Ran from the stage {self.from_stage!r} on."]
        if self.on_todays_corpus:
            notes.append("Passages were searched in today's corpus, which may differ from the recorded one.")
        notes += [f"Gone since: {uri}" for uri in self.gone]
        notes += [f"Changed since: {uri}" for uri in self.changed]
        notes += [f"Forgotten on demand: {uri}" for uri in self.forgotten]
        return tuple(notes)

    @property
    def diff(self) -> tuple[str, ...]:
        """Return the lines of the answer that differ, with ``-`` and ``+``; empty where none does."""
        before = self.before.answer.splitlines() if self.before is not None else []
        after = self.output.answer.splitlines() if self.output is not None else []
        lines = difflib.unified_diff(before, after, "recorded", "forked", lineterm="", n=0)
        return tuple(line for line in lines if not line.startswith("@@"))


async def fork_answer(roma: Roma, record: AnswerRecord, changes: Mapping[str, str]) -> ForkedAnswer:
    """Return what ``changes`` make of a recorded answer. Raises ``InputError`` for a change that there is not.

    >>> await fork_answer(roma, record, {"rerank": "off"})  # doctest: +SKIP
    """
    from roma_core.agents.orchestrator import StartPoint, fold_events
    from roma_core.agents.trace import restore_context

    plan = _read_changes(roma.settings, record.query, changes)
    sources = await _compare_sources(roma, record)
    store = RecordedStore(roma.store, sources.stale)
    forked = _build_fork(roma, plan.settings, cast("ChunkStore", store))
    start = _find_start(roma, forked, record, plan.stage)
    names = forked.pipeline.names
    before = _snapshot_before(record.stages, start, names)
    if before is None:
        start = names[0]
    elif record.output is None:  # what failed or was stopped goes on behind the last stage that succeeded
        start = names[min(names.index(before.stage) + 1, names.index(start))]
    context = restore_context(plan.query, before)
    events = forked.orchestrator.stream_query(plan.query, start=StartPoint(start, context))
    async with aclosing(events):
        outcome = await fold_events(events)
    return ForkedAnswer(
        record_id=record.id,
        changes=dict(changes),
        from_stage=start,
        on_todays_corpus=store.has_searched,
        gone=sources.gone,
        changed=sources.changed,
        forgotten=record.forgotten,
        before=record.output,
        output=outcome if isinstance(outcome, TailorOutput) else None,
        failure=outcome if isinstance(outcome, AgentFailure) else None,
    )


class RecordedStore:
    """Today's store, with recorded passages in the place of documents that have changed or gone since.

    ``has_searched`` becomes true once passages are searched.
    """

    def __init__(self, store: ChunkStore, stale: Mapping[str, Document]) -> None:
        self._store = store
        self._stale = stale
        self.has_searched = False

    async def document(self, tenant: str, document_id: str, scope: ReadScope = EVERYTHING) -> Document | None:
        """Return the document as the record knows it, else today's."""
        if document_id in self._stale and not self.has_searched:
            return self._stale[document_id]
        return await self._store.document(tenant, document_id, scope)

    async def lexical(
        self, tenant: str, text: str, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Search today's corpus by words."""
        self.has_searched = True
        return await self._store.lexical(tenant, text, limit=limit, filters=filters, scope=scope)

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Search today's corpus by meaning."""
        self.has_searched = True
        return await self._store.dense(tenant, vector, limit=limit, filters=filters, scope=scope)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass(frozen=True)
class _Changes:
    query: Query
    settings: Mapping[str, str]
    stage: str | None
    """The first stage that a change of the question decides; None where settings decide."""


def _read_changes(settings: Settings, query: Query, changes: Mapping[str, str]) -> _Changes:
    """Return the changed question and settings. Raises ``InputError`` for names and values that there are not."""
    named = {setting.name: setting for setting in own_settings() if setting.decides_answers or setting.name == PROMPTS}
    of_query: dict[str, Any] = {"session_id": None}
    of_settings: dict[str, str] = {}
    stages: list[str] = []
    for name, value in changes.items():
        if name in SWITCHES:
            if value not in SWITCHES[name]:
                raise InputError(f"{name} can be {' or '.join(SWITCHES[name])}, not {value!r}.")
            setting, meant = SWITCHES[name][value]
            of_settings[setting] = meant
        elif name in QUERY_CHANGES:
            of_query["text" if name == "question" else name] = value
            stages.append(QUERY_CHANGES[name])
        elif name in named:
            of_settings[name] = value
        else:
            raise InputError(f"There is no change {name!r}. {suggest_name(name, [*SWITCHES, *QUERY_CHANGES, *named])}")
    changed = Query.model_validate({**query.model_dump(), **of_query})
    stage = None if not stages else min(stages, key=bool)
    return _Changes(changed, of_settings, stage)


def _build_fork(roma: Roma, changes: Mapping[str, str], store: ChunkStore) -> Roma:
    """Return a system with the changed settings; the parts that they do not decide are shared, and stay open."""
    from roma_core.app import build_roma

    settings = roma.settings.replace(dict(changes))
    parts = _share_parts(roma, settings)
    forked = build_roma(settings, **{**parts, "store": store})
    if "reranker" in parts:
        forked.__dict__["reranker"] = roma.reranker  # None is a choice too
    return forked


def open_fork(roma: Roma, changes: Mapping[str, str]) -> tuple[Roma, tuple[str, ...]]:
    """Return a system with changed settings for a service, and the names of its parts that belong to ``roma``.

    Close it with ``keep`` set to these names.
    """
    from roma_core.app import build_roma

    settings = roma.settings.replace(dict(changes))
    parts = {**_share_parts(roma, settings), "grants": roma.grants, "audit": roma.audit}
    before = roma.settings.answering.prompts
    changed = {name for name, version in settings.answering.prompts.items() if before.get(name) != version}
    prompt_files = {name: path for name, path in roma.chosen_prompts.items() if name not in changed}
    forked = build_roma(settings, **parts, prompt_files=prompt_files, pipeline=roma.initial_pipeline)
    if "reranker" in parts:
        forked.__dict__["reranker"] = roma.reranker
    return forked, tuple(parts)


class ForkPool:
    """Systems with changed settings beside one ``Roma``, each made once and closed with it.

    >>> system = await asyncio.to_thread(roma.forks.open, {"llm_model": "small"})  # doctest: +SKIP
    """

    def __init__(self, roma: Roma) -> None:
        self._roma = roma
        self._forks: dict[tuple[tuple[str, str], ...], tuple[Roma, tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def open(self, changes: Mapping[str, str]) -> Roma:
        """Return the system with ``changes``; the ``Roma`` itself without any. Blocking. Raises ``ConfigError``."""
        name = tuple(sorted(changes.items()))
        if not name:
            return self._roma
        with self._lock:
            if name not in self._forks:
                self._forks[name] = open_fork(self._roma, changes)
            return self._forks[name][0]

    async def close(self) -> None:
        """Close the systems, but for the parts that belong to the ``Roma``."""
        forks, self._forks = self._forks, {}
        for fork, kept in forks.values():
            await fork.close(keep=kept)


def _share_parts(roma: Roma, settings: Settings) -> dict[str, Any]:
    """Return the parts of ``roma`` that other settings leave as they are."""
    retrieval, before = settings.retrieval, roma.settings.retrieval
    parts: dict[str, Any] = {
        "store": roma.store,
        "cache": roma.cache,
        "budgets": roma.budgets,
        "sessions": roma.sessions,
    }
    if retrieval.embedder == before.embedder:
        parts["embedder"] = roma.embedder
    if retrieval.reranker == before.reranker and (retrieval.rerank_limit == 0) == (before.rerank_limit == 0):
        parts["reranker"] = roma.reranker
    if settings.llm == roma.settings.llm:
        parts["llm"] = roma.llm
    return parts


def _find_start(roma: Roma, forked: Roma, record: AnswerRecord, of_query: str | None) -> str:
    """Return the first stage that the changes decide. Raises ``InputError`` where they decide none."""
    names = forked.pipeline.names
    decided = set() if of_query is None else {of_query or names[0]}
    after = forked.fingerprints
    for before in (roma.fingerprints, record.identity.fingerprints):
        differing = {name for name in after if after[name] != before.get(name)}
        decided |= {name.removeprefix("stage.") for name in differing if name.startswith("stage.")}
        decided |= {PART_STAGES[name] for name in differing & PART_STAGES.keys()}
        if decided:
            break
    start = next((name for name in names if name in decided), None)
    if start is None:
        raise InputError("This change decides no stage of the answer: it was made with the same settings.")
    return start


def _snapshot_before(stages: Sequence[StageSnapshot], start: str, names: Sequence[str]) -> StageSnapshot | None:
    """Return the state before ``start`` first ran, which is that after the last stage before it; None without one."""
    earlier = set(names[: names.index(start)])
    before: StageSnapshot | None = None
    for stage in stages:
        if stage.stage not in earlier:
            break
        before = stage
    return before


@dataclass(frozen=True)
class _SourceStates:
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    stale: Mapping[str, Document]


async def _compare_sources(roma: Roma, record: AnswerRecord) -> _SourceStates:
    """Return which documents of the recorded passages have gone or changed, as far as the record has their words."""
    held: dict[str, list[ScoredChunk]] = {}
    for passage in record.candidates:
        held.setdefault(passage.chunk.document_id, []).append(passage)
    gone: list[str] = []
    changed: list[str] = []
    stale: dict[str, Document] = {}
    for document_id, passages in held.items():
        document = await roma.store.document(record.query.tenant, document_id)
        uri = passages[0].chunk.uri
        if document is None:
            gone.append(uri)
        elif all(document.text[p.chunk.start : p.chunk.end] == p.chunk.text for p in passages):
            continue
        else:
            changed.append(uri)
        stale[document_id] = _rebuild_document(document_id, passages)
    return _SourceStates(tuple(sorted(gone)), tuple(sorted(changed)), stale)


def _rebuild_document(document_id: str, passages: Sequence[ScoredChunk]) -> Document:
    """Return a document that holds the recorded passages at their offsets, and blanks elsewhere."""
    text = [" "] * max(passage.chunk.end for passage in passages)
    for passage in passages:
        text[passage.chunk.start : passage.chunk.end] = passage.chunk.text
    chunk = passages[0].chunk
    return Document(
        id=document_id, uri=chunk.uri, title=chunk.title, text="".join(text), content_sha256="", parser="record/1"
    )
