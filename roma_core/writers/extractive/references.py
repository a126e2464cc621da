"""References to numbered parts: the section, clause or paragraph that a question names by its number. Pure.

"What does clause 4 say?" and "Was steht in § 5 Abs. 2?" are answered by that part, whatever its words are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from roma_core.markup.questions import content_words, stem_word
from roma_core.markup.sentences import Sentence, split_part
from roma_core.types import Document
from roma_core.writers.extractive.lists import ItemList, ListAnswer

_KIND: Final = (
    r"(?:§{1,2}|\b(?:sections?|sec\.|clauses?|articles?|art\.|artikel|artículo|articolo|paragraph|paragraf|para\.?"
    r"|chapter|kapitel|chapitre|capítulo|abschnitt|ziffer|punkt|point|regel|rule|appendix|annex|anhang|annexe|schedule|part|teil)"
    r"(?!\w))"
)
_REFERENCE: Final = re.compile(
    rf"(?P<kind>{_KIND})\s*(?:no\.?|nr\.?)?\s*(?P<number>\d{{1,4}}(?:\.\d{{1,3}})*[a-z]?)\b"
    r"(?:,?\s*(?:\(|abs(?:atz|\.)?\s*|para(?:graph|\.)?\s*|paragraph\s*|al(?:inéa|\.)?\s*|sentence\s*)(?P<part>\d{1,2})\)?)?",
    re.IGNORECASE,
)
_BARE: Final = re.compile(
    r"sections?|sec\.|clauses?|articles?|art\.|artikel|paragraph|paragraf|chapter|kapitel|chapitre|abschnitt|ziffer|punkt"
    r"|point",
    re.IGNORECASE,
)
"""Kinds of parts that a text may number without their name: "4. Liability"."""
_SAYS: Final = frozenset(
    stem_word(word)
    for word in """
    say state contain regulate cover read deal about text content stand write define provide require exactly quote
    steht regelt sagt lautet besagt inhalt gesagt geregelt bedeutet dit prévoit stipule dice establece prevede
    stabilisce contient contenu was wie der die das den dem des que qué cosa quoi est qu ce el la le les il lo in im
    dans en nel agreement contract document law act policy regulation conditions terms vertrag ordnung gesetz
    satzung contrat règlement contrato ley reglamento contratto legge regolamento section clause
    """.split()
)
"""Stems of words that ask for a part as a whole, in the languages that lawyers' texts are in most."""


@dataclass(frozen=True)
class NumberedPart:
    """The part that a question names: "§", "5", "2"."""

    kind: str
    number: str
    part: str = ""


def find_reference(question: str) -> NumberedPart | None:
    """Return the numbered part of a text that a question names; None where it names none.

    >>> find_reference("Was steht in § 5 Abs. 2?")
    NumberedPart(kind='§', number='5', part='2')
    """
    found = _REFERENCE.search(question)
    return NumberedPart(found["kind"], found["number"], found["part"] or "") if found is not None else None


def answer_from_reference(question: str, documents: Sequence[Document]) -> ListAnswer | None:
    """Return the sentences of the part that a question names, where it asks for the part as a whole; else None.

    A question that asks for something in the part is answered like any other. A word that names a document has to be
    in its title.
    """
    reference = find_reference(question)
    if reference is None:
        return None
    rest = content_words(_REFERENCE.sub(" ", question)) - _SAYS
    meant = [document for document in documents if rest <= content_words(f"{document.title} {document.uri}")]
    named = (items for document in meant for items in _find_parts(document, reference, is_named=True))
    bare = (items for document in meant for items in _find_parts(document, reference, is_named=False))
    items = next(named, None) or (next(bare, None) if _BARE.fullmatch(reference.kind) else None)
    return ListAnswer(items, tuple(range(len(items.items))), "", 1.0) if items is not None else None


def _find_parts(document: Document, reference: NumberedPart, *, is_named: bool) -> Iterator[ItemList]:
    """Yield the parts of a document with the number of a reference, each under the line that it begins with."""
    for start, end in _find_lines(document.text, reference, is_named=is_named):
        heading_end = document.text.find("\n", start, end)
        heading_end = end if heading_end < 0 else heading_end
        span = _find_paragraph(document.text, start, end, reference.part) if reference.part else (start, end)
        if span is None:
            continue
        units = [unit for unit in split_part(document.text, *span) if unit.kind != "heading"]
        spans = tuple((unit.start, unit.end) for unit in units)
        below = tuple(each for each in spans if each[0] >= heading_end)
        lead = Sentence(start=start, end=heading_end, kind="heading") if below else None
        if spans:
            yield ItemList(document, lead, below or spans, document.headings_at(start))


def _find_lines(text: str, reference: NumberedPart, *, is_named: bool) -> Iterator[tuple[int, int]]:
    """Yield where the parts with the number of a reference begin and end: at the next line that is numbered alike.

    A line names the kind of the part ("§ 4", "Clause 4"), or begins with the number alone ("4. Liability").
    """
    kind = "§" if reference.kind[0] == "§" else rf"{re.escape(reference.kind.rstrip('s.'))}\w*\.?"
    before = rf"{kind}\s*" if is_named else ""
    opening = re.compile(
        (_LINE if is_named else _BARE_LINE).format(lead=before + re.escape(reference.number)),
        re.MULTILINE | re.IGNORECASE,
    )
    closing = re.compile(_LINE.format(lead=rf"{before}\d{{1,4}}[a-z]?"), re.MULTILINE | re.IGNORECASE)
    for found in opening.finditer(text):
        line_end = text.find("\n", found.end())
        after = closing.search(text, line_end) if line_end >= 0 else None
        yield found.start("at"), after.start() if after is not None else len(text)


_LINE: Final = r"^[ \t]*(?:#+[ \t]*)?[*_]*(?P<at>{lead})(?![\d.]*\d|\w)[.):*_]*(?:[ \t]+\S|[ \t]*$)"
_BARE_LINE: Final = r"^[ \t]*(?:#+[ \t]*)?[*_]*(?P<at>{lead})(?:[.):]+[*_]*[ \t]+\S|[ \t]+[A-ZÄÖÜÉÈ][^\n.!?]{{0,70}}$)"
"""A line that begins a numbered part, and one that does without its kind: a mark behind the number, or a short line."""


def _find_paragraph(text: str, start: int, end: int, part: str) -> tuple[int, int] | None:
    """Return where the paragraph "(2)" or "2." of a part stands; None where the part has none of that number."""
    opening = re.compile(rf"^[ \t]*(?:\({part}\)|{part}[.)])[ \t]+", re.MULTILINE)
    closing = re.compile(r"^[ \t]*(?:\(\d{1,2}\)|\d{1,2}[.)])[ \t]+", re.MULTILINE)
    found = opening.search(text, text.find("\n", start), end)
    if found is None:
        return None
    after = closing.search(text, found.end(), end)
    return found.start(), after.start() if after is not None else end
