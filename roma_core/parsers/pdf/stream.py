"""The order in which a file draws its lines: a second opinion on the order in which they are read.

Most programs write a page in reading order; some write it row by row or part by part. So the stream is believed only
where it walks down: a line, then the one right below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from roma_core.parsers.pdf.check import sentence_pairs
from roma_core.parsers.pdf.layout import Line

MAX_STEP_EM = 2.5
"""Lines of one run are at most this far apart, from bottom to bottom."""


def in_stream_order(lines: Sequence[Line]) -> list[Line]:
    """Return the lines as the file draws them."""
    return sorted(lines, key=lambda line: line.order)


def stream_joints(lines: Sequence[Line]) -> list[str]:
    """Return the joints of sentences that run from a line to the one right below it, which the file draws next."""
    joints: list[str] = []
    for one, two in pairwise(in_stream_order(lines)):
        if _is_right_below(one, two):
            joints += sentence_pairs([one.text, two.text])
    return joints


def stream_regions(lines: Sequence[Line]) -> list[list[Line]]:
    """Return the lines as the runs in which the file walks down the page or along a row."""
    runs: list[list[Line]] = []
    for line in in_stream_order(lines):
        if runs and (_is_right_below(runs[-1][-1], line) or _is_beside(runs[-1][-1], line)):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def _is_right_below(one: Line, two: Line) -> bool:
    size = max(one.size, two.size, 1.0)
    step = two.bottom - one.bottom
    overlap = min(one.x1, two.x1) - max(one.x0, two.x0)
    return 0.3 * size < step <= MAX_STEP_EM * size and overlap > 0.3 * min(one.x1 - one.x0, two.x1 - two.x0)


def _is_beside(one: Line, two: Line) -> bool:
    return abs(two.bottom - one.bottom) < 0.3 * max(one.size, 1.0)
