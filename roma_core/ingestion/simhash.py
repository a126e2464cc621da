"""Near-duplicates by SimHash. Pure.

Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002; 64 bits and at most 3 different ones
as in Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

NEAR = 3
LEAST_WORDS = 24
"""Shorter texts share too few shingles for the number of bits to mean anything."""
BANDS = 4
"""With at most ``NEAR`` different bits, one of four bands of 16 is equal."""
BLOCK = 4096
"""Shingles whose bits are held at a time."""
_WORD = re.compile(r"\w+")


def simhash(text: str) -> int | None:
    """64 bits, near for texts that share most of their runs of three words; None for short texts."""
    words = _WORD.findall(text.lower())
    if len(words) < LEAST_WORDS:
        return None
    import numpy as np

    counts = Counter(zip(words, words[1:], words[2:], strict=False))
    weights = np.zeros(64, dtype=np.int64)
    for some in split_batches(counts.items(), BLOCK):
        hashes = b"".join(hashlib.blake2b(" ".join(shingle).encode(), digest_size=8).digest() for shingle, _ in some)
        bits = np.unpackbits(np.frombuffer(hashes, dtype=np.uint8).reshape(-1, 8), axis=1).astype(np.int64)
        weights += np.array([count for _, count in some]) @ (2 * bits - 1)
    return int.from_bytes(np.packbits(weights > 0).tobytes(), "big")


def split_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of ``size``; the last one may be shorter."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def bands(value: int) -> list[int]:
    """Return the 16-bit bands of a fingerprint; near fingerprints share one at least."""
    return [value >> 16 * i & 0xFFFF for i in range(BANDS)]


def near(a: int, b: int) -> bool:
    """Tell if two fingerprints differ in at most ``NEAR`` bits."""
    return (a ^ b).bit_count() <= NEAR
