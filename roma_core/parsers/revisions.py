"""Tracked changes: which of a document's texts is read, and what is said of the other.

``accepted`` is the text with all changes made, ``original`` the one before any. ``both`` keeps each change between the
marks of CriticMarkup: ``{++new++}`` and ``{--old--}``. What is not shown is in the loss ledger.
"""

from __future__ import annotations

from typing import Final, Literal

from roma_core.parsers.builder import DocumentBuilder

Change = Literal["inserted", "deleted"]

_HIDDEN_BY: Final[dict[str, Change]] = {"accepted": "deleted", "original": "inserted"}
"""The kind of change that a reading does not show."""
_MARKS: Final[dict[Change, tuple[str, str]]] = {"inserted": ("{++", "++}"), "deleted": ("{--", "--}")}


def shows(builder: DocumentBuilder, change: Change) -> bool:
    """Return whether text of this kind stands in the document's text."""
    return _HIDDEN_BY.get(builder.options.tracked_changes or "accepted") != change


def write_change(builder: DocumentBuilder, change: Change, text: str, place: str = "tracked changes") -> str:
    """Return the text that a tracked change leaves in the document; "" when it goes to the loss ledger.

    >>> from roma_core.parsers.base import ParseOptions, RawDocument
    >>> builder = DocumentBuilder(RawDocument(uri="a.docx", data=b""), ParseOptions(tracked_changes="both"), "docx")
    >>> write_change(builder, "deleted", "900 euro")
    '{--900 euro--}'
    """
    if not shows(builder, change):
        builder.leave_out(text, change, place=place)
        return ""
    if builder.options.tracked_changes == "both" and text.strip():
        before, after = _MARKS[change]
        return f"{before}{text}{after}"
    return text
