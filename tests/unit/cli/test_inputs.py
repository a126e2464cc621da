"""A - in place of a text or of sources reads them from stdin."""

from __future__ import annotations

import io

import click
import pytest

from roma_core.cli.inputs import TEXT, read_lines


def give_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


@pytest.mark.parametrize("data", ["Wie hoch?\n", "\ufeffWie hoch?\n", "Was ist „Größe“?\nUnd warum?"])
def test_a_dash_is_the_text_of_stdin(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, data.encode())
    assert TEXT.convert("-", None, None) == data.lstrip("\ufeff")


def test_other_words_are_the_text_itself() -> None:
    assert TEXT.convert("why - or how?", None, None) == "why - or how?"


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "empty"), (b" \n", "empty"), ("Größe".encode("latin-1"), "not UTF-8"), (b"\xff\xfea", "iconv")],
)
def test_stdin_that_is_no_text_is_wrong_usage(data: bytes, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, data)
    with pytest.raises(click.UsageError, match=said):
        TEXT.convert("-", None, None)


def test_a_list_of_sources_is_read_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, b"a file.md\n\n  b.pdf  \r\n")
    assert read_lines() == ("a file.md", "b.pdf")
