"""The fake keeps the promises of the seam and gives useful neighbours."""

from __future__ import annotations

import numpy as np

from roma_core.embeddings.fake import FakeEmbedder

KNOWN = [-707, 0, 707, 0, 0, 0, 0, 0]
"""The same on every machine: hashes and divisions alone decide."""


async def test_related_texts_are_nearer_than_unrelated_ones() -> None:
    embedder = FakeEmbedder()
    question = (await embedder.embed_query("Who measured the river's depth?")).vector
    near, far = (await embedder.embed(["The depth of the river was measured twice.", "Prices rose in spring."])).vectors
    assert float(question @ near) > float(question @ far) + 0.2


async def test_known_bytes() -> None:
    vector = (await FakeEmbedder(dim=8).embed_query("a stable vector")).vector
    assert vector.dtype == np.float32
    assert (vector * 1000).round().astype(int).tolist() == KNOWN


def test_versions_and_sizes_have_their_own_fingerprint() -> None:
    made = {FakeEmbedder().fingerprint, FakeEmbedder(version=2).fingerprint, FakeEmbedder(dim=8).fingerprint}
    assert len(made) == 3
    assert FakeEmbedder().count_tokens("It's 3.5 km.") == 8
