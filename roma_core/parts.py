"""The parts of a ``Roma``: how each is built, what it imports, and in which order parts are closed.

A part is an attribute of ``Roma`` that is built when it is first used, unless one was handed in::

    class Roma:
        store = Part(build_store, imports=("roma_core.store.tables:load",), is_needed=True)

A part is declared below those that it uses, so parts are closed from the last one to the first.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.metadata
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypedDict, TypeVar, cast, overload

from roma_core.errors import AgentFailure, ConfigError, RomaError, StoreError, guarded_call
from roma_core.telemetry import logs
from roma_core.types import ComponentHealth, Query, ReindexReport, SearchReport, Usage
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.agents.memory import RetrievalConfig
    from roma_core.agents.orchestrator import ROMAOrchestrator
    from roma_core.agents.pipeline import Pipeline
    from roma_core.answers import AnswerCache, AnswerReuse, Answers
    from roma_core.app import Roma
    from roma_core.audit import AuditLog
    from roma_core.cache import Cache
    from roma_core.connectors.base import Connector
    from roma_core.database import Schema
    from roma_core.embeddings.base import Embedder
    from roma_core.evals.workers import SystemDescription
    from roma_core.identity import GrantTable
    from roma_core.ingestion import IngestionService
    from roma_core.ingestion.captions import Captions
    from roma_core.ingestion.distribution import ShardPlan
    from roma_core.ingestion.pictures import PictureIndex
    from roma_core.ingestion.reindex import OnReindex
    from roma_core.llm.base import LLM
    from roma_core.llm.control.budget import Budgets
    from roma_core.llm.control.calls import CallRecord
    from roma_core.llm.service import LLMService
    from roma_core.parsers.service import DolphinParserService
    from roma_core.plugins import BrokenPlugin, Specs
    from roma_core.privacy import DocumentScreen, Originals, RetentionLedger
    from roma_core.prompts import Prompt
    from roma_core.rerank import Reranker
    from roma_core.sessions.service import Sessions
    from roma_core.settings import Settings
    from roma_core.store import StoreFolder
    from roma_core.store.base import ChunkStore
    from roma_core.telemetry.health import HealthMonitor, Probe
    from roma_core.writers.base import Writer
    from roma_core.writers.extractive import ExtractiveWriter
    from roma_core.writers.extractive.calibration import RiskContract
    from roma_core.writers.routing import RoutingWriter

T = TypeVar("T")


class RomaParts(TypedDict, total=False):
    """Parts that can be handed to ``build_roma`` in place of those that settings would choose."""

    cache: Cache
    reranker: Reranker | None
    budgets: Budgets
    embedder: Embedder
    sessions: Sessions
    answers: Answers
    grants: GrantTable
    answer_cache: AnswerCache | None
    audit: AuditLog
    store: ChunkStore
    parsers: DolphinParserService
    connectors: Sequence[Connector]
    llm: LLM
    judge_llm: LLM
    captions: Captions | None
    pictures: PictureIndex | None
    screen: DocumentScreen | None
    originals: Originals
    holds: RetentionLedger
    ingestion: IngestionService
    writers: Sequence[Writer]
    orchestrator: ROMAOrchestrator
    monitor: HealthMonitor
    host: Roma | None
    prompt_files: Mapping[str, str | Path] | None
    pipeline: Pipeline | Callable[[Pipeline], Pipeline] | None


class Part(Generic[T]):
    """An attribute of ``Roma`` that is built at its first use.

    ``imports`` are modules (or ``module:function`` that imports some) which take a moment to load;
    ``is_quick_to_build`` says that building does nothing else, so that warming may do it. ``is_probed`` puts the part
    into the health report, and without one that ``is_needed`` the whole is down.
    """

    def __init__(
        self,
        build: Callable[[Roma], T],
        *,
        imports: tuple[str, ...] = (),
        is_quick_to_build: bool = False,
        is_probed: bool = False,
        is_needed: bool = False,
    ) -> None:
        self.build = build
        self.imports = imports
        self.is_quick_to_build = is_quick_to_build
        self.is_probed = is_probed
        self.is_needed = is_needed
        self.name = ""

    def __set_name__(self, owner: type[Roma], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, roma: None, owner: type[Roma]) -> Self: ...
    @overload
    def __get__(self, roma: Roma, owner: type[Roma]) -> T: ...
    def __get__(self, roma: Roma | None, owner: type[Roma]) -> T | Self:
        if roma is None:
            return self
        with roma.locks[self.name]:
            if self.name not in roma.__dict__:
                roma.__dict__[self.name] = self.build(roma)
        return cast(T, roma.__dict__[self.name])

    def is_built(self, roma: Roma) -> bool:
        """Return whether the part was used or handed in."""
        return self.name in roma.__dict__

    async def warm(self, roma: Roma) -> None:
        """Import what the part needs, in a thread: other tasks of the loop go on meanwhile."""
        if self.is_built(roma):
            return
        for name in self.imports:
            await import_in_thread(name)
        if self.is_quick_to_build:
            await asyncio.to_thread(lambda: self.__get__(roma, type(roma)))

    async def health(self, roma: Roma) -> ComponentHealth:
        """Return the part's own health. A part that cannot even be built raises."""
        part: Any = self.__get__(roma, type(roma))
        if part is None:
            return ComponentHealth(reason="switched off")
        health: ComponentHealth = await part.health()
        return health

    async def close(self, roma: Roma) -> None:
        """Close what was built; a part that was never used is not built for it."""
        part = roma.__dict__.get(self.name)
        for one in part if isinstance(part, tuple | list) else (part,):
            close = getattr(one, "close", None)
            done = close() if close is not None else None
            if inspect.isawaitable(done):
                await done


def list_parts(owner: type[Roma]) -> list[Part[Any]]:
    """Return the parts of ``owner`` in the order in which they are declared."""
    return [value for value in vars(owner).values() if isinstance(value, Part)]


_imported: set[str] = set()


async def import_in_thread(name: str) -> None:
    """Import ``module`` or ``module:function`` (and call that) in a thread. What is missing is reported when used."""
    if name not in _imported:
        await asyncio.to_thread(_import, name)
        _imported.add(name)


def _import(name: str) -> None:
    module, _, function = name.partition(":")
    with suppress(ModuleNotFoundError):
        loaded = importlib.import_module(module)
        if function:
            getattr(loaded, function)()


# How each part is built


def build_cache(roma: Roma) -> Cache:
    """Return the cache of the workspace."""
    from roma_core.cache import open_cache

    return open_cache(roma.settings)


def build_reranker(roma: Roma) -> Reranker | None:
    """Return the reranker that the settings name; None when it is off."""
    if roma.host is not None:
        return roma.host.reranker
    from roma_core.rerank import make_reranker

    return make_reranker(roma.settings)


def build_budgets(roma: Roma) -> Budgets:
    """Return the spending limits shared by all models."""
    from roma_core.llm.build import make_budgets

    return make_budgets(roma.settings)


def build_embedder(roma: Roma) -> Embedder:
    """Return the embedder; one whose calls cost money draws on the same budgets as the models that write."""
    if roma.host is not None and _is_same_local_embedder(roma, roma.host):
        return roma.host.embedder
    return make_embedder(roma, roma.settings)


def _is_same_local_embedder(roma: Roma, host: Roma) -> bool:
    """Return whether two tenants' systems can share the embedder: it is the same one, and its calls cost nothing."""
    from roma_core.embeddings import choose_embedder

    spec, model = choose_embedder(roma.settings)
    return spec.priced_as is None and choose_embedder(host.settings) == (spec, model)


def is_lent(roma: Roma, name: str) -> bool:
    """Return whether a part belongs to the system that ``roma`` was opened by, which closes it."""
    part = roma.__dict__.get(name)
    return roma.host is not None and part is not None and part is roma.host.__dict__.get(name)


def make_embedder(roma: Roma, settings: Settings) -> Embedder:
    """Return the embedder that ``settings`` name, within the budgets of ``roma``."""
    from roma_core.embeddings import choose_embedder

    spec, model = choose_embedder(settings)
    embedder = spec.make(settings, model)
    if spec.priced_as is None:
        return embedder
    from roma_core.llm.control.pricing import Prices
    from roma_core.metering import MeteredEmbedder

    prices = Prices.load(roma.settings.budgets.prices_file)
    return MeteredEmbedder(embedder, spec.priced_as, prices=prices, budgets=roma.budgets, on_usage=_count_usage)


def follow_index(settings: Settings) -> Settings:
    """Return settings whose embedder is the one that the workspace's index was made with, where they name none."""
    if "embedder" in settings.retrieval.model_fields_set:
        return settings
    from roma_core.store.folder import locate_store
    from roma_core.store.register import find_embedder

    found = guarded_call("store", lambda: find_embedder(locate_store(settings)))
    if isinstance(found, AgentFailure) or not found:  # a damaged register is reported when the store is opened
        return settings
    return settings.replace(embedder=found)


async def reindex_store(
    roma: Roma, embedder: str | None, tokenizer: str | None, cuts: bool, on_progress: OnReindex | None
) -> ReindexReport:
    """Make the index of a workspace again. Raises ``RomaError``."""
    from roma_core.ingestion.reindex import Reindexing
    from roma_core.store.folder import locate_store

    chosen = embedder or roma.settings.retrieval.embedder
    is_own = chosen == roma.settings.retrieval.embedder
    model = roma.embedder if is_own else make_embedder(roma, roma.settings.replace(embedder=chosen))
    try:
        return await Reindexing(
            folder=locate_store(roma.settings),
            embedder=model,
            embedder_name=chosen,
            cache=roma.cache,
            ledger=roma.ingestion.parts.ledger,
            chunk_tokens=roma.settings.chunking.tokens,
            cuts=cuts,
            tokenizer=tokenizer,
            min_free_mb=roma.settings.storage.min_free_mb,
            partition_rows=roma.settings.storage.store_partition_rows,
            on_progress=on_progress,
        ).run()
    finally:
        close = getattr(model, "close", None) if not is_own else None
        closing = close() if close is not None else None
        if closing is not None:
            await closing


def build_sessions(roma: Roma) -> Sessions:
    """Return the store of conversations."""
    from roma_core.sessions.service import Sessions, database_url

    return Sessions(database_url(Workspace.of(roma.settings).folder, roma.settings.storage.database_url))


def build_answers(roma: Roma) -> Answers:
    """Return the records of answers of the workspace."""
    from roma_core.answers import Answers

    storage = roma.settings.storage
    return Answers(
        Workspace.of(roma.settings).answers,
        server_url=storage.server_url,
        days=storage.answer_days,
        most_mb=storage.answer_mb,
    )


def build_grants(roma: Roma) -> GrantTable:
    """Return the table of who may read what."""
    from roma_core.identity import GrantTable

    settings = roma.settings
    return GrantTable(Workspace.of(settings).folder, settings.tenant, settings.storage.server_url)


def build_answer_cache(roma: Roma) -> AnswerCache | None:
    """Return the cache of answers; None when it is off."""
    return None if roma.settings.storage.answer_cache == "off" else _open_answer_cache(roma)


def use_answer_cache(roma: Roma, work: Callable[[AnswerCache], T]) -> T:
    """Return what ``work`` makes of the cached answers, also where the cache is off. Raises ``StoreError``."""
    if roma.answer_cache is not None:
        return work(roma.answer_cache)
    cache = _open_answer_cache(roma)
    try:
        return work(cache)
    finally:
        cache.close()


def _open_answer_cache(roma: Roma) -> AnswerCache:
    from roma_core.answers import AnswerCache, AnswerFile

    storage = roma.settings.storage
    if storage.cache_url is not None:
        from roma_core.answers.redis import RedisAnswers

        return AnswerCache(RedisAnswers(storage.cache_url), ttl_s=storage.answer_cache_s)
    file = AnswerFile(Workspace.of(roma.settings).answer_cache, storage.answer_cache_mb)
    return AnswerCache(file, ttl_s=storage.answer_cache_s)


def open_reuse(roma: Roma, query: Query, pipeline: Pipeline) -> AnswerReuse | None:
    """Return the use of the cache of answers by one question.

    None when it is off, and for a pipeline with a stage whose fingerprint does not name all that it does.
    """
    cache = roma.answer_cache
    if cache is None or not all(stage.is_identified for stage in pipeline):
        return None
    from roma_core.answers import AnswerInputs

    async def has_history() -> bool:
        return query.session_id is not None and bool(await roma.sessions.turns(query.principal, query.session_id, 1))

    async def find_state() -> str:
        scope = await roma.grants.find_scope(query.principal)
        place = roma.settings.storage.store_url or ""  # a cache that replicas share may know several corpora
        return f"{place} {await roma.store.version(query.tenant)} {scope.model_dump_json()}"

    return cache.open(query, AnswerInputs(lambda: roma.answer_identity(pipeline), find_state, has_history))


def build_audit(roma: Roma) -> AuditLog:
    """Return the log of who did what."""
    from roma_core.audit import open_audit

    return open_audit(roma.settings)


def build_store(roma: Roma) -> ChunkStore:
    """Return the LanceDB store for the embedder in use."""
    from roma_core.store.folder import locate_store

    return open_store(roma, locate_store(roma.settings))


def open_store(roma: Roma, folder: Path | StoreFolder) -> ChunkStore:
    """Return the LanceDB store in ``folder`` for the embedder in use."""
    from roma_core.store.lance import LanceStore

    return LanceStore(
        folder,
        fingerprint=roma.embedder.fingerprint,
        dim=roma.embedder.dim,
        model=roma.embedder.name,
        min_free_mb=roma.settings.storage.min_free_mb,
        partition_rows=roma.settings.storage.store_partition_rows,
    )


def build_parsers(roma: Roma) -> DolphinParserService:
    """Return the parser service with its worker processes."""
    from roma_core.parsers.service import DolphinParserService

    return DolphinParserService.of(roma.settings, roma.cache)


def build_connectors(roma: Roma) -> Sequence[Connector]:
    """Return the connectors that loaded; those that did not are reported by health."""
    from roma_core.connectors.registry import make_connectors

    connectors, roma.broken_connectors = make_connectors(roma.settings)
    return connectors


def build_llm(roma: Roma) -> LLMService:
    """Return the service of the models that write, with its calls counted in the metrics."""
    from roma_core.llm.build import build_llm as build_service

    service = build_service(roma.settings, budgets=roma.budgets)
    service.observe(_count_call)
    return service


def build_judge_llm(roma: Roma) -> LLM:
    """Return the model that grades answers: one of its own, or the one that writes them."""
    if roma.settings.judge.model is None:
        return roma.llm
    from roma_core.llm.build import build_llm as build_service
    from roma_core.llm.build import judge_settings

    settings = judge_settings(roma.settings)
    own_budget = roma.settings.judge.budget_usd is not None
    service = build_service(settings, budgets=None if own_budget else roma.budgets)
    service.observe(_count_call)
    return service


def build_captions(roma: Roma) -> Captions | None:
    """Return what describes figures while documents are ingested; None when that is off."""
    figures = roma.settings.figures
    if figures.captions == "off":
        return None
    from roma_core.ingestion.captions import Captions

    if figures.model is None and not roma.llm.name:
        raise ConfigError("ROMA_FIGURE_CAPTIONS=on needs a model that sees: set LLM_PROVIDER or ROMA_FIGURE_MODEL.")
    return Captions(roma.llm, roma.parsers, find_prompt(roma, "figure"), figures.model, figures.limit)


def build_pictures(roma: Roma) -> PictureIndex | None:
    """Return the index of pictures as a model sees them; None when that is off."""
    from roma_core.embeddings.images import make_image_embedder

    embedder = make_image_embedder(roma.settings, roma.embedder)
    if embedder is None:
        return None
    from roma_core.ingestion.pictures import PictureIndex

    path = Workspace.of(roma.settings).pictures
    return PictureIndex.at(path, embedder, roma.parsers, roma.cache)


def build_screen(roma: Roma) -> DocumentScreen | None:
    """Return what looks for personal data in documents; None when the policy looks for nothing."""
    if not roma.settings.privacy.policy:
        return None
    from roma_core.privacy import make_screen

    return make_screen(roma.settings.privacy)


def build_originals(roma: Roma) -> Originals:
    """Return the documents of the workspace as they were before they were masked."""
    from roma_core.privacy import Originals

    return Originals(Workspace.of(roma.settings).originals)


def build_holds(roma: Roma) -> RetentionLedger:
    """Return the legal holds of the workspace, and what retention has done."""
    from roma_core.privacy import RetentionLedger

    return RetentionLedger(Workspace.of(roma.settings).retention)


def build_ingestion(roma: Roma) -> IngestionService:
    """Return the service that ingests sources into the store."""
    from roma_core.ingestion import build_ingestion as build_service

    return build_service(
        roma.settings,
        connectors=roma.connectors,
        parsers=roma.parsers,
        embedder=roma.embedder,
        store=roma.store,
        cache=roma.cache,
        captions=roma.captions,
        pictures=roma.pictures,
        screen=roma.screen,
        originals=roma.originals,
        retired=roma.holds,
        access=roma.grants,
    )


def describe_settings(settings: Settings, *, with_secrets: bool) -> str:
    """Return the JSON of settings by which a worker makes its own ``Roma``; without secrets it reads its own ones."""
    from roma_core.settings import dump_settings

    own = settings.model_copy(update={"workspace": settings.workspace.absolute()})
    values = dump_settings(own, with_secrets=with_secrets)
    return json.dumps({"values": values, "reads_environment": not with_secrets}, sort_keys=True)


def describe_system(roma: Roma, *, with_secrets: bool) -> SystemDescription:
    """Return what a worker needs to make this ``Roma`` again for questions."""
    from roma_core.evals.workers import SystemDescription
    from roma_core.store import LocalFolder

    folder = getattr(roma.store, "folder", None)  # a variant may search the index of another workspace
    return SystemDescription(
        settings=describe_settings(roma.settings, with_secrets=with_secrets),
        prompts={name: path.read_text(encoding="utf-8") for name, path in sorted(roma.prompt_files.items())},
        index=str(folder.path.absolute().parent) if isinstance(folder, LocalFolder) else "",
        identity=identify_system(roma),
    )


DECIDING_LIBRARIES = (
    "lancedb", "numpy", "onnxruntime", "pint", "py-rust-stemmers", "py3langid", "regex", "tokenizers",
)  # fmt: skip
"""Packages that search, rank and read words: another version of one may answer otherwise."""


@functools.cache
def name_deciding_libraries() -> str:
    """Return the installed version of each package that decides answers beside ROMA's own code."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in DECIDING_LIBRARIES)


def identify_model(model: Embedder | Reranker) -> str:
    """Return the name of a model with the beginning of its fingerprint, which tells its versions apart."""
    return f"{model.name} {model.fingerprint[:12]}"


def identify_system(roma: Roma) -> str:
    """Return the hash of settings, prompts, models and stages that decide an answer."""
    from roma_core.types import digest

    decisive = {**roma.settings.deciding(), "prompts": dict(roma.prompts), "fingerprints": dict(roma.fingerprints)}
    return digest("system", json.dumps(decisive, sort_keys=True))


@asynccontextmanager
async def open_shard_plan(roma: Roma, on: str | None) -> AsyncIterator[ShardPlan | None]:
    """Open the executor at ``on`` (``ROMA_EXECUTOR`` by default) for an ingest; None when this process does the work.

    Raises ``ConfigError`` or ``WorkerError``.
    """
    from roma_core.executor import identify_machine, open_executor, parse_address

    address = on or roma.settings.executor
    if parse_address(address).is_in_process:
        yield None
        return
    from roma_core.ingestion.distribution import ShardPlan

    async with open_executor(address) as executor:
        yield ShardPlan(
            executor=executor,
            target="roma_core.tasks:ingest_shard",
            folder=Workspace.of(roma.settings).shards.absolute(),
            settings=describe_settings(roma.settings, with_secrets=executor.is_private),
            machine=identify_machine(),
        )


def build_writers(roma: Roma) -> Sequence[Writer]:
    """Return the writers of answers in the order in which they are tried. A model without a stand-in writes alone."""
    from roma_core.writers.build import build_writers as build
    from roma_core.writers.generative import GenerativeWriter

    llm, prompts = roma.llm, roma.answer_prompts
    if not getattr(llm, "stand_in", ""):
        only = GenerativeWriter(llm, prompts, max_output_tokens=roma.settings.llm.max_output_tokens)
        return [build_router(roma, only) if roma.settings.routing.mode != "off" else only]
    return build(
        roma.settings,
        llm,
        prompts,
        ranker=roma.reranker,
        cache=roma.cache,
        library=roma.store,
        contract=read_contract(roma),
        embedder=roma.embedder,
        route=partial(build_router, roma) if roma.settings.routing.mode != "off" else None,
    )


def build_router(roma: Roma, strong: Writer) -> RoutingWriter:
    """Return the choice between the cheap model and ``strong``. Raises ``ConfigError`` without a cheap one."""
    from roma_core.agents.citations import CitationAgent, find_citation_trouble
    from roma_core.evals.routing import find_rule
    from roma_core.llm.service import LLMService
    from roma_core.writers.generative import GenerativeWriter
    from roma_core.writers.routing import RoutingWriter

    settings = roma.settings.routing
    if settings.model is None or ":" not in settings.model:
        raise ConfigError(f"ROMA_ROUTER={settings.mode} needs ROMA_ROUTER_MODEL=provider:model, the cheap model.")
    cheap = GenerativeWriter(
        roma.llm,
        roma.answer_prompts,
        max_output_tokens=roma.settings.llm.max_output_tokens,
        model=settings.model,
    )
    rule = find_rule(settings, cheap.name, strong.name, Workspace(roma.settings.workspace).router)
    find_price = roma.llm.find_price if isinstance(roma.llm, LLMService) else _unknown_price
    check = partial(find_citation_trouble, CitationAgent(roma.store))
    return RoutingWriter(cheap, strong, rule, find_price, check)


def _unknown_price(model: str, usage: Usage) -> float | None:
    """Return None: a bare provider, as tests hand in, knows no prices."""
    return None


def build_quotes_writer(roma: Roma, why: str = "") -> ExtractiveWriter:
    """Return a writer that quotes, whatever writes otherwise."""
    from roma_core.writers.extractive import ExtractiveWriter

    return ExtractiveWriter(
        roma.reranker,
        why=why,
        cache=roma.cache,
        library=roma.store,
        contract=read_contract(roma),
        embedder=roma.embedder,
    )


def read_contract(roma: Roma) -> RiskContract | None:
    """Return the thresholds that were calibrated for the reranker, for the risk that the settings ask for.

    None without a card, and for one of another version of the evidence, which is logged. Raises ``EvalError``.
    """
    folder = Workspace(roma.settings.workspace).abstention
    if not folder.is_dir():
        return None
    from roma_core.evals.abstention import read_card
    from roma_core.writers.extractive import ExtractiveWriter
    from roma_core.writers.extractive.calibration import UNCALIBRATED, thresholds_of

    writer = ExtractiveWriter(roma.reranker, embedder=roma.embedder)
    card = read_card(writer.ranker_name, folder)
    if card is None:
        return None
    if card.scorer != writer.scorer:
        logs.get("writer").warning("abstention_card_outdated", card=card.scorer, writer=writer.scorer)
        return None
    shipped = thresholds_of(writer.ranker_name) or UNCALIBRATED
    return card.make_contract(roma.settings.answering.answer_risk, shipped.answer_from)


def build_orchestrator(roma: Roma) -> ROMAOrchestrator:
    """Return the driver of the query pipeline."""
    from roma_core.agents.build import build_orchestrator as build
    from roma_core.writers.extractive import ExtractiveWriter

    if roma.settings.telemetry.writes_spans and roma.host is None:  # the host's writers write for all tenants
        from roma_core.telemetry import tracing

        tracing.configure(roma.settings)
    quotes_first = isinstance(roma.writers[0], ExtractiveWriter)
    orchestrator = build(
        roma.settings,
        store=roma.store,
        embedder=roma.embedder,
        reranker=roma.reranker,
        llm=None if quotes_first else roma.llm,
        writers=roma.writers,
        sessions=roma.sessions,
        prompts=roma.answer_prompts,
        find_scope=roma.grants.find_scope,
    )
    if callable(roma.initial_pipeline):
        orchestrator.pipeline = roma.initial_pipeline(orchestrator.pipeline)
    elif roma.initial_pipeline is not None:
        orchestrator.pipeline = roma.initial_pipeline
    return orchestrator


def build_quotes_pipeline(roma: Roma) -> Pipeline:
    """Return the pipeline that asks no model and quotes the passages, whatever writes otherwise."""
    from roma_core.agents.build import build_orchestrator as build

    orchestrator = build(
        roma.settings,
        store=roma.store,
        embedder=roma.embedder,
        reranker=roma.reranker,
        llm=None,
        writers=[build_quotes_writer(roma, why="asked for")],
        sessions=roma.sessions,
        prompts=roma.answer_prompts,
        find_scope=roma.grants.find_scope,
    )
    return orchestrator.pipeline


async def explain_search(roma: Roma, query: Query, config: RetrievalConfig | None = None) -> SearchReport:
    """Return the passages for a question, ranked as those of an answer, and what ranked them. Raises ``RomaError``."""
    from roma_core.agents.context import Context
    from roma_core.agents.memory import MemoryAgent

    memory = next((agent for agent in roma.orchestrator.agents if isinstance(agent, MemoryAgent)), None)
    if memory is None:
        raise ConfigError("The pipeline has no stage of ROMA's memory that could search.")
    if config is not None:
        memory = memory.with_config(config)
    context = Context.begin(query)  # filters in the question are read as for an answer
    report = await memory.explain(
        context.question, who=query.principal, filters=dict(context.query.filters), limit=query.top_k
    )
    if isinstance(report, AgentFailure):
        raise RomaError(report.message, report.code, retry_after_s=report.retry_after_s)
    return report.model_copy(update={"question": query.text})


def list_own_prompts() -> dict[str, Prompt]:
    """Return every prompt of ROMA by name: those of answers, of the judge and of figures."""
    from roma_core.agents.prompts import all_prompts
    from roma_core.evals.judge.model import load_rubrics
    from roma_core.ingestion.captions import load_figure_prompt

    return {**all_prompts(), **load_rubrics(), "figure": load_figure_prompt()}


def find_prompt(roma: Roma, name: str) -> Prompt:
    """Return the prompt that is chosen for ``name``. Raises ``ConfigError``."""
    path = roma.prompt_files.get(name)
    return roma.prompt_library.find(name, str(path)).prompt if path else roma.prompt_library.own[name]


def _count_usage(model: str, usage: Usage) -> None:
    from roma_core.telemetry import metrics

    metrics.count_usage(model, usage)


def _count_call(record: CallRecord) -> None:
    """Count and trace a call of a model, wherever it comes from."""
    from roma_core.telemetry import metrics, tracing

    name, attributes, duration_s = record.describe_span()
    tracing.record_call(name, attributes, duration_s, failed=record.outcome.startswith("ERR_"))

    metrics.count_usage(f"{record.provider}:{record.model}", record.usage)
    if record.outcome.startswith("ERR_"):
        metrics.count_error("llm", record.outcome)


# Health


def build_monitor(roma: Roma) -> HealthMonitor:
    """Return the monitor of all parts' health."""
    from roma_core import __version__
    from roma_core.telemetry.health import COLD_TIMEOUT_S, HealthMonitor

    needed = list_needed(type(roma))
    return HealthMonitor(list_probes(roma), needed=needed, version=__version__, cold_timeout_s=COLD_TIMEOUT_S)


def list_probes(roma: Roma) -> dict[str, Probe]:
    """Return a probe for each part that has one, for each agent, the disk and each plug-in that is broken."""
    from roma_core.telemetry.health import disk

    probes: dict[str, Probe] = {}
    for part in list_parts(type(roma)):
        if part.is_probed:
            probes[part.name] = _probe_of(part, roma)
    probes["disk"] = disk(roma.settings.workspace, roma.settings.storage.min_free_mb)
    probes["databases"] = _probe_databases(Workspace.of(roma.settings))
    for name, probe in _list_agents(roma).items():
        probes.setdefault(name, probe)
    for plugin in list_broken_plugins(roma):
        broken = ComponentHealth(state="degraded", reason=plugin.reason, details={"group": plugin.group})
        probes[f"plug-in {plugin.name}"] = _constant(broken)
    return probes


def list_needed(owner: type[Roma]) -> tuple[str, ...]:
    """Return the names of probes without which the whole is down.

    Not the embedder: without it questions are looked up by their words, and without a local model's files there is no
    store either.
    """
    return (*(part.name for part in list_parts(owner) if part.is_needed), "disk", "agents")


def list_broken_plugins(roma: Roma) -> list[BrokenPlugin]:
    """Return every plug-in that is declared but cannot be used. Imports the plug-ins."""
    from roma_core.agents.pipeline import stage_specs
    from roma_core.connectors.registry import connector_specs
    from roma_core.embeddings import embedder_specs
    from roma_core.embeddings.images import image_embedder_specs
    from roma_core.evals.measures.registry import plugin_measures
    from roma_core.llm.providers import provider_specs
    from roma_core.parsers.backends.base import GROUP, Backend
    from roma_core.parsers.registry import ParserTable
    from roma_core.plugins import load_specs
    from roma_core.rerank import reranker_specs

    groups: list[Specs[Any]] = [
        connector_specs(),
        embedder_specs(),
        image_embedder_specs(),
        reranker_specs(),
        provider_specs(),
        plugin_measures(),
        stage_specs(),
        load_specs(GROUP, Backend),
    ]
    found = [plugin for specs in groups for plugin in specs.broken]
    return list(dict.fromkeys([*found, *ParserTable.installed().broken, *roma.broken_connectors]))


def _probe_of(part: Part[Any], roma: Roma) -> Probe:
    def probe() -> Awaitable[ComponentHealth]:
        return part.health(roma)

    return probe


def _probe_databases(workspace: Workspace) -> Probe:
    """Return a probe of the databases that no part with a probe of its own opens: degraded where one is refused."""

    def look() -> ComponentHealth:
        from roma_core.database import require_usable

        refused: dict[str, StoreError] = {}
        for path, schema in list_schemas(workspace).items():
            try:
                require_usable(path, schema)
            except StoreError as error:
                refused[path.name] = error
        if not refused:
            return ComponentHealth()
        return ComponentHealth(
            state="degraded",
            reason="; ".join(f"{error.code}: {error.message}" for error in refused.values()),
            details={"refused": {name: error.code.value for name, error in refused.items()}},
        )

    async def probe() -> ComponentHealth:
        return await asyncio.to_thread(look)

    return probe


def list_schemas(workspace: Workspace) -> dict[Path, Schema]:
    """Return the tables of each database file that the parts of a ``Roma`` share, but for conversations and answers."""
    from roma_core.answers.cache import ANSWER_CACHE
    from roma_core.cache.file import CACHE
    from roma_core.connectors.web.cache import WEB_PAGES
    from roma_core.evals.checkpoint import EVAL_ANSWERS
    from roma_core.identity.grants import GRANTS
    from roma_core.ingestion.pictures import PICTURES
    from roma_core.ingestion.schema import LEDGER
    from roma_core.llm.control.budget import BUDGETS
    from roma_core.privacy.holds import RETENTION
    from roma_core.privacy.originals import ORIGINALS
    from roma_core.trials.table import TRIALS

    return {
        workspace.ledger: LEDGER,
        workspace.cache: CACHE,
        workspace.web_pages: WEB_PAGES,
        workspace.answer_cache: ANSWER_CACHE,
        workspace.eval_answers: EVAL_ANSWERS,
        workspace.budgets: BUDGETS,
        workspace.grants: GRANTS,
        workspace.pictures: PICTURES,
        workspace.originals: ORIGINALS,
        workspace.retention: RETENTION,
        workspace.trials: TRIALS,
    }


def _list_agents(roma: Roma) -> dict[str, Probe]:
    """Return a probe for each agent; or one that says why there are none, and takes no other part with it."""
    try:
        return {agent.name: agent.health for agent in roma.orchestrator.agents}
    except RomaError as error:
        return {"agents": _constant(ComponentHealth(state="down", reason=f"{error.code}: {error.message}"))}


def _constant(health: ComponentHealth) -> Probe:
    async def probe() -> ComponentHealth:
        return health

    return probe
