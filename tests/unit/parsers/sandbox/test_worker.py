"""What a worker says and hears: frames, jobs and answers, in this process and over buffers."""

from __future__ import annotations

import gc
import io
import json
import math
import os
import struct
import sys
from pathlib import Path

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox import confine, deadline, worker
from roma_core.parsers.sandbox.worker import ParseJob
from roma_core.types import Document, RawDocument
from tests.fixtures import make_office

LIMITS = {"timeout_s": 5.0, "memory_mb": 1e9, "file_mb": 10.0}


@pytest.fixture(autouse=True)
def targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(confine, "allow_cpu_seconds", lambda seconds: None)  # this process keeps its limits
    monkeypatch.setattr(deadline, "_end", math.inf)


def job(name: str, data: bytes = b"data") -> ParseJob:
    raw = RawDocument(uri="file:///a.txt", data=data)
    target = f"hostile_targets:{name}"
    return ParseJob(
        target=target, parser_id="test/1", media_type="text/plain", raw=raw, options=ParseOptions(pages=(2,))
    )


def frames(data: bytes) -> list[tuple[dict[str, object], bytes]]:
    stream, found = io.BytesIO(data), []
    while stream.tell() < len(data):
        found.append(worker.read_frame(stream))
    return found


def sent(*jobs: ParseJob) -> io.BytesIO:
    stream = io.BytesIO()
    for one in jobs:
        worker.write_frame(stream, *worker.encode_job(one))
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EOFError),
        (b"\x00\x00", EOFError),
        (struct.pack(">I", 10) + b"{}", EOFError),
        (struct.pack(">I", worker.MAX_HEADER + 1), ValueError),
        (struct.pack(">I", 2) + b"no", ValueError),
        (struct.pack(">I", 13) + b'{"size": "9"}', ValueError),
        (struct.pack(">I", 12) + b'{"size": -1}', ValueError),
        (struct.pack(">I", 11) + b'{"size": 5}' + b"abc", EOFError),
    ],
    ids=["gone", "cut length", "cut header", "long", "no JSON", "size of words", "negative", "cut payload"],
)
def test_frames_that_are_no_frames_are_refused(data, error):
    with pytest.raises(error):
        worker.read_frame(io.BytesIO(data))


def test_jobs_and_answers_survive_the_pipe():
    (header, data) = frames(sent(job("echo", b"\x00bytes\xff")).getvalue())[0]
    assert worker.decode_job(header, data) == job("echo", b"\x00bytes\xff")
    document = worker.outcome(job("echo"))
    failure = worker.outcome(job("refuse"))
    assert isinstance(document, Document) and isinstance(failure, AgentFailure)
    for result in (b"\x89PNG", document, failure):
        assert worker.decode_result(*worker.encode_result(result)) == result


def test_a_job_without_a_file_is_refused():
    with pytest.raises(ValueError, match="without a file"):
        worker.decode_job({"size": 0, "raw": "words"}, b"")


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (MemoryError(), ErrorCode.PARSER_MEMORY),
        (RecursionError(), ErrorCode.PARSER_MALFORMED),
        (TimeoutError(), ErrorCode.PARSER_TIMEOUT),
        (ZeroDivisionError(), ErrorCode.INTERNAL),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_parser_raises_is_a_typed_failure(monkeypatch, raised, code):
    import hostile_targets

    def target(raw: RawDocument, options: ParseOptions) -> Document:
        raise raised

    monkeypatch.setattr(hostile_targets, "echo", target)
    failure = worker.outcome(job("echo"))
    assert isinstance(failure, AgentFailure) and failure.code is code and failure.message


def test_a_parser_that_waits_is_a_defect(monkeypatch):
    async def attempt(one: ParseJob) -> Document:
        import asyncio

        await asyncio.sleep(0)
        return worker._call(one)

    monkeypatch.setattr(worker, "_attempt", attempt)
    with pytest.raises(RuntimeError, match="must not wait"):
        worker.outcome(job("echo"))


def test_archives_are_checked_before_a_parser_sees_them():
    bomb = make_office.packed({"a.xml": b"\0" * (40 << 20)})
    failure = worker.outcome(job("echo", bomb))
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.PARSER_TOO_LARGE


def test_a_worker_answers_each_job_until_its_source_ends():
    sink = io.BytesIO()
    worker.serve(sent(job("echo", b"one"), job("refuse"), job("show_environment")), sink, LIMITS)
    ready, *answers = frames(sink.getvalue())
    assert ready[0]["kind"] == "ready"
    assert [header["kind"] for header, _ in answers] == ["document", "failure", "bytes"]
    assert not any(header["retire"] for header, _ in answers)
    first = worker.decode_result(answers[0][0]["kind"], answers[0][1])
    assert isinstance(first, Document) and first.text == "one" and first.parser == "test/1"
    assert deadline.remaining_s() <= LIMITS["timeout_s"]  # each job began a time of its own


def test_a_worker_that_holds_too_much_asks_to_be_replaced():
    sink = io.BytesIO()
    worker.serve(sent(job("echo")), sink, {**LIMITS, "memory_mb": 1.0})
    assert frames(sink.getvalue())[1][0]["retire"] is True


def test_a_worker_confines_itself_before_it_says_that_it_is_ready(monkeypatch):
    calls: list[object] = []
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "argv", ["worker", json.dumps(LIMITS)])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(sent(job("echo"))))
    monkeypatch.setattr(os, "dup", lambda descriptor: calls.append(("dup", descriptor)) or writing)
    monkeypatch.setattr(os, "dup2", lambda old, new: calls.append(("dup2", old, new)))
    monkeypatch.setattr(confine, "confine", lambda *limits: calls.append(("confine", *limits)))
    monkeypatch.setattr(gc, "set_threshold", lambda *steps: None)
    served = worker.serve

    def serve(source, sink, limits):
        calls.append("serve")
        served(source, sink, limits)
        sink.close()

    monkeypatch.setattr(worker, "serve", serve)
    worker.main()
    with os.fdopen(reading, "rb") as pipe:
        kinds = [header["kind"] for header, _ in frames(pipe.read())]
    # What libraries print to descriptor 1 goes to stderr; answers go to what descriptor 1 was.
    assert calls == [("dup", 1), ("dup2", 2, 1), ("confine", 1e9, 10.0), "serve"]
    assert kinds == ["ready", "document"]
