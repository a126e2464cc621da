"""The seam to where shards of work run, and the addresses that name such places."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

from roma_core.environment import count_cores
from roma_core.errors import AgentFailure, ConfigError

AGENT: Final = "executor"
ATTEMPTS: Final = 3
"""Workers that may be lost over one shard before the shard is given up: it is likely what ends them."""
MOST_WORKERS: Final = 1024
EXAMPLES: Final = ("local", "local:8", "dask", "dask:4", "dask://host:8786", "tls://host:8786", "slurm://partition")


class Shard(NamedTuple):
    """A piece of work: its name and what the workers' function is handed."""

    key: str
    payload: bytes


@dataclass(frozen=True)
class ShardResult:
    """The end of a shard: what the function returned, or why there is nothing. ``worker`` names who ran it last."""

    key: str
    payload: bytes = b""
    failure: AgentFailure | None = None
    worker: str = ""


@dataclass(frozen=True)
class ExecutorStatus:
    """State of an executor: its workers, those that are still to be started among them, and its shards.

    ``lost`` counts workers that ended in the middle of a shard.
    """

    address: str
    workers: int = 0
    waiting: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0


class Executor(Protocol):
    """Runs shards on workers. A shard whose worker is lost runs again on another one, ``ATTEMPTS`` times at most."""

    @property
    def address(self) -> str:
        """The address that it was opened by."""
        ...

    @property
    def is_private(self) -> bool:
        """Return whether what is sent to the workers may hold secrets: a pipe, or TLS between both."""
        ...

    async def map(self, target: str, shards: AsyncIterator[Shard]) -> None:
        """Begin to run ``target`` (``module:function``) on each shard. Shards are taken as workers become free."""
        ...

    def gather(self) -> AsyncIterator[ShardResult]:
        """Yield the results as they come; ends when ``shards`` has ended and every shard has its result.

        Raises ``WorkerError`` when no worker can be had, and what ``shards`` raised.
        """
        ...

    async def cancel(self) -> None:
        """Stop everything that waits or runs."""
        ...

    async def status(self) -> ExecutorStatus:
        """Return how far the work is."""
        ...


@dataclass(frozen=True)
class ExecutorAddress:
    """An address after ``--on``, taken apart."""

    kind: str
    """``local``, ``dask`` (a cluster of one's own), ``scheduler`` (one that runs already) or ``slurm``."""
    workers: int = 0
    place: str = ""
    """Address of a scheduler, or name of a partition."""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_in_process(self) -> bool:
        """Return whether no worker is wanted: the work is done where it is asked for."""
        return self.kind == "local" and self.workers == 0


def explain_addresses() -> str:
    """Return the addresses that there are, for help and errors."""
    return f"{', '.join(EXAMPLES[:-1])} or {EXAMPLES[-1]}"


def parse_address(text: str) -> ExecutorAddress:
    """Take an address apart. Raises ``ConfigError``.

    >>> parse_address("local:8").workers, parse_address("slurm://debug?workers=4").place
    (8, 'debug')
    """
    plain = re.fullmatch(r"(local|dask)(?::(\d+))?", text)
    if plain:
        return ExecutorAddress(plain[1], _count_workers(text, plain[2] or "0", least=0 if plain[2] is None else 1))
    parts = urlsplit(text)
    if parts.scheme == "slurm" and parts.netloc:
        options = dict(parse_qsl(parts.query))
        workers = _count_workers(text, options.pop("workers", "1"))
        unknown = sorted(set(options) - {"cores", "memory", "walltime", "account"})
        if unknown:
            raise ConfigError(f"{text}: {unknown[0]} is none of workers, cores, memory, walltime and account.")
        return ExecutorAddress("slurm", workers, parts.netloc, options)
    if parts.scheme in {"dask", "tcp", "tls"} and _names_a_host(text):
        scheme = "tcp" if parts.scheme == "dask" else parts.scheme
        return ExecutorAddress("scheduler", 0, f"{scheme}://{parts.netloc}")
    raise ConfigError(f"{text!r} names no place where work can run: {explain_addresses()}.")


def _count_workers(text: str, number: str, *, least: int = 1) -> int:
    if not number.isdecimal() or not least <= int(number) <= MOST_WORKERS:
        raise ConfigError(f"{text}: the number of workers is one of 1 to {MOST_WORKERS}.")
    return int(number)


def _names_a_host(text: str) -> bool:
    parts = urlsplit(text)
    try:
        has_port = parts.port is not None
    except ValueError:
        return False
    return has_port and bool(parts.hostname) and parts.path in {"", "/"} and not parts.query and parts.username is None


@asynccontextmanager
async def open_executor(address: str) -> AsyncIterator[Executor]:
    """Open the executor at an address; its workers end with the block.

    Raises ``ConfigError`` for an address that is none, ``WorkerError`` when nothing answers there.
    """
    parsed = parse_address(address)
    if parsed.kind == "local":
        from roma_core.executor.local import LocalPool

        pool = LocalPool(parsed.workers or count_cores())
        try:
            yield pool
        finally:
            await pool.close()
        return
    from roma_core.executor.dask import open_dask

    async with open_dask(address, parsed) as executor:
        yield executor


def identify_machine() -> str:
    """Return what tells this machine, since its last start, from others: files are shared among its processes alone."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}".strip()
