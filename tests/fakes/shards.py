"""Ingests on workers without workers: shards run in this process, over the same fakes as everything else."""

from __future__ import annotations

from collections.abc import Callable

from roma_core.executor import InlineExecutor
from roma_core.ingestion.distribution import ShardPlan
from roma_core.ingestion.shards import IngestShard, run_shard
from roma_core.ingestion.work import Parts
from tests.fakes.ingest import Shop

OnShard = Callable[[IngestShard], None]


def plan_shards(shop: Shop, on_shard: OnShard | None = None, parts: Parts | None = None) -> ShardPlan:
    """Return a plan over the parts of a shop. ``on_shard`` may look at each shard, or raise in its worker's place."""
    own = parts or shop.service().parts

    async def task(payload: bytes) -> bytes:
        shard = IngestShard.model_validate_json(payload)
        if on_shard is not None:
            on_shard(shard)
        finished = await run_shard(shard, own)
        return finished.model_dump_json().encode()

    return ShardPlan(InlineExecutor(task), "", shop.folder / "shards", "{}", "this machine")
