"""Log lines: one shape for all, the request's id on each, nothing personal or secret in any."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from roma_core.errors import AgentFailure, request_id
from roma_core.telemetry import logs

SECRETS = ["bob@example.org", "4111 1111 1111 1111", "sk-ant-api03-abcdefgh12345678ABCD", "203.0.113.9", "hunter2!"]


class Stderr:
    """What was written to stderr so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    @property
    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Stderr]:
    yield Stderr(capsys)
    logs.configure()


def test_structured_logging_includes_request_id(stderr: Stderr) -> None:
    logs.configure("INFO", "json")
    with logs.request("abc-1") as current:
        logs.get("memory").info("retrieved", n=20)
        logging.getLogger("some.library").warning("from %s", "a library")
    logs.get("memory").info("outside")
    inside, library, outside = stderr.lines()
    assert current == "abc-1"
    assert (inside["request_id"], inside["agent"], inside["event"], inside["n"]) == ("abc-1", "memory", "retrieved", 20)
    assert isinstance(inside["duration_ms"], float)
    assert inside["level"] == "info"
    assert "timestamp" in inside
    assert (library["request_id"], library["agent"], library["event"]) == ("abc-1", "some", "from a library")
    assert outside["request_id"] is None


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
    with logs.timed(log, "retrieved", tenant="t") as line:
        line["n"] = 3
    with pytest.raises(ValueError), logs.timed(log, "retrieved"):
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
