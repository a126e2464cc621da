"""The ranker of last resort: shared words, for when no cross-encoder is configured."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_STOP_WORDS = """
a about an and are as at be been but by can could did do does for from had has have how i in into is it its me my no
not of on or our should so than that the their then there these they this to us was we were what when where which
while who whom whose why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


class OverlapRanker:
    """Scores a text by the share of the question's content words that it holds, rare ones counting more (0..1)."""

    name = "overlap"

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return a score a text. A word's weight is ``ln(1 + n / df)`` over the ``n`` texts."""
        wanted = _content_words(question)
        held = [_content_words(text) for text in texts]
        weights: dict[str, float] = {}
        for word in wanted:
            frequency = sum(word in words for words in held)
            weights[word] = math.log1p(len(texts) / max(1, frequency))
        whole = math.fsum(weights.values())
        if not whole:
            return [0.0] * len(texts)
        return [math.fsum(weights[word] for word in wanted & words) / whole for words in held]


def _content_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if word not in _STOP}
