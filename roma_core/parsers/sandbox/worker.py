"""The inside of a sandbox: runs one parser on one file, in this process, and always has an answer.

``python -m roma_core.parsers.sandbox.worker`` is the worker process: it limits itself, says that it is ready and
serves jobs from stdin until stdin closes. Frames in both directions are ``[4 bytes length][JSON header][bytes]``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import struct
import sys
from typing import Protocol

from roma_core.errors import AgentFailure, ErrorCode, ParserError, guarded, run_without_waiting
from roma_core.parsers.archives import check_archive
from roma_core.parsers.base import ParseOptions
from roma_core.types import Document, Noun, RawDocument

AGENT = "parser"
MAX_HEADER = 1 << 20
SMALL = 1 << 20
"""Payloads up to this many bytes are copied behind their header."""
Result = Document | bytes | AgentFailure


class ParseJob(Noun):
    """A function to call on a file. ``target`` is ``module:function`` of ``(RawDocument, ParseOptions)``."""

    target: str
    parser_id: str
    media_type: str
    raw: RawDocument
    options: ParseOptions


def outcome(job: ParseJob) -> Result:
    """Run a parse job and return its result: a document (never an empty one), bytes, or the failure."""
    return run_without_waiting(guarded(AGENT, _attempt(job)))


async def _attempt(job: ParseJob) -> Document | bytes:
    try:
        return _finish(job, _call(job))
    except MemoryError:
        raise ParserError(
            "The file needs more memory than ROMA_PARSER_MEMORY_MB allows; raise it or split the file.",
            ErrorCode.PARSER_MEMORY,
        ) from None
    except RecursionError:
        raise ParserError("The file is nested too deeply to be read; it is damaged or hostile.") from None
    except TimeoutError:
        raise ParserError("A step of parsing ran out of time.", ErrorCode.PARSER_TIMEOUT) from None


def _call(job: ParseJob) -> Document | bytes:
    if job.raw.data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        check_archive(job.raw.data)
    module, _, name = job.target.partition(":")
    result: Document | bytes = getattr(importlib.import_module(module), name)(job.raw, job.options)
    return result


def _finish(job: ParseJob, result: Document | bytes) -> Document | bytes:
    if isinstance(result, bytes):
        return result
    if not result.text.strip():
        raise ParserError(
            "No text was found in the file; if it is a scan, install the extra 'ocr'.",
            ErrorCode.PARSER_EMPTY,
            details={"warnings": list(result.warnings)},
        )
    return result.model_copy(update={"parser": job.parser_id, "media_type": job.media_type})


class Stream(Protocol):
    """The part of a pipe that frames need: ``read`` gives fewer bytes than asked only at the end."""

    def read(self, size: int, /) -> bytes: ...

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> None: ...


def write_frame(stream: Stream, header: dict[str, object], payload: bytes = b"") -> None:
    """Write one message: its length, its JSON header and its payload."""
    head = json.dumps({**header, "size": len(payload)}).encode()
    start = struct.pack(">I", len(head)) + head
    if len(payload) <= SMALL:  # one write wakes the other side once
        stream.write(start + payload)
    else:
        stream.write(start)
        stream.write(payload)
    stream.flush()


def read_frame(stream: Stream) -> tuple[dict[str, object], bytes]:
    """One frame. Raises ``EOFError`` when the other side is gone, ``ValueError`` when it talks nonsense."""
    (length,) = struct.unpack(">I", _exactly(stream, 4))
    if length > MAX_HEADER:
        raise ValueError("frame header too long")
    header: dict[str, object] = json.loads(_exactly(stream, length))
    size = header["size"]
    if not isinstance(size, int) or size < 0:
        raise ValueError("frame without size")
    return header, _exactly(stream, size)


def _exactly(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def encode_job(job: ParseJob) -> tuple[dict[str, object], bytes]:
    """Return a parse job as a header and a payload."""
    header = job.model_dump(mode="json", exclude={"raw": {"content", "path"}})
    if job.options.readings is None:
        return header, job.raw.data
    readings = json.dumps(job.options.readings).encode()
    return {**header, "readings_size": len(readings)}, job.raw.data + readings


def decode_job(header: dict[str, object], data: bytes) -> ParseJob:
    """Return the parse job that ``encode_job`` wrote. Raises ValueError for a header without a file."""
    fields = {key: value for key, value in header.items() if key not in {"size", "readings_size"}}
    raw, options, size = fields["raw"], fields.get("options"), header.get("readings_size")
    if not isinstance(raw, dict) or not isinstance(options, dict):
        raise ValueError("job without a file")
    if isinstance(size, int) and size > 0:
        options = {**options, "readings": json.loads(data[-size:])}
        data = data[:-size]
    return ParseJob.model_validate({**fields, "options": options, "raw": {**raw, "data": data}})


def encode_result(result: Result) -> tuple[str, bytes]:
    """Return a parse result as its kind and a payload."""
    if isinstance(result, bytes):
        return "bytes", result
    kind = "document" if isinstance(result, Document) else "failure"
    return kind, result.model_dump_json().encode()


def decode_result(kind: object, payload: bytes) -> Result:
    """Return the result that ``encode_result`` wrote."""
    if kind == "bytes":
        return payload
    return (Document if kind == "document" else AgentFailure).model_validate_json(payload)


def serve(source: Stream, sink: Stream, limits: dict[str, float]) -> None:
    """Answer jobs until ``source`` ends."""
    from roma_core.parsers.sandbox import confine, deadline

    write_frame(sink, {"kind": "ready"})
    while True:
        try:
            header, data = read_frame(source)
        except EOFError:
            return
        confine.allow_cpu_seconds(limits["timeout_s"])
        deadline.start(limits["timeout_s"])
        result = outcome(decode_job(header, data))
        del data
        kind, payload = encode_result(result)
        write_frame(sink, {"kind": kind, "retire": confine.is_heavy(limits["memory_mb"], result)}, payload)


def main() -> None:
    """Confine this process, then answer parse jobs on its standard streams."""
    from roma_core.parsers.sandbox import confine

    limits: dict[str, float] = json.loads(sys.argv[1])
    # Libraries print; the pipe to the parent is moved out of their way.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    confine.confine(limits["memory_mb"], limits["file_mb"])
    gc.set_threshold(50_000, 20, 50)  # a page makes thousands of small objects and no cycles
    serve(sys.stdin.buffer, sink, limits)


if __name__ == "__main__":
    main()
