"""Where heavy work runs: processes of this machine, or a cluster of Dask's.

An executor takes shards (a name and some bytes) and gives their results back as they end::

    async with open_executor("local:2") as executor:
        await executor.map("package.module:function", shards)
        async for result in executor.gather():
            ...

``function`` is a coroutine function from bytes to bytes that the workers import. Nothing else crosses: no pickle.
"""

from roma_core.executor.base import (
    Executor,
    ExecutorStatus,
    Shard,
    ShardResult,
    explain_addresses,
    identify_machine,
    open_executor,
    parse_address,
)
from roma_core.executor.inline import InlineExecutor
from roma_core.executor.local import LocalPool

__all__ = [
    "Executor",
    "ExecutorStatus",
    "InlineExecutor",
    "LocalPool",
    "Shard",
    "ShardResult",
    "explain_addresses",
    "identify_machine",
    "open_executor",
    "parse_address",
]
