"""Facts that documents say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.facts import (
    describe_facts,
    detect_passage_language,
    find_stated_date,
    read_author,
    read_date,
    read_dates,
    read_facts,
    state_fact,
    trim_date,
)
from roma_core.types import Document, DocumentFacts

GERMAN = "Der Urlaub muss bis Ende März genommen werden. Danach verfällt er ohne Ausgleich. "
ENGLISH = "Leave has to be taken until the end of March. After that it is lost without compensation. "


def document(text: str, **fields: Any) -> Document:
    uri = "file:///a.md"
    return Document(
        id=Document.id_for(uri), uri=uri, title="a", text=text, content_sha256="1", **{"parser": "text/1", **fields}
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-03-01", "2024-03-01"),
        ("2024-03-01T10:00:00Z", "2024-03-01"),
        ("2024/3/1", "2024-03-01"),
        ("1.3.2024", "2024-03-01"),
        ("01. 03. 2024", "2024-03-01"),
        ("1 March 2024", "2024-03-01"),
        ("1st of Mar. 2024", "2024-03-01"),
        ("March 1, 2024", "2024-03-01"),
        ("D:20240301120000+01'00'", "2024-03-01"),
        ("Fri, 01 Mar 2024 09:30:00 +0100", "2024-03-01"),
        ("2024-03", "2024-03"),
        ("March 2024", "2024-03"),
        (2024, "2024"),
        (["soon", "2024"], "2024"),
        ("31 February 2024", ""),
        ("soon", ""),
        ("12345", ""),
        ("", ""),
        (None, ""),
        (True, ""),
    ],
)
def test_dates_are_read_as_they_are_written(written: object, expected: str) -> None:
    assert read_date(written) == expected


def test_trimmed_dates_compare_whatever_their_precision() -> None:
    days = ["2023-12-31", "2024", "2024-01-02", "2024-02", "2024-02-10", "2024-10-01"]
    assert sorted(days) == days
    assert [trim_date(day) for day in ("2024-01-01", "2024-01", "2024-10-01", "2024-01-10")] == [
        "2024",
        "2024",
        "2024-10",
        "2024-01-10",
    ]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"author": "Jane Doe"}, "Jane Doe"),
        ({"authors": ["Jane Doe", {"name": "M. Roe"}, "Jane Doe"]}, "Jane Doe, M. Roe"),
        ({"from": '"Jane Doe" <jane@example.org>'}, "Jane Doe"),
        ({"author": "", "creator": "Office of Works"}, "Office of Works"),
        ({"author": 7}, ""),
        ({"dc:creator": "Jane Doe"}, "Jane Doe"),
        ({"Last-Modified-By": "clerk", "Author": "Jane Doe"}, "Jane Doe"),
        ({}, ""),
    ],
)
def test_authors_are_read_from_any_of_their_keys(metadata: dict[str, Any], expected: str) -> None:
    assert read_author(metadata) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"ModDate": "D:20240502", "CreationDate": "D:20240301"}, ["2024-05-02", "2024-03-01"]),
        ({"created": "2020", "date": "March 2024"}, ["2024-03", "2020"]),
        ({"Last_Modified": "1.3.2024", "issued": "soon"}, ["2024-03-01"]),
        ({"author": "2024"}, []),
    ],
)
def test_dates_are_read_from_any_of_their_keys_however_they_are_spelt(
    metadata: dict[str, Any], expected: list[str]
) -> None:
    assert read_dates(metadata) == expected


def test_a_fact_is_stated_in_the_words_of_the_file() -> None:
    metadata = {"From": "Jane Doe <jane@example.org>", "Created": "Spring  2024", "modified": ["x"]}
    assert state_fact(metadata, ("author",)) == "Jane Doe"
    assert state_fact(metadata, ("published", "created")) == "Spring 2024"
    assert state_fact(metadata, ("modified",)) == ""


def test_facts_come_from_metadata_parser_and_text() -> None:
    metadata = {"author": "Jane Doe", "date": "2024-03-01", "language": "fr"}
    facts = read_facts(document(GERMAN * 3, metadata=metadata, parser="pdf/5+figures", collection="hr"))
    assert facts == DocumentFacts(author="Jane Doe", date="2024-03-01", type="pdf", language="de", collection="hr")
    assert describe_facts(facts) == "Jane Doe, 2024-03-01"


def test_what_a_file_says_of_its_language_counts_where_the_text_shows_none() -> None:
    assert read_facts(document("PPR-9087", metadata={"language": "fr-CA"})).language == "fr"


def test_a_long_document_has_the_language_of_most_of_it() -> None:
    assert read_facts(document(ENGLISH * 5 + GERMAN * 200)).language == "de"


def test_a_passage_has_its_own_language_only_when_it_shows_one() -> None:
    assert detect_passage_language("| 1 | 2 |", "de") == "de"
    assert detect_passage_language("Rope bridge", "de") == "de"
    assert detect_passage_language(ENGLISH * 3, "de") == "en"
    assert detect_passage_language("有給休暇は年に二十日です。", "de") == "ja"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Kiln\n\nUpdated 3 May 2026\n\nIt is hot.", "2026-05-03"),
        ("Kiln\n\n*Last updated: 12 January 2026*\n\nIt is hot.", "2026-01-12"),
        ("Ofen\n\nStand: 3.5.2026\n\nEr ist heiß.", "2026-05-03"),
        ("Ofen\n\n**Stand:** März 2026\n\nEr ist heiß.", "2026-03"),
        ("Four\n\nMis à jour le 1er octobre 2026\n\nIl est chaud.", "2026-10-01"),
        ("Horno\n\nActualizado el 5 de febrero de 2026\n\nQuema.", "2026-02-05"),
        ("Horno de la panadería\n\nFecha: 05/02/2026\n\nEl horno quema mucho por la mañana.", "2026-02-05"),
        ("Oven\n\nUpdated: 05/02/2026\n\nThe oven is hot and this is what the users should know.", "2026"),
        ("Minutes of the bakers\n\n3 September 2026\nPresent: Ida", "2026-09-03"),
        ("Oven\n\nIt was updated on 3 May 2026 by Ida.", ""),
        ("Oven\n\nVersion 2.4\n\nUpdated often.", ""),
        ("Shop\n\nStand 12\n\nBread.", ""),
    ],
)
def test_a_text_says_when_it_was_brought_up_to_date(text: str, expected: str) -> None:
    assert find_stated_date(text) == expected
