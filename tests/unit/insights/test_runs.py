"""Runs over time, and two of them item by item, as far as a viewer may read what they quote."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.errors import AccessError, EvalError
from roma_core.evals import evaluate, open_runs
from roma_core.evals.report.record import MeasureInfo
from roma_core.insights.runs import WITHHELD, break_down, compare_runs, pair_runs, read_runs
from roma_core.settings import Settings
from roma_core.types import Principal
from tests.fakes.evals import HIGHER, LOWER, make_passages, make_report, make_row
from tests.unit.exports.conftest import copy_workspace

ANALYST = Principal(subject="ada", roles=("analyst",))


def test_items_of_two_runs_stand_side_by_side_also_those_of_one_alone() -> None:
    a = make_report(make_row("q1", nugget_recall=1.0), make_row("q2", nugget_recall=0.5))
    b = make_report(make_row("q1", nugget_recall=0.0), make_row("q3", nugget_recall=1.0))
    compared = pair_runs(a, b, "nugget_recall")
    assert {item.case_id: item.gain for item in compared.items} == {"q1": -1.0, "q3": None, "q2": None}
    assert [item.case_id for item in compared.choose("worse")] == ["q1"]
    assert [item.case_id for item in compared.choose("not scored")] == ["q2"]
    assert [item.case_id for item in compared.choose("wrong in B")] == ["q1"]
    assert len(compared.choose("all")) == 3


def test_a_gain_is_turned_so_that_more_is_better() -> None:
    a, b = make_report(make_row("q", false_answers=1.0)), make_report(make_row("q", false_answers=0.0))
    (item,) = pair_runs(a, b, "false_answers").items
    assert item.gain == 1.0


def test_the_greatest_change_comes_first_and_words_choose() -> None:
    scores = {"q1": 0.1, "q2": 0.9, "q3": 0.5}
    a = make_report(*(make_row(name, nugget_recall=0.0) for name in scores))
    b = make_report(*(make_row(name, nugget_recall=score) for name, score in scores.items()))
    compared = pair_runs(a, b, "nugget_recall")
    assert [item.case_id for item in compared.choose("changed most")] == ["q2", "q3", "q1"]
    assert [item.case_id for item in compared.choose("all", "q3?")] == ["q3"]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (HIGHER, {"right": 1, "in part": 1, "wrong": 1, "unscored": 1, "not asked of it": 1, "failed": 1}),
        (LOWER, {"not asked of it": 5, "failed": 1}),
        (None, {"not asked of it": 5, "failed": 1}),
    ],
    ids=["higher", "lower", "none"],
)
def test_items_are_counted_by_what_became_of_them(info: MeasureInfo | None, expected: dict[str, int]) -> None:
    rows = [
        make_row("q1", nugget_recall=1.0),
        make_row("q2", nugget_recall=0.5),
        make_row("q3", nugget_recall=0.0),
        make_row("q4", nugget_recall=None),
        make_row("q5", other=1.0),
        make_row("q6", "failed", nugget_recall=None),
    ]
    assert break_down(rows, info) == expected


def test_an_item_made_from_a_withheld_or_from_no_known_document_has_no_words() -> None:
    rows = [
        make_row("open", nugget_recall=1.0).model_copy(update={"passages": make_passages(("d1", 0, 5)), "answer": "x"}),
        make_row("mixed", nugget_recall=1.0).model_copy(
            update={"passages": make_passages(("d1", 0, 5), ("secret", 0, 5)), "answer": "secret words"}
        ),
        make_row("none", nugget_recall=1.0).model_copy(update={"answer": "from nowhere"}),
    ]
    report = make_report(*rows)
    compared = pair_runs(report, report, "nugget_recall", frozenset({"d1"}))
    shown = {item.case_id: item for item in compared.items}
    assert [name for name, item in shown.items() if item.is_withheld] == ["item 2", "item 3"]
    assert shown["item 2"].question == WITHHELD
    assert "secret" not in compared.model_dump_json()
    assert shown["item 2"].b is not None and shown["item 2"].b.score == 1.0
    everything = pair_runs(report, report, "nugget_recall")
    assert not any(item.is_withheld for item in everything.items)


def test_items_are_found_by_the_stage_that_lost_them_but_those_withheld_say_nothing() -> None:
    rows = [
        make_row("open", nugget_recall=0.0).model_copy(update={"passages": make_passages(("d1", 0, 5))}),
        make_row("secret", nugget_recall=0.0).model_copy(update={"passages": make_passages(("d2", 0, 5))}),
    ]
    report = make_report(*rows)
    losses = {"open": ("parse loss", "a table"), "secret": ("rerank drop", "d2 is at rank 9")}
    compared = pair_runs(report, report, "nugget_recall", frozenset({"d1"})).explain(losses)
    assert [(item.stage, item.shows) for item in compared.items] == [("parse loss", "a table"), ("", "")]
    assert [item.case_id for item in compared.choose("all", "parse loss")] == ["open"]


# --- a real workspace ---


async def test_the_runs_of_a_workspace_are_read_and_compared(settings: Settings, tmp_path: Path) -> None:
    async with build_roma(copy_workspace(settings, tmp_path)) as roma:
        await evaluate(settings.workspace.parent / "golden.json", roma, name="narrow", top_k=1)
        board = await read_runs(roma, ANALYST)
        assert [run.card.name for run in board.runs] == ["base", "narrow"]
        (dataset,) = board.datasets
        assert board.measures(dataset)[0] == "nugget_recall"
        ids = [run.card.run_id for run in board.runs]
        compared = await compare_runs(roma, roma.user, *ids)
        assert compared.comparison is not None and compared.refusal == ""
        assert {item.case_id for item in compared.items} == {"bridge", "ferry", "painter"}
        alone = await compare_runs(roma, roma.user, ids[0], ids[0])
        assert alone.comparison is None and alone.refusal == ""
        with pytest.raises(EvalError):
            await compare_runs(roma, roma.user, ids[0], "no-such-run")


async def test_a_reader_and_another_tenant_see_no_run(settings: Settings) -> None:
    run_id = open_runs(settings).list()[0].run_id
    async with build_roma(settings) as roma:
        with pytest.raises(AccessError):
            await read_runs(roma, Principal(subject="rita", roles=("reader",)))
        stranger = Principal(subject="ada", tenant="acme", roles=("admin",))
        assert (await read_runs(roma, stranger)).runs == ()
        with pytest.raises(EvalError):
            await compare_runs(roma, stranger, run_id, run_id)
