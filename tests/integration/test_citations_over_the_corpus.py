"""Whatever is asked of the whole demo corpus: every citation stands in its document, to the character."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.evals.demo_corpus import gather_demo_corpus
from roma_core.types import TailorOutput
from tests.sizes import some_and_whole


@pytest.mark.parametrize(("share", "questions"), some_and_whole((20, 50), (1, 150)))
async def test_every_citation_is_proven_at_its_offsets(
    workspace: Path, tmp_path: Path, share: int, questions: int
) -> None:
    """Questions are runs of words drawn from the corpus, so that every part of it is quoted sooner or later."""
    paths = gather_demo_corpus(tmp_path / "corpus")
    for number, path in enumerate(paths):
        if number % share:
            path.unlink()
    paths = paths[::share]
    settings = Settings.load(workspace=workspace, embedder="fake", reranker="fake", rerank_limit=5, query_timeout_s=600)
    draw = random.Random(7)
    cited = 0
    async with build_roma(settings) as roma:
        report = await roma.ingest(tmp_path / "corpus")
        assert report.counts()["added"] == len(paths) == len(report.items)
        for path in draw.choices(paths, k=questions):
            words = re.findall(r"\w[\w'-]+", path.read_text("utf-8"))
            start = draw.randrange(max(1, len(words) - 8))
            output = await roma.query("What about " + " ".join(words[start : start + 8]) + "?", persona="technical")
            assert isinstance(output, TailorOutput), output
            for citation in output.citations:
                document = await roma.store.document("default", citation.document_id)
                assert document is not None
                assert document.text[citation.start : citation.end] == citation.quote
                assert 0 <= citation.answer_start < citation.answer_end <= len(output.answer)
                cited += 1
    assert cited > questions / 2
