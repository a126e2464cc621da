"""Writers: from a question and its passages to the text of an answer, with a language model or without one."""

from roma_core.writers.base import Draft, Piece, Thoughts, Writer, WritingContext
from roma_core.writers.extractive import ExtractiveWriter
from roma_core.writers.generative import GenerativeWriter

__all__ = ["Draft", "ExtractiveWriter", "GenerativeWriter", "Piece", "Thoughts", "Writer", "WritingContext"]
