"""From graded answers to a card, and from a card to corrected scores; by Python and by the command line."""

from __future__ import annotations

import csv
import gzip
import json
import math
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from roma_core.cli import main, roma
from roma_core.errors import EvalError
from roma_core.evals import Judge
from roma_core.evals.evaluation import correct_scores
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.judge.card import JudgeCard, calibrate_judge, calibrate_pairs, read_card, write_card
from roma_core.evals.judge.labels import Label, LabelFile, LabelItem, draw_items, load_labels, load_preferences
from roma_core.evals.judge.pairwise import PairJudge, compare_answers
from roma_core.evals.report.record import MeasureInfo, describe_judges, render_page
from roma_core.evals.runs import RunStore
from roma_core.llm.base import LLMRequest
from roma_core.llm.providers.fake import FakeLLM
from tests.fakes.evals import make_report, make_row
from tests.fakes.injections import split_prompt


def by_content(request: LLMRequest) -> str:
    """A judge that likes "red", and long answers by a grade more than it should."""
    data, _ = split_prompt(request.messages[-1].content)
    grade = (4 if "red" in data else 2) + (1 if len(data) > 40 else 0)
    return json.dumps({"reason": "r", "grade": grade})


def make_labels(n: int = 40, rater: str = "ada") -> list[Label]:
    labels = []
    for number in range(n):
        good, padding = number % 2 == 0, " It was painted in a year that nobody knows." * (number % 4 // 2)
        answer = f"Door {number} is {'red' if good else 'blue'}.{padding}"
        item = LabelItem(question=f"Which colour has door {number}?", answer=answer, cluster=f"d{number // 4}")
        labels.append(Label(item=item, grade=4 if good else 2, rater=rater))
    return labels


async def test_a_card_has_agreement_bias_and_repeatability() -> None:
    card = await calibrate_judge(make_labels(), Judge(FakeLLM(rule=by_content)), repeats=2)
    assert card.exact == 0.5 and card.within_one == 1.0 and card.bias == 0.5
    assert card.sensitivity.mean == 1.0 and card.specificity.mean == 1.0 and card.repeatability == 1.0
    assert card.length_bias.mean == 1.0 and card.length_bias.low > 0.5
    assert 0 < card.kappa_low <= card.kappa <= card.kappa_high <= 1
    assert math.isnan(card.people_alpha) and card.usage.calls == 80
    assert {row[0] for row in card.rows()} >= {"kappa", "bias by length", "repeatability", "people"}


async def test_peoples_own_agreement_is_the_ceiling() -> None:
    second = [
        label.model_copy(update={"rater": "bob", "grade": 5 if label.grade == 4 else 1}) for label in make_labels()
    ]
    card = await calibrate_judge([*make_labels(), *second], Judge(FakeLLM(rule=by_content)), repeats=1)
    assert card.raters == 2 and 0.5 < card.people_alpha < 1 and len(card.labels) == 40


async def test_unreadable_grades_are_counted_and_a_judge_without_any_is_refused() -> None:
    replies = ['{"grade": 4}', "?", '{"grade": 2}', "?"]
    card = await calibrate_judge(make_labels(4), Judge(FakeLLM(replies)), repeats=1)
    assert card.unread == 2 and len(card.labels) == 2
    with pytest.raises(EvalError, match="no readable grade"):
        await calibrate_judge(make_labels(2), Judge(FakeLLM(["?"] * 2)), repeats=1)


async def test_one_grade_is_no_calibration() -> None:
    with pytest.raises(EvalError, match="a calibration needs 2 at least"):
        await calibrate_judge(make_labels(1), Judge(FakeLLM(rule=by_content)), repeats=1)


async def test_one_grade_for_all_answers_says_nothing_and_the_card_says_so() -> None:
    labels = [label.model_copy(update={"grade": 4.0}) for label in make_labels()]
    card = await calibrate_judge(labels, Judge(FakeLLM(rule=by_content)), repeats=1)
    assert dict(row[:2] for row in card.rows())["kappa"] == "–"
    assert card.remarks == ("People passed every answer: grade some that are wrong, or no pass rate can be corrected.",)
    assert card.remarks[0] in card._repr_html_()
    failed = [label.model_copy(update={"grade": 1.0}) for label in make_labels()]
    assert (
        (await calibrate_judge(failed, Judge(FakeLLM(rule=by_content)), repeats=1))
        .remarks[0]
        .startswith("People passed no answer")
    )
    assert (await calibrate_judge(make_labels(), Judge(FakeLLM(rule=by_content)), repeats=1)).remarks == ()


async def test_a_card_is_kept_and_corrects_every_report_of_its_judge(tmp_path: Path) -> None:
    judge = Judge(FakeLLM(rule=by_content))
    info = MeasureInfo(name="judge", scale=(1, 5), judge=judge.identity, models={"judge": judge.llm.name})
    rows = [make_row(f"q{n}", judge=5.0 if n % 4 else 1.0) for n in range(60)]
    report = make_report(*rows, measures=(info,))
    assert correct_scores(report, tmp_path).corrections == ()
    assert "uncalibrated" in describe_judges(report)[0] and "uncalibrated" in render_page(report)
    card = await calibrate_judge(make_labels(), judge, repeats=1)
    write_card(card, tmp_path)
    kept = read_card(judge.identity, tmp_path)
    assert isinstance(kept, JudgeCard) and kept.labels == card.labels and math.isnan(kept.people_alpha)
    corrected = correct_scores(report, tmp_path)
    assert corrected.run_id == report.run_id and "people would pass" in describe_judges(corrected)[0]
    rate = corrected.corrections[0].pass_rate
    assert rate.low < 0.75 < rate.high and corrected.corrections[0].labels == 40
    other = make_report(*rows, measures=(info.model_copy(update={"judge": "another"}),))
    assert correct_scores(other, tmp_path).corrections == ()


def test_the_stamp_says_that_a_model_grades_its_own_answers() -> None:
    info = MeasureInfo(name="judge", scale=(1, 5), judge="j", models={"judge": "openai:x"})
    rows = [make_row(f"q{n}", judge=5.0).model_copy(update={"model": "openai:x" if n else ""}) for n in range(3)]
    assert "also wrote 2 of the 3 answers" in describe_judges(make_report(*rows, measures=(info,)))[1]


# --- labels ----------------------------------------------------------------------------------------------------------


def test_the_draw_is_blind_to_the_judges_grades_and_always_the_same() -> None:
    rows = [make_row(f"q{n}", judge=float(1 + n % 5)).model_copy(update={"answer": f"a{n}"}) for n in range(100)]
    other = [row.model_copy(update={"scores": {"judge": 5.0}}) for row in rows]
    drawn = draw_items(make_report(*rows), n=20)
    assert len(drawn) == 20 and [item.id for item in drawn] == [
        item.id for item in draw_items(make_report(*other), n=20)
    ]


def test_labels_are_appended_and_read_back(tmp_path: Path) -> None:
    file = LabelFile(tmp_path / "labels" / "a.csv")
    given = make_labels(3)
    odd = given[0].item.model_copy(update={"answer": 'Commas, "quotes"\nand lines', "facts": ("a", "b")})
    for label in (*given[1:], Label(item=odd, grade=3, rater="ada")):
        file.add(label)
    read = file.read()
    assert [label.grade for label in read] == [2.0, 4.0, 3.0] and read[-1].item.answer == odd.answer
    assert read[-1].item.facts == ("a", "b") and read[-1].item.id == odd.id
    assert [item.id for item in file.left([label.item for label in given], "ada")] == [given[0].item.id]
    assert len(file.left([label.item for label in given], "bob")) == 3


@pytest.mark.parametrize("answer", [" ends with a blank ", "ends\r\nwith a line\r\n", "a\u2028b", ""])
def test_a_graded_answer_is_asked_for_once_whatever_its_ends(tmp_path: Path, answer: str) -> None:
    file = LabelFile(tmp_path / "a.csv")
    item = LabelItem(question="q ", answer=answer)
    file.add(Label(item=item, grade=3, rater="ada"))
    assert file.left([item], "ada") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("question,answer\nq,a\n", "lacks the columns grade"),
        ("question,answer,grade\nq,a,7\n", "line 2"),
        ("question,answer,grade\nq,a,good\n", "line 2"),
        ("question,answer,grade\n", "holds no label"),
    ],
)
def test_a_csv_that_is_none_is_refused_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(EvalError, match=complaint):
        load_labels(tmp_path / "l.csv")


def test_a_plain_csv_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    with (tmp_path / "l.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["Question".lower(), "answer", "grade", "remark"], ["Warum?", "Darum – so.", "4", "x"]])
    (label,) = load_labels(tmp_path / "l.csv")
    assert label.item.answer == "Darum – so." and label.grade == 4


# --- pairs -----------------------------------------------------------------------------------------------------------


def prefer_red(request: LLMRequest) -> str:
    text = request.messages[-1].content
    first, second = text.split("First answer:")[1].split("Second answer:")
    better = "first" if "red" in first else "second" if "red" in second else "tie"
    return json.dumps({"reason": "red", "better": better})


def prefer_first(request: LLMRequest) -> str:
    return json.dumps({"reason": "it is first", "better": "first"})


CASE = GoldenCase(id="q", question="?", kind="no_answer")


async def test_a_verdict_must_hold_in_both_orders() -> None:
    found = await PairJudge(FakeLLM(rule=prefer_red)).compare(CASE, "blue", "red")
    assert found.better == "second" and found.is_consistent and found.usage.calls == 2
    biased = await PairJudge(FakeLLM(rule=prefer_first)).compare(CASE, "blue", "red")
    assert biased.better == "tie" and not biased.is_consistent
    assert (await PairJudge(FakeLLM(["?", "?"])).compare(CASE, "blue", "red")).better is None


async def test_two_runs_are_compared_pair_by_pair() -> None:
    def run(colour: str, fingerprint: str):  # type: ignore[no-untyped-def]
        rows = [
            make_row(f"q{n}").model_copy(update={"answer": f"{n} {colour if n % 5 else 'grey'}"}) for n in range(30)
        ]
        return make_report(*rows, fingerprint=fingerprint)

    golden = Golden(name="d", cases=(CASE,))
    a, b = run("blue", "a"), run("red", "b")
    found = await compare_answers(a, b, golden, PairJudge(FakeLLM(rule=prefer_red)))
    assert (found.wins, found.losses, found.ties, found.inconsistent) == (24, 0, 6, 0)
    assert found.difference.low > 0 and found.words.startswith("B is better") and found.first_place == 0.5
    biased = await compare_answers(a, b, golden, PairJudge(FakeLLM(rule=prefer_first)))
    assert biased.inconsistent == 24 and biased.first_place == 1.0 and biased.difference.mean == 0


@pytest.mark.parametrize("packed", [False, True])
async def test_preferences_of_llmbar_and_ragchecker_calibrate_a_judge_of_pairs(tmp_path: Path, packed: bool) -> None:
    llmbar = [{"input": "?", "output_1": "blue", "output_2": "red", "label": 2}] * 3
    answers = {"model1": {"response": "red"}, "model2": {"response": "blue"}}
    ragchecker = [{"query": "?", "gt_answer": "red", **answers, "overall_label": label} for label in (-2, 0, 1)]
    (tmp_path / "a.json").write_text(json.dumps(llmbar))
    lines = "\n".join(json.dumps(record) for record in ragchecker).encode()
    (tmp_path / "b.jsonl").write_bytes(gzip.compress(lines) if packed else lines)
    first, second = load_preferences(tmp_path / "a.json"), load_preferences(tmp_path / "b.jsonl")
    assert [pair.better for pair in second] == ["first", "tie", "second"] and second[0].reference == "red"
    card = await calibrate_pairs([*first, *second], PairJudge(FakeLLM(rule=prefer_red)))
    assert (card.pairs, card.decided) == (6, 5) and card.agreement.mean == pytest.approx(0.8)
    assert card.consistent == 1.0 and card.first_place == 0.5
    (tmp_path / "c.json").write_text('[{"x": 1}]')
    with pytest.raises(EvalError, match="neither"):
        load_preferences(tmp_path / "c.json")


def test_published_preferences_are_read(shared_dir) -> None:  # type: ignore[no-untyped-def]
    pairs = load_preferences(shared_dir("data") / "ragchecker_human" / "judge.jsonl.gz")
    assert len(pairs) == 560 and {pair.better for pair in pairs} == {"first", "second", "tie"}
    assert all(pair.question and pair.reference for pair in pairs)


# --- the command line ------------------------------------------------------------------------------------------------


def test_answers_are_labelled_blind_in_the_terminal_and_calibrate_the_judge(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [make_row(f"q{n}", judge=3.0).model_copy(update={"answer": f"answer {n}"}) for n in range(6)]
    RunStore(workspace / "evals").save(make_report(*rows), "secret-name")
    words = ["judge", "label", "secret-name", "--n", "4", "--rater", "ada", "--workspace", str(workspace)]
    shown = CliRunner().invoke(roma, words, input="5\ns\n9\n2\nq\n")
    assert shown.exit_code == 0, shown.output
    assert "secret-name" not in shown.output and "3.0" not in shown.output
    assert "2 of 4 answers are graded" in shown.output
    again = CliRunner().invoke(roma, words, input="4\n1\n")
    assert "4 of 4 answers are graded" in again.output
    (file,) = (workspace / "evals" / "labels").glob("*.csv")
    assert sorted(label.grade for label in load_labels(file)) == [1, 2, 4, 5]

    monkeypatch.setenv("LLM_PROVIDER", "fake")
    assert main(["calibrate", "judge", str(file), "--repeats", "1", "--workspace", str(workspace), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["model"].startswith("fake") and len(card["labels"]) == 4
    assert len(list((workspace / "evals" / "judges").glob("*.json"))) == 1


def test_random_labels_agree_by_chance_alone() -> None:
    rng = random.Random(1)
    pairs = [(rng.randint(1, 5), rng.randint(1, 5)) for _ in range(300)]
    from roma_core.evals.judge.calibration import cohen_kappa

    assert abs(cohen_kappa([a for a, _ in pairs], [b for _, b in pairs], "quadratic")) < 0.15
