"""From bytes to frames: event streams, lines and documents, in any pieces."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.llm.providers.frames import FrameReader, WireFrame

EVENTS = 'event: a\ndata: {"n": 1}\n\ndata: {"n": "ü😀"}\n\n'
FRAMES = [WireFrame("a", '{"n": 1}'), WireFrame("", '{"n": "ü😀"}')]


def read(data: bytes, sizes: list[int] | None = None) -> list[WireFrame]:
    reader, frames, place = FrameReader(), [], 0
    for size in [*(sizes or []), len(data)]:
        frames += reader.feed(data[place : place + size])
        place += size
    return frames + reader.close()


@given(st.lists(st.integers(0, 9), max_size=60), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_pieces_line_ends_and_a_mark_of_byte_order_change_nothing(sizes: list[int], end: str, marked: bool) -> None:
    data = (b"\xef\xbb\xbf" if marked else b"") + EVENTS.replace("\n", end).encode()
    assert read(data, sizes) == FRAMES


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), st.lists(st.integers(1, 5)))
def test_any_text_comes_through_to_the_letter(text: str, sizes: list[int]) -> None:
    data = "data: " + json.dumps({"t": text}, ensure_ascii=False)
    frames = read(f"{data}\n\n".encode(), sizes)
    assert [json.loads(frame.data) for frame in frames] == [{"t": text}]


def test_a_document_waits_for_its_end_and_lines_do_not() -> None:
    reader = FrameReader()
    assert reader.feed(b'{"n": 1}\n{"n"') == [WireFrame("", '{"n": 1}')]
    assert reader.feed(b": 2}\n") == [WireFrame("", '{"n": 2}')]
    assert reader.close() == []
    assert read(b'{\n "n": 1\n}\n') == [WireFrame("", '{\n "n": 1\n}')]


def test_what_is_no_frame_is_counted() -> None:
    reader = FrameReader()
    assert reader.feed(b": fine\n\nupstream error\n\n") == []
    assert (reader.unread_bytes, reader.first_unread) == (len(b"upstream error"), "upstream error")


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\n", b"\xef"])
def test_next_to_nothing_is_nothing(data: bytes) -> None:
    assert [frame for frame in read(data) if frame.data] == []
