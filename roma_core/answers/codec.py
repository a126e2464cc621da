"""Records to bytes and back. Passages are written once, each ranking as numbers beside them; secrets are masked. Pure.

A mask is as long as the secret that it stands for, so the offsets of claims and quotes hold.
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from roma_core.answers.record import DraftSnapshot, LookupSnapshot, StageSnapshot
from roma_core.redaction.rules import SECRETS, find
from roma_core.types import Chunk, ScoredChunk, StreamEvent, Usage

MASK = "•"
SHORT_CHARS = 200
FULL_WINDOW, SMALL_WINDOW = (15, 8), (12, 5)
"""Bits of zlib's window, and its memory level. A passage of 600 bytes takes 41 µs with the full one, most of it to
clear 256 kB, and 5 µs with the small one, for as many bytes."""
LARGE_BYTES = 16_384
"""From here on the full window finds repetitions that the small one forgets."""
_events: TypeAdapter[StreamEvent] = TypeAdapter(StreamEvent)


def mask_secrets(text: str) -> str:
    """Return ``text`` with each key, token and password replaced by as many signs.

    >>> len(mask_secrets("password=hunter2-hunter2")) == len("password=hunter2-hunter2")
    True
    """
    return _mask_short(text) if len(text) <= SHORT_CHARS else _mask(text)


def _mask(text: str) -> str:
    for span in find(text, SECRETS):
        text = text[: span.start] + MASK * (span.end - span.start) + text[span.end :]
    return text


_mask_short = functools.lru_cache(maxsize=4096)(_mask)
"""Most strings of a record are names, ids and titles that the next one has again."""


def mask_value(value: Any) -> Any:
    """Return JSON ``value`` with the secrets in its strings masked."""
    if isinstance(value, str):
        return mask_secrets(value)
    if isinstance(value, dict):
        return {key: mask_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_value(item) for item in value]
    return value


def pack(value: Any) -> bytes:
    """Return JSON ``value`` as compressed bytes."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    window = FULL_WINDOW if len(data) > LARGE_BYTES else SMALL_WINDOW
    deflate = zlib.compressobj(1, zlib.DEFLATED, *window)
    return deflate.compress(data) + deflate.flush()


@functools.lru_cache(maxsize=2048)
def pack_masked(value: str) -> bytes:
    """Return a JSON text as compressed bytes with its secrets masked. Passages are read by one answer after another."""
    return pack(mask_value(json.loads(value)))


def unpack(data: bytes) -> Any:
    """Return what ``pack`` was given."""
    return json.loads(zlib.decompress(data))


def dump_events(events: Iterable[StreamEvent]) -> bytes:
    """Return events as bytes. The output of the last one is stored beside them, without its passages."""
    return pack([mask_value(event.model_dump(mode="json", exclude={"output": {"passages"}})) for event in events])


def load_events(data: bytes) -> list[StreamEvent]:
    """Return the events of ``dump_events``."""
    return [_events.validate_python(value) for value in unpack(data)]


@dataclass
class PackedStages:
    """Stages as JSON values that name passages by their place in ``chunks``."""

    stages: list[dict[str, Any]] = field(default_factory=list)
    rankings: list[list[list[Any]]] = field(default_factory=list)
    drafts: list[dict[str, Any]] = field(default_factory=list)
    chunks: dict[str, Chunk] = field(default_factory=dict)
    read: frozenset[str] = frozenset()
    """Ids of the chunks that the writer was given."""

    def as_json(self) -> dict[str, Any]:
        """Return what is stored beside the chunks."""
        return {"stages": self.stages, "rankings": self.rankings, "drafts": self.drafts}


def pack_stages(stages: Sequence[StageSnapshot]) -> PackedStages:
    """Return the stages with each passage and each ranking once."""
    packed = PackedStages(read=_find_read(stages))
    seen: dict[int, int] = {}

    def place_of(passages: tuple[ScoredChunk, ...] | None) -> int | None:
        if passages is None:
            return None
        if id(passages) not in seen:
            seen[id(passages)] = len(packed.rankings)
            packed.chunks.update({passage.chunk.id: passage.chunk for passage in passages})
            packed.rankings.append([[p.chunk.id, p.score, p.rank, p.retriever, p.scores] for p in passages])
        return seen[id(passages)]

    last_draft: DraftSnapshot | None = None
    for stage in stages:
        value = stage.model_dump(mode="json", exclude={"lookups", "passages", "draft"}, exclude_defaults=True)
        if stage.draft is not None and stage.draft != last_draft:
            last_draft = stage.draft
            packed.drafts.append(mask_value(last_draft.model_dump(mode="json")))
        value["draft"] = None if stage.draft is None else len(packed.drafts) - 1
        value["passages"] = place_of(stage.passages)
        value["lookups"] = [
            {
                **lookup.model_dump(mode="json", exclude={"passages"}, exclude_defaults=True),
                "passages": place_of(lookup.passages),
            }
            for lookup in stage.lookups
        ]
        packed.stages.append(mask_value(value))
    return packed


def _find_read(stages: Sequence[StageSnapshot]) -> frozenset[str]:
    """Return the ids of the chunks whose words may stand in an answer or in a finding."""
    if not stages:
        return frozenset()
    last = stages[-1]
    found = [lookup.passages or () for lookup in last.lookups if lookup.finding is not None]
    return frozenset(passage.chunk.id for passages in (last.passages, *found) for passage in passages)


def unpack_stages(value: Mapping[str, Any], chunks: Mapping[str, Chunk]) -> tuple[StageSnapshot, ...]:
    """Return the stages of ``PackedStages.as_json``. A passage whose chunk is gone is left out."""
    rankings = [
        tuple(
            ScoredChunk(chunk=chunks[key], score=score, rank=rank, retriever=retriever, scores=scores)
            for key, score, rank, retriever, scores in ranking
            if key in chunks
        )
        for ranking in value["rankings"]
    ]

    drafts = [DraftSnapshot.model_validate(draft) for draft in value["drafts"]]
    return tuple(_restore_stage(stage, rankings, drafts) for stage in value["stages"])


def _restore_stage(
    stage: Mapping[str, Any], rankings: Sequence[tuple[ScoredChunk, ...]], drafts: Sequence[DraftSnapshot]
) -> StageSnapshot:
    plain = {name: value for name, value in stage.items() if name not in {"lookups", "passages", "draft", "usage"}}
    lookups: list[LookupSnapshot] = []
    for lookup in stage["lookups"]:
        place = lookup["passages"]
        lookups.append(LookupSnapshot(**{**lookup, "passages": None if place is None else rankings[place]}))
    return StageSnapshot(
        **plain,
        lookups=tuple(lookups),
        passages=rankings[stage["passages"]],
        draft=None if stage["draft"] is None else drafts[stage["draft"]],
        usage=Usage.model_validate(stage.get("usage", {})),
    )
