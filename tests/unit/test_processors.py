"""The meter of the benches counts processes that nobody waits for."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.processors import LOOK_S, ProcessorMeter

BURNT_S = 0.4
SEEN_S = BURNT_S / 2
"""The system counts in ticks, and a busy machine looks late."""
PATIENCE_S = 30.0
BURN = f"""
import sys, time
while time.process_time() < {BURNT_S}:
    pass
print("burnt", flush=True)
sys.stdin.read()
"""
LEAVE_A_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {BURN!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print("left", flush=True)
sys.stdin.read()
"""


def test_time_of_a_grandchild_whose_parent_was_killed_stands() -> None:
    with ProcessorMeter() as meter:
        parent = subprocess.Popen([sys.executable, "-c", LEAVE_A_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert parent.stdout is not None
        parent.stdout.readline()
        until = time.monotonic() + PATIENCE_S
        while meter.seconds < SEEN_S and time.monotonic() < until:
            time.sleep(LOOK_S)
        parent.kill()
        parent.wait()
    assert meter.seconds >= SEEN_S
    parent.communicate()


def test_time_of_before_is_not_counted() -> None:
    with ProcessorMeter() as first:
        sum(range(3_000_000))
    with ProcessorMeter() as second:
        pass
    assert second.seconds < first.seconds
