"""Transcripts as Markdown with footnotes. Only what ROMA wrote is markup: the words of others are escaped."""

from __future__ import annotations

import re
from typing import Final

from roma_core.transcripts.blocks import Cell, StyledRun, TextBlock, clean_text, read_blocks
from roma_core.transcripts.transcript import (
    STATE_WORDS,
    Footnote,
    SignedAnswer,
    Transcript,
    TranscriptTurn,
    sign_answers,
)

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>~|$&!])")
_LINE_START: Final = re.compile(r"^(\s*)([#+=-]|\d{1,9}[.)])")


def write_markdown(transcript: Transcript) -> str:
    """Return a transcript as Markdown: each marker is a footnote with quote, source, place, offsets and hash."""
    parts = [f"# {escape(transcript.title)}"]
    answers = sign_answers(transcript)
    for turn, answer in zip(transcript.turns, answers, strict=True):
        parts += _write_turn(turn, answer)
    notes = [_write_footnote(note) for answer in answers for note in answer.footnotes]
    return "\n\n".join([*parts, *notes]) + "\n"


def _write_turn(turn: TranscriptTurn, answer: SignedAnswer) -> list[str]:
    parts = [f"## {escape(' '.join(turn.question.split()))}"]
    if turn.output is None:
        parts.append(f"*{STATE_WORDS.get(turn.state, '')}*")
    elif turn.output.proof:
        parts.append(f"*{escape(turn.output.proof)}*")
    parts += [_write_block(block) for block in read_blocks(answer.markdown, answer.signs)]
    if turn.output is not None and turn.output.removed:
        removed = [f"- ~~{escape(' '.join(one.text.split()))}~~" for one in turn.output.removed]
        parts.append("\n".join(["Taken out, because no source proves it:", "", *removed]))
    return parts


def _write_footnote(note: Footnote) -> str:
    details = " · ".join(escape(detail) for detail in note.details if detail)
    link = f" · <{note.link}>" if note.link else ""
    return f"[^{note.number}]: “{escape(note.quote)}” {escape(note.origin)}. {details}{link}"


def _write_block(block: TextBlock) -> str:
    indent = "    " * max(0, block.depth - block.is_quoted - bool(block.label)) if block.depth else ""
    quote = "> " if block.is_quoted else ""
    if block.kind == "rule":
        return "---"
    if block.kind == "table":
        text = _write_table(block)
    elif block.kind == "code":
        text = _write_code(block.runs[0].text)
    elif block.kind == "heading":
        text = f"{'#' * min(6, block.level + 2)} {write_runs(block.runs)}"
    else:
        text = _LINE_START.sub(r"\1\\\2", write_runs(block.runs))
    label = {"": "", "•": "- "}.get(block.label, f"{block.label} ")
    lines = (label + text.replace("\n", "\n" + " " * len(label))).split("\n")
    return "\n".join(f"{indent}{quote}{line}".rstrip() for line in lines)


def _write_code(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _write_table(block: TextBlock) -> str:
    rules = {"left": "---", "center": ":-:", "right": "--:"}
    rows = [f"| {' | '.join(write_runs(cell).replace(chr(10), ' ') for cell in row)} |" for row in block.rows]
    head = f"| {' | '.join(rules[alignment] for alignment in block.alignments)} |"
    return "\n".join([rows[0], head, *rows[1:]])


def write_runs(runs: Cell) -> str:
    """Return runs as Markdown of one block."""
    return "".join(_write_run(run) for run in runs)


def _write_run(run: StyledRun) -> str:
    if isinstance(run.sign, Footnote):
        return f"[^{run.sign.number}]"
    if run.sign is not None:
        return f" *({run.sign.words})*"
    if run.is_code:
        longest = max((len(ticks) for ticks in re.findall("`+", run.text)), default=0)
        ticks = "`" * (longest + 1)
        return f"{ticks} {run.text} {ticks}" if "`" in run.text else f"{ticks}{run.text}{ticks}"
    if run.text == "\n":
        return "  \n"
    text = escape(run.text)
    core = text.strip()
    if not core:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    marks = ("**" if run.is_bold else "") + ("*" if run.is_italic else "") + ("~~" if run.is_struck else "")
    words = f"{marks}{core}{marks[::-1]}"
    linked = f"[{words}](<{run.address.replace('<', '%3C').replace('>', '%3E')}>)" if run.address else words
    return f"{before}{linked}{after}"


def escape(text: str) -> str:
    """Return text whose signs of Markdown, HTML and formulas mean themselves.

    >>> escape("a <b> & [1] $x$")
    'a \\\\<b\\\\> \\\\& \\\\[1\\\\] \\\\$x\\\\$'
    """
    return _SPECIAL.sub(r"\\\1", clean_text(text))
