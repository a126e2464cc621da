"""Golden sets are checked before anything is asked, and items are written from passages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import EvalError
from roma_core.evals.golden.authoring import (
    check_golden,
    choose_anchor,
    find_near_cases,
    find_near_uri,
    golden_schema,
    make_case,
    write_case,
)
from roma_core.evals.golden.dataset import Golden, GoldenCase, Nugget, load_golden
from roma_core.evals.measures.nuggets import missed_facts
from roma_core.types import Chunk, Document, ScoredChunk

TEXT = "The ferry leaves at noon. It carries 40 cars.\n\nThe tower was built in 1902 and has 117 steps to the lamp."
DOCUMENT = Document(
    id="d", uri="file:///x/harbour/tides.md", title="Tides", text=TEXT, content_sha256="0" * 64, parser="markdown-1"
)


def case(**changes: Any) -> GoldenCase:
    item: dict[str, Any] = {
        "id": "q1",
        "question": "How many steps has the tower?",
        "kind": "single",
        "answer": "117 steps.",
        "nuggets": [{"fact": "117"}],
        "evidence": [{"uri": "harbour/tides.md", "anchor": "has 117 steps"}],
    }
    return GoldenCase.model_validate(item | changes)


def messages(*cases: GoldenCase) -> list[str]:
    check = check_golden(Golden(name="set", cases=cases), [DOCUMENT])
    return [finding.message for finding in check.findings]


def passage(text: str = TEXT) -> ScoredChunk:
    chunk = Chunk(id="c", document_id="d", uri=DOCUMENT.uri, title="Tides", text=text, start=0, end=len(text))
    return ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="hybrid")


def test_a_right_item_has_no_finding() -> None:
    assert messages(case()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evidence": [{"uri": "harbour/tides.md", "anchor": "has 117 stepps"}]}, "nearest is 'has 117 steps'"),
        (
            {"evidence": [{"uri": "harbour/tide.md", "anchor": "has 117 steps"}]},
            "nearest is file:///x/harbour/tides.md",
        ),
        ({"nuggets": [{"fact": "→"}]}, "has no words"),
        ({"answer": "Many."}, "does not state its own fact '117'"),
        ({"answer": ""}, "no reference answer"),
        ({"nuggets": []}, "there is no fact"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_near(changes: dict[str, Any], said: str) -> None:
    (message,) = messages(case(**changes))
    assert said in message


def test_a_question_that_is_asked_twice_is_an_error_whatever_its_marks() -> None:
    double = case(id="q2", question="how many steps  has the tower")
    check = check_golden(Golden(name="set", cases=(case(), double)))
    assert [(f.case_id, f.severity) for f in check.findings] == [("q2", "error")] and check.errors == 1


def test_an_anchor_in_many_places_is_a_warning() -> None:
    often = DOCUMENT.model_copy(update={"text": "The sea. " * 5})
    check = check_golden(
        Golden(name="set", cases=(case(evidence=[{"uri": "tides.md", "anchor": "the sea"}]),)), [often]
    )
    assert [f.severity for f in check.findings] == ["warning"] and "5 places" in check.findings[0].message


def test_the_share_of_evidence_that_a_passage_can_hold_grows_with_its_size() -> None:
    long = case(evidence=[{"uri": "tides.md", "anchor": "The tower was built in 1902 and has 117 steps to the lamp"}])
    check = check_golden(
        Golden(name="set", cases=(long,)), [DOCUMENT], count_tokens=lambda text: len(text.split()), sizes=(4, 60)
    )
    assert check.expressible == {4: 0.0, 60: 1.0}


def test_an_item_is_made_from_a_passage_with_the_sentence_of_its_fact() -> None:
    made = make_case(passage(), "When was the tower built?", "In 1902.", ["1902"], tags=["tower"])
    assert made.evidence[0].uri == "harbour/tides.md" and "built in 1902" in made.evidence[0].anchor
    assert made.tags == ("tower",) and messages(made) == []


def test_an_item_whose_answer_misses_its_fact_is_refused() -> None:
    with pytest.raises(EvalError, match="does not state the fact '1902'"):
        make_case(passage(), "When was the tower built?", "Long ago.", ["1902"])


def test_an_anchor_that_the_passage_does_not_hold_is_refused_with_the_nearest() -> None:
    with pytest.raises(EvalError, match="nearest is 'was built in 1902'"):
        make_case(passage(), "When was the tower built?", "In 1902.", ["1902"], anchor="was bulit in 1902")


def test_the_anchor_is_the_beginning_where_no_sentence_states_a_fact() -> None:
    assert choose_anchor("# Tides\n\nThe sea rises.", [Nugget(fact="moon")]) == "Tides"


def test_items_that_ask_nearly_the_same_are_found() -> None:
    other = case(id="q2", question="Who paints the boats?")
    held = Golden(name="set", cases=(other, case()))
    assert [near.id for near in find_near_cases(held, "How many steps does the tower have?")] == ["q1"]


def test_no_document_is_near_a_name_that_is_like_none() -> None:
    assert find_near_uri("zzz.pdf", [DOCUMENT.uri]) == ""


def test_a_written_item_is_read_again_and_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    write_case(path, case(tags=["tower"]))
    assert len(path.read_text().splitlines()) == 1
    assert load_golden(path).cases == (case(tags=["tower"]),)
    with pytest.raises(EvalError, match="already"):
        write_case(path, case())


def test_items_are_chosen_by_their_tags(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    items = [case(tags=["web", "table"]), case(id="q2", question="And?", tags=["web"])]
    path.write_text("\ufeff" + json.dumps([item.model_dump(mode="json") for item in items]), encoding="utf-8")
    assert [c.id for c in load_golden(f"{path}#web").cases] == ["q1", "q2"]
    chosen = load_golden(f"{path}#web,table")
    assert [c.id for c in chosen.cases] == ["q1"] and chosen.name == "set-web-table"
    with pytest.raises(EvalError, match="Known: table, web"):
        load_golden(f"{path}#picture")


def test_tags_change_no_identity_and_facts_do() -> None:
    plain, other = Golden(name="set", cases=(case(),)), Golden(name="set", cases=(case(tags=["x"]),))
    assert plain.sha256 == other.sha256
    assert plain.sha256 != Golden(name="set", cases=(case(nuggets=[{"fact": "117", "aliases": ["many"]}]),)).sha256


def test_a_fact_that_is_not_vital_is_not_missed() -> None:
    item = case(answer="117 steps, built in 1902.", nuggets=[{"fact": "117"}, {"fact": "1902", "vital": False}])
    assert missed_facts(item, "117 steps.") == []
    assert missed_facts(item, "In 1902.") == ["117"]


def test_facts_of_which_none_is_vital_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one nugget must be vital"):
        case(nuggets=[{"fact": "117", "vital": False}])


def test_the_schema_knows_every_field_of_an_item() -> None:
    fields = golden_schema()["$defs"]["GoldenCase"]["properties"]
    assert set(fields) == set(GoldenCase.model_fields)


def test_a_passage_that_states_no_fact_is_no_evidence() -> None:
    with pytest.raises(EvalError, match="The passage states none of the facts"):
        make_case(passage("# Prices\n\nA ferry pays 97 EUR."), "When was the tower built?", "In 1902.", ["1902"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": "→ ?"}, "the question has no words"),
        (
            {"nuggets": [{"fact": "117"}, {"fact": "117"}]},
            "the fact '117' is named 2 times and counts as often",
        ),
        (
            {"answer": "It costs 7,400 euros.", "nuggets": [{"fact": "7,400 euros"}, {"fact": "7.400 Euro"}]},
            "'7,400 euros' and '7.400 Euro' are one fact, which counts twice: make one an alias of the other",
        ),
        (
            {"nuggets": [{"fact": "117", "aliases": ["→"]}]},
            "the alias '→' of '117' has no words, so no answer can state it",
        ),
        (
            {"answer": "It has not 117 steps."},
            "the reference answer does not state its own fact '117' (it stands there, and is denied)",
        ),
        (
            {"evidence": [{"uri": "harbour/tides.md", "anchor": "has 117 steps"}] * 2},
            "the evidence harbour/tides.md ('has 117 steps') is named 2 times and counts as often",
        ),
        (
            {"evidence": [{"uri": "harbour/tides.md", "anchor": "→"}]},
            "the anchor '→' has no words, so it means the whole of harbour/tides.md",
        ),
        (
            {"kind": "no_answer", "nuggets": [], "evidence": []},
            "it has a reference answer although the documents do not answer it: a judge would ask for that answer",
        ),
    ],
)
def test_what_counts_twice_or_never_is_found(changes: dict[str, Any], message: str) -> None:
    assert messages(case(**changes)) == [message]
