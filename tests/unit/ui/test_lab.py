"""The prompt lab and the label pad: what a click does, called; and the widgets that click."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.app import Roma
from roma_core.evals import load_golden
from roma_core.evals.golden.dataset import Golden, GoldenCase, add_cases
from roma_core.evals.judge.labels import load_labels
from roma_core.llm.base import LLMRequest
from roma_core.llm.providers.fake import FakeLLM, Reply, first_passage
from roma_core.llm.service import LLMService
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.ui import LabelPad, PromptLab
from tests.fakes.evals import make_report, make_row

FACTS = {"door": "red", "roof": "blue", "gate": "green"}


def answer(request: LLMRequest) -> Reply | str:
    return "Nobody knows." if "Be mute." in request.messages[0].content else first_passage(request)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[PromptLab]:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for thing, colour in FACTS.items():
        (folder / f"{thing}.md").write_text(f"The colour of the {thing} is {colour}.\n")
    cases = [
        {
            "id": thing, "question": f"Which colour has the {thing}?", "kind": "single", "nuggets": [{"fact": colour}],
            "evidence": [{"uri": f"{thing}.md", "anchor": f"the {thing} is {colour}"}],
        }
        for thing, colour in FACTS.items()
    ]  # fmt: skip
    (tmp_path / "golden.json").write_text(json.dumps(cases))
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="fake")
    parts = {"llm": LLMService([FakeLLM(rule=answer)]), "parsers": DolphinParserService(InlineSandbox())}
    async with build_roma(settings, **parts) as roma:  # type: ignore[arg-type]
        await roma.ingest(str(folder))
        yield PromptLab(roma, str(tmp_path / "golden.json"), primary="nugget_recall", questions=3)


def mute(roma: Roma) -> str:
    return f"{roma.prompt_library.find('answer').prompt.text}\nBe mute.\n"


async def test_a_run_shows_the_changed_items_with_facts_passages_and_stage(lab: PromptLab) -> None:
    with pytest.raises(RuntimeError, match="run the lab first"):
        _ = lab.comparison
    result = await lab.run("answer", text_b=mute(lab.roma))
    assert [v.score for v in result.variants] == [1.0, 0.0]
    for words in ("Nobody knows.", "Fact: red", "missed", "generation: ", "The colour of the door is red"):
        assert words in lab.changes, words
    assert "inconclusive" in lab.verdict and "cannot decide anything" in lab.verdict
    again = await lab.run("answer", text_b=mute(lab.roma).replace("Be mute.", "Be loud."))
    assert [v.score for v in again.variants] == [1.0, 1.0] and "No case changed" in lab.changes


async def test_a_failing_case_is_promoted_once(lab: PromptLab) -> None:
    await lab.run("answer", text_b=mute(lab.roma))
    failing = lab.failing()
    assert {case.id for case in failing} == set(FACTS)
    path = lab.promote(failing[0].id)
    assert lab.promote(failing[0].id) == path and load_golden(path).cases == (failing[0],)


async def test_the_button_runs_what_the_texts_say(lab: PromptLab) -> None:
    pytest.importorskip("ipywidgets")
    widget = lab.widget()
    controls, columns = widget.children[:2]
    columns.children[1].children[1].value = mute(lab.roma)
    button, state = controls.children[2], controls.children[3]
    button.click()
    for _ in range(600):
        if lab.result is not None and not button.disabled:
            break
        await asyncio.sleep(0.05)
    assert "2 variants" in state.value and "inconclusive" in widget.children[2].value
    promoting = widget.children[4]
    promoting.children[1].click()
    assert "promoted.json" in promoting.children[2].value


async def test_a_lab_that_was_run_shows_its_texts_and_its_verdict(lab: PromptLab) -> None:
    pytest.importorskip("ipywidgets")
    await lab.run("answer", text_b=mute(lab.roma))
    widget = lab.widget()
    editors = [column.children[1].value for column in widget.children[1].children]
    assert editors == [lab.roma.prompt_library.find("answer").prompt.text, mute(lab.roma)]
    assert "inconclusive" in widget.children[2].value and "Nobody knows." in widget.children[3].value
    assert set(widget.children[4].children[0].options) == set(FACTS)


def test_a_pad_keeps_each_grade_and_shows_no_run(tmp_path: Path) -> None:
    rows = [make_row(f"q{n}", judge=2.0).model_copy(update={"answer": f"answer {n}"}) for n in range(3)]
    report = make_report(*rows)
    pad = LabelPad(report, None, tmp_path / "labels.csv", rater="ada")
    assert report.run_id not in pad._repr_html_() and "1 of 3" in pad._repr_html_()
    widget = pad.widget()
    widget.children[1].children[4].click()
    assert "2 of 3" in widget.children[0].value
    pad.grade(1)
    pad.grade(2)
    assert "All 3 answers" in pad._repr_html_() and pad.left == []
    assert [label.grade for label in load_labels(tmp_path / "labels.csv")] == [5, 1, 2]


def make_case(number: int, kind: str = "no_answer", persona: str = "general") -> GoldenCase:
    evidence = [] if kind == "no_answer" else [{"uri": "a.md"}] * 2
    return GoldenCase.model_validate(
        {"id": f"{kind}{number}", "question": "?", "kind": kind, "persona": persona, "evidence": evidence}
    )


def test_a_stratified_sample_has_every_kind() -> None:
    cases = [make_case(n, "single") for n in range(50)] + [make_case(0, "conflict"), make_case(0), make_case(1)]
    golden = Golden(name="g", cases=tuple(cases))
    drawn = golden.stratify(6)
    assert {case.kind for case in drawn.cases} == {"single", "conflict", "no_answer"} and len(drawn.cases) == 6
    assert golden.stratify(6) == drawn and golden.stratify(99) == golden


def test_cases_are_added_to_a_set_once(tmp_path: Path) -> None:
    path = tmp_path / "sets" / "mine.json"
    assert add_cases(path, [make_case(1), make_case(2)]) == 2 and add_cases(path, [make_case(2), make_case(3)]) == 1
    assert [case.id for case in load_golden(path).cases] == ["no_answer1", "no_answer2", "no_answer3"]
