"""The card of abstention: labels, thresholds by kind, and what the writer is handed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from roma_core.errors import EvalError
from roma_core.evals.abstention import AbstentionCard, label_answer, place_range, read_card, write_card
from roma_core.evals.golden.dataset import Evidence, GoldenCase, Nugget
from roma_core.evals.stats.risk import LabelledAnswer
from roma_core.llm.base import I_DONT_KNOW
from roma_core.writers.extractive import QuotedAnswer

ANSWERED = GoldenCase(
    id="a",
    question="How high is it?",
    kind="single",
    nuggets=(Nugget(fact="red"), Nugget(fact="blue")),
    evidence=(Evidence(uri="x.md"),),
)
UNANSWERED = GoldenCase(id="u", question="Who built it?", kind="no_answer")


def quoted(*pieces: str, evidence: float | None = 7.0) -> QuotedAnswer:
    return QuotedAnswer(pieces=pieces, kind="open", evidence=evidence)


def labelled(n: int, kind: str, *, wrong_below: float) -> list[LabelledAnswer]:
    """Return answers with evidence 0 to 9, those below ``wrong_below`` wrong."""
    return [
        LabelledAnswer(kind=kind, evidence=float(i % 10), is_answer=True, is_wrong=i % 10 < wrong_below)
        for i in range(n)
    ]


def make_card(answers: list[LabelledAnswer], risk: float = 0.05) -> AbstentionCard:
    return AbstentionCard(
        ranker="ranker",
        scorer="extractive/1:ranker",
        dataset="labelled",
        dataset_sha256="0",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        risk=risk,
        evidence_range=(0.0, 9.0),
        answers=tuple(answers),
    )


@pytest.mark.parametrize(
    ("case", "answer", "is_wrong"),
    [
        (ANSWERED, quoted("It is red and blue."), False),
        (ANSWERED, quoted("It is red."), False),
        (ANSWERED, quoted("It is tall."), True),
        (ANSWERED, quoted(I_DONT_KNOW), False),
        (UNANSWERED, quoted("Ada built it."), True),
        (UNANSWERED, quoted(I_DONT_KNOW), False),
    ],
)
def test_an_answer_is_wrong_without_most_facts_or_where_there_is_none(
    case: GoldenCase, answer: QuotedAnswer, is_wrong: bool
) -> None:
    label = label_answer(case, answer)
    assert label is not None
    assert label.is_wrong is is_wrong
    assert (label.kind, label.evidence, label.is_answer) == ("open", 7.0, not answer.is_refusal)


def test_a_case_without_facts_has_no_label() -> None:
    assert label_answer(ANSWERED.model_copy(update={"nuggets": ()}), quoted("It is red.")) is None


def test_a_kind_with_enough_labels_has_its_own_threshold_and_others_the_pooled_one() -> None:
    card = make_card([*labelled(600, "who", wrong_below=2), *labelled(600, "when", wrong_below=6)])
    contract = card.make_contract(0.05, shipped=5.8)
    assert contract.find_threshold("who").answer_from < contract.find_threshold("when").answer_from
    assert contract.find_threshold("list") == contract.find_threshold("")
    assert contract.find_threshold("who").origin == "calibrated on labelled"
    few = make_card([*labelled(600, "who", wrong_below=2), *labelled(50, "when", wrong_below=6)])
    assert set(few.control()) == {"", "who"}
    assert few.rows()[-1][0] == "when"
    assert "pooled" in few.rows()[-1][-1]


def test_another_risk_needs_no_new_labels() -> None:
    card = make_card([*labelled(1000, "who", wrong_below=5)], risk=0.05)
    strict, loose = (card.make_contract(risk, 5.8).find_threshold("who").answer_from for risk in (0.05, 0.4))
    assert loose < strict


def test_a_promise_that_cannot_be_kept_is_said_with_each_answer() -> None:
    card = make_card(labelled(500, "who", wrong_below=10))
    broken = [LabelledAnswer(kind="who", evidence=5.0, is_answer=True, is_wrong=i % 4 == 0) for i in range(400)]
    threshold = make_card(broken).make_contract(0.05, 5.8).find_threshold("who")
    assert "of such answers are wrong, not 5 %" in threshold.remark
    assert threshold.answer_from <= 5.0
    hopeless = card.make_contract(0.05, 5.8).find_threshold("who")
    assert (hopeless.answer_from, "too few labelled questions" in hopeless.remark) == (5.8, True)


def test_the_curve_falls_in_risk_and_rises_in_coverage_with_the_threshold() -> None:
    frame = make_card(labelled(1000, "who", wrong_below=5)).to_frame()
    pooled = frame[frame.kind == "all"].reset_index(drop=True)
    assert pooled.threshold.is_monotonic_decreasing
    assert pooled.coverage.is_monotonic_increasing
    assert (pooled.bound >= pooled.risk).all()
    assert pooled.risk.iloc[-1] == pytest.approx(0.5)


def test_an_unknown_scale_is_placed_by_answers_that_are_then_not_tested() -> None:
    answers = {str(i): answer for i, answer in enumerate(labelled(100, "who", wrong_below=3))}
    known, tested, placed_on = place_range(answers, (0.0, 24.0))
    assert (known, len(tested), placed_on) == ((0.0, 24.0), 100, 0)
    (low, high), tested, placed_on = place_range(answers, None)
    assert (len(tested), placed_on) == (80, 20)
    assert 0.0 <= low < high <= 9.0
    assert place_range(answers, None) == ((low, high), tested, placed_on)


def test_a_set_without_a_label_is_refused() -> None:
    with pytest.raises(EvalError, match="No question of the set"):
        place_range({}, (0.0, 24.0))


def test_a_card_is_read_as_it_was_written_and_an_unreadable_one_is_no_missing_one(tmp_path: Path) -> None:
    card = make_card(labelled(10, "who", wrong_below=3))
    path = write_card(card, tmp_path)
    assert read_card("ranker", tmp_path) == card
    assert read_card("another", tmp_path) is None
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(EvalError, match="make it again"):
        read_card("ranker", tmp_path)
