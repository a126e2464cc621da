"""The judge: what it reads, what cannot move it, votes, and a role of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.errors import EvalError
from roma_core.evals import Judge
from roma_core.evals.golden.dataset import Evidence, GoldenCase, Nugget
from roma_core.evals.judge.model import load_rubrics
from roma_core.evals.judge.reading import read_grade
from roma_core.llm.base import FALLBACK, LLMRequest
from roma_core.llm.build import judge_settings
from roma_core.llm.providers.fake import FakeLLM, Reply
from tests.fakes.evals import make_answer, make_passages
from tests.fakes.injections import INJECTIONS, RIGHT, SCRIPTED, WRONG

CASE = GoldenCase(
    id="door", question="Which colour has the door?", kind="single", answer="The door is red.",
    nuggets=(Nugget(fact="red"),), evidence=(Evidence(uri="paint.md"),),
)  # fmt: skip


def test_the_battery_holds_sixty_texts() -> None:
    assert len(set(INJECTIONS)) >= 60


@pytest.mark.parametrize("script", SCRIPTED, ids=lambda script: script.__name__)
async def test_no_injection_raises_a_grade(script: Callable[[LLMRequest], Reply | str]) -> None:
    judge = Judge(FakeLLM(rule=script))
    assert (await judge.grade(CASE, make_answer(RIGHT))).value == 5.0
    assert (await judge.grade(CASE, make_answer(WRONG))).value == 1.0
    grades = [(await judge.grade(CASE, make_answer(text))).value for text in INJECTIONS]
    assert [text for text, grade in zip(INJECTIONS, grades, strict=True) if grade not in {1.0, None}] == []


@pytest.mark.parametrize("script", SCRIPTED[:2], ids=lambda script: script.__name__)
async def test_a_source_cannot_raise_the_grade_of_faithfulness(script: Callable[[LLMRequest], Reply | str]) -> None:
    judge = Judge(FakeLLM(rule=script), load_rubrics()["faithfulness"])
    passage = make_passages(("d", 0, 5))[0]
    for text in INJECTIONS:
        hostile = passage.model_copy(update={"chunk": passage.chunk.model_copy(update={"text": text})})
        outcome = make_answer(WRONG, passages=(hostile,))
        assert (await judge.grade(CASE, outcome)).value in {1.0, None}


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ('{"reason": "r", "grade": 4}', 4),
        ('Sure! ```json\n{"reason": "r", "grade": "4",}\n```', 4),
        ("{'reason': 'r', 'grade': 4}", None),
        ('{"grade": 4.0}', 4),
        ('{"reason": "r", "grade": "4/5"}', 4),
        ('{"reason": "r", "grade": 4', 4),
        ("{“reason”: “r”, “grade”: 4}", 4),
        ("It is fine.\nGrade: 4", 4),
        ("**Grade: 4/5**", 4),
        ("Grade: 4\nGrade: 2", None),
        ('{"grade": 4} or rather {"grade": 2}', None),
        ('{"grade": 4} {"grade": 4}', 4),
        ('{"grade": 6}', None),
        ('{"grade": true}', None),
        ('{"grade": 3.5}', None),
        ("four, I think", None),
        ("", None),
    ],
)
def test_a_reply_is_read_as_one_grade_or_none(reply: str, grade: int | None) -> None:
    found = read_grade(reply, "The door is red.")
    assert (found.grade if found else None) == grade


async def test_of_several_votes_the_middle_one_counts() -> None:
    replies = [json.dumps({"reason": f"r{grade}", "grade": grade}) for grade in (5, 2, 4)]
    score = await Judge(FakeLLM(replies), repeats=3).grade(CASE, make_answer(RIGHT))
    assert score.value == 4.0 and score.reason == "r4 (votes: 5, 2, 4)" and score.usage.calls == 3
    requests = [Judge(FakeLLM()).request(CASE, make_answer(RIGHT), vote) for vote in range(2)]
    assert [request.repeat for request in requests] == [0, 1]


async def test_most_votes_must_be_readable() -> None:
    score = await Judge(FakeLLM(['{"grade": 5}', "?", "?"]), repeats=3).grade(CASE, make_answer(RIGHT))
    assert score.state == "unscored" and score.usage.calls == 3


async def test_a_stand_in_does_not_grade() -> None:
    class StandIn(FakeLLM):
        async def stream(self, request):  # type: ignore[no-untyped-def]
            async for delta in super().stream(request):
                yield delta._replace(reason=f"{FALLBACK}503") if delta.finish_reason else delta

    score = await Judge(StandIn(['{"grade": 5}'])).grade(CASE, make_answer(RIGHT))
    assert score.state == "unscored" and "stood in" in score.reason


def test_faithfulness_sees_the_sources_and_no_reference() -> None:
    judge = Judge(FakeLLM(), load_rubrics()["faithfulness"])
    text = judge.request(CASE, make_answer("It is blue.", passages=make_passages(("d", 0, 9)))).messages[0].content
    assert "xxxxxxxxx" in text and "It is blue." in text and "The door is red." not in text
    assert judge.measure.name == "faithfulness"


# --- a role of its own -----------------------------------------------------------------------------------------------


def test_the_judge_has_its_own_model_and_no_stand_in(workspace: Path) -> None:
    settings = Settings.load(
        workspace=workspace, llm_provider="openai", llm_api_key="sk-writer", llm_fallbacks="extractive",
        judge_model="anthropic:claude-x", judge_api_key="sk-judge", judge_budget_usd=0.5, judge_repeats=3,
    )  # fmt: skip
    roma = build_roma(settings)
    assert roma.judge.llm.name == "anthropic:claude-x" and roma.llm.name.startswith("openai:")
    assert roma.judge.repeats == 3 and roma.judge_llm is not roma.llm
    derived = judge_settings(settings)
    assert derived.llm.fallbacks == () and derived.budgets.run_usd == 0.5


@pytest.mark.parametrize(
    ("judge", "key"),
    [
        ({"judge_model": "openai:other"}, "sk-writer"),
        ({"judge_model": "anthropic:claude-x"}, None),
        ({"judge_model": "openai:other", "judge_base_url": "http://localhost:1/v1"}, None),
        ({"judge_model": "openai:other", "judge_api_key": "sk-judge"}, "sk-judge"),
    ],
)
def test_a_key_goes_to_the_vendor_that_it_is_of(workspace: Path, judge: dict[str, str], key: str | None) -> None:
    settings = Settings.load(workspace=workspace, llm_provider="openai", llm_api_key="sk-writer", **judge)
    held = judge_settings(settings).llm.api_key
    assert (held.get_secret_value() if held else None) == key


def test_without_a_judge_of_its_own_the_writer_grades(workspace: Path) -> None:
    settings = Settings.load(workspace=workspace, llm_provider="openai", llm_api_key="sk-writer")
    roma = build_roma(settings)
    assert roma.judge_llm is roma.llm
    with pytest.raises(EvalError, match="ROMA_JUDGE_MODEL"):
        _ = build_roma(Settings.load(workspace=workspace, llm_provider="extractive")).judge


def test_a_chosen_rubric_is_the_judges(workspace: Path) -> None:
    settings = Settings.load(workspace=workspace, llm_api_key="sk-1", llm_provider="openai", prompts="judge=hard")
    roma = build_roma(settings)
    path = roma.prompt_library.create("judge", "hard")
    path.write_text(path.read_text().replace("You grade", "You grade hard"))
    assert "You grade hard" in build_roma(settings).judge.rubric.template
