"""The table of trials: one at a time, a variant for each conversation, and what came of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from roma_core.errors import InputError, NotFoundError
from roma_core.trials import TrialTable, name_conversation
from roma_core.types import SavedWork, Statement, TailorOutput, Usage

CHANGE = {"rerank_weight": "0"}


def test_a_conversation_keeps_its_variant_and_half_of_them_have_each(tmp_path: Path) -> None:
    trial = TrialTable(tmp_path).start("default", "lazy", {}, CHANGE, by="local")
    again = TrialTable(tmp_path).find("default", "lazy")
    names = [name_conversation("anna", str(number)) for number in range(2000)]
    arms = [trial.assign(name) for name in names]
    assert arms == [again.assign(name) for name in names]
    assert 900 < Counter(arms)["a"] < 1100


def test_another_trial_draws_again(tmp_path: Path) -> None:
    one, other = (
        TrialTable(tmp_path / name).start("default", name, {}, CHANGE, by="local") for name in ("one", "other")
    )
    names = [name_conversation("anna", str(number)) for number in range(400)]
    same = sum(one.assign(name) == other.assign(name) for name in names)
    assert 140 < same < 260


def test_one_trial_of_a_tenant_runs_at_a_time(tmp_path: Path) -> None:
    table = TrialTable(tmp_path)
    table.start("default", "one", {}, CHANGE, by="local")
    table.start("acme", "one", {}, CHANGE, by="local")
    with pytest.raises(InputError, match="roma ab stop one"):
        table.start("default", "two", {}, CHANGE, by="local")
    assert not table.stop("default", "one").is_running
    with pytest.raises(InputError, match="already"):
        table.start("default", "one", {}, CHANGE, by="local")
    table.start("default", "two", {}, CHANGE, by="local")
    assert [one.name for one in table.list("default")] == ["two", "one"]
    assert table.find("acme", "one").is_running


@pytest.mark.parametrize("name", ["", "a/b", "../x", "<img>", "x" * 61, ".hidden"])
def test_a_name_that_is_no_part_of_an_address_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name"):
        TrialTable(tmp_path).start("default", name, {}, CHANGE, by="local")


def test_equal_variants_and_unknown_trials_are_refused(tmp_path: Path) -> None:
    table = TrialTable(tmp_path)
    with pytest.raises(InputError, match="same"):
        table.start("default", "one", {}, {}, by="local")
    with pytest.raises(NotFoundError):
        table.stop("default", "one")
    assert table.list("default") == () and table.find_arm("default", "c") is None


def test_a_conversation_is_assigned_while_the_trial_runs(tmp_path: Path) -> None:
    table = TrialTable(tmp_path)
    trial = table.start("default", "one", {}, CHANGE, by="local")
    found = table.find_arm("default", "c")
    assert found is not None and found == (trial, trial.assign("c"), False)
    table.enrol(trial, "c")
    assert (table.find_arm("default", "c") or (None, None, None))[2] is True
    assert table.find_arm("acme", "c") is None
    table.stop("default", "one")
    assert table.find_arm("default", "c") is None


def test_an_outcome_has_its_proof_and_one_from_the_cache_no_time(tmp_path: Path) -> None:
    table = TrialTable(tmp_path)
    trial = table.start("default", "one", {}, CHANGE, by="local")
    statements = tuple(Statement(start=0, end=1, verdict=verdict) for verdict in ("supported", "unsupported"))
    output = TailorOutput(answer="x", answer_id="1", statements=statements, usage=Usage(cost_usd=0.25))
    table.note_outcome(trial, "c", output, 1.5)
    table.note_outcome(trial, "c", output.model_copy(update={"saved": SavedWork(made_at=trial.started_at)}), 0.001)
    table.note_outcome(trial, "d", None, 2.0)
    outcomes, _ = table.outcomes(trial)
    assert [(one.state, one.proof, one.seconds, one.cost_usd) for one in outcomes] == [
        ("complete", 0.5, 1.5, 0.25),
        ("complete", 0.5, None, None),
        ("failed", None, 2.0, None),
    ]
