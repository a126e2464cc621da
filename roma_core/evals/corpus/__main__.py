"""Pin the corpus after a change of its texts: ``python -m roma_core.evals.corpus``."""

from __future__ import annotations

from roma_core.evals.corpus.build import corpus_digest, find_datasets, read_corpus


def main() -> None:
    """Write the hash of what the texts build now into ``datasets/corpus.sha256``."""
    datasets = find_datasets()
    built = read_corpus(datasets)
    (datasets / "corpus.sha256").write_text(f"{corpus_digest(built)}  {len(built)} files\n", encoding="utf-8")


if __name__ == "__main__":
    main()
