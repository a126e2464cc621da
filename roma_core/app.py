"""``build_roma(settings) -> Roma``: the whole system over one workspace. Everything heavy waits for its first use."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar, Unpack

from pydantic import ValidationError

from roma_core import parts
from roma_core.environment import ensure_temp_folder
from roma_core.errors import (
    AccessError,
    AgentFailure,
    ErrorCode,
    InputError,
    NotFoundError,
    explain_invalid,
    guarded,
    guarded_call,
    no_document,
    suggest_name,
)
from roma_core.parts import Part, RomaParts, import_in_thread, list_parts
from roma_core.perloop import PerLoop
from roma_core.settings import Settings
from roma_core.tenants import TenantPool, apply_tenant_settings, bring_layout_up_to_date
from roma_core.types import (
    DEFAULT_COLLECTION,
    CompleteEvent,
    Document,
    ErasureCertificate,
    ErrorEvent,
    ForgetReport,
    HealthReport,
    IngestionReport,
    Persona,
    Principal,
    Query,
    RawDocument,
    ReindexReport,
    ScoredChunk,
    SearchReport,
    StreamEvent,
    TailorOutput,
    Usage,
    digest,
)
from roma_core.types.privacy import is_masked
from roma_core.workspace import CORPUS_PREFIX, Workspace

if TYPE_CHECKING:
    from roma_core.agents.memory import RetrievalConfig
    from roma_core.agents.pipeline import Pipeline
    from roma_core.answers import AnswerCacheStats, AnswerIdentity, AnswerRecord
    from roma_core.answers.service import Recorder
    from roma_core.audit import Action
    from roma_core.evals.abstention import AbstentionCard
    from roma_core.evals.judge.model import Judge
    from roma_core.evals.routing import RouterCard
    from roma_core.evals.workers import SystemDescription
    from roma_core.ingestion import OnProgress
    from roma_core.ingestion.catalog import SourceCatalog
    from roma_core.ingestion.reindex import OnReindex
    from roma_core.llm.control.budget import Period
    from roma_core.llm.control.spending import Dimension, SpendReport
    from roma_core.parsers.backends import BackendReport
    from roma_core.parsers.base import ParseOptions
    from roma_core.parsers.pdf.words import PageWord
    from roma_core.pictures import PictureHit
    from roma_core.plugins import BrokenPlugin
    from roma_core.prompts import Prompt, PromptLibrary
    from roma_core.replay import ForkPool
    from roma_core.sessions.service import Rating, Turn
    from roma_core.trials import TrialService
    from roma_core.trials.service import TrialSeat
    from roma_core.variants import VariantFactory

READS: Final = frozenset({"ask", "show", "search", "read"})
"""Actions that change nothing; all others are logged whatever ``ROMA_AUDIT`` says."""
_TELEMETRY = ("roma_core.telemetry.observe", "roma_core.telemetry.health")
_UNITS = "roma_core.citations.numbers:load_units"
"""A server loads pint's registry before the first question; a command loads it when two units differ."""
P = ParamSpec("P")
R = TypeVar("R")


def by_tenant(method: Callable[Concatenate[Roma, P], R]) -> Callable[Concatenate[Roma, P], R]:
    """Have a method done by the system of the tenant that its arguments name: ``tenant``, or that of a caller."""
    signature = inspect.signature(method)

    @wraps(method)
    def run(self: Roma, /, *args: P.args, **kwargs: P.kwargs) -> R:
        named = signature.bind(self, *args, **kwargs).arguments
        return method(self.of_tenant(_name_tenant(named)), *args, **kwargs)

    return run


def _name_tenant(arguments: Mapping[str, Any]) -> str | None:
    """Return the tenant that the arguments of a call name; None where they name none."""
    for name in ("tenant", "principal", "who", "query", "text"):
        value = arguments.get(name)
        if isinstance(value, str) and name == "tenant":
            return value
        if isinstance(value, Principal | Query):
            return value.tenant
    return None


class Roma:
    """The whole system over one workspace. Parts that are handed in replace those that settings would choose.

    >>> async with build_roma(Settings.load(workspace="w")) as roma:  # doctest: +SKIP
    ...     await roma.ingest("papers/")
    ...     await roma.query("What does the bridge span?")
    """

    cache = Part(parts.build_cache)
    reranker = Part(parts.build_reranker, is_probed=True)
    budgets = Part(parts.build_budgets)
    embedder = Part(parts.build_embedder, is_probed=True)
    sessions = Part(parts.build_sessions, imports=("roma_core.sessions.tables",), is_probed=True)
    answers = Part(parts.build_answers, imports=("roma_core.answers",), is_probed=True)
    grants = Part(parts.build_grants)
    answer_cache = Part(parts.build_answer_cache, imports=("roma_core.answers",))
    audit = Part(parts.build_audit)
    store = Part(parts.build_store, imports=("roma_core.store.tables:load",), is_probed=True, is_needed=True)
    parsers = Part(parts.build_parsers, imports=("roma_core.parsers.service",))
    connectors = Part(parts.build_connectors, is_quick_to_build=True)
    llm = Part(parts.build_llm, imports=("roma_core.llm.build",), is_probed=True)
    judge_llm = Part(parts.build_judge_llm, imports=("roma_core.llm.build",))
    captions = Part(parts.build_captions)
    pictures = Part(parts.build_pictures)
    screen = Part(parts.build_screen)
    originals = Part(parts.build_originals)
    holds = Part(parts.build_holds)
    ingestion = Part(parts.build_ingestion, imports=("roma_core.ingestion",))
    writers = Part(parts.build_writers, imports=("roma_core.writers.build",))
    orchestrator = Part(parts.build_orchestrator, imports=("roma_core.agents.build",))
    monitor = Part(parts.build_monitor)

    def __init__(self, settings: Settings, **given: Unpack[RomaParts]) -> None:
        self.host = given.pop("host", None)
        """The system that this one is opened by, for another tenant; the two share models."""
        if self.host is None:
            bring_layout_up_to_date(settings)
        self.configured = settings
        """The settings as they were given, for the systems of other tenants."""
        self.settings = parts.follow_index(apply_tenant_settings(settings))
        self.locks = {part.name: threading.RLock() for part in list_parts(Roma)}
        self.broken_connectors: tuple[BrokenPlugin, ...] = ()
        self.chosen_prompts: dict[str, str | Path] = dict(given.pop("prompt_files", None) or {})
        self.initial_pipeline = given.pop("pipeline", None)
        self._warming: PerLoop[asyncio.Task[None]] = PerLoop(lambda: asyncio.create_task(self._warm()))
        unknown = set(given) - {part.name for part in list_parts(Roma)}
        if unknown:
            raise TypeError(f"Roma has no part named {', '.join(sorted(unknown))}")
        self.given_parts = tuple(name for name, part in given.items() if part is not None)
        # A part looks in the instance first, so one that is handed in is never built.
        self.__dict__.update({name: part for name, part in given.items() if part is not None})
        ensure_temp_folder(Workspace.of(settings).temporary)

    def of_tenant(self, tenant: str | None) -> Roma:
        """Return the system over the folder of ``tenant``; this one for its own tenant and for None. Blocking.

        >>> roma.of_tenant("lab").settings.tenant  # doctest: +SKIP
        'lab'
        """
        own = self.settings.tenant
        if tenant is None or tenant == own or tenant.startswith(CORPUS_PREFIX):
            return self
        return self.tenants.open(tenant)

    @cached_property
    def tenants(self) -> TenantPool:
        """The systems of other tenants, each over its own folder. Those of one process share them."""
        return self.host.tenants if self.host is not None else TenantPool(self)

    def list_systems(self) -> list[Roma]:
        """Return this system, and those of other tenants that were opened by it."""
        return [self, *(self.tenants.list_opened() if "tenants" in self.__dict__ else [])]

    @property
    def user(self) -> Principal:
        """The caller where none is named: the user of this machine, in the tenant of the settings."""
        return Principal.local(self.settings.tenant)

    @cached_property
    def prompt_library(self) -> PromptLibrary:
        """ROMA's own prompts and the versions of them in the workspace."""
        from roma_core.prompts import PromptLibrary

        return PromptLibrary(Workspace(self.settings.workspace).prompts, parts.list_own_prompts())

    @cached_property
    def prompt_files(self) -> Mapping[str, Path]:
        """The files that stand in for ROMA's own prompts: those that were handed in, then those of the settings.

        Raises ``ConfigError`` for an unknown prompt or version.
        """
        return self.prompt_library.resolve({**self.settings.answering.prompts, **self.chosen_prompts})

    @cached_property
    def answer_prompts(self) -> Mapping[str, Prompt]:
        """The prompts that questions are answered with, by name."""
        from roma_core.agents.prompts import all_prompts

        own = all_prompts()
        return all_prompts({name: path for name, path in self.prompt_files.items() if name in own})

    @property
    def prompts(self) -> Mapping[str, str]:
        """Hash of each prompt by name: part of every evaluation's record."""
        return {name: prompt.sha256 for name, prompt in self.answer_prompts.items()}

    @property
    def judge(self) -> Judge:
        """The model that grades answers, by ROMA's rubric or the one that is chosen for it. Raises ``EvalError``."""
        return self.find_judge("judge")

    def find_judge(self, name: str) -> Judge:
        """Return the judge by the rubric ``name`` (``judge``, ``faithfulness``). Raises ``EvalError`` without one."""
        from roma_core.evals.judge.model import Judge

        return Judge(self.judge_llm, parts.find_prompt(self, name), self.settings.judge.repeats)

    @property
    def pipeline(self) -> Pipeline:
        """The stages of an answer.

        Assign an edited one to change how questions are answered::

            roma.pipeline = roma.pipeline.insert_before("retrieve", hyde)
        """
        return self.orchestrator.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Pipeline) -> None:
        self.orchestrator.pipeline = pipeline

    @cached_property
    def pipelines(self) -> dict[str, Pipeline]:
        """Other pipelines by name, which a question may ask for; ``quotes`` asks no model.

        Add your own::

            roma.pipelines["hyde"] = roma.pipeline.insert_before("retrieve", hyde)
        """
        return {"quotes": parts.build_quotes_pipeline(self)}

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """Models, libraries and stages that decide vectors, ranks and answers beside settings and prompts."""
        ranker = self.reranker
        return {
            "embedder": parts.identify_model(self.embedder),
            "reranker": parts.identify_model(ranker) if ranker else "none",
            "llm": self.llm.name or "none",
            "libraries": parts.name_deciding_libraries(),
            **self.pipeline.fingerprints,
        }

    def observe_usage(self, observer: Callable[[str, Usage], None]) -> Callable[[], None]:
        """Report the purpose and the usage of every model call to ``observer`` until the returned function is called.

        Purposes are those of requests (``answer``, ``plan``, ``judge``, ...) and ``embedding``.
        """
        stops: list[Callable[[], None]] = []
        models = [self.llm] if self.judge_llm is self.llm else [self.llm, self.judge_llm]
        for model in models:
            observe = getattr(model, "observe", None)  # a bare provider, as tests hand in, has no observers
            if observe is not None:
                stops.append(observe(lambda record: observer(record.purpose, record.usage)))
        observe_embedder = getattr(self.embedder, "observe", None)  # local models cost nothing
        if observe_embedder is not None:
            stops.append(observe_embedder(lambda model, usage: observer("embedding", usage)))

        def stop() -> None:
            for each in stops:
                each()

        return stop

    def describe_system(self, *, with_secrets: bool) -> SystemDescription:
        """Return all by which a worker makes this ``Roma`` again: settings, prompts, and the hash of what decides."""
        return parts.describe_system(self, with_secrets=with_secrets)

    # --- what it does ---

    @by_tenant
    async def ingest(
        self,
        *sources: str | Path,
        tenant: str | None = None,
        progress: OnProgress | None = None,
        retry_failed: bool = False,
        within: Sequence[str] | None = None,
        prune: bool = False,
        collection: str | None = None,
        on: str | None = None,
    ) -> IngestionReport:
        """Read ``sources`` (paths, globs, addresses) into the store. Never raises for one bad item.

        ``within`` confines paths and Drive addresses to these places, as ``ROMA_INGEST_ROOTS`` does jobs over HTTP.
        ``prune`` deletes at once what a complete listing no longer has, however much that is. ``collection`` names the
        part of the corpus that the sources belong to from now on; searches can be confined to it.

        ``on`` says where the work is done (``ROMA_EXECUTOR`` by default): ``local``, ``local:8``, ``dask``,
        ``dask://host:8786``, ``slurm://partition``. Raises ``ConfigError`` for an address that is none, and
        ``WorkerError`` when nothing answers there.
        """
        for part in (Roma.ingestion, Roma.parsers, Roma.connectors):
            await part.warm(self)
        await import_in_thread(_TELEMETRY[0])
        from roma_core.telemetry.observe import count_ingest

        if collection is not None:
            await self.assign_collection(*sources, collection=collection, tenant=tenant, within=within)
        async with parts.open_shard_plan(self, on) as shards:
            report = await self.ingestion.ingest(
                [str(source) for source in sources],
                tenant=tenant or self.settings.tenant,
                progress=progress,
                retry_failed=retry_failed,
                within=within,
                prune=prune,
                shards=shards,
            )
        count_ingest(report)
        await self._clean_up_after(report, tenant or self.settings.tenant)
        return report

    @by_tenant
    async def assign_collection(
        self,
        *sources: str | Path,
        collection: str,
        tenant: str | None = None,
        within: Sequence[str] | None = None,
    ) -> None:
        """Let documents of ``sources`` belong to ``collection`` from their next ingest on. Raises ``InputError``.

        Example::

            await roma.assign_collection("hr/", collection="hr")
        """
        uris = [str(source) for source in sources]
        owner = tenant or self.settings.tenant
        await asyncio.to_thread(self.ingestion.assign_collection, uris, collection, owner, within)

    @by_tenant
    async def require_collections(
        self,
        *sources: str | Path,
        collection: str | None,
        principal: Principal,
        within: Sequence[str] | None = None,
    ) -> None:
        """Raise ``NotFoundError`` when one of these sources, or ``collection``, is withheld from ``principal``."""
        scope = await self.grants.find_scope(principal, "documents.ingest")
        if scope.is_everything:
            return
        uris = [str(source) for source in sources]
        known = await asyncio.to_thread(self.ingestion.find_collections, uris, principal.tenant, within)
        for name in {*known, collection or DEFAULT_COLLECTION}:
            if not scope.permits("", name):
                raise NotFoundError(f"There is no collection {name!r} that you may ingest into.")

    @property
    def sources(self) -> SourceCatalog:
        """Sources that were added by name or stand in ``roma.toml``: to list, plan, sync, edit and remove."""
        from roma_core.ingestion.catalog import SourceCatalog
        from roma_core.workspace import PROJECT_FILE

        # The file beside the workspace is of the tenant that the process works for.
        project = self.settings.workspace.absolute().parent / PROJECT_FILE if self.host is None else None
        return SourceCatalog(self.ingestion, project)

    @by_tenant
    async def sync(
        self,
        *labels: str,
        tenant: str | None = None,
        progress: OnProgress | None = None,
        prune: bool = False,
        on: str | None = None,
    ) -> IngestionReport:
        """Bring the sources with these names up to date, or all that were added by name. ``on`` is as in ``ingest``.

        Example::

            await roma.sync("handbook")
        """
        for part in (Roma.ingestion, Roma.parsers, Roma.connectors):
            await part.warm(self)
        await import_in_thread(_TELEMETRY[0])
        from roma_core.telemetry.observe import count_ingest

        owner = tenant or self.settings.tenant
        async with parts.open_shard_plan(self, on) as shards:
            report = await self.sources.sync(labels, tenant=owner, progress=progress, prune=prune, shards=shards)
        count_ingest(report)
        await self._clean_up_after(report, owner)
        return report

    @by_tenant
    async def forget(
        self,
        *uris: str | Path,
        document_ids: Sequence[str] = (),
        source: str | None = None,
        tenant: str | None = None,
    ) -> ForgetReport:
        """Remove documents at once and for good: store, ledger, caches, old versions, and answers that quote them.

        Raises ``NotFoundError`` for what is not known.

        Example::

            await roma.forget("https://example.org/page")
        """
        from roma_core.connectors.sources import redact_uri
        from roma_core.erasure import Erasure

        owner = tenant or self.settings.tenant
        addresses = [redact_uri(str(uri)) for uri in uris]
        who = Principal.local(owner)
        await self.log_action(who, "forget", documents=document_ids, uris=addresses, source=source)
        return await Erasure(self).forget_documents(
            [str(uri) for uri in uris], document_ids=document_ids, source=source, tenant=owner
        )

    @by_tenant
    async def forget_user(self, subject: str, tenant: str | None = None) -> ErasureCertificate:
        """Remove all that a user asked, was answered, rated and was granted, and certify it.

        Its account and tokens are the HTTP service's: `roma forget --user` removes those as well. Raises
        ``StoreError`` when something could not be removed; then run it again.

        >>> certificate = await roma.forget_user("anna")  # doctest: +SKIP
        """
        from roma_core.erasure import Erasure

        return await Erasure(self).forget_user(Principal(subject=subject, tenant=tenant or self.settings.tenant))

    async def reindex(
        self,
        *,
        embedder: str | None = None,
        tokenizer: str | None = None,
        chunks: bool = False,
        progress: OnReindex | None = None,
    ) -> ReindexReport | AgentFailure:
        """Make the index again from the stored texts, of all tenants, beside the one in use; then swap them.

        ``embedder`` is a value of ``ROMA_EMBEDDER``; settings that name none follow it from then on. ``chunks`` cuts
        the documents again. Searches and ingests go on meanwhile. Afterwards this ``Roma`` reads the table of its own
        embedder: build another one to search by the new.

        >>> await roma.reindex(embedder="multilingual")  # doctest: +SKIP
        """
        return await guarded("ingestion", parts.reindex_store(self, embedder, tokenizer, chunks, progress))

    @by_tenant
    async def restore(self, *uris: str | Path, run_id: str | None = None, tenant: str | None = None) -> IngestionReport:
        """Undo deletions, of ``uris`` or of one run, for ``ROMA_SOURCE_UNDO_DAYS``. Raises ``NotFoundError``."""
        return await self.ingestion.restore(
            [str(uri) for uri in uris], run_id=run_id, tenant=tenant or self.settings.tenant
        )

    async def check(self, *sources: str | Path, within: Sequence[str] | None = None) -> None:
        """Raises ``InputError`` or ``AccessError`` for the first source that ``ingest`` would refuse; reads nothing."""
        from roma_core.connectors.sources import resolve_source

        connectors = await asyncio.to_thread(lambda: self.connectors)  # the first time, their modules are loaded
        for source in sources:
            await asyncio.to_thread(resolve_source, str(source), connectors, within)

    @by_tenant
    def stream_query(
        self,
        query: Query | str,
        *,
        persona: Persona | None = None,
        top_k: int | None = None,
        filters: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        principal: Principal | None = None,
        pipeline: str = "",
        record_id: str | None = None,
        keep: bool = True,
    ) -> AsyncGenerator[StreamEvent]:
        """Yield the events of one answer; the last one is terminal. What is given replaces the fields of ``query``.

        ``pipeline`` names one of ``pipelines``. A query that cannot be asked (an unknown persona, ``top_k=0``) is one
        ``ErrorEvent`` with ERR_INPUT_INVALID. The answer is recorded under ``record_id`` (a fresh one by default),
        unless ``keep`` is False. With ``ROMA_ANSWER_CACHE=on`` a question that was answered before is answered from
        the cache, and ``output.saved`` says so; without a record (``keep=False``) it is always answered anew.
        """
        given = {
            "persona": persona,
            "top_k": top_k,
            "filters": filters,
            "session_id": session_id,
            "principal": principal,
        }
        asked = guarded_call("query", lambda: self._make_query(query, given))
        if isinstance(asked, AgentFailure):
            return _refuse(asked)
        orchestrator = self.orchestrator
        if pipeline:
            chosen = guarded_call("query", lambda: self._find_pipeline(pipeline))
            if isinstance(chosen, AgentFailure):
                return _refuse(chosen)
            orchestrator = orchestrator.with_pipeline(chosen)
        if keep and not pipeline and asked.session_id is not None and self._has_trials:
            return self._stream_in_trial(asked, record_id)
        identify = partial(self.answer_identity, orchestrator.pipeline)
        recorder = self.answers.record(asked, identify, record_id) if keep else None
        reuse = parts.open_reuse(self, asked, orchestrator.pipeline) if keep else None
        return self._with_log(asked, orchestrator.stream_query(asked, recorder, reuse=reuse))

    @by_tenant
    async def start_answer(
        self,
        query: Query | str,
        *,
        key: str | None = None,
        owner: str = "",
        changes: Mapping[str, str] | None = None,
    ) -> str:
        """Begin an answer that is written to its end whoever reads it, and return the id of its record.

        The same ``key`` of an ``owner`` is one answer, however often it is asked; what failed or was interrupted is
        asked again under it. ``answers.follow`` yields its events. ``changes`` are settings of this answer alone.
        Raises ``InputError``, and ``ConfigError`` for changes that cannot be made.

        >>> record_id = await roma.start_answer("What does the bridge span?", key="7c9e")  # doctest: +SKIP
        """
        await Roma.answers.warm(self)
        await self._warm_for_questions()
        asked = self._make_query(query, {})
        record_id = self.answers.id_of_key(asked.tenant, owner, key) if key is not None else None
        seat = None if changes else await self._find_seat(asked)
        system = self if seat is None else seat.system
        if changes:
            system = await asyncio.to_thread(self.forks.open, changes)
        recorder = self.answers.record(asked, system.answer_identity, record_id)
        if await recorder.begin():
            events = self._stream_recorded(asked, recorder, system, seat)
            recorder.task = asyncio.create_task(_drain(events), name="answer")
        return recorder.id

    def answer_identity(self, pipeline: Pipeline | None = None) -> AnswerIdentity:
        """Return what decides an answer beside its question and the corpus. Blocking: it may hash models' files."""
        from roma_core import __version__
        from roma_core.answers import AnswerIdentity

        return AnswerIdentity(
            roma=__version__,
            settings=self._deciding_settings,
            fingerprints={**self.fingerprints, **(pipeline or self.pipeline).fingerprints},
            prompts=dict(self.prompts),
        )

    @cached_property
    def _deciding_settings(self) -> Mapping[str, Any]:
        return self.settings.deciding()  # 1.3 ms, which is more than a record's row takes

    @by_tenant
    async def query(
        self,
        query: Query | str,
        *,
        persona: Persona | None = None,
        top_k: int | None = None,
        filters: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        principal: Principal | None = None,
        record_id: str | None = None,
        keep: bool = True,
    ) -> TailorOutput | AgentFailure:
        """Return the answer: a fold over ``stream_query``.

        >>> await roma.query("What does the bridge span?", persona="executive")  # doctest: +SKIP
        """
        await self._warm_for_questions()
        for module in _TELEMETRY:
            await import_in_thread(module)
        from roma_core.agents.orchestrator import fold_events

        events = self.stream_query(
            query,
            persona=persona,
            top_k=top_k,
            filters=filters,
            session_id=session_id,
            principal=principal,
            record_id=record_id,
            keep=keep,
        )
        async with aclosing(events):
            return await fold_events(events)

    @by_tenant
    async def search(
        self,
        text: str,
        *,
        limit: int = 5,
        filters: Mapping[str, Any] | None = None,
        principal: Principal | None = None,
    ) -> tuple[ScoredChunk, ...] | AgentFailure:
        """Return the passages that answers would be written from, best first. Asks no model that writes.

        >>> await roma.search("rope bridge", limit=3)  # doctest: +SKIP
        """
        report = await self.explain_search(text, limit=limit, filters=filters, principal=principal)
        return report if isinstance(report, AgentFailure) else report.passages

    @by_tenant
    async def explain_search(
        self,
        text: str,
        *,
        limit: int = 10,
        filters: Mapping[str, Any] | None = None,
        principal: Principal | None = None,
        config: RetrievalConfig | None = None,
    ) -> SearchReport | AgentFailure:
        """Return the passages as ``search`` does, with what each leg, fusion and the reranker made of them.

        ``config`` replaces the numbers of the settings for this search.

        >>> await roma.explain_search("rope bridge", config=RetrievalConfig(lexical_weight=1.0))  # doctest: +SKIP
        """
        asked = await self._make_search(text, limit, filters, principal)
        if isinstance(asked, AgentFailure):
            return asked
        return await guarded("memory", self._explain_search(asked, config))

    @by_tenant
    async def search_pictures(
        self,
        text: str,
        *,
        limit: int = 10,
        filters: Mapping[str, Any] | None = None,
        principal: Principal | None = None,
    ) -> tuple[PictureHit, ...] | AgentFailure:
        """Return pictures of the documents, best first, and by which way each was found.

        They are found by the words beside them and, with ``ROMA_IMAGE_EMBEDDER``, by what a model sees in them.

        >>> await roma.search_pictures("a red fox in snow")  # doctest: +SKIP
        """
        asked = await self._make_search(text, limit, filters, principal)
        if isinstance(asked, AgentFailure):
            return asked
        from roma_core.pictures import search_pictures

        found = await guarded("pictures", search_pictures(self, asked))
        if isinstance(found, AgentFailure):
            return found
        shown = {hit.picture.document_id for hit in found}
        refused = await guarded(
            "audit", self.log_action(asked.principal, "search", documents=shown, question=asked.text)
        )
        return refused or found

    async def parse(self, path: str | Path, options: ParseOptions | None = None) -> Document | AgentFailure:
        """Parse a file without storing it."""
        raw = await guarded("local", self._read(Path(path)))
        return raw if isinstance(raw, AgentFailure) else await self.parsers.parse(raw, options)

    async def compare_backends(
        self, path: str | Path, backends: Sequence[str], options: ParseOptions | None = None
    ) -> BackendReport | AgentFailure:
        """Read a file, or every file of a folder, with each of ``backends`` and compare what they make of it.

        >>> await roma.compare_backends("papers", ["own", "pdfplumber"])  # doctest: +SKIP
        """
        return await guarded("parser", self._compare_backends(Path(path), backends, options))

    async def page_image(self, path: str | Path, number: int) -> bytes | AgentFailure:
        """PNG of page ``number`` (1-based) of a PDF or a picture as shown: ``Block.box`` is a fraction of it."""
        raw = await guarded("local", self._read(Path(path)))
        return raw if isinstance(raw, AgentFailure) else await self.parsers.page_image(raw, number)

    @by_tenant
    async def source_page(
        self, document: Document, number: int, principal: Principal | None = None
    ) -> bytes | AgentFailure:
        """``page_image`` of a stored document, drawn from its source once; a failure when that has changed."""
        who = principal or self.user
        return await guarded("parser", self._read_page("page", self.parsers.page_image, document, number, who))

    @by_tenant
    async def source_words(
        self, document: Document, number: int, principal: Principal | None = None
    ) -> tuple[PageWord, ...] | AgentFailure:
        """Return the words of a page of a stored PDF with their boxes; a failure when its source has changed."""
        from roma_core.parsers.pdf.words import unpack_words

        who = principal or self.user
        packed = await guarded("parser", self._read_page("words", self.parsers.page_words, document, number, who))
        return packed if isinstance(packed, AgentFailure) else unpack_words(packed)

    @by_tenant
    async def original(self, document: Document, principal: Principal | None = None) -> RawDocument | AgentFailure:
        """Return the bytes that a document was made of, fetched again; a failure when the source has changed.

        The caller calls ``discard`` on them.
        """
        who = principal or self.user
        refused = await guarded("store", self._require_permitted(document, who, needs_unmasked=True))
        return refused or await self.ingestion.original(document, who.tenant)

    @by_tenant
    async def document(self, document_id: str, principal: Principal | None = None) -> Document | AgentFailure:
        """A stored document: the text that citations point into. One that may not be read is missing."""
        return await guarded("store", self._stored(document_id, principal or self.user))

    @by_tenant
    async def unmasked(self, document_id: str, principal: Principal | None = None) -> Document | AgentFailure:
        """Return a stored document with the personal data that is masked for all others.

        Takes the permission ``pii.read``; a document of which nothing is masked is returned as it is. Offsets into the
        masked text are true in this one.

        >>> await roma.unmasked("3f0a9c")  # doctest: +SKIP
        """
        return await guarded("store", self._unmasked(document_id, principal or self.user))

    @by_tenant
    async def collections(self, principal: Principal | None = None) -> dict[str, tuple[int, int]] | AgentFailure:
        """Return the numbers of documents and passages of each collection by its name."""
        return await guarded("store", self._count_collections(principal or self.user))

    @by_tenant
    async def log_action(
        self,
        /,
        who: Principal,
        action: Action,
        *,
        documents: Iterable[str] = (),
        question: str | None = None,
        **details: Any,
    ) -> None:
        """Add a row to the audit log. Raises ``StoreError``: then what was to be logged must not be done.

        What the user of this machine asks and reads is not logged, unless ``ROMA_AUDIT`` says so; changes always are.
        While the disk is full reading goes on, and the log says later how much it misses.
        """
        if action in READS and not self._logs_reads(who):
            return
        append = self.audit.append_read if action in READS else self.audit.append
        await asyncio.to_thread(partial(append, who, action, documents=list(documents), question=question, **details))

    def _logs_reads(self, who: Principal) -> bool:
        """Return whether it is logged what ``who`` asks and reads."""
        mode = self.settings.serving.audit
        return mode == "all" or (mode == "service" and who.signed_in_by != "local")

    @by_tenant
    async def count_documents(self, principal: Principal | None = None) -> tuple[int, int] | AgentFailure:
        """Return the numbers of documents and passages that may be read."""
        return await guarded("store", self._count_documents(principal or self.user))

    @by_tenant
    async def turns(self, session_id: str, principal: Principal | None = None, *, limit: int = 200) -> list[Turn]:
        """Return the turns of a conversation; answers whose sources may no longer be read are hidden.

        Raises ``StoreError``.
        """
        from roma_core.hiding import hide_turns

        who = principal or self.user
        turns = await self.sessions.turns(who, session_id, limit)
        shown = await hide_turns(turns, who, self.store, await self.grants.find_scope(who))
        documents = {reference.document_id for turn in shown for reference in turn.references}
        await self.log_action(who, "show", documents=documents, session=session_id)
        return shown

    @by_tenant
    async def answer_record(self, record_id: str, principal: Principal | None = None) -> AnswerRecord:
        """Return the record of an answer, without its words when a source may no longer be read.

        Raises ``NotFoundError`` for another user's, and ``StoreError``.
        """
        from roma_core.hiding import hide_record, list_documents

        who = principal or self.user
        record = await self.answers.get(who, record_id)
        shown = await hide_record(record, who, self.store, await self.grants.find_scope(who))
        await self.log_action(who, "show", documents=list_documents(shown), record=record_id)
        return shown

    @by_tenant
    async def require_readable(self, record_id: str, principal: Principal | None = None) -> None:
        """Raise ``NotFoundError`` for an answer whose sources may no longer be read, as for one that is missing."""
        from roma_core.hiding import hide_record, is_hidden

        who = principal or self.user
        scope = await self.grants.find_scope(who)
        if scope.is_everything:
            return
        record = await self.answers.get(who, record_id)
        if is_hidden(await hide_record(record, who, self.store, scope)):
            raise NotFoundError("There is no such answer.")

    @by_tenant
    async def read_source(self, document: Document, tenant: str | None = None) -> str:
        """Return the words in the bytes that a document was made of, fetched again; empty when they cannot be read."""
        from roma_core.evals.raw_words import read_raw_words

        raw = await self.ingestion.original(document, tenant or self.settings.tenant)
        if isinstance(raw, AgentFailure):
            return ""
        try:
            return await asyncio.to_thread(lambda: read_raw_words(raw.data))
        finally:
            await asyncio.to_thread(raw.discard)

    async def calibrate_abstention(
        self, dataset: str | Path, *, limit: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> AbstentionCard:
        """Find from which evidence on to answer, so that ``ROMA_ANSWER_RISK`` of the answers are wrong at most.

        ``dataset`` is a golden set or ``beir:DIR``. The card is kept; answers use it from the next ``Roma`` on. Raises
        ``EvalError``.

        >>> card = await roma.calibrate_abstention("golden.json")  # doctest: +SKIP
        """
        await self._warm_for_questions()
        from roma_core.weighing import calibrate_abstention

        return await calibrate_abstention(self, str(dataset), limit=limit, progress=progress)

    async def calibrate_router(
        self, dataset: str | Path, *, limit: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> RouterCard:
        """Find which questions the cheap model answers no worse than the strong one, by ``ROMA_ROUTER``.

        ``dataset`` is a golden set or ``beir:DIR``; every question is asked twice. The card is kept; answers use it
        from the next ``Roma`` on. Raises ``ConfigError`` where no second model is set, ``EvalError``.

        >>> card = await roma.calibrate_router("golden.json")  # doctest: +SKIP
        """
        await self._warm_for_questions()
        from roma_core.routing import calibrate_router

        return await calibrate_router(self, str(dataset), limit=limit, progress=progress)

    async def answer_cache_stats(self) -> AnswerCacheStats:
        """Return how much the cache of answers holds and what it has saved. Raises ``StoreError``."""
        return await asyncio.to_thread(parts.use_answer_cache, self, lambda cache: cache.stats())

    @by_tenant
    async def clear_answer_cache(self, tenant: str | None = None) -> int:
        """Drop the cached answers of ``tenant``, or all; return how many there were. Raises ``StoreError``."""
        return await asyncio.to_thread(parts.use_answer_cache, self, lambda cache: cache.clear(tenant))

    @by_tenant
    async def rate(
        self,
        answer_id: str,
        rating: Rating,
        *,
        session_id: str = "",
        comment: str = "",
        principal: Principal | None = None,
    ) -> AgentFailure | None:
        """Store a person's opinion of an answer; the last one of a session about an answer counts."""
        from roma_core.sessions.service import Feedback

        opinion = Feedback(answer_id=answer_id, rating=rating, comment=comment, session_id=session_id)
        return await guarded("sessions", self.sessions.rate(principal or self.user, opinion))

    @by_tenant
    async def delete_session(self, session_id: str, principal: Principal | None = None) -> None:
        """Remove a conversation with its turns, ratings and records of answers. Raises ``NotFoundError``.

        A conversation whose only question failed has records and no turn.
        """
        who = principal or self.user
        records = await self.answers.delete_session(who, session_id)
        try:
            await self.sessions.delete(who, session_id)
        except NotFoundError:
            if not records:
                raise

    @by_tenant
    async def spend(
        self, period: Period = "month", *, by: Dimension = "day", tenant: str | None = None
    ) -> SpendReport | AgentFailure:
        """Return what models have cost ``tenant`` in the day, the month or all time, by day, token, purpose or model.

        >>> report = await roma.spend("month", by="model")  # doctest: +SKIP
        """
        return await guarded("llm", asyncio.to_thread(self.budgets.report, tenant or self.settings.tenant, period, by))

    async def health(self) -> HealthReport:
        """Return the state of every part; time-boxed, cached, and free of charge."""
        await self._warm_for_questions()
        for module in _TELEMETRY:
            await import_in_thread(module)
        monitor = await asyncio.to_thread(lambda: self.monitor)  # plug-ins are imported for it
        return await monitor.report()

    def vary(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        prompts: Mapping[str, str | Path] | None = None,
        pipeline: Callable[[Pipeline], Pipeline] | None = None,
        sources: Sequence[str] = (),
    ) -> AbstractAsyncContextManager[Roma]:
        """Return a context with a variant of this ``Roma``: other settings, prompts or stages over the same workspace.

        >>> async with roma.vary({"rerank_weight": 0.0}, prompts={"answer": "lazy"}) as lazy:  # doctest: +SKIP
        ...     await lazy.query("What does the bridge span?")

        Work that variants have in common is done once. One with settings of the index (``chunk_tokens``) gets an index
        of its own, made from ``sources`` (default: all that were ingested). Raises ``ConfigError``.
        """
        return self._variants.open(settings or {}, prompts or {}, pipeline, sources)

    @cached_property
    def _variants(self) -> VariantFactory:
        from roma_core.variants import VariantFactory

        return VariantFactory(self)

    async def warm(self) -> None:
        """Import what questions, ingests and probes need, in a thread: for a server, whose loop has others to serve.

        It takes seconds, once; callers that come meanwhile wait for the same.
        """
        await asyncio.shield(self._warming.get())

    @property
    def is_warm(self) -> bool:
        """Whether ``warm`` has done its work on this event loop."""
        warming = self._warming.peek()
        return warming is not None and warming.done() and not warming.cancelled() and warming.exception() is None

    @property
    def starting(self) -> bool:
        """Return whether ``warm`` is under way."""
        warming = self._warming.peek()
        return warming is not None and not warming.done()

    async def close(self, *, keep: Sequence[str] = ()) -> None:
        """Close what was opened, but for the parts in ``keep``; parts that were never used are not built for it."""
        if "_variants" in self.__dict__:
            await self._variants.close()
        if "forks" in self.__dict__:
            await self.forks.close()
        if self.host is None and "tenants" in self.__dict__:
            await self.tenants.close()
        for part in reversed(list_parts(Roma)):
            if part.name not in keep and not parts.is_lent(self, part.name):
                await part.close(self)
        if self.settings.telemetry.writes_spans:
            from roma_core.telemetry import tracing

            await asyncio.to_thread(tracing.flush)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- inside ---

    async def _warm(self) -> None:
        for module in (*_TELEMETRY, _UNITS):
            await import_in_thread(module)
        for part in list_parts(Roma):
            await part.warm(self)

    async def _warm_for_questions(self) -> None:
        """Import what an answer or a search needs, in a thread."""
        for part in (Roma.orchestrator, Roma.writers, Roma.llm):
            await part.warm(self)

    async def _make_search(
        self, text: str, limit: int, filters: Mapping[str, Any] | None, principal: Principal | None
    ) -> Query | AgentFailure:
        await self._warm_for_questions()
        given = {"top_k": limit, "filters": filters, "principal": principal}
        return guarded_call("query", lambda: self._make_query(text, given))

    def _make_query(self, query: Query | str, given: Mapping[str, object]) -> Query:
        """Return the query as it is asked. Raises ``InputError`` that names each field that cannot be used."""
        fields = {name: value for name, value in given.items() if value is not None}
        if isinstance(query, Query):
            fields = {**dict(query), **fields}
        else:
            fields = {"principal": self.user, "text": query, **fields}
        try:
            return Query.model_validate(fields)
        except ValidationError as error:
            raise InputError(f"The question cannot be asked: {explain_invalid(error)}.") from None

    async def _clean_up_after(self, report: IngestionReport, tenant: str) -> None:
        """Remove what is kept of documents that are gone, and answers that quote what is masked from now on."""
        if report.newly_masked:
            await self.sessions.forget_documents(tenant, list(report.newly_masked))
            await self.answers.forget_documents(tenant, list(report.newly_masked))
            await self.clear_answer_cache(tenant)
        contents = await guarded("store", self.store.contents(tenant))
        if isinstance(contents, AgentFailure):
            return
        await asyncio.to_thread(self.originals.sweep, tenant, contents)
        if self.pictures is not None:
            await asyncio.to_thread(self.pictures.sweep, tenant, contents)

    def _find_pipeline(self, name: str) -> Pipeline:
        if name not in self.pipelines:
            raise InputError(f"There is no pipeline {name!r}. {suggest_name(name, tuple(self.pipelines))}")
        return self.pipelines[name]

    async def _read(self, path: Path) -> RawDocument:
        from roma_core.connectors.local.connector import read

        place = await asyncio.to_thread(path.resolve)
        return await asyncio.to_thread(read, place, place.as_uri(), self.settings.parsing.max_mb << 20)

    async def _compare_backends(
        self, path: Path, backends: Sequence[str], options: ParseOptions | None
    ) -> BackendReport:
        from roma_core.parsers.backends import compare_backends

        root = await asyncio.to_thread(path.resolve)
        paths = await asyncio.to_thread(_list_files, root)
        if not paths:
            raise InputError(f"{path} holds no file.")
        base = root.parent if paths == [root] else root
        files = [RawDocument(uri=place.relative_to(base).as_posix(), path=place) for place in paths]
        return await compare_backends(self.parsers, files, backends, options)

    async def _read_page(
        self,
        kind: str,
        read: Callable[[RawDocument, int], Awaitable[bytes | AgentFailure]],
        document: Document,
        number: int,
        who: Principal,
    ) -> bytes | AgentFailure:
        """Return what ``read`` makes of a page of the source; cached under ``kind``."""
        await self._require_permitted(document, who, needs_unmasked=True)
        key = digest(kind, document.content_sha256, document.parser, str(number))
        kept = await asyncio.to_thread(self.cache.get, kind, key)
        if kept is not None:
            return kept
        raw = await self.ingestion.original(document, who.tenant)
        if isinstance(raw, AgentFailure):
            return raw
        try:
            made = await read(raw, number)
        finally:
            await asyncio.to_thread(raw.discard)
        if isinstance(made, bytes):
            await asyncio.to_thread(self.cache.put, kind, key, made)
        return made

    async def _require_permitted(self, document: Document, who: Principal, *, needs_unmasked: bool = False) -> None:
        """Raise ``NotFoundError`` for a document that ``who`` may not read, as for one that is missing.

        ``needs_unmasked`` raises ``AccessError`` as well, see ``_require_unmasked``, and logs what is shown.
        """
        if not (await self.grants.find_scope(who)).permits(document.id, document.collection):
            raise no_document(document.id)
        if needs_unmasked:
            self._require_unmasked(document, who)
        if needs_unmasked and is_masked(document):
            await self.log_action(who, "unmask", documents=[document.id])

    async def _count_collections(self, who: Principal) -> dict[str, tuple[int, int]]:
        return await self.store.collections(who.tenant, await self.grants.find_scope(who))

    async def _count_documents(self, who: Principal) -> tuple[int, int]:
        return await self.store.counts(who.tenant, await self.grants.find_scope(who))

    async def _stored(self, document_id: str, who: Principal) -> Document:
        found = await self.store.document(who.tenant, document_id, await self.grants.find_scope(who))
        if found is None:
            raise no_document(document_id)
        await self.log_action(who, "read", documents=[document_id])
        return found

    @cached_property
    def forks(self) -> ForkPool:
        """Systems with other settings over the same workspace, for answers that ask for them."""
        from roma_core.replay import ForkPool

        return ForkPool(self)

    @cached_property
    def trials(self) -> TrialService:
        """Trials of two variants on the questions of conversations (A/B)."""
        from roma_core.trials import TrialService

        return TrialService(self)

    @property
    def _has_trials(self) -> bool:
        """Return whether there has ever been a trial: cheap, for every question."""
        return Workspace.of(self.settings).trials.exists()

    async def _find_seat(self, query: Query) -> TrialSeat | None:
        if query.session_id is None or not self._has_trials:
            return None
        await import_in_thread("roma_core.trials")
        return await self.trials.choose(query)

    async def _stream_in_trial(self, query: Query, record_id: str | None) -> AsyncGenerator[StreamEvent]:
        """Yield the events of an answer by the variant of its conversation, where a trial runs."""
        seat = await self._find_seat(query)
        system = self if seat is None else seat.system
        recorder = self.answers.record(query, system.answer_identity, record_id)
        async with aclosing(self._stream_recorded(query, recorder, system, seat)) as events:
            async for event in events:
                yield event

    def _stream_recorded(
        self, query: Query, recorder: Recorder, system: Roma, seat: TrialSeat | None
    ) -> AsyncGenerator[StreamEvent]:
        """Return the events of an answer of ``system``, recorded and logged, and counted where it has a seat."""
        reuse = parts.open_reuse(system, query, system.pipeline)
        events = self._with_log(query, system.orchestrator.stream_query(query, recorder, reuse=reuse))
        return events if seat is None else seat.follow(events)

    async def _unmasked(self, document_id: str, who: Principal) -> Document:
        found = await self.store.document(who.tenant, document_id, await self.grants.find_scope(who))
        if found is None:
            raise no_document(document_id)
        self._require_unmasked(found, who)
        await self.log_action(who, "unmask", documents=[document_id])
        if not is_masked(found):
            return found
        original = await asyncio.to_thread(self.originals.unmask, who.tenant, found)
        if original is None:
            raise NotFoundError("What was masked in this document is not kept; ingest it again.")
        return original

    def _require_unmasked(self, document: Document, who: Principal) -> None:
        """Raise ``AccessError`` when something of the document is masked and ``who`` may not see it."""
        if is_masked(document) and not who.may("pii.read"):
            raise AccessError(
                "Personal data in this document is masked; the original is shown to those who hold pii.read.",
                ErrorCode.ACCESS_FORBIDDEN,
            )

    async def _explain_search(self, asked: Query, config: RetrievalConfig | None) -> SearchReport:
        report = await parts.explain_search(self, asked, config)
        shown = {hit.passage.chunk.document_id for hit in report.hits}
        await self.log_action(asked.principal, "search", documents=shown, question=asked.text)
        return report

    def _with_log(self, query: Query, events: AsyncGenerator[StreamEvent]) -> AsyncGenerator[StreamEvent]:
        """Return the events of an answer, logged where that is wanted."""
        return self._log_answer(query, events) if self._logs_reads(query.principal) else events

    async def _log_answer(self, query: Query, events: AsyncGenerator[StreamEvent]) -> AsyncGenerator[StreamEvent]:
        """Yield the events of an answer, logged before it begins and before it is whole.

        What cannot be logged is not answered, but for a full disk.
        """
        who = query.principal
        async with aclosing(events):
            refused = await guarded("audit", self.log_action(who, "ask", question=query.text))
            if refused is not None:
                yield ErrorEvent(failure=refused)
                return
            async for event in events:
                if isinstance(event, CompleteEvent):
                    shown = {passage.chunk.document_id for passage in event.output.passages}
                    shown |= {citation.document_id for citation in event.output.citations}
                    refused = await guarded(
                        "audit", self.log_action(who, "show", documents=shown, answer_id=event.output.answer_id)
                    )
                    if refused is not None:
                        yield ErrorEvent(failure=refused)
                        return
                yield event


def build_roma(settings: Settings | None = None, **given: Unpack[RomaParts]) -> Roma:
    """Return ROMA over the workspace that ``settings`` (or the environment) name.

    Cheap: nothing is loaded or opened yet. ``given`` parts replace those that settings would choose::

        roma = build_roma(Settings.load(workspace="w"), embedder=FakeEmbedder())
    """
    return Roma(settings or Settings.load(), **given)


def _list_files(root: Path) -> list[Path]:
    """Return ``root`` if it is a file, else the files below it in order, hidden ones left out."""
    if root.is_file():
        return [root]
    shown: list[Path] = []
    for place in root.rglob("*"):
        is_hidden = any(part.startswith(".") for part in place.relative_to(root).parts)
        if not is_hidden and place.is_file():
            shown.append(place)
    return sorted(shown)


async def _drain(events: AsyncGenerator[StreamEvent]) -> None:
    """Read an answer to its end; those who follow it get the events by its recorder."""
    async with aclosing(events):
        async for _ in events:
            pass


async def _refuse(failure: AgentFailure) -> AsyncGenerator[StreamEvent]:
    yield ErrorEvent(failure=failure)
