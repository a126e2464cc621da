"""Limits of a worker, each function by itself; nothing here limits the process that tests run in."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.sandbox import confine


class Machine:
    """Stands for the system: remembers the limits that are set, and refuses those it is told to refuse."""

    def __init__(self, refused: frozenset[int] = frozenset(), hard: int = resource.RLIM_INFINITY) -> None:
        self.refused, self.hard = refused, hard
        self.limits: dict[int, tuple[int, int]] = {}
        self.hooks: list[object] = []
        self.threads: list[tuple[object, tuple[object, ...], bool]] = []
        self.unshared: list[int] = []

    def getrlimit(self, which: int) -> tuple[int, int]:
        return self.hard, self.hard

    def setrlimit(self, which: int, pair: tuple[int, int]) -> None:
        if which in self.refused:
            raise ValueError("not on this platform")
        self.limits[which] = pair

    def thread(self, target, args, daemon):
        self.threads.append((target, args, daemon))
        return self

    def start(self) -> None:
        return None

    def library(self, name: None, use_errno: bool) -> Machine:
        return self

    def unshare(self, flags: int) -> int:
        self.unshared.append(flags)
        return -1  # as in a container that forbids it


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    def install(**options: object) -> Machine:
        made = Machine(**options)
        monkeypatch.setattr(resource, "getrlimit", made.getrlimit)
        monkeypatch.setattr(resource, "setrlimit", made.setrlimit)
        monkeypatch.setattr(sys, "addaudithook", made.hooks.append)
        monkeypatch.setattr(confine.threading, "Thread", made.thread)
        monkeypatch.setattr(confine.ctypes, "CDLL", made.library)
        return made

    return install


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("socket.connect", ()),
        ("socket.getaddrinfo", ("host", 80)),
        ("socket.sendto", ()),
        ("os.system", ("ls",)),
        ("os.fork", ()),
        ("os.posix_spawn", ("ls",)),
        ("os.posix_spawn", ("/bin/sh", ["tesseract"], {})),
        ("subprocess.Popen", ("/bin/sh", ["sh"])),
        ("subprocess.Popen", ("/tmp/tesseract/sh", ["sh"])),
    ],
)
def test_network_and_programs_are_refused(event, args):
    with pytest.raises(PermissionError, match="a parser may not"):
        confine.refuse_event(event, args)


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("subprocess.Popen", ("/usr/bin/tesseract", [])),
        ("os.posix_spawn", ("/usr/bin/tesseract", [], {})),
        ("open", ("a.pdf", "r")),
        ("import", ("lxml",)),
    ],
)
def test_reading_and_tesseract_are_allowed(event, args):
    assert confine.refuse_event(event, args) is None


def test_every_limit_is_set(machine, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    made = machine()
    confine.confine(100, 10)
    assert made.hooks == [confine.refuse_event] and made.threads == []
    assert made.limits[resource.RLIMIT_AS] == (100 << 20, 100 << 20)
    assert made.limits[resource.RLIMIT_FSIZE] == (10 << 20, 10 << 20)
    assert made.limits[resource.RLIMIT_CORE] == (0, 0)
    assert made.unshared == [0x10000000 | 0x40000000]


def test_limits_never_rise_above_the_hard_ones(machine):
    made = machine(hard=50)
    assert confine.lower_limit(resource.RLIMIT_NOFILE, 512) and made.limits[resource.RLIMIT_NOFILE] == (50, 50)
    assert confine.lower_limit(resource.RLIMIT_CPU, 20, keep_hard=True) and made.limits[resource.RLIMIT_CPU] == (20, 50)


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_a_watchdog_guards_memory_where_the_system_does_not(machine, monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    made = machine(refused=frozenset({resource.RLIMIT_AS}))
    confine.confine(100, 10)
    assert made.threads == [(confine.watch_memory, (100,), True)]
    assert made.unshared == ([] if platform == "darwin" else [0x50000000])


def test_the_watchdog_ends_a_process_that_grew(monkeypatch):
    class Ended(BaseException):
        pass

    def leave(status: int) -> None:
        raise Ended(status)

    sizes, naps = iter([50.0, 99.0, 101.0]), []
    monkeypatch.setattr(confine, "resident_mb", lambda: next(sizes))
    monkeypatch.setattr(confine.os, "_exit", leave)
    monkeypatch.setattr(confine.time, "sleep", naps.append)
    with pytest.raises(Ended, match=str(confine.EXIT_MEMORY)):
        confine.watch_memory(100)
    assert len(naps) == 2


def test_cpu_time_is_what_was_used_and_the_file_s_share(machine, monkeypatch):
    made = machine()
    monkeypatch.setattr(confine.os, "cpu_count", lambda: None)
    used = resource.getrusage(resource.RUSAGE_SELF)
    confine.allow_cpu_seconds(60)
    soft, hard = made.limits[resource.RLIMIT_CPU]
    assert soft >= int(used.ru_utime + used.ru_stime + 60) + 2 and hard == resource.RLIM_INFINITY


def test_sizes_are_mebibytes_on_every_platform(monkeypatch):
    assert 1 < confine.resident_mb() <= confine.peak_mb() * 1.5
    kibibytes = confine.peak_mb()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert confine.peak_mb() == pytest.approx(kibibytes / 1024, rel=0.2)


def test_the_peak_counts_where_the_system_does_not_tell_the_size(monkeypatch):
    def missing(self: Path, encoding: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(confine, "peak_mb", lambda: 123.0)
    assert confine.resident_mb() == 123.0
    assert confine.is_heavy(200, b"") and not confine.is_heavy(300, b"")


def test_a_worker_out_of_memory_is_replaced(monkeypatch):
    monkeypatch.setattr(confine, "resident_mb", lambda: 1.0)
    spent = AgentFailure(code=ErrorCode.PARSER_MEMORY, agent="parser", recoverable=False, message="m")
    other = AgentFailure(code=ErrorCode.PARSER_EMPTY, agent="parser", recoverable=False, message="m")
    assert confine.is_heavy(100, spent) and not confine.is_heavy(100, other)
