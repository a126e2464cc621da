"""The pipeline: the stages of an answer as an ordered value that a researcher edits.

A stage is a name and an async function over the ``Context`` of a query; beside it stands what happens when it fails and
what a person reads meanwhile. Everything else about stages is derived from the list: events, metrics, spans, the words
of the console, the tables of the docs, and a run's identity::

    async def hyde(context):
        prompt = Message(role="user", content=f"Write a short passage that answers: {context.question}")
        reply = await roma.llm.complete(LLMRequest(messages=(prompt,)))
        context.look_up(reply.text, rank_by=context.question)

    roma.pipeline = roma.pipeline.insert_before("retrieve", hyde)
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from roma_core import display
from roma_core.agents.context import Context
from roma_core.codehash import code_sha256
from roma_core.errors import AgentFailure, ConfigError, suggest_name
from roma_core.plugins import Specs, load_specs
from roma_core.settings import SettingsSection
from roma_core.writers.base import Piece

if TYPE_CHECKING:
    from roma_core.agents.base import Agent

StageRun: TypeAlias = Callable[[Context], Awaitable[AgentFailure | None] | AsyncIterator[Piece]]
"""A stage's work. It fails by raising or by returning an ``AgentFailure``; an answer's pieces are yielded."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACE = re.compile(r"\{(\w+)\}")
_OWN_PACKAGE = "roma_core."


class Then(StrEnum):
    """Next step once the retries are used up, or at once when the failure is final."""

    FAIL = "one ErrorEvent"
    GO_ON = "go on without"
    GO_ON_DEGRADED = "go on without, degraded"


@dataclass(frozen=True)
class Recovery:
    """The answer to a failure of a stage: retries of a transient one, the next step, and the stand-in for its result.

    Retries are for recoverable failures; final ones (auth, unsupported, bad request) skip them.
    """

    retries: int = 0
    then: Then = Then.GO_ON_DEGRADED
    instead: str = "the answer without this stage"


@dataclass(frozen=True)
class Stage:
    """One step of answering: ``Stage("hyde", hyde, says="Imagining an answer …")``."""

    name: str
    run: StageRun
    recovery: Recovery = Recovery()
    says: str = ""
    """Words for a person while it runs; ``{n}`` stands for that detail of the event before it."""
    agent: Agent | None = None
    """The agent that offers it; failures are reported in its name."""
    event_at_start: str | None = None
    """Name of the ``StageEvent`` when it begins. None: the stage's name, unless it has one at its end; "": none."""
    event_at_end: str = ""
    """Name of the ``StageEvent`` when it has ended; "": none."""
    detail: Callable[[Context], Mapping[str, Any]] | None = None
    """Details of its event."""
    shown: Callable[[Context], Mapping[str, Any]] | None = None
    """Details that the event at its beginning has for a person who waits; traces do not get them."""
    applies: Callable[[Context], bool] | None = None
    """False leaves the stage out of a query, without an event; None: it always runs."""
    every_round: bool = False
    """True when it runs in each round of look-ups, not only in the first."""
    back_to: str = ""
    """The stage to go back to after this one while look-ups are waiting: the next round."""
    runs_when_cached: bool = False
    """True when it also runs for an answer out of the cache, which every other stage is left out for."""
    version: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Values that decide its result; part of the identity of an evaluation."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"A stage cannot be called {self.name!r}: use up to 40 small letters, digits and underscores, "
                'as in Stage("my_stage", run).'
            )
        if not callable(self.run):
            raise ConfigError(f"The stage {self.name!r} needs an async function that takes the context.")

    @property
    def start_event(self) -> str:
        """Name of the event at its beginning, or ""."""
        if self.event_at_start is not None:
            return self.event_at_start
        return "" if self.event_at_end else self.name

    @property
    def label(self) -> str:
        """Its name in metrics and spans: that of its event, where it has one."""
        return self.start_event or self.event_at_end or self.name

    @property
    def agent_name(self) -> str:
        """The name in which its failures are reported."""
        return self.agent.name if self.agent is not None else self.name

    @property
    def fingerprint(self) -> str:
        """Version, parameters and, for code outside of ROMA, the hash of its source."""
        parts = [self.version or "own"]
        if self.parameters:
            parts.append(json.dumps(dict(self.parameters), sort_keys=True, ensure_ascii=False, default=str))
        if not _is_own_code(self.run):
            parts.append(f"source {code_sha256(self.run)[:16]}")
        return " ".join(parts)

    @property
    def is_identified(self) -> bool:
        """True when its fingerprint names all that it does: it is ROMA's own, or declares a version of its own.

        The source of another function says nothing about the values that it closes over.
        """
        return bool(self.version) or _is_own_code(self.run)

    def details(self, context: Context) -> dict[str, Any]:
        return dict(self.detail(context)) if self.detail is not None else {}


@dataclass(frozen=True)
class StageSpec:
    """A stage of another package, declared under the entry point group ``roma.stages``.

    ``make`` is handed the parts that stages are built from (``settings``, ``llm``, ``store``, ...) and returns the
    stage, which is put ``after`` or ``before`` the stage of that name::

        SPEC = StageSpec("hyde", make_hyde, before="retrieve")
    """

    name: str
    make: Callable[[Any], Stage]
    after: str = ""
    before: str = ""
    settings: type[SettingsSection] | None = None

    def insert_into(self, pipeline: Pipeline, parts: object) -> Pipeline:
        """Return ``pipeline`` with this stage at its place. Raises ``ConfigError`` when it names no single place."""
        if bool(self.after) == bool(self.before):
            raise ConfigError(f"The plug-in stage {self.name!r} must name one stage that it goes after or before.")
        stage = self.make(parts)
        if self.after:
            return pipeline.insert_after(self.after, stage)
        return pipeline.insert_before(self.before, stage)


def stage_specs() -> Specs[StageSpec]:
    """Return the stages of other packages by name."""
    return load_specs("roma.stages", StageSpec)


class Pipeline(Sequence[Stage]):
    """Stages in the order in which they run. Immutable: each edit returns another pipeline.

    Where a stage is wanted, an async function will do; it is named after itself.
    """

    def __init__(self, stages: Iterable[Stage | StageRun]) -> None:
        self._stages = tuple(_as_stage(stage) for stage in stages)
        self.names = tuple(stage.name for stage in self._stages)
        """The names of its stages in order."""
        if not self._stages:
            raise ConfigError("A pipeline needs a stage; roma.pipeline has ROMA's own.")
        doubled = [name for name in self.names if self.names.count(name) > 1]
        if doubled:
            raise ConfigError(f"The pipeline has two stages called {doubled[0]!r}; give one of them another name.")

    @property
    def agents(self) -> tuple[Agent, ...]:
        """The agents that offer its stages, each once."""
        return tuple(dict.fromkeys(stage.agent for stage in self._stages if stage.agent is not None))

    @property
    def fingerprints(self) -> dict[str, str]:
        """The identity in an evaluation: the order of the stages, and each stage's version and parameters."""
        stages = {f"stage.{stage.name}": stage.fingerprint for stage in self._stages}
        return {"pipeline": ", ".join(self.names), **stages}

    def replace(self, name: str, stage: Stage | StageRun) -> Pipeline:
        """Return the pipeline with ``stage`` in place of the one called ``name``.

        A function takes over the name, the events, the words and the recovery of the stage that it replaces.
        """
        at = self.index_of(name)
        if not isinstance(stage, Stage):
            old = self._stages[at]
            stage = replace(old, run=stage, agent=None, version="", parameters={})
        return Pipeline((*self._stages[:at], stage, *self._stages[at + 1 :]))

    def insert_before(self, name: str, *stages: Stage | StageRun) -> Pipeline:
        """Return the pipeline with ``stages`` before the one called ``name``."""
        at = self.index_of(name)
        return Pipeline((*self._stages[:at], *stages, *self._stages[at:]))

    def insert_after(self, name: str, *stages: Stage | StageRun) -> Pipeline:
        """Return the pipeline with ``stages`` after the one called ``name``."""
        at = self.index_of(name) + 1
        return Pipeline((*self._stages[:at], *stages, *self._stages[at:]))

    def without(self, *names: str) -> Pipeline:
        """Return the pipeline without the stages of these names."""
        left_out = {self.index_of(name) for name in names}
        return Pipeline(stage for position, stage in enumerate(self._stages) if position not in left_out)

    def index_of(self, name: str) -> int:
        """Return the position of a stage. Raises ``ConfigError`` that lists the stages there are."""
        if name not in self.names:
            raise ConfigError(f"The pipeline has no stage {name!r}. {suggest_name(name, self.names)}")
        return self.names.index(name)

    def words_after(self, position: int, details: Mapping[str, Any]) -> str:
        """Return the words for a person once the stage at ``position`` has ended: those of the next that has any."""
        for stage in self._stages[position + 1 :]:
            if stage.says:
                return fill_words(stage.says, details)
        return ""

    def mermaid(self) -> str:
        """Return the way of a question through the stages as a Mermaid flowchart."""
        lines = ["flowchart TD", "    question([question])"]
        before = "question"
        for stage in self._stages:
            owner = f"<br/>{type(stage.agent).__name__}" if stage.agent is not None else ""
            lines.append(f'    {stage.name}["{stage.name}{owner}"]')
            lines.append(f"    {before} --> {stage.name}")
            before = stage.name
        lines += ["    answer([answer])", f"    {before} --> answer"]
        for stage in self._stages:
            if stage.back_to in self.names:
                lines.append(f"    {stage.name} -. look-ups wait .-> {stage.back_to}")
        return "\n".join(lines)

    @overload
    def __getitem__(self, key: int | str) -> Stage: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Stage]: ...
    def __getitem__(self, key: int | str | slice) -> Stage | Sequence[Stage]:
        """Return a stage by its name or position."""
        return self._stages[self.index_of(key) if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._stages)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self._stages)

    def __contains__(self, item: object) -> bool:
        """True for the name of a stage, or for a stage, that is part of it."""
        return item in self.names or item in self._stages

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and self._stages == other._stages

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(self.names)})"

    def _repr_html_(self) -> str:
        rows = [
            (stage.name, stage.agent_name, stage.says, stage.recovery.then, stage.fingerprint) for stage in self._stages
        ]
        return display.box(display.table(("Stage", "Agent", "Says", "When it fails", "Identity"), rows))


def fill_words(words: str, details: Mapping[str, Any]) -> str:
    """Return ``words`` with details put in; a place without a detail becomes "the".

    >>> fill_words("Ranking {n} passages …", {"n": 20})
    'Ranking 20 passages …'
    """
    return _PLACE.sub(lambda place: str(details.get(place[1], "the")), words)


def _as_stage(stage: Stage | StageRun) -> Stage:
    """Return a stage for an async function; its name and words are the function's."""
    if isinstance(stage, Stage):
        return stage
    name = getattr(stage, "__name__", "")
    says = f"{name.replace('_', ' ').capitalize()} …"
    return Stage(name, stage, says=says)


def _is_own_code(run: StageRun) -> bool:
    """True for functions and methods of ROMA: the hash of its code is part of an evaluation's identity already."""
    module = inspect.getmodule(run)
    return module is not None and f"{module.__name__}.".startswith(_OWN_PACKAGE)
