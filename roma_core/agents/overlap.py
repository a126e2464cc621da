"""Do two texts speak of the same things? A check on what models write in place of a question. Pure."""

from __future__ import annotations

from roma_core.citations.words import read_words

LEAST_SHARE = 1 / 3
"""Least share of a text's content words that must come from its sources. A rewrite that puts in names and a synonym or
two stays above it; "The question already stands alone." and "I'm sorry, I cannot help with that." do not."""


def shares_words(text: str, *sources: str) -> bool:
    """True when enough of the content words of ``text`` stand in ``sources``; a text without any shares nothing.

    >>> shares_words("Who built the rope bridge?", "Who built it?", "When was the rope bridge built?")
    True
    """
    wanted = _content_stems(text)
    if not wanted:
        return False
    known: set[str] = set()
    for source in sources:
        known |= _content_stems(source)
    return len(wanted & known) >= LEAST_SHARE * len(wanted)


def _content_stems(text: str) -> set[str]:
    return {word.stem for word in read_words(text) if word.is_content}
