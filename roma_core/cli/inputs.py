"""Arguments that may come from stdin: - in place of a text or of a file."""

from __future__ import annotations

import sys

import click

MOST_BYTES = 64 << 20


class TextOrStdin(click.ParamType):
    """A text of at least one word; - reads it from stdin."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text. One without a word is wrong usage."""
        text = read_stdin() if value == "-" else value
        if not text.strip():
            self.fail(f"The {param.human_readable_name.lower() if param else 'text'} is empty.", param, ctx)
        return text


TEXT = TextOrStdin()


def read_stdin() -> str:
    """Return what stdin holds as text. Raises ``UsageError`` when it is not UTF-8 or too large.

    >>> read_stdin()  # echo why | roma ask -  # doctest: +SKIP
    'why\\n'
    """
    raw = getattr(sys.stdin, "buffer", None)
    if raw is None:  # a stream of text, as a program that calls main() may set
        return sys.stdin.read()
    if sys.stdin.isatty():
        click.echo("Type the text, then press Ctrl-D.", err=True)
    data: bytes = raw.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise click.UsageError("stdin holds more than 64 MiB; name a file instead.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"stdin is not UTF-8 (byte {error.start}); convert it first, as with iconv -f latin1 -t utf-8."
        ) from None


def read_lines() -> tuple[str, ...]:
    """Return the lines of stdin that are not empty: ``find . -name '*.md' | roma ingest -``."""
    return tuple(line.strip() for line in read_stdin().splitlines() if line.strip())
