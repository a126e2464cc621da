"""From the context of a question to what its record keeps of it, and back."""

from __future__ import annotations

from typing import cast, get_args

from roma_core.agents.context import Context, Lookup
from roma_core.answers.record import DraftSnapshot, LookupSnapshot, PromptMessage, StageSnapshot
from roma_core.llm.base import FinishReason
from roma_core.types import Query, Usage
from roma_core.writers.base import Draft

_LOOKUP_FIELDS = tuple(LookupSnapshot.model_fields)


def take_snapshot(stage: str, context: Context) -> StageSnapshot:
    """Return the state of ``context`` when ``stage`` has ended. It shares the passages, which never change."""
    lookups = tuple(
        LookupSnapshot.model_construct(**{name: getattr(lookup, name) for name in _LOOKUP_FIELDS})
        for lookup in context.lookups
    )
    return StageSnapshot.model_construct(
        stage=stage,
        question=context.question,
        reading=context.reading,
        round=context.round,
        lookups=lookups,
        passages=context.passages,
        draft=_snap_draft(context.draft),
        answer=context.answer,
        flags=tuple(context.flags),
        degraded=tuple(context.degraded),
        usage=context.usage,
    )


def restore_context(query: Query, snapshot: StageSnapshot | None) -> Context:
    """Return the context that ``snapshot`` was taken of, for ``query``; a fresh one without it."""
    context = Context.begin(query)
    if snapshot is None:
        return context
    context.question = snapshot.question
    context.reading = snapshot.reading
    context.round = snapshot.round
    context.lookups = [
        Lookup(**{name: getattr(lookup, name) for name in _LOOKUP_FIELDS}) for lookup in snapshot.lookups
    ]
    context.passages = snapshot.passages
    context.draft = _restore_draft(snapshot.draft)
    context.answer = snapshot.answer
    context.flags = list(snapshot.flags)
    context.degraded = list(snapshot.degraded)
    context.usage = snapshot.usage
    return context


def _snap_draft(draft: Draft | None) -> DraftSnapshot | None:
    if draft is None:
        return None
    return DraftSnapshot(
        text=draft.text,
        model=draft.model,
        reason=draft.reason,
        follow_ups=draft.follow_ups,
        usage=draft.usage,
        finish_reason=draft.finish_reason,
        prompt_hash=draft.prompt_hash,
        passages_read=draft.passages_read,
        prompt=tuple(PromptMessage(role=message.role, content=message.content) for message in draft.prompt),
        is_partial=draft.is_partial,
        frame=draft.frame,
    )


def _restore_draft(draft: DraftSnapshot | None) -> Draft | None:
    if draft is None:
        return None
    reason = draft.finish_reason if draft.finish_reason in get_args(FinishReason) else "stop"
    return Draft(
        text=draft.text,
        model=draft.model,
        reason=draft.reason,
        follow_ups=draft.follow_ups,
        usage=Usage() if draft.usage is None else draft.usage,
        finish_reason=cast(FinishReason, reason),
        prompt_hash=draft.prompt_hash,
        passages_read=draft.passages_read,
        is_partial=draft.is_partial,
        frame=draft.frame,
    )
