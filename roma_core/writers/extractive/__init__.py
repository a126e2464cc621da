"""Answers without a language model: sentences of the passages, quoted word for word and cited."""

from roma_core.writers.extractive.reading import QuotedAnswer, SentenceRanker
from roma_core.writers.extractive.sources import DocumentLibrary
from roma_core.writers.extractive.writer import ExtractiveWriter, SentenceEmbedder

__all__ = ["DocumentLibrary", "ExtractiveWriter", "QuotedAnswer", "SentenceEmbedder", "SentenceRanker"]
