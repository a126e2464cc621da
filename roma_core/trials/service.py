"""Service of trials: questions of conversations in a trial are answered by its variants, and their ends are noted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from roma_core.errors import AgentFailure, InputError, guarded, suggest_name
from roma_core.settings import Settings, own_settings
from roma_core.telemetry import logs
from roma_core.trials.report import TrialReport, make_report
from roma_core.trials.table import Trial, TrialTable, name_conversation
from roma_core.types import CompleteEvent, ErrorEvent, Query, StreamEvent
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.app import Roma

INDEX_SETTINGS: Final = frozenset({"embedder"})
"""Settings of other sections that act when documents are ingested."""
PROMPTS: Final = "prompts"
MOST_THUMBS: Final = 1_000_000
_log = logs.get("trials")


@dataclass(frozen=True)
class TrialSeat:
    """The place of a conversation in a trial: the system that answers it."""

    table: TrialTable
    trial: Trial
    conversation: str
    system: Roma

    async def follow(self, events: AsyncGenerator[StreamEvent]) -> AsyncGenerator[StreamEvent]:
        """Yield the events of an answer, and note its end. What cannot be noted is answered all the same."""
        began = time.monotonic()
        async with aclosing(events):
            async for event in events:
                if isinstance(event, CompleteEvent | ErrorEvent):
                    output = event.output if isinstance(event, CompleteEvent) else None
                    values = (self.trial, self.conversation, output, time.monotonic() - began)
                    noted = await guarded("trials", asyncio.to_thread(self.table.note_outcome, *values))
                    _log_failure(noted)
                yield event


class TrialService:
    """The trials of one ``Roma``.

    >>> roma.trials.table.start("default", "lazy", {}, {"prompts": "answer=lazy"}, by="local")  # doctest: +SKIP
    """

    def __init__(self, roma: Roma) -> None:
        self._roma = roma
        self.table = TrialTable(Workspace.of(roma.settings).folder)

    async def choose(self, query: Query) -> TrialSeat | None:
        """Return the place of a question's conversation in the trial that runs; None without one.

        A conversation that began before the trial is not in it. Where the table cannot be used, questions are answered
        by the settings as they are.
        """
        if query.session_id is None or not self.table.exists:
            return None
        seat = await guarded("trials", self._choose(query, query.session_id))
        if isinstance(seat, AgentFailure):
            _log_failure(seat)
            return None
        return seat

    async def report(self, tenant: str, name: str) -> TrialReport:
        """Return what a trial says now, however often it is asked. Raises ``NotFoundError``."""
        trial = await asyncio.to_thread(self.table.find, tenant, name)
        outcomes, sizes = await asyncio.to_thread(self.table.outcomes, trial)
        feedback = await self._roma.sessions.all_feedback(tenant, limit=MOST_THUMBS)
        return await asyncio.to_thread(make_report, trial, outcomes, sizes, feedback)

    async def _choose(self, query: Query, session_id: str) -> TrialSeat | None:
        conversation = name_conversation(query.principal.subject, session_id)
        found = await asyncio.to_thread(self.table.find_arm, query.tenant, conversation)
        if found is None:
            return None
        trial, arm, is_enrolled = found
        if not is_enrolled:
            if await self._roma.sessions.turns(query.principal, session_id, 1):
                return None
            await asyncio.to_thread(self.table.enrol, trial, conversation)
        system = await asyncio.to_thread(self._roma.forks.open, trial.changes(arm))
        await asyncio.to_thread(system.answer_identity)  # raises here, and not in the answer, what cannot be used
        return TrialSeat(self.table, trial, conversation, system)


def require_changes(settings: Settings, given: Sequence[str]) -> dict[str, str]:
    """Return the changes of settings that ``NAME=VALUE`` are. Raises ``InputError``, and ``ConfigError`` for a value.

    >>> require_changes(Settings(), ["rerank_weight=0"])
    {'rerank_weight': '0'}
    """
    from roma_core.evals.report.comparison import INDEX_SECTIONS
    from roma_core.parts import list_own_prompts
    from roma_core.prompts import PromptLibrary

    named = {one.name: one for one in own_settings() if one.decides_answers or one.name == PROMPTS}
    changes: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"Write a change as NAME=VALUE, not {pair!r}.")
        if name not in named:
            raise InputError(f"There is no setting {name!r} that decides answers. {suggest_name(name, list(named))}")
        if named[name].section in INDEX_SECTIONS or name in INDEX_SETTINGS:
            raise InputError(f"{name} acts when documents are ingested; compare it with `roma experiment`.")
        changes[name] = value
    varied = settings.replace(changes)
    library = PromptLibrary(Workspace(settings.workspace).prompts, list_own_prompts())
    library.resolve(varied.answering.prompts)
    return changes


def _log_failure(failure: AgentFailure | None) -> None:
    if failure is not None:
        _log.warning("trial_not_noted", code=failure.code.value, reason=failure.message)
