"""What is printed reaches a terminal without control characters, and a pipe as plain rows."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from roma_core.cli.output import write, write_json, write_table
from roma_core.terminal import neutralise

ESCAPES = [
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x1b]52;c;aGk=\x07",
    "\x1b]8;;https://evil.example\x1b\\",
    "\x9b31m",
    "\u202eabc",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_a_control_sequence_becomes_visible_text(text: str) -> None:
    shown = neutralise(f"before {text} after")
    assert shown.isprintable() and shown.startswith("before \\") and shown.endswith(" after")


def test_line_feeds_and_tabs_stay() -> None:
    assert neutralise("a\tb\nc") == "a\tb\nc"


@pytest.mark.parametrize("text", ESCAPES)
def test_json_holds_no_control_character_and_the_same_value(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"text": text})
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert json.loads(out) == {"text": text}


def test_a_piped_table_has_one_row_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_table("", ["state", "item"], [("failed", "a/very " + "long " * 60 + "path"), (None, "two\nlines \x1b[1m")])
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "state\titem" and lines[1].startswith("failed\ta/very long") and lines[2] == "\ttwo lines \\x1b[1m"
    )
    assert len(lines) == 3


def test_a_character_that_the_terminal_lacks_is_shown_as_its_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    from roma_core.cli.output import prepare_streams

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    prepare_streams()
    write("“Zoë”")
    sys.stdout.flush()
    assert raw.getvalue() == rb"\u201cZo\xeb\u201d" + b"\n"


def test_a_pipe_whose_reader_has_gone_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "from roma_core.cli.output import write, flush_output\nfor _ in range(9999): write('words')\nflush_output()"
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
