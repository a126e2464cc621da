"""Log lines: one shape for all, the request's id on each, nothing personal or secret in any."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import roma_core
from roma_core.api import create_app
from roma_core.errors import AgentFailure, ErrorCode, StoreError, guarded, request_id
from roma_core.telemetry import logs
from roma_core.types import TailorOutput

QUESTION = "When was the rope bridge built?"

SECRETS = ["bob@example.org", "4111 1111 1111 1111", "sk-ant-api03-abcdefgh12345678ABCD", "203.0.113.9", "hunter2!"]


class Stderr:
    """What was written to stderr so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    @property
    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def fresh(self) -> list[dict[str, Any]]:
        """Those that were written since the last time."""
        before = len(self._text.splitlines())
        return self.lines()[before:]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Stderr]:
    yield Stderr(capsys)
    logs.configure()


async def test_structured_logging_includes_request_id(stderr: Stderr, whole: Any, corpus: Path) -> None:
    """On every line, whoever writes it, of a whole ingest, a whole query and a request that is served."""
    logs.configure("DEBUG", "json")
    async with whole() as (roma, _):
        with logs.request("ingest-1"):
            assert (await roma.ingest(corpus)).counts()["added"] == 1
        ingest = stderr.fresh()
        with logs.request("query-1"):
            assert isinstance(await roma.query(QUESTION), TailorOutput)
        query = stderr.fresh()
        await roma.health()
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(create_app(roma)), base_url="http://127.0.0.1"
        ) as client:
            stderr.fresh()
            asked = await client.post("/query", json={"text": QUESTION}, headers={"X-Request-ID": "served-1"})
            assert asked.status_code == 200
        served = [line for line in stderr.fresh() if line["agent"] != "httpx2"]  # this test's own client
    for name, lines in (("ingest-1", ingest), ("query-1", query), ("served-1", served)):
        assert len(lines) >= 1, name
        for line in lines:
            assert line["request_id"] == name, line
            assert isinstance(line["agent"], str) and line["agent"] not in {"", "unknown"}, line
            assert isinstance(line["duration_ms"], float | int), line
            assert {"timestamp", "level", "event"} <= set(line)
    assert {line["event"] for line in ingest} >= {"ingest"}
    assert {line["event"] for line in query} >= {"query", "llm_call"}
    assert {line["event"] for line in served} >= {"query", "llm_call", "request"}
    (call,) = [line for line in query if line["event"] == "llm_call"]
    assert (call["agent"], call["provider_request_id"], call["duration_ms"]) == ("llm", "req-1", call["latency_ms"])


def test_every_logger_of_the_package_names_its_agent() -> None:
    """A logger made by hand has no agent; ``logs.get`` gives it one."""
    package = Path(roma_core.__file__).parent
    made = re.compile(
        r"structlog\.\w*\.?get_logger|structlog\.getLogger|logging\.getLogger\((?!name\)\.setLevel)|\bprint\(.*stderr"
    )
    allowed = {"telemetry/logs.py"}
    found = {str(p.relative_to(package)) for p in package.rglob("*.py") if made.search(p.read_text(encoding="utf-8"))}
    assert {name for name in found - allowed if not name.startswith("cli/")} == set()


def test_a_line_has_the_request_its_agent_and_a_duration(stderr: Stderr) -> None:
    logs.configure("INFO", "json")
    with logs.request("abc-1") as current:
        logs.get("memory").info("retrieved", n=20)
        logging.getLogger("some.library").warning("from %s", "a library")
        with logs.detach_request():
            logs.get("serve").info("background")
    logs.get("memory").info("outside")
    inside, library, background, outside = stderr.lines()
    assert current == "abc-1"
    assert (inside["request_id"], inside["agent"], inside["event"], inside["n"]) == ("abc-1", "memory", "retrieved", 20)
    assert isinstance(inside["duration_ms"], float)
    assert inside["level"] == "info"
    assert "timestamp" in inside
    assert (library["request_id"], library["agent"], library["event"]) == ("abc-1", "some", "from a library")
    assert outside["request_id"] is background["request_id"] is background["duration_ms"] is None


@pytest.mark.parametrize("shape", ["json", "console"])
async def test_what_nobody_expected_is_logged_once_with_its_place_and_without_its_words(
    stderr: Stderr, shape: Any
) -> None:
    logs.configure("WARNING", shape)

    def innermost(document: str) -> None:
        raise KeyError(document)

    async def work() -> None:
        try:
            innermost("the words of a document")
        except KeyError as error:
            raise ValueError("mail bob@example.org") from error

    with logs.request("req-5"):
        inner = await guarded("memory", guarded("memory.dense", work()))
        refused = await guarded("memory", _refuse())
    assert isinstance(inner, AgentFailure) and inner.code is ErrorCode.INTERNAL
    assert isinstance(refused, AgentFailure)
    out = stderr.text
    assert out.count("defect") == 1, "once, and not what ROMA raises on purpose"
    assert all(part in out for part in ("req-5", "memory.dense", "innermost", "KeyError", "ValueError"))
    assert not any(part in out for part in ("words of a document", "bob@", "redacted"))
    if shape == "json":
        (line,) = stderr.lines()
        assert (line["agent"], line["level"], line["request_id"]) == ("memory.dense", "error", "req-5")


async def _refuse() -> None:
    raise StoreError("The store is gone.")


async def test_a_group_and_a_circle_of_causes_are_told_by_their_places() -> None:
    first, second = ValueError("a"), TypeError("b")
    first.__cause__, second.__cause__ = second, first
    assert logs.format_stack(first) == "ValueError\nTypeError"
    assert logs.format_stack(ExceptionGroup("words", [OSError("c")])) == "ExceptionGroup\nOSError"


async def test_concurrent_requests_keep_their_own_ids(stderr: Stderr) -> None:
    logs.configure("INFO", "json")

    async def one(name: str) -> None:
        with logs.request(name):
            for _ in range(3):
                await asyncio.sleep(0)
                logs.get("x").info(name)

    await asyncio.gather(*(one(f"r{i}") for i in range(5)))
    assert all(line["request_id"] == line["event"] for line in stderr.lines())
    assert len(stderr.lines()) == 15
    assert request_id.get() is None


@pytest.mark.parametrize("shape", ["json", "console"])
def test_logging_redacts_pii(stderr: Stderr, shape: str) -> None:
    logs.configure("DEBUG", shape)  # type: ignore[arg-type]
    log = logs.get("tailor")
    text = f"{SECRETS[0]} {SECRETS[1]} {SECRETS[2]} {SECRETS[3]} password={SECRETS[4]}"
    log.info(text)
    log.info("nested", where={"deep": [text, (text,)]}, password=SECRETS[4])
    log.info("format %s", text)
    logging.getLogger("httpx2").error("failed for %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("broke")
        logging.getLogger("httpx2").exception("broke")
    out = stderr.text
    assert out.count("[redacted:email]") >= 6
    for secret in SECRETS:
        assert secret not in out


def test_tracebacks_show_no_locals(stderr: Stderr) -> None:
    logs.configure("DEBUG", "json")
    document = "the confidential text of a document"
    try:
        raise KeyError(len(document))
    except KeyError:
        logs.get("memory").exception("broke")
    assert "confidential text" not in stderr.text
    assert "KeyError" in stderr.text


def test_timed_logs_the_duration_and_the_failure(stderr: Stderr) -> None:
    logs.configure("INFO", "json")
    log = logs.get("memory")
    with logs.log_duration(log, "retrieved", tenant="t") as line:
        line["n"] = 3
    with pytest.raises(ValueError), logs.log_duration(log, "retrieved"):
        raise ValueError("secret words")
    good, bad = stderr.lines()
    assert (good["n"], good["tenant"]) == (3, "t")
    assert isinstance(good["duration_ms"], float)
    assert (bad["failed"], bad["level"]) == ("ValueError", "warning")
    assert "secret words" not in stderr.text


def test_level_is_respected_and_configuring_twice_doubles_nothing(stderr: Stderr) -> None:
    logs.configure("WARNING", "json")
    logs.configure("WARNING", "json")
    logs.get("x").info("quiet")
    logs.get("x").warning("loud")
    assert [line["event"] for line in stderr.lines()] == ["loud"]


@pytest.mark.parametrize(
    ("wanted", "kept"), [("a-1:b.c_D", True), ("", False), ("a b", False), ("x" * 65, False), ("a\nb", False)]
)
def test_a_foreign_request_id_is_kept_only_when_plain(wanted: str, kept: bool) -> None:
    assert (logs.new_request_id(wanted) == wanted) is kept
    assert logs.new_request_id(None) != logs.new_request_id(None)


def test_failures_carry_the_request_id() -> None:
    with logs.request("abc"):
        assert AgentFailure.of("x", ValueError()).request_id == "abc"
