"""The frozen corpus: text of this repository, built into files of every format, the same bytes on every machine."""

from __future__ import annotations

from roma_core.evals.corpus.build import build_corpus, corpus_digest, corpus_sources, find_datasets

__all__ = ["build_corpus", "corpus_digest", "corpus_sources", "find_datasets"]
