"""What workers do: each task is a coroutine function from bytes to bytes that an executor's worker imports.

A worker builds a ``Roma`` of its own by the settings that came with the task, and keeps it for the next one.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from roma_core.app import Roma
from roma_core.errors import AgentFailure, ErrorCode, StoreError, WorkerError
from roma_core.evals.workers import QueryCall, QueryReply, SystemDescription
from roma_core.executor import identify_machine
from roma_core.ingestion.shards import BorrowedCache, IngestShard, run_shard
from roma_core.llm.base import sample
from roma_core.parts import RomaParts, identify_system, open_store
from roma_core.scratch import ScratchFolder
from roma_core.settings import Settings
from roma_core.types import Usage
from roma_core.workspace import Workspace

SINGLE: Final = ("parser_workers", "embed_threads")
"""Settings that are one in a worker where the client left them to the machine: workers stand side by side already."""


@dataclass
class _OwnRoma:
    """The ``Roma`` of this worker, and the settings that it was made by."""

    settings: str
    roma: Roma
    is_at_home: bool
    """The worker shares the client's machine, and so its databases."""
    scratch: ScratchFolder | None = None
    """What was made for it alone: a workspace, or the files of prompts."""


_own: dict[int, _OwnRoma] = {}
"""By process, so that a fork never takes its parent's over."""


async def ingest_shard(payload: bytes) -> bytes:
    """Run an ``IngestShard``; return its ``FinishedShard``."""
    shard = IngestShard.model_validate_json(payload)
    own = await _open_roma(shard.settings, shard.machine)
    roma = own.roma
    _require_room(Path(shard.folder), roma.settings.storage.min_free_mb)
    for part in (Roma.ingestion, Roma.parsers, Roma.connectors):
        await part.warm(roma)
    parts = roma.ingestion.parts
    if not own.is_at_home:
        if parts.captions is not None or parts.pictures is not None or parts.screen is not None:
            raise WorkerError(
                "Figures and pictures are seen, and personal data is masked, on the client's machine alone: ingest "
                "with --on local:8 or --on dask.",
                ErrorCode.WORKER_MISMATCH,
            )
        cache = BorrowedCache(Workspace.of(roma.settings).cache, mode=roma.settings.storage.cache)
        parts = replace(parts, cache=cache)
    finished = await run_shard(shard, parts)
    return finished.model_dump_json().encode()


async def answer_query(payload: bytes) -> bytes:
    """Answer the question of a ``QueryCall``; return its ``QueryReply``.

    Raises ``WorkerError`` when the system is another one here, or its workspace is not to be seen.
    """
    call = QueryCall.model_validate_json(payload)
    roma = await _open_system(call.system, call.machine)
    if call.query is None:
        return QueryReply().model_dump_json().encode()
    usage: list[tuple[str, Usage]] = []
    stop = roma.observe_usage(lambda purpose, used: usage.append((purpose, used)))
    token = sample.set(call.sample)
    try:
        answer = await roma.query(call.query, keep=False)
    finally:
        sample.reset(token)
        stop()
    if isinstance(answer, AgentFailure):
        reply = QueryReply(failure=answer, usage=tuple(usage))
    else:
        reply = QueryReply(output=answer, considered=answer.considered, usage=tuple(usage))
    return reply.model_dump_json().encode()


async def _open_system(system: SystemDescription, machine: str) -> Roma:
    """Return the client's system, made again here over the same workspace."""
    key = system.model_dump_json()
    own = _own.get(os.getpid())
    if own is not None and own.settings == key:
        return own.roma
    await _close_own()
    settings = _read_settings(system.settings)
    own_folder = Workspace.of(settings).folder
    index = Path(system.index or own_folder)
    is_there = await asyncio.to_thread(lambda: settings.workspace.is_dir() and index.is_dir())
    if not is_there:
        raise WorkerError(
            f"The worker does not see the workspace ({index.name}): put it on a disk that all share, under one path.",
            ErrorCode.WORKER_MISMATCH,
        )
    scratch = ScratchFolder("prompts") if system.prompts else None
    given: RomaParts = {"prompt_files": _write_prompts(system.prompts, scratch.path) if scratch else {}}
    if index != own_folder:
        given["store"] = open_store(Roma(settings), Workspace(index).store)
    roma = Roma(settings, **given)
    identity = await asyncio.to_thread(identify_system, roma)
    if identity != system.identity:
        await roma.close()
        raise WorkerError(
            "The worker comes to another system than the client: install the same models and plug-ins there. Stages, "
            "models and stores that were handed in as objects stay with the client.",
            ErrorCode.WORKER_MISMATCH,
        )
    _own[os.getpid()] = _OwnRoma(key, roma, is_at_home=machine == identify_machine(), scratch=scratch)
    return roma


def _write_prompts(prompts: Mapping[str, str], folder: Path) -> dict[str, str | Path]:
    files: dict[str, str | Path] = {}
    for name, text in prompts.items():
        path = folder / f"{name}.md"
        path.write_text(text, encoding="utf-8")
        files[name] = path
    return files


def _require_room(folder: Path, min_free_mb: int) -> None:
    """Raise ``StoreError`` (full) when the disk of the workspace has too little room."""
    if not folder.is_dir():
        return
    free_mb = shutil.disk_usage(folder).free >> 20
    if free_mb < min_free_mb:
        raise StoreError(
            f"The disk has {free_mb} MB left and ROMA_MIN_FREE_MB asks for {min_free_mb}; free some room and run it "
            "again.",
            ErrorCode.STORAGE_FULL,
        )


async def _open_roma(settings_json: str, machine: str) -> _OwnRoma:
    own = _own.get(os.getpid())
    if own is not None and own.settings == settings_json:
        return own
    await _close_own()
    is_at_home = machine == identify_machine()
    settings = _read_settings(settings_json)
    scratch = None if is_at_home else ScratchFolder("worker")
    if scratch is not None:
        settings = settings.model_copy(update={"workspace": scratch.path})
    made = _OwnRoma(settings_json, Roma(settings), is_at_home, scratch)
    _own[os.getpid()] = made
    return made


async def _close_own() -> None:
    own = _own.pop(os.getpid(), None)
    if own is not None:
        await own.roma.close()
        if own.scratch is not None:
            own.scratch.remove()


def _read_settings(settings_json: str) -> Settings:
    sent = json.loads(settings_json)
    values = sent["values"]
    for name in SINGLE:
        values[name] = values[name] or 1
    return Settings.load(values, env_file=None) if sent["reads_environment"] else Settings(values)
