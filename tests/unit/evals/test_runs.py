"""Runs are found by what people call them, and keep the best that was known of them."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo
from roma_core.evals.runs import RunStore


def make_report(fingerprint: str = "f", score: float | None = 1.0, dataset: str = "paint") -> EvalReport:
    row = EvalRow(
        case_id="q", question="?", kind="single", persona="general", cluster="q", scores={"m": score},
        state="ok" if score is not None else "failed", error=None if score is not None else "ERR_TIMEOUT",
    )  # fmt: skip
    measures = (MeasureInfo(name="m"),)
    return EvalReport(dataset=dataset, dataset_sha256="x", fingerprint=fingerprint, measures=measures, rows=(row,))


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "evals")


def test_the_same_run_under_another_name_is_found_by_both(runs: RunStore) -> None:
    report = make_report()
    runs.save(report, "base")
    runs.save(report, "again")
    runs.save(report)
    card = runs.find("again")
    assert (card.name, card.labels) == ("again", ("base",))
    assert runs.find("base").run_id == card.run_id == report.run_id


def test_a_disk_that_fills_up_while_a_run_is_written_leaves_the_kept_one(
    runs: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = make_report(score=0.5)
    runs.save(kept, "base")
    better = kept.model_copy(update={"rows": (kept.rows[0].model_copy(update={"scores": {"m": 1.0}}),)})
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match="No space left"):
        runs.save(better, "base")
    monkeypatch.undo()
    assert runs.read("base").canonical() == kept.canonical()
    assert list(runs.folder.rglob("*.new")) == []


def test_a_run_is_found_by_name_label_id_file_and_folder(runs: RunStore) -> None:
    report = make_report()
    card = runs.save(report, "lazy")
    runs.label("lazy", ["winter"])
    folder = runs.folder / report.run_id
    for name in ("lazy", "winter", report.run_id, report.run_id[:5], str(folder), str(folder / "report.json")):
        assert runs.read(name).canonical() == report.canonical(), name
    assert (card.name, card.cases, card.states, card.is_whole) == ("lazy", 1, {"ok": 1}, True)
    assert runs.page("lazy").read_text().startswith("<!doctype html>")


def test_a_run_without_a_name_is_called_by_its_dataset_and_a_number(runs: RunStore) -> None:
    names = [runs.save(make_report(f)).name for f in "abc"] + [runs.save(make_report("d", dataset="a b")).name]
    assert names == ["paint-1", "paint-2", "paint-3", "a-b-1"]


def test_runs_without_a_name_that_end_at_one_moment_have_names_of_their_own(runs: RunStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        cards = list(pool.map(lambda number: RunStore(runs.folder).save(make_report(f"f{number}")), range(24)))
    assert sorted(card.name for card in cards) == sorted(f"paint-{number}" for number in range(1, 25))


def test_the_same_run_again_keeps_its_name_labels_and_date(runs: RunStore) -> None:
    first = runs.save(make_report(), "lazy", primary="m")
    runs.label("lazy", ["winter"])
    again = runs.save(make_report())
    assert again == first.model_copy(update={"labels": ("winter",)}) and len(runs.list()) == 1
    assert again.primary == "m"


def test_a_name_given_twice_means_the_newest_run(runs: RunStore) -> None:
    old, new = make_report("a"), make_report("b")
    runs.save(old, "lazy")
    runs.save(new, "lazy")
    later = runs.list()[0].created_at.replace(year=2040)
    path = runs.folder / new.run_id / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"created_at": later.isoformat()}))
    assert runs.find("lazy").run_id == new.run_id
    assert [card.run_id for card in runs.list()] == [old.run_id, new.run_id]


def test_an_attempt_that_scored_less_does_not_replace_the_report(runs: RunStore) -> None:
    good, bad = make_report(), make_report(score=None)
    assert good.run_id == bad.run_id
    runs.save(good)
    card = runs.save(bad)
    assert runs.read(good.run_id).canonical() == good.canonical() and card.states == {"ok": 1}
    kept = json.loads((runs.folder / good.run_id / "incomplete.json").read_text())
    assert kept["states"] == {"failed": 1}
    runs.save(good)
    assert not (runs.folder / good.run_id / "incomplete.json").exists()


def test_labels_are_added_and_removed_and_runs_renamed_and_deleted(runs: RunStore) -> None:
    report = make_report()
    runs.save(report, "a")
    assert runs.label("a", ["x", "y"]).labels == ("x", "y")
    assert runs.label("a", ["x"], remove=True).labels == ("y",)
    assert runs.rename("a", "b").name == "b"
    assert runs.remove("b").run_id == report.run_id and runs.list() == []


@pytest.mark.parametrize(
    ("name", "why"),
    [("zz", r"no run 'zz'. .*Known: lazy, quick"), ("lazi", "Did you mean 'lazy'"), ("both", "More than")],
)
def test_a_name_that_means_no_run_or_several_says_what_there_is(runs: RunStore, name: str, why: str) -> None:
    for fingerprint, called in (("a", "lazy"), ("b", "quick")):
        runs.save(make_report(fingerprint), called)
        runs.label(called, ["both"])
    with pytest.raises(EvalError, match=why) as caught:
        runs.read(name)
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_an_empty_workspace_says_how_to_make_a_run(runs: RunStore) -> None:
    with pytest.raises(EvalError, match="`roma eval` makes one"):
        runs.find("x")


@pytest.mark.parametrize("name", ["a b", "../x", "a/b", "", "x" * 81])
def test_a_name_can_be_typed(runs: RunStore, name: str) -> None:
    runs.save(make_report(), "a")
    if name:
        with pytest.raises(EvalError, match="cannot be called"):
            runs.rename("a", name)


def test_a_folder_that_holds_no_report_is_said(runs: RunStore, tmp_path: Path) -> None:
    report: Any = make_report()
    runs.save(report, "a")
    (runs.folder / report.run_id / "report.json").write_text("[]")
    with pytest.raises(EvalError, match="is not a report"):
        runs.read("a")


def test_the_figures_of_a_run_are_kept_in_a_small_file_and_follow_the_run(runs: RunStore) -> None:
    card = runs.save(make_report(), "lazy")
    first = runs.summarise(card)
    found = first.find("m")
    assert found is not None and (found.interval.mean, found.interval.n) == (1.0, 1)
    kept = runs.folder / card.run_id / "summary.json"
    assert kept.stat().st_size < 5000
    assert [run.card.name for run in runs.summaries()] == ["lazy"]

    runs.rename("lazy", "slow")
    assert [run.card.name for run in runs.summaries()] == ["slow"]

    later = kept.stat().st_mtime_ns + 1_000_000_000
    (runs.folder / card.run_id / "report.json").write_bytes(make_report(score=0.25).canonical())
    os.utime(runs.folder / card.run_id / "report.json", ns=(later, later))
    again = runs.summarise(card).find("m")
    assert again is not None and again.interval.mean == 0.25


def test_a_run_that_cannot_be_read_is_left_out_of_the_figures(runs: RunStore) -> None:
    runs.save(make_report(), "lazy")
    broken = runs.save(make_report("other"), "broken")
    (runs.folder / broken.run_id / "report.json").write_text("{")
    assert [run.card.name for run in runs.summaries()] == ["lazy"]


def test_a_run_that_was_copied_without_its_card_is_called_by_its_folder(runs: RunStore) -> None:
    report = make_report()
    runs.save(report, "a")
    (runs.folder / report.run_id / "run.json").unlink()
    assert runs.find(report.run_id).name == report.run_id
