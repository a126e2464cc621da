"""Which sources are said to disagree: those that speak of the same thing."""

from __future__ import annotations

import pytest

from roma_core.types import Chunk, ScoredChunk
from roma_core.writers import ExtractiveWriter

SAID = ("It is a client library for Python 3.", "It is a client library for Python 2.")


def passage(title: str, text: str, rank: int) -> ScoredChunk:
    held = Chunk(
        id=title, document_id=title, uri=f"file:///{title}.md", title=title, text=text, start=0, end=len(text),
    )  # fmt: skip
    return ScoredChunk(chunk=held, score=1.0, rank=rank, retriever="test")


@pytest.mark.parametrize(
    ("titles", "disagree"),
    [
        (("plover: Features", "plover: Install"), True),
        (("plover: Features", "plover2: Features"), False),
        (("Plover3 guide", "Plover guide"), False),
        (("Plover 2024", "Plover 2025"), True),
        (("Plover guide v2", "Plover guide v3"), True),
        (("plover", "plover-slim"), False),
        (("plover-mock", "plover-cov"), False),
        (("plover_mock: Features", "plover_cov: Features"), False),
    ],
)
async def test_a_numbered_name_is_another_thing_than_the_bare_one(titles: tuple[str, str], disagree: bool) -> None:
    passages = [passage(title, said, rank) for rank, (title, said) in enumerate(zip(titles, SAID, strict=True), 1)]
    answer = await ExtractiveWriter().answer("Which Python is the client library for?", passages)
    assert ("sources disagree" in "".join(answer.pieces)) is disagree


@pytest.mark.parametrize(
    ("other", "disagree"),
    [
        (("heron: Features", "It is a client library for Python 2."), False),
        (("heron: Features", "The library plover is a client for Python 2."), True),
        (("plover: Install", "It is a client library for Python 2."), True),
    ],
)
async def test_what_is_said_of_another_thing_than_the_named_one_denies_nothing(
    other: tuple[str, str], disagree: bool
) -> None:
    passages = [passage("plover: Features", SAID[0], 1), passage(*other, 2)]
    answer = await ExtractiveWriter().answer("Which Python is the client library plover for?", passages)
    assert ("sources disagree" in "".join(answer.pieces)) is disagree
