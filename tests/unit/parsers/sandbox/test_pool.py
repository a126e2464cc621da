"""The sandbox against targets that hang, grow, crash, spawn and talk; every one costs one worker, never the parent."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import InlineSandbox, ProcessSandbox, WorkerLimits, environment
from roma_core.parsers.sandbox.worker import ParseJob, Result
from roma_core.types import Document, RawDocument
from tests.fixtures import make_pdf

HERE = str(Path(__file__).parent)
TARGETS = "hostile_targets"


def make_pool(timeout_s: float) -> ProcessSandbox:
    return ProcessSandbox(1, WorkerLimits(timeout_s=timeout_s, memory_mb=400, files=3))


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", HERE)
    pool = make_pool(60.0)
    yield pool
    await pool.close()


@pytest.fixture
async def impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", HERE)
    pool = make_pool(1.0)
    yield pool
    await pool.close()


def job(name: str, data: bytes = b"data") -> ParseJob:
    raw = RawDocument(uri="file:///a.txt", data=data)
    return ParseJob(
        target=f"{TARGETS}:{name}", parser_id="test/1", media_type="text/plain", raw=raw, options=ParseOptions()
    )


async def code(pool: ProcessSandbox, name: str) -> ErrorCode:
    result = await pool.run(job(name))
    assert isinstance(result, AgentFailure), result
    assert result.message
    return result.code


async def works(pool: ProcessSandbox) -> bool:
    result = await pool.run(job("echo", b"still here"))
    return isinstance(result, Document) and result.text == "still here"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("crash", ErrorCode.PARSER_MALFORMED),
        ("exit", ErrorCode.PARSER_MALFORMED),
        ("babble", ErrorCode.PARSER_MALFORMED),
        ("grow", ErrorCode.PARSER_MEMORY),
        ("kill_self", ErrorCode.PARSER_MEMORY),
        ("recurse", ErrorCode.PARSER_MALFORMED),
        ("empty", ErrorCode.PARSER_EMPTY),
        ("refuse", ErrorCode.PARSER_ENCRYPTED),
        ("defect", ErrorCode.INTERNAL),
        ("connect", ErrorCode.INTERNAL),
        ("look_up", ErrorCode.INTERNAL),
        ("spawn", ErrorCode.INTERNAL),
    ],
)
async def test_hostile_target_is_a_typed_failure_and_the_pool_goes_on(sandbox, target, expected):
    assert await code(sandbox, target) is expected
    assert await works(sandbox)


async def test_a_target_that_hangs_is_a_timeout_and_its_worker_is_replaced(impatient):
    assert await code(impatient, "hang") is ErrorCode.PARSER_TIMEOUT
    impatient.limits = replace(impatient.limits, timeout_s=60.0)
    assert await works(impatient)


async def test_network_and_programs_are_refused_by_name(sandbox):
    for target in ("connect", "look_up", "spawn"):
        result = await sandbox.run(job(target))
        assert result.details["exception"] == "PermissionError"


async def test_worker_sees_no_secret(sandbox, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    result = await sandbox.run(job("show_environment"))
    assert isinstance(result, bytes) and b"PATH" in result
    assert b"sk-secret" not in result and b"OPENAI" not in result


async def test_printing_libraries_do_not_break_the_protocol(sandbox):
    result = await sandbox.run(job("chatter"))
    assert isinstance(result, Document) and result.text == "quiet"


async def test_worker_is_kept_between_files_and_replaced_after_its_share(sandbox):
    pids = [await sandbox.run(job("pid")) for _ in range(4)]
    assert pids[0] == pids[1] == pids[2] != pids[3]


async def test_cancelling_a_call_kills_its_worker(sandbox):
    pid = await sandbox.run(job("pid"))
    assert isinstance(pid, bytes)
    call = asyncio.create_task(sandbox.run(job("hang")))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await works(sandbox)
    assert not psutil.pid_exists(int(pid))


async def test_worker_that_cannot_start_is_a_failure(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    pool = ProcessSandbox(1)
    result = await pool.run(job("echo"))
    assert isinstance(result, AgentFailure) and result.code is ErrorCode.PARSER_MEMORY
    await pool.close()


def test_one_pool_serves_several_event_loops():
    pool = ProcessSandbox(1)
    texts = []
    for _ in range(2):
        result = asyncio.run(pool.run(job("echo").model_copy(update={"target": "roma_core.parsers.text.plain:parse"})))
        assert isinstance(result, Document)
        texts.append(result.text)
    asyncio.run(pool.close())
    assert texts == ["data", "data"]


async def test_inline_sandbox_gives_the_same_results(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    pool = InlineSandbox()
    ok: Result = await pool.run(job("echo", b"same"))
    assert isinstance(ok, Document) and ok.parser == "test/1" and ok.media_type == "text/plain"
    for target, expected in [("empty", ErrorCode.PARSER_EMPTY), ("recurse", ErrorCode.PARSER_MALFORMED)]:
        result = await pool.run(job(target))
        assert isinstance(result, AgentFailure) and result.code is expected
    await pool.close()


async def test_inline_jobs_take_turns():
    """Several threads inside of PDFium end the process; three pools at once must not bring that about."""
    raw = RawDocument(uri="a.pdf", data=make_pdf.with_picture())
    target = "roma_core.parsers.figures:draw_page"
    drawn = ParseJob(target=target, parser_id="t/1", media_type="image/png", raw=raw, options=ParseOptions())
    pools = [InlineSandbox() for _ in range(3)]
    results = await asyncio.gather(*(pool.run(drawn) for pool in pools for _ in range(8)))
    assert len(set(results)) == 1 and isinstance(results[0], bytes) and results[0].startswith(b"\x89PNG")


def test_environment_names_the_package_first():
    made = environment({"PATH": "/bin", "LLM_API_KEY": "k", "PYTHONPATH": "/x"}, "/tmp")
    assert "LLM_API_KEY" not in made and made["PYTHONPATH"].endswith(os.pathsep + "/x")
