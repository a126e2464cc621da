"""The grammar of an answer: sentences, markers, claims and segments, each read in one place.

>>> from roma_core.markup import read_segments
>>> [segment.kind for segment in read_segments("It spans 48 metres [1].")]
['text', 'marker', 'text']
"""

from roma_core.markup.claims import Claim, is_framed, read_statements, split_claims
from roma_core.markup.frame import Frame, collect_frame, find_frame, join_piece
from roma_core.markup.markers import (
    Marker,
    escape_markers,
    escape_quoted,
    mask_markers,
    normalise_markers,
    read_markers,
    remove_markers,
    rewrite_markers,
)
from roma_core.markup.parse import markdown, new_parser
from roma_core.markup.segments import Segment, read_segments
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.markup.unknown import says_unknown

__all__ = [
    "Claim",
    "Frame",
    "Marker",
    "Segment",
    "Sentence",
    "collect_frame",
    "escape_markers",
    "escape_quoted",
    "find_frame",
    "is_framed",
    "join_piece",
    "markdown",
    "mask_markers",
    "new_parser",
    "normalise_markers",
    "read_markers",
    "read_segments",
    "read_statements",
    "remove_markers",
    "rewrite_markers",
    "says_unknown",
    "split_claims",
    "split_sentences",
]
