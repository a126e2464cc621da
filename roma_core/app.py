"""``build_roma(settings) -> Roma``: the only place that chooses concretes. Everything heavy waits for its first use."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from roma_core import __version__
from roma_core.errors import AgentFailure, ConfigError, NotFoundError, RomaError, guarded
from roma_core.settings import Settings
from roma_core.types import (
    ComponentHealth,
    Document,
    HealthReport,
    IngestionReport,
    Query,
    RawDocument,
    StreamEvent,
    TailorOutput,
    digest,
)
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.agents.orchestrator import ROMAOrchestrator
    from roma_core.cache import Cache
    from roma_core.connectors.base import Connector
    from roma_core.embeddings.base import Embedder
    from roma_core.ingestion import IngestionService, OnProgress
    from roma_core.ingestion.captions import Captions
    from roma_core.llm.control.calls import CallRecord
    from roma_core.llm.service import LLMService
    from roma_core.parsers.base import ParseOptions
    from roma_core.parsers.service import DolphinParserService
    from roma_core.rerank import Reranker
    from roma_core.sessions.service import Rating, Sessions
    from roma_core.store.base import ChunkStore
    from roma_core.telemetry.health import Health, Probe


class Roma:
    """The whole system over one workspace. Parts that are handed in replace those that settings would choose."""

    def __init__(self, settings: Settings, *, prompt_files: Mapping[str, Path] | None = None, **parts: Any) -> None:
        self.settings = settings
        self._prompt_files = prompt_files
        self._warming: asyncio.Future[None] | None = None
        unknown = set(parts) - PARTS
        if unknown:
            raise TypeError(f"Roma has no part named {', '.join(sorted(unknown))}")
        # A cached_property looks in the instance first, so a part that is handed in is never built.
        self.__dict__.update({name: part for name, part in parts.items() if part is not None})

    # --- parts ---

    @cached_property
    def cache(self) -> Cache:
        from roma_core.cache import Cache

        return Cache(Workspace(self.settings.workspace).cache, self.settings.storage.cache)

    @cached_property
    def embedder(self) -> Embedder:
        return _embedder(self.settings)

    @cached_property
    def reranker(self) -> Reranker | None:
        return _reranker(self.settings)

    @cached_property
    def store(self) -> ChunkStore:
        from roma_core.store.lance import LanceStore

        return LanceStore(
            Workspace(self.settings.workspace).store,
            fingerprint=self.embedder.fingerprint,
            dim=self.embedder.dim,
            model=self.embedder.name,
            min_free_mb=self.settings.storage.min_free_mb,
        )

    @cached_property
    def llm(self) -> LLMService:
        from roma_core.llm.build import build_llm

        ranker = self.reranker
        service = build_llm(self.settings, ranker.scores if ranker else None, ranker.name if ranker else "")
        service.observe(_measure_call)
        return service

    @cached_property
    def parsers(self) -> DolphinParserService:
        from roma_core.parsers.service import DolphinParserService

        return DolphinParserService.of(self.settings)

    @cached_property
    def connectors(self) -> Sequence[Connector]:
        from roma_core.connectors.registry import make_connectors

        return make_connectors(self.settings)[0]

    @cached_property
    def ingestion(self) -> IngestionService:
        from roma_core.ingestion import build_ingestion

        return build_ingestion(
            self.settings,
            connectors=self.connectors,
            parsers=self.parsers,
            embedder=self.embedder,
            store=self.store,
            cache=self.cache,
            captions=self.captions,
        )

    @cached_property
    def captions(self) -> Captions | None:
        """Who describes figures while documents are ingested; None when that is off."""
        if self.settings.figures.captions == "off":
            return None
        from roma_core.ingestion.captions import Captions, load_figure_prompt

        settings = self.settings
        if settings.figures.model is None and not self.llm.generative:
            raise ConfigError("ROMA_FIGURE_CAPTIONS=on needs a model that sees: set LLM_PROVIDER or ROMA_FIGURE_MODEL.")
        return Captions(self.llm, self.parsers, load_figure_prompt(), settings.figures.model, settings.figures.limit)

    @cached_property
    def orchestrator(self) -> ROMAOrchestrator:
        from roma_core.agents.build import build_orchestrator

        if self.settings.telemetry.tracing:
            from roma_core.telemetry import tracing

            tracing.configure(self.settings)
        return build_orchestrator(
            self.settings,
            store=self.store,
            embedder=self.embedder,
            reranker=self.reranker,
            llm=self.llm,
            sessions=self.sessions,
            prompt_files=self._prompt_files,
        )

    @cached_property
    def sessions(self) -> Sessions:
        from roma_core.sessions.service import Sessions, database_url

        return Sessions(database_url(self.settings.workspace, self.settings.storage.database_url))

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """Hash of each prompt by name: part of every evaluation's record."""
        from roma_core.agents.prompts import all_prompts

        return {name: prompt.sha256 for name, prompt in all_prompts(self._prompt_files).items()}

    @cached_property
    def fingerprints(self) -> Mapping[str, str]:
        """What decides vectors, ranks and answers beside settings and prompts."""
        ranker = self.reranker
        return {
            "embedder": self.embedder.fingerprint,
            "reranker": ranker.fingerprint if ranker else "none",
            "llm": self.llm.name,
        }

    def observe_calls(self, observer: Callable[[CallRecord], None]) -> Callable[[], None]:
        """Report every model call to ``observer`` until the returned function is called."""
        observe = getattr(self.llm, "observe", None)  # a bare provider, as tests hand in, has no observers
        return observe(observer) if observe else lambda: None

    # --- what it does ---

    async def ingest(
        self,
        *sources: str | Path,
        tenant: str | None = None,
        progress: OnProgress | None = None,
        retry_failed: bool = False,
        within: Sequence[str] | None = None,
    ) -> IngestionReport:
        """Read ``sources`` (paths, globs, addresses) into the store. Never raises for one bad item.

        ``within`` confines paths and Drive addresses to these places, as ``ROMA_INGEST_ROOTS`` does jobs over HTTP.
        """
        await _imported(*INGESTING)
        from roma_core.telemetry.observe import count_ingest

        report = await self.ingestion.ingest(
            [str(source) for source in sources],
            tenant=tenant or self.settings.tenant,
            progress=progress,
            retry_failed=retry_failed,
            within=within,
        )
        count_ingest(report)
        return report

    async def check(self, *sources: str | Path, within: Sequence[str] | None = None) -> None:
        """Raises ``InputError`` or ``AccessError`` for the first source that ``ingest`` would refuse; reads nothing."""
        from roma_core.connectors.sources import resolve_source

        connectors = await asyncio.to_thread(lambda: self.connectors)  # the first time, their modules are loaded
        for source in sources:
            await asyncio.to_thread(resolve_source, str(source), connectors, within)

    def stream_query(self, query: Query | str, **fields: Any) -> AsyncGenerator[StreamEvent]:
        """Events of one answer; the last one is terminal. ``fields`` are those of ``Query``."""
        from roma_core.telemetry.observe import observed

        asked = self._query(query, fields)
        return observed(self.orchestrator.stream_query(asked), asked)

    async def query(self, query: Query | str, **fields: Any) -> TailorOutput | AgentFailure:
        """The answer: a fold over ``stream_query``."""
        await _imported(*ANSWERING)
        from roma_core.agents.orchestrator import folded

        async with aclosing(self.stream_query(query, **fields)) as events:
            return await folded(events)

    async def parse(self, path: str | Path, options: ParseOptions | None = None) -> Document | AgentFailure:
        """What the parsers make of a file, without storing it."""
        raw = await guarded("local", self._read(Path(path)))
        return raw if isinstance(raw, AgentFailure) else await self.parsers.parse(raw, options)

    async def page_image(self, path: str | Path, number: int) -> bytes | AgentFailure:
        """PNG of page ``number`` (1-based) of a PDF or a picture as shown: ``Block.box`` is a fraction of it."""
        raw = await guarded("local", self._read(Path(path)))
        return raw if isinstance(raw, AgentFailure) else await self.parsers.page_image(raw, number)

    async def source_page(self, document: Document, number: int, tenant: str | None = None) -> bytes | AgentFailure:
        """``page_image`` of a stored document, drawn from its source once; a failure when that has changed."""
        return await guarded("parser", self._source_page(document, number, tenant or self.settings.tenant))

    async def document(self, document_id: str, tenant: str | None = None) -> Document | AgentFailure:
        """A stored document: the text that citations point into."""
        return await guarded("store", self._stored(document_id, tenant or self.settings.tenant))

    async def rate(
        self, answer_id: str, rating: Rating, *, session_id: str = "", comment: str = "", tenant: str | None = None
    ) -> AgentFailure | None:
        """Keep what somebody thinks of an answer; the last opinion of a session about an answer counts."""
        from roma_core.sessions.service import Feedback

        opinion = Feedback(answer_id=answer_id, rating=rating, comment=comment, session_id=session_id)
        return await guarded("sessions", self.sessions.rate(tenant or self.settings.tenant, opinion))

    async def health(self) -> HealthReport:
        """State of every part; time-boxed, cached, and free of charge."""
        await _imported(*ANSWERING)
        return await self._health.report()

    async def warm(self) -> None:
        """Import what questions, ingests and probes need, in a thread: for a server, whose loop has others to serve.

        It takes seconds, once; whoever calls meanwhile waits for the same.
        """
        if self._warming is None or not (
            self._warming.done() or self._warming.get_loop() is asyncio.get_running_loop()
        ):
            modules = [m for m in SERVING if m != LANCE or "store" not in self.__dict__]
            self._warming = asyncio.ensure_future(_imported(*modules))
        await asyncio.shield(self._warming)

    @property
    def starting(self) -> bool:
        """Whether ``warm`` is under way."""
        return self._warming is not None and not self._warming.done()

    async def close(self) -> None:
        """Close what was opened; the parts that were never used are not built for it."""
        for name in CLOSED:
            closing: Callable[[], Any] | None = getattr(self.__dict__.get(name), "close", None)
            if closing is not None:
                done = closing()
                if done is not None:
                    await done
        for connector in self.__dict__.get("connectors", ()):
            await connector.close()
        if self.settings.telemetry.tracing:
            from roma_core.telemetry import tracing

            await asyncio.to_thread(tracing.flush)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- inside ---

    @cached_property
    def _health(self) -> Health:
        from roma_core.telemetry.health import COLD_TIMEOUT_S, Health, disk

        parts: dict[str, Probe] = {
            "store": _status(partial(self._ask, "store")),
            "embedder": _model(lambda: self.embedder),
            "reranker": _model(lambda: self.reranker),
            "llm": _status(partial(self._ask, "llm")),
            "sessions": _status(partial(self._ask, "sessions")),
            "disk": disk(self.settings.workspace, self.settings.storage.min_free_mb),
        }
        for name, probe in self._agents().items():
            parts.setdefault(name, probe)
        # Not the embedder: without it questions are looked up by their words, and without a local model's files there
        # is no store either.
        return Health(parts, needed=("store", "disk", "agents"), version=__version__, cold_timeout_s=COLD_TIMEOUT_S)

    def _agents(self) -> dict[str, Probe]:
        """A probe for each agent; or one that says why there are none, and takes no other part with it."""
        from roma_core.telemetry.health import Status

        try:
            return {agent.name: _status(agent.health) for agent in self.orchestrator.agents}
        except RomaError as error:
            unusable = Status("down", f"{error.code}: {error.message}")

        async def probe() -> Status:
            return unusable

        return {"agents": probe}

    async def _ask(self, part: str) -> ComponentHealth:
        """A part that cannot even be built is down, and takes no other probe with it."""
        state: ComponentHealth = await getattr(self, part).health()
        return state

    def _query(self, query: Query | str, fields: dict[str, Any]) -> Query:
        if isinstance(query, Query):
            return query.model_copy(update=fields) if fields else query
        return Query(text=query, **{"tenant": self.settings.tenant, **fields})

    async def _read(self, path: Path) -> RawDocument:
        from roma_core.connectors.local.connector import read

        place = await asyncio.to_thread(path.resolve)
        return await asyncio.to_thread(read, place, place.as_uri(), self.settings.parsing.max_mb << 20)

    async def _source_page(self, document: Document, number: int, tenant: str) -> bytes | AgentFailure:
        key = digest("page", document.content_sha256, document.parser, str(number))
        kept = await asyncio.to_thread(self.cache.get, "page", key)
        if kept is not None:
            return kept
        raw = await self.ingestion.original(document, tenant)
        if isinstance(raw, AgentFailure):
            return raw
        try:
            drawn = await self.parsers.page_image(raw, number)
        finally:
            await asyncio.to_thread(raw.discard)
        if isinstance(drawn, bytes):
            await asyncio.to_thread(self.cache.put, "page", key, drawn)
        return drawn

    async def _stored(self, document_id: str, tenant: str) -> Document:
        found = await self.store.document(tenant, document_id)
        if found is None:
            raise NotFoundError(f"There is no document {document_id!r}; `roma ledger` lists those that there are.")
        return found


def _status(ask: Callable[[], Awaitable[ComponentHealth]]) -> Probe:
    """A probe out of a part's own ``health()``."""
    from roma_core.telemetry.health import Status

    async def probe() -> Status:
        found = await ask()
        return Status(found.state, found.reason, found.details)

    return probe


def _model(part: Callable[[], Embedder | Reranker | None]) -> Probe:
    """A probe out of a model's own ``health()``, which does not run it."""
    from roma_core.telemetry.health import Status

    async def probe() -> Status:
        model = part()
        if model is None:
            return Status("ok", "switched off")
        found = await model.health()
        return found._replace(details={"model": model.name, **found.details})

    return probe


CLOSED = ("ingestion", "orchestrator", "llm", "parsers", "store", "sessions", "embedder", "reranker", "cache")
"""The order in which parts are closed: users before what they use."""
PARTS = {name for name, value in vars(Roma).items() if isinstance(value, cached_property) and name[0] != "_"}


LANCE = "roma_core.store.lance:load"
ANSWERING = (
    "roma_core.telemetry.observe",
    "roma_core.telemetry.health",
    "roma_core.agents.build",
    "roma_core.llm.build",
)
INGESTING = (
    "roma_core.telemetry.observe",
    "roma_core.ingestion",
    "roma_core.parsers.service",
    "roma_core.connectors.registry:connector_specs",
)
SERVING = (*ANSWERING, *INGESTING, "roma_core.sessions.tables", LANCE)
"""What takes a moment to import, or ``module:function`` that imports it."""
_ready: set[str] = set()


async def _imported(*names: str) -> None:
    """See that ``names`` are imported, in a thread: other tasks go on meanwhile. What is missing is told when used."""
    for name in names:
        if name not in _ready:
            await asyncio.to_thread(_import, name)
            _ready.add(name)


def _import(name: str) -> None:
    module, _, load = name.partition(":")
    with suppress(ModuleNotFoundError):
        found = importlib.import_module(module)
        if load:
            getattr(found, load)()


def build_roma(settings: Settings | None = None, **parts: Any) -> Roma:
    """ROMA over the workspace that ``settings`` (or the environment) name. Cheap: nothing is loaded or opened yet."""
    return Roma(settings or Settings.load(), **parts)


def _measure_call(record: CallRecord) -> None:
    """Every model call is counted, wherever it comes from."""
    from roma_core.telemetry import metrics

    metrics.count_usage(f"{record.provider}:{record.model}", record.usage)
    if record.outcome.startswith("ERR_"):
        metrics.count_error("llm", record.outcome)


def _embedder(settings: Settings) -> Embedder:
    kind, _, model = settings.retrieval.embedder.partition(":")
    if kind == "fake":
        from roma_core.embeddings.fake import FakeEmbedder

        return FakeEmbedder()
    if kind == "openai":
        from roma_core.embeddings.openai import OpenAIEmbedder
        from roma_core.llm.build import choose

        # The general key counts when it is the one for this address: a key must not travel to another's.
        general = choose(settings)[0] == "openai" and settings.llm.base_url in {None, settings.openai.base_url}
        key = settings.openai.api_key or (settings.llm.api_key if general else None)
        if key is None:
            raise ConfigError("ROMA_EMBEDDER=openai needs OPENAI_API_KEY.")
        return OpenAIEmbedder(
            model or "text-embedding-3-small", api_key=key.get_secret_value(), base_url=settings.openai.base_url
        )
    from roma_core.embeddings.local import LocalEmbedder

    return LocalEmbedder(
        None if settings.retrieval.embedder == "local" else settings.retrieval.embedder,
        threads=settings.retrieval.embed_threads,
    )


def _reranker(settings: Settings) -> Reranker | None:
    from roma_core.rerank import FakeReranker, LocalReranker

    if settings.retrieval.reranker == "none" or settings.retrieval.rerank_limit == 0:
        return None
    if settings.retrieval.reranker == "fake":
        return FakeReranker()
    return LocalReranker(
        None if settings.retrieval.reranker == "local" else settings.retrieval.reranker,
        threads=settings.retrieval.embed_threads,
    )
