"""Masks that are as long as what they hide, so that every offset into a text stays true. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from roma_core.types import Document

MASK: Final = "\N{FULL BLOCK}"
"""One for each hidden character. It is no letter and no digit, so no index finds a word in it."""
_HIDDEN: Final = re.compile(r"[^\n\r\f\v\x1c-\x1e\x85\u2028\u2029]")
"""Line breaks stay: rows of sheets and paragraphs are counted by them."""
MaskWords = Callable[[str, str], str]
"""Returns the text of a field masked; the arguments are the field's name and its text."""


def mask_text(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return ``text`` with every character of ``spans`` but line breaks replaced.

    >>> mask_text("mail ada@example.org", [(5, 20)])
    'mail ███████████████'
    """
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end <= at:
            continue
        parts += [text[at : max(start, at)], _HIDDEN.sub(MASK, text[max(start, at) : end])]
        at = end
    return "".join([*parts, text[at:]])


def mask_document(document: Document, spans: Iterable[tuple[int, int]], mask_words: MaskWords) -> Document:
    """Return the document with ``spans`` of its text masked, and every other field through ``mask_words``.

    A link whose address changes by that is taken out: it would lead elsewhere.
    """
    text = mask_text(document.text, spans)
    sections = tuple(
        section.model_copy(update={"title": mask_words("title", section.title)}) for section in document.sections
    )
    links = tuple(link for link in document.links if mask_words("link", link.url) == link.url)
    left_out = tuple(
        entry.model_copy(update={"text": mask_words("left_out", entry.text), "place": mask_words("place", entry.place)})
        for entry in document.left_out
    )
    return document.model_copy(
        update={
            "text": text,
            "title": mask_words("title", document.title),
            "sections": sections,
            "links": links,
            "left_out": left_out,
            "warnings": tuple(mask_words("warning", warning) for warning in document.warnings),
            "metadata": mask_values(document.metadata, mask_words),
        }
    )


def mask_values(values: Mapping[str, Any], mask_words: MaskWords, path: str = "metadata") -> dict[str, Any]:
    """Return metadata with every string masked, to any depth. The keys stay."""
    return {key: _mask_value(value, f"{path}.{key}", mask_words) for key, value in values.items()}


def _mask_value(value: Any, path: str, mask_words: MaskWords) -> Any:
    if isinstance(value, str):
        return mask_words(path, value)
    if isinstance(value, Mapping):
        return mask_values(value, mask_words, path)
    if isinstance(value, list | tuple):
        return [_mask_value(member, path, mask_words) for member in value]
    if isinstance(value, int) and not isinstance(value, bool):
        masked = mask_words(path, str(value))
        return value if masked == str(value) else masked
    return value


def list_fields(document: Document) -> list[tuple[str, str]]:
    """Return the name and the text of every field beside the text that ``mask_document`` would mask."""
    fields: list[tuple[str, str]] = []

    def note(name: str, words: str) -> str:
        fields.append((name, words))
        return words

    mask_document(document, (), note)
    return fields


def differs_only_in_masks(masked: str, original: str) -> bool:
    """Return whether ``masked`` is ``original`` with some characters masked."""
    if len(masked) != len(original):
        return False
    return all(shown in {hidden, MASK} for shown, hidden in zip(masked, original, strict=True))
