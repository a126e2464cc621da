"""Verdicts that act: what is cited, what is found by ROMA, what is taken out, and how much is known."""

from __future__ import annotations

import pytest

from roma_core.citations import Cited, cite
from roma_core.types import Answered
from tests.fakes.passages import make_note, make_passage

TEXT = "The bridge was built in 1902. It spans 48 metres.\n\nThe ropes were made by Ada Kern. The mill grinds rye."
OTHER = "The council meets on Mondays. The tower of Brenn was completed in 1988."


DOCUMENTS = (make_note("bridge", TEXT), make_note("tower", OTHER))
PASSAGES = [make_passage(held, rank) for rank, held in enumerate(DOCUMENTS, start=1)]
PROVEN = dict(enumerate(DOCUMENTS, start=1))


def resolved(answer: str, policy: str = "mark") -> Cited:
    return cite(answer, PASSAGES, PROVEN, policy)  # type: ignore[arg-type]


def verdicts(found: Cited) -> list[tuple[str, str]]:
    return [(found.answer[s.start : s.end], s.verdict) for s in found.statements]


def test_each_statement_has_a_verdict_and_the_words_that_decided_it() -> None:
    found = resolved("The bridge was built in 1902 [1]. It spans 50 metres [1].")
    assert verdicts(found) == [("The bridge was built in 1902", "verbatim"), ("It spans 50 metres", "contradicted")]
    assert any("50" in reason and "48" in reason for reason in found.statements[1].decided_by)
    assert found.citations[1].decided_by == found.statements[1].decided_by


def test_an_unmarked_statement_that_a_passage_proves_is_cited_as_found_by_roma() -> None:
    found = resolved("The tower of Brenn was completed in 1988. The ropes were made by Ada Kern.")
    assert found.answer == "The tower of Brenn was completed in 1988. [2] The ropes were made by Ada Kern. [1]"
    assert [(c.marker, c.found_by) for c in found.citations] == [(2, "roma"), (1, "roma")]
    assert {c.verdict for c in found.citations} == {"verbatim"}
    assert found.uncited == 0
    assert found.answered is Answered.KNOWN


def test_a_citation_of_the_answer_s_own_is_not_said_to_be_found() -> None:
    found = resolved("The tower of Brenn was completed in 1988 [2]. The mill grinds rye every day of the week.")
    assert [c.found_by for c in found.citations] == ["answer"]
    assert found.uncited == 1


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("The bridge was built in 1902 [1]. It spans 50 metres [1].", "The bridge was built in 1902 [1]."),
        ("It spans 50 metres [1]. The bridge was built in 1902 [1].", "The bridge was built in 1902 [1]."),
        (
            "- The bridge was built in 1902 [1]\n- Whales sing at night in winter [1]\n- The mill grinds rye [1]",
            "- The bridge was built in 1902 [1]\n- The mill grinds rye [1]",
        ),
        ("The bridge was built in 1902 [1] and it was painted by blue monks [1].", "The bridge was built in 1902 [1]."),
        ("The bridge was painted by blue monks [1] and it spans 48 metres [1].", "It spans 48 metres [1]."),
        (
            "| a | b |\n|---|---|\n| The bridge | was built in 1902 [1] |\n| whales | sing at night in winter [1] |",
            "| a | b |\n|---|---|\n| The bridge | was built in 1902 [1] |",
        ),
        ("[1] The bridge was built in 1902.\n[1] Whales sing at night in winter.", "[1] The bridge was built in 1902."),
        ("Found:\n\nThe mill grinds rye. [1]\n\nWhales sing at night in winter.", "Found:\n\nThe mill grinds rye. [1]"),
    ],
)
def test_strict_takes_out_what_no_passage_supports(answer: str, left: str) -> None:
    found = resolved(answer, "strict")
    assert found.answer == left
    assert len(found.removed) == 1
    assert found.removed[0].verdict in {"contradicted", "unsupported"}
    assert found.removed[0].text and found.removed[0].text not in found.answer
    assert all(s.verdict not in {"contradicted", "unsupported"} for s in found.statements)


def test_strict_keeps_what_is_partly_supported() -> None:
    answer = "The ropes were made by Ada Kern for the king [1]."
    found = resolved(answer, "strict")
    assert (found.answer, [s.verdict for s in found.statements]) == (answer, ["partial"])
    assert found.answered is Answered.PARTLY


def test_an_answer_cut_to_nothing_is_unknown() -> None:
    found = resolved("Whales sing at night in winter [1].", "strict")
    assert (found.answer, found.answered) == ("", Answered.UNKNOWN)
    assert [s.text for s in found.removed] == ["Whales sing at night in winter"]


def test_mark_changes_no_word() -> None:
    answer = "The bridge was built in 1902 [1]. Whales sing at night in winter [1]."
    found = resolved(answer)
    assert found.answer == answer
    assert found.answered is Answered.PARTLY


def test_off_cites_and_checks_nothing() -> None:
    found = resolved("The bridge was built in 1802 [1]. The mill grinds rye.", "off")
    assert [c.verdict for c in found.citations] == ["unchecked"]
    assert found.statements == ()
    assert found.answer == "The bridge was built in 1802 [1]. The mill grinds rye."


def test_two_passages_may_prove_a_statement_together() -> None:
    found = resolved("The mill grinds rye, and the council meets on Mondays [1][2].")
    assert [s.verdict for s in found.statements] == ["supported"]


def test_questions_announcements_and_headings_are_no_statements() -> None:
    found = resolved("# The bridge of Brenn\n\nThese are the facts of it:\n\nWould you like to know more about it?")
    assert found.statements == ()
    assert found.uncited == 0


def test_quotes_stand_in_their_documents() -> None:
    found = resolved("The bridge was built in 1902 [1]. The tower of Brenn was completed in 1988.")
    for citation in found.citations:
        held = PROVEN[citation.marker]
        assert held.text[citation.start : citation.end] == citation.quote


GERMAN = make_note("bruecke", "Die Brücke wurde im Jahr 1902 gebaut. Sie überspannt 48 Meter und ist aus Stahl.")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("Die Brücke wurde im Jahr 1902 gebaut [1].", "verbatim"),
        ("Die Brücke wurde im Jahr 1903 gebaut [1].", "unchecked"),
        ("Gebaut wurde die Brücke aus Holz [1].", "unchecked"),
    ],
)
def test_outside_of_the_measured_languages_only_what_stands_there_word_for_word_is_proven(
    answer: str, verdict: str
) -> None:
    found = cite(answer, [make_passage(GERMAN, 1)], {1: GERMAN})
    assert [statement.verdict for statement in found.statements] == [verdict]
    if verdict == "unchecked":
        assert found.statements[0].decided_by == ("language: the check was not measured on German",)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Der Lift ist sonntags geschlossen, außer im August.", "Der Lift ist sonntags geschlossen"),
        ("Es ist nicht wahr, dass die Brücke sicher ist.", "die Brücke sicher ist"),
        ("Selon le maire, le vieux tunnel est sûr pour les voitures.", "le vieux tunnel est sûr pour les voitures"),
        ("La entrada al museo cuesta 12 euros salvo en agosto.", "La entrada al museo cuesta 12 euros"),
        ("我们不同意该条款的内容。", "同意该条款的内容"),
        ("这座老桥的总长是三十五米。", "五米"),
        ("会議は月曜日に開かれません。", "会議は月曜日に開かれ"),
        ("Jos sataa, tie on suljettu koko päivän ajan.", "tie on suljettu koko päivän ajan"),
    ],
)
def test_a_part_of_a_sentence_proves_nothing_where_the_rest_may_deny_it(text: str, part: str) -> None:
    held = make_note("fremd", text)
    [statement] = cite(f"{part} [1].", [make_passage(held, 1)], {1: held}).statements
    assert statement.verdict == "unchecked"
    [whole] = cite(f"{text} [1]", [make_passage(held, 1)], {1: held}).statements
    assert whole.verdict == "verbatim"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Die Brücke wurde im Jahr 1902 gebaut und ist 48 Meter lang.", "Die Brücke wurde im Jahr 1902 gebaut"),
        ("这座老桥长三十五米，建于1902年。", "这座老桥长三十五米"),
    ],
)
def test_a_part_of_a_sentence_is_verbatim_where_nothing_in_the_rest_decides(text: str, part: str) -> None:
    held = make_note("fremd", text)
    [statement] = cite(f"{part} [1].", [make_passage(held, 1)], {1: held}).statements
    assert statement.verdict == "verbatim"


TABLE = "Before.\n\nTable 2: Boats for hire\n\n| Boat | Berths |\n|---|---|\n| Gull | 4 |\n| Heron | 6 |\n\nAfter."


@pytest.mark.parametrize("answer", ["| Heron | 6 [1] |", "The Heron has 6 berths [1]."])
def test_a_row_is_cited_with_its_header_and_caption_as_one_span(answer: str) -> None:
    held = make_note("boats", TABLE)
    [citation] = cite(answer, [make_passage(held, 1)], {1: held}).citations
    assert citation.quote == TABLE[TABLE.index("Table 2") : TABLE.index("\n\nAfter")]
    assert held.text[citation.start : citation.end] == citation.quote


def test_a_quote_reaches_no_farther_than_its_passage() -> None:
    held = make_note("boats", TABLE)
    start = TABLE.index("| Heron")
    cut = make_passage(held, 1).chunk.model_copy(update={"text": TABLE[start:], "start": start})
    given = [make_passage(held, 1).model_copy(update={"chunk": cut})]
    [citation] = cite("| Heron | 6 [1] |", given, {1: held}).citations
    assert citation.quote == "Heron | 6"


def test_lines_that_a_writer_declared_are_neither_checked_nor_cited() -> None:
    answer = "Table 1. The tower of Brenn was completed in 1988:\n\nThe bridge was built in 1902. [1]"
    lead = answer.partition("\n")[0]
    found = cite(answer, PASSAGES, PROVEN, "strict", None, [lead])
    assert found.answer == answer
    assert [span.of(answer) for span in found.frame] == [lead]
    assert [(c.marker, c.found_by) for c in found.citations] == [(1, "answer")]
    assert [span.verdict for span in found.statements] == ["verbatim"]
