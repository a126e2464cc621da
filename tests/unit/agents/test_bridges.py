"""Bridges: which names of the first passage lead on, and what becomes of the second look-up."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.agents.bridges import Bridge, find_bridges
from roma_core.types import CompleteEvent, StageEvent
from roma_core.writers import ExtractiveWriter

BORN = "Where was the designer of the Alba bridge born?"
CORPUS = {
    "alba": "# Alba bridge\n\nThe Alba bridge was opened in May 1902. Its designer was Petra Vos, an engineer.",
    "vos": "# Petra Vos\n\nPetra Vos was born in Delft and went to sea at the age of twelve.",
    "lime": "# Lime\n\nLime mortar was born of a need for walls that move. It sets in the air.",
}


@pytest.mark.parametrize(
    ("question", "passage", "names"),
    [
        (BORN, "The Alba bridge was opened in May 1902. Its designer was Petra Vos.", ["Petra Vos"]),
        ("What does the firm that made the K-12 pump sell?", "The K-12 pump was made by Orso Works.", ["Orso Works"]),
        ("Which language is spoken in the town where Ada Kern lived?", "Ada Kern lived in the town of Brig.", ["Brig"]),
        ("Who owns the paper behind the Dorn affair?", "The Dorn affair hit a paper, the Lamp.", ["Lamp"]),
    ],
)  # fmt: skip
def test_the_names_that_the_question_lacks_lead_on(kit: Any, question: str, passage: str, names: list[str]) -> None:
    assert [bridge.name for bridge in find_bridges(question, [kit.passage(passage)])] == names


@pytest.mark.parametrize(
    ("question", "passages"),
    [
        (BORN, ["The designer of the Alba bridge was born in Delft, said Petra Vos."]),
        (BORN, ["The Alba bridge has a designer, Petra Vos.", "The designer of the Alba bridge was born in Delft."]),
        (BORN, ["Petra Vos swims."]),
        (BORN, ["The designer of the Alba bridge was a woman."]),
        ("What is the bell number of the north team?", ["On-call: south team, bell number 4471."]),
        (BORN, ["On Monday in May the designer of the Alba bridge left."]),
        ("Was Alba bridge designed by a woman born late?", ["Alba bridge was designed by Petra Vos."]),
        ("What year was the start of the Alba bridge?", ["The Alba bridge is by Petra Vos."]),
        ("Who was it?", ["It was Petra Vos."]),
        (BORN, []),
    ],
    ids=[
        "one passage has it all", "another one has it all", "another subject", "no name", "a word with a hyphen begins",
        "a day is no name",
        "nothing described", "only an asking word is open", "too few words", "no passage",
    ],
)  # fmt: skip
def test_nothing_leads_on(kit: Any, question: str, passages: list[str]) -> None:
    assert find_bridges(question, [kit.passage(text, name=str(i)) for i, text in enumerate(passages)]) == ()


def test_a_bridge_leads_to_a_passage_with_its_name_and_the_open_words(kit: Any) -> None:
    bridge = Bridge("Petra Vos", ("born", "married"))
    assert bridge.leads_to(kit.passage("Petra Vos was born in Delft."))
    assert not bridge.leads_to(kit.passage("Petra Vos swims."))
    assert not bridge.leads_to(kit.passage("Petra Kern was born and married in Delft."))


async def test_a_question_of_two_hops_is_answered_from_both_passages(kit: Any) -> None:
    roma = kit.roma(await kit.store(CORPUS), writers=[ExtractiveWriter()], planner="auto")
    events = await kit.events(roma, BORN)
    plans = [e.detail["questions"] for e in events if isinstance(e, StageEvent) and e.stage == "planned"]
    assert plans == [[BORN], [BORN, "Petra Vos born"]]
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert "born in Delft" in last.output.answer
    assert "designer was Petra Vos" in last.output.answer
    assert {citation.uri for citation in last.output.citations} == {"alba", "vos"}
    assert "second look-up by “Petra Vos”" in last.output.model_reason


async def test_a_bridge_that_leads_nowhere_leaves_the_question_as_it_is(kit: Any) -> None:
    roma = kit.roma(
        await kit.store({name: text for name, text in CORPUS.items() if name != "vos"}),
        writers=[ExtractiveWriter()],
        planner="auto",
    )
    events = await kit.events(roma, BORN)
    assert [e.stage for e in events if isinstance(e, StageEvent)].count("planned") == 2
    assert isinstance(events[-1], CompleteEvent)
    assert "second look-up" not in events[-1].output.model_reason


@pytest.mark.parametrize("parts", [{"planner": "off"}, {"planner": "auto", "llm": True}])
async def test_without_the_rule_there_is_one_look_up(kit: Any, parts: dict[str, Any]) -> None:
    if parts.pop("llm", False):
        roma = kit.roma(await kit.store(CORPUS), **parts)
    else:
        roma = kit.roma(await kit.store(CORPUS), writers=[ExtractiveWriter()], **parts)
    events = await kit.events(roma, BORN)
    assert [e.stage for e in events if isinstance(e, StageEvent)].count("retrieved") == 1
