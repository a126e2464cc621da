"""How questions name what a table lists, beside the words of its cells. Pure.

A table of names lists people without the word, and "on the third floor" names the rows with 3 under "Floor".
"""

from __future__ import annotations

import functools
import re
from typing import Final

from roma_core.citations.numbers import ORDINAL_WORDS
from roma_core.markup.questions import stem_word
from roma_core.markup.tables import Table

PEOPLE: Final = frozenset(
    stem_word(word)
    for word in "person persons people employee employees staff member colleague worker workers personnel".split()
)
"""Stems of words for people."""
_OF_PEOPLE: Final = re.compile(
    r"\W*(?:(?:full|first|last) names?|persons?|people|employees?|staff|members?|colleagues?|workers?)\W*",
    re.IGNORECASE,
)
"""Names of a first column of people."""
_OF_A_PERSON: Final = re.compile(
    r"\b(?:salary|wages?|role|job|position|department|team|e-?mail|phone|mobile|birthday|born|age|hired|joined|employer"
    r"|manager|supervisor|shift)\b",
    re.IGNORECASE,
)
"""Columns beside "Name" by which it is one of people, and none of ships or halls."""
_NAME: Final = re.compile(r"(?:(?:Dr|Mr|Mrs|Ms|Prof)\.? )?[^\W\d_]\w*[\w.'’-]*(?: [^\W\d_][\w.'’-]*){1,3}")
_MOST_OTHERS: Final = 0.2
"""Share of the rows of a table of people that may be none: a total, an open post."""
_NUMBER_WORDS: Final = "zero one two three four five six seven eight nine ten eleven twelve".split()
_ORDINALS: Final = "|".join(map(re.escape, sorted(ORDINAL_WORDS, key=len, reverse=True)))
_COMPARES: Final = re.compile(
    r"\b(?:than|over|above|under|below|exceed\w*|least|most|up to|beyond|before|after|since|between|not)\b|n['’]t\b",
    re.IGNORECASE,
)


def lists_people(table: Table) -> bool:
    """Return whether the first column of a table has names of people: "Ana Ruiz" under "Name"."""
    first, *others = table.header.cells
    is_of_people = _OF_PEOPLE.fullmatch(first) or (
        first.strip().casefold() == "name" and _OF_A_PERSON.search("; ".join(others))
    )
    if not table.rows or not is_of_people:
        return False
    cells = [row.cells[0].strip() for row in table.rows]
    return sum(_NAME.fullmatch(cell) is None for cell in cells) <= _MOST_OTHERS * len(cells)


def is_labelled(question: str, header: str, cell: str) -> bool:
    """Return whether a question names a number by its column: "floor 3", "the third floor", "with two beds".

    >>> is_labelled("Which rooms are on floor 3?", "Floor", "3"), is_labelled("Are 3 rooms free?", "Room", "3")
    (True, False)
    >>> is_labelled("Which rooms have two beds?", "Beds", "2"), is_labelled("Has it more than 2 beds?", "Beds", "2")
    (True, False)
    """
    if not cell.isdecimal():
        return False
    written, numbers = _find_named_numbers(question, header)
    return cell in written or int(cell) in numbers


@functools.lru_cache(maxsize=256)
def _find_named_numbers(question: str, header: str) -> tuple[frozenset[str], frozenset[int]]:
    """Return the numbers that a question names by a column: those in digits as written, and those in words."""
    name = re.escape(header.strip().casefold().removesuffix("s"))
    if not name or _COMPARES.search(question):
        return frozenset(), frozenset()

    def find(pattern: str) -> list[str]:
        return re.findall(pattern, question.casefold())

    ordinals = find(rf"\b({_ORDINALS}|\d+(?:st|nd|rd|th))\s+{name}\b")
    counts = find(rf"\b(?:has|have|had|having|with)\s+(?:exactly\s+)?(\d+|{'|'.join(_NUMBER_WORDS)})\s+{name}s?\b")
    written = find(rf"\b{name}s?\s+(?:no\.?\s*|number\s+|#)?(\d+)(?![\w.,]*\d)")
    written += [count for count in counts if count.isdecimal()]
    numbers = [_NUMBER_WORDS.index(count) for count in counts if not count.isdecimal()]
    numbers += [ORDINAL_WORDS.get(ordinal) or int(ordinal[:-2]) for ordinal in ordinals]
    return frozenset(written), frozenset(numbers)
