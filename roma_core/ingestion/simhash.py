"""Near-duplicates by SimHash. Pure.

Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002; 64 bits and at most 3 different ones
as in Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter

NEAR = 3
SHINGLE = 3
LEAST_WORDS = 24
"""Shorter texts share too few shingles for the number of bits to mean anything."""
BANDS = 4
"""With at most ``NEAR`` different bits, one of four bands of 16 is equal."""
_WORD = re.compile(r"\w+")


def simhash(text: str) -> int | None:
    """64 bits, near for texts that share most of their runs of three words; None for short texts."""
    words = _WORD.findall(text.lower())
    if len(words) < LEAST_WORDS:
        return None
    weights = [0] * 64
    for shingle, count in Counter(zip(words, words[1:], words[2:], strict=False)).items():
        bits = int.from_bytes(hashlib.blake2b(" ".join(shingle).encode(), digest_size=8).digest(), "big")
        for i in range(64):
            weights[i] += count if bits >> i & 1 else -count
    return sum(1 << i for i in range(64) if weights[i] > 0)


def bands(value: int) -> list[int]:
    return [value >> 16 * i & 0xFFFF for i in range(BANDS)]


def near(a: int, b: int) -> bool:
    return (a ^ b).bit_count() <= NEAR
