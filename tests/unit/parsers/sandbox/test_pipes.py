"""The parent's end of a worker's pipes: whole messages, or an error at the deadline."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from roma_core.parsers.sandbox import pipes
from roma_core.parsers.sandbox.pipes import Pipe


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, int, int]]:
    """A pipe, what its owner reads is written to the second, what it writes is read from the third."""
    inward, outward = os.pipe(), os.pipe()
    pipe = Pipe(os.fdopen(inward[0], "rb", buffering=0), os.fdopen(outward[1], "wb", buffering=0))
    pipe.allow(30)
    yield pipe, inward[1], outward[0]
    pipe.close()
    for end in (inward[1], outward[0]):
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


def test_messages_come_whole_however_they_are_cut(ends):
    pipe, theirs, _ = ends
    os.write(theirs, b"onetwo")
    assert pipe.read(3) == b"one" and pipe.read(3) == b"two"
    writer = threading.Thread(target=lambda: [os.write(theirs, b"x" * 70_000) for _ in range(40)])
    writer.start()
    assert pipe.read(2_800_000) == b"x" * 2_800_000
    writer.join()
    os.write(theirs, b"last")
    os.close(theirs)
    assert pipe.read(9) == b"last" and pipe.read(1) == b""


def test_what_is_larger_than_the_pipe_is_written_as_the_other_side_reads(ends):
    pipe, _, theirs = ends
    got = bytearray()

    def read() -> None:
        while len(got) < 5 << 20:
            got.extend(os.read(theirs, 1 << 20))

    reader = threading.Thread(target=read)
    reader.start()
    pipe.write(b"y" * (5 << 20))
    pipe.flush()
    reader.join()
    assert got == b"y" * (5 << 20)


def test_a_side_that_neither_reads_nor_writes_is_waited_for_until_the_deadline(ends):
    pipe, _, _ = ends
    pipe.allow(0.05)
    with pytest.raises(TimeoutError):
        pipe.read(1)
    pipe.allow(0.05)
    with pytest.raises(TimeoutError):
        pipe.write(b"z" * (64 << 20))
    with pytest.raises(TimeoutError):
        pipe.write(b"late")


def test_a_reader_that_is_gone_is_an_error(ends):
    pipe, _, theirs = ends
    os.close(theirs)
    with pytest.raises(BrokenPipeError):
        pipe.write(b"to nobody")


def test_systems_without_a_size_of_pipes_work_too(ends, monkeypatch):
    pipe, theirs, _ = ends
    monkeypatch.setattr(pipes, "_F_SETPIPE_SZ", None)
    pipes._widen(theirs)
    os.write(theirs, b"ok")
    assert pipe.read(2) == b"ok"
