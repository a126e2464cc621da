"""SRT and WebVTT: what is said, in paragraphs that begin with their time."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from roma_core.errors import ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, one_line
from roma_core.parsers.text.encodings import decode
from roma_core.types import Document, RawDocument

_TIMES = re.compile(r"((?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3})")
_VOICE = re.compile(r"<v(?:\.[\w.]+)?\s+([^>]+)>")
_TAG = re.compile(r"</?[^<>]+>|\{\\[^}]*\}")
_SENTENCE_END = re.compile(r"[.!?…\"”»]\s*$")
PAUSE_S = 4.0
"""A silence that ends a paragraph."""
PARAGRAPH = 400
"""Characters after which a paragraph ends with its sentence."""


@dataclass(frozen=True)
class Cue:
    """A subtitle: from when to when, who speaks, and the words."""

    start_s: float
    end_s: float
    speaker: str
    text: str


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED`` when there is no cue, and ``EMPTY``."""
    warnings: list[str] = []
    cues = list(read_cues(decode(raw.data, warn=warnings.append)))
    if not cues:
        raise ParserError("The file has no timed lines; it is damaged or no subtitle file.")
    builder = DocumentBuilder(raw, options, "subtitles", warnings=warnings)
    builder.metadata = {"duration_s": max(cue.end_s for cue in cues)}
    for group in paragraphs(cues):
        speaker = f"{group[0].speaker}: " if group[0].speaker else ""
        builder.paragraph(f"[{clock(group[0].start_s)}] {speaker}{' '.join(cue.text for cue in group)}")
    return builder.build()


def read_cues(text: str) -> Iterator[Cue]:
    """Cues in order; notes, styles and numbers are left out, and so is a line that repeats the one before."""
    before = ""
    for part in re.split(r"\n[ \t]*\n", text):
        times = _TIMES.search(part)
        if times is None:
            continue
        body = part[times.end() :].partition("\n")[2]
        voice = _VOICE.search(body)
        words = one_line(html.unescape(_TAG.sub("", body)))
        if words and words != before:
            yield Cue(_seconds(times[1]), _seconds(times[2]), one_line(voice[1]) if voice else "", words)
            before = words


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total


def clock(seconds: float) -> str:
    """Return seconds as ``HH:MM:SS``."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def paragraphs(cues: list[Cue]) -> Iterator[list[Cue]]:
    """Cues that belong together: one speaker, no long pause, about ``PARAGRAPH`` characters."""
    group: list[Cue] = []
    for cue in cues:
        if group and _ends(group, cue):
            yield group
            group = []
        group.append(cue)
    if group:
        yield group


def _ends(group: list[Cue], cue: Cue) -> bool:
    last = group[-1]
    if cue.speaker != last.speaker or cue.start_s - last.end_s > PAUSE_S:
        return True
    size = sum(len(one.text) for one in group)
    return size > 3 * PARAGRAPH or (size > PARAGRAPH and _SENTENCE_END.search(last.text) is not None)
