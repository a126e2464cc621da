"""SimHash: the value by its definition, near for near texts."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from roma_core.ingestion import simhash as module
from roma_core.ingestion.simhash import bands, near, simhash

TEXT = " ".join(f"word{n % 37} of the harbour {n * n % 101}" for n in range(200))


def by_definition(text: str) -> int:
    words = text.lower().split()
    weights = [0] * 64
    for shingle, count in Counter(zip(words, words[1:], words[2:], strict=False)).items():
        bits = int.from_bytes(hashlib.blake2b(" ".join(shingle).encode(), digest_size=8).digest(), "big")
        for i in range(64):
            weights[i] += count if bits >> i & 1 else -count
    return sum(1 << i for i in range(64) if weights[i] > 0)


@pytest.mark.parametrize("block", [1, 7, 4096])
def test_value_is_that_of_the_definition(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    assert simhash(TEXT) == by_definition(TEXT)


def test_near_texts_have_near_values_and_share_a_band() -> None:
    one, two = simhash(TEXT), simhash(TEXT.replace("word5 ", "word6 ", 1))
    assert one is not None and two is not None
    assert near(one, two) and set(bands(one)) & set(bands(two))
    other = simhash(" ".join(f"lantern {n} burns at quay {n * 3}" for n in range(200)))
    assert other is not None and not near(one, other)


def test_short_texts_have_none() -> None:
    assert simhash("too short to tell") is None
