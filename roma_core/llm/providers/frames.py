"""From the bytes of a response to the JSON texts that it is made of.

Servers send event streams, lines of JSON, or one JSON document, and their ``Content-Type`` does not always say which.
So the first byte decides. The rules for event streams are those of the HTML standard, section 9.2.6, read tolerantly:

- one byte order mark is passed over, lines end in LF, CR or CRLF, ``:`` begins a comment;
- a blank after ``data:`` and the blank line between two events may be missing;
- each line of JSON may begin with a record separator (RFC 7464);
- what follows the last line end counts, and so does JSON that stands on a line without ``data:``.

Nothing is dropped in silence: ``unread_bytes`` counts what is neither a frame nor a comment.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n\x1e"
"""Bytes that may precede the first one with content; the last is the separator of JSON text sequences."""
MOST_FRAME_BYTES = 64 << 20
"""A line or document that is longer is no answer of a model."""

_MOST_PRINTED_CHARS = 100_000
"""A value as Python prints it is read up to this length."""

KEEP_ALIVE = frozenset({"", "ping", "keep-alive", "keepalive", "heartbeat", ":"})
"""Data that says nothing but that the server lives."""

Layout = Literal["unknown", "events", "lines", "document"]


class WireFrame(NamedTuple):
    """The data of one event, and its ``event:`` field where there was one."""

    event: str
    data: str


class FrameTooLong(ValueError):  # noqa: N818  (says what it is)
    """A frame passes ``MOST_FRAME_BYTES``."""


class FrameReader:
    """Splits one response into frames. ``feed`` takes its bytes in any pieces, ``close`` gives what is left.

    ::

        reader = FrameReader()
        frames = reader.feed(b'data: {"a"') + reader.feed(b": 1}") + reader.close()
        assert frames == [WireFrame("", '{"a": 1}')]
    """

    def __init__(self) -> None:
        self.layout: Layout = "unknown"
        self.unread_bytes = 0
        self.first_unread = ""
        """The first line that was not understood."""
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._after_cr = False
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[WireFrame]:
        """Return the frames that ``chunk`` completes. Raises ``FrameTooLong``."""
        if self.layout == "events" and not self._pieces and not self._data and _is_one_event(chunk):
            self._after_cr = False
            return [WireFrame(self._take_event(), self._decode(chunk[6:-2]))]
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if self.layout == "unknown":
            chunk = self._recognize(chunk)
        if not chunk:
            return []
        if b"\n" not in chunk and b"\r" not in chunk:
            self._hold(chunk)
            return []
        whole = b"".join((*self._pieces, chunk))
        self._pieces.clear()
        self._held_bytes = 0
        if self.layout == "document":
            return self._document_lines(whole)
        return list(self._read_lines(whole))

    def close(self) -> list[WireFrame]:
        """Return the frames of what was not ended by a line end or a blank line."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        if self.layout == "unknown":
            rest = rest.removeprefix(BOM)
            self.layout = "events"
        if self.layout == "document":
            return [WireFrame("", self._decode(rest.strip()))] if rest.strip() else []
        frames = list(self._read_line(rest)) if rest else []
        return [*frames, *self._dispatch()]

    def _recognize(self, chunk: bytes) -> bytes:
        """Decide the layout by the first byte that is no blank; return what is to be read now."""
        head = b"".join((*self._pieces, chunk))
        self._pieces.clear()
        if BOM.startswith(head[:3]) and len(head) < len(BOM):
            self._pieces.append(head)
            return b""
        head = head.removeprefix(BOM).lstrip(_BLANKS)
        if not head:
            return b""
        self.layout = "document" if head[:1] in b"{[<" else "events"
        return head

    def _hold(self, piece: bytes) -> None:
        self._held_bytes += len(piece)
        if self._held_bytes > MOST_FRAME_BYTES:
            raise FrameTooLong
        self._pieces.append(piece)

    def _document_lines(self, whole: bytes) -> list[WireFrame]:
        """Return the lines when each is JSON by itself; otherwise wait for the whole document."""
        first, separator, _ = whole.partition(b"\n")
        if separator and _is_json(self._decode(first)):
            self.layout = "lines"
            return list(self._read_lines(whole))
        self._hold(whole)
        return []

    def _read_lines(self, whole: bytes) -> Iterator[WireFrame]:
        lines = whole.splitlines()
        self._after_cr = whole.endswith(b"\r")
        if not whole.endswith((b"\n", b"\r")):
            self._hold(lines.pop())
        for line in lines:
            yield from self._read_line(line)

    def _read_line(self, line: bytes) -> Iterator[WireFrame]:
        if not line:
            yield from self._dispatch()
            return
        text = self._decode(line)
        stripped = text.lstrip("\ufeff \t\x1e")
        if stripped.startswith(":"):
            return
        if stripped.startswith(("{", "[")):
            yield from self._add_data(stripped)
            if self.layout == "lines":
                yield from self._dispatch()
            return
        name, colon, value = stripped.partition(":")
        value = value.removeprefix(" ")
        match name.strip().lower():
            case "data" if colon:
                yield from self._add_data(value)
            case "event":
                yield from self._dispatch()
                self._event = value.strip()
            case "error" if colon:
                yield from self._dispatch()
                yield WireFrame("error", value)
            case "id" | "retry":
                return
            case _:
                self._leave_unread(len(line), text)

    def _add_data(self, value: str) -> Iterator[WireFrame]:
        """Add a line to the event. A line after whole JSON begins the next one: the blank line was left out."""
        if self._data and (self._data[-1] == "[DONE]" or _is_json("\n".join(self._data))):
            event = self._event
            yield from self._dispatch()
            self._event = event
        self._data.append(value)

    def _dispatch(self) -> Iterator[WireFrame]:
        event = self._take_event()
        if not self._data:
            return
        data = "\n".join(self._data)
        self._data.clear()
        yield WireFrame(event, data)

    def _take_event(self) -> str:
        event, self._event = self._event, ""
        return event

    def _leave_unread(self, size: int, sample: str) -> None:
        self.unread_bytes += size
        self.first_unread = self.first_unread or sample

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            text = data.decode("utf-8", "replace")
            self._leave_unread(text.count("\ufffd"), "")
            return text


def _is_one_event(chunk: bytes) -> bool:
    """Return whether ``chunk`` is exactly one event of one line, as nearly all chunks are."""
    return (
        chunk.startswith(b"data: ")
        and chunk.endswith(b"\n\n")
        and chunk.find(b"\n") == len(chunk) - 2
        and b"\r" not in chunk
    )


def _is_json(text: str) -> bool:
    if not text.rstrip().endswith(("}", "]")):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def read_json_like(text: str) -> Any:
    """Return what text says that is nearly JSON: several objects without a separator, or a value as Python prints it.

    None where it is neither.

    >>> read_json_like('{"a": 1}{"a": 2}'), read_json_like("b'{}'"), read_json_like("{'a': None}")
    ([{'a': 1}, {'a': 2}], '{}', {'a': None})
    """
    if text.startswith("{") and '}{"' in text:
        return _read_glued(text)
    if not text.startswith(("{'", "b'", 'b"', "[{'")) or len(text) > _MOST_PRINTED_CHARS:
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _read_glued(text: str) -> list[Any] | None:
    decoder = json.JSONDecoder()
    values, place = [], 0
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except ValueError:
            return None
        values.append(value)
    return values
