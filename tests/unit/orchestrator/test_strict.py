"""The policy *strict* over a stream: what is contradicted or unsupported never reaches the client, honest words do."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.llm.providers.fake import FakeLLM
from roma_core.types import Answered, CompleteEvent, Query, TailorOutput
from roma_core.verification import read_export

TEXT = (
    "The rope bridge of Quellfeld has 43 ropes. Support for sockets was added in version 3.9.2. "
    "The call about the rope bridge starts at 15:00 CET. The toll of the rope bridge is 3 euros per vehicle. "
    "The heron is faster than the gull. The pump of the bridge yields 40 MW.\n\n"
    "| Boat | Berths |\n|---|---|\n| Gull | 4 |\n| Heron | 6 |"
)
HONEST = "The rope bridge of Quellfeld has more than 40 ropes [1]."


@pytest.mark.parametrize(
    "false",
    [
        "The rope bridge of Quellfeld has more than 45 ropes",
        "Support for sockets was added in version 3.9.3",
        "The call about the rope bridge starts at 16:00 CET",
        "The toll of the rope bridge is 4 euros per vehicle",
        "The gull is slower than the heron, and the heron is slower than the gull",
        "The pump of the bridge yields 40 mW",
        "The Gull has 6 berths",
        "Error E1042 of the bridge means “full disk”",
    ],
)
async def test_a_false_statement_is_neither_streamed_nor_kept(kit: Any, false: str) -> None:
    store = await kit.store({"bridge": TEXT})
    roma = kit.roma(store, FakeLLM([f"{false} [1]. {HONEST}"]), citations="strict")
    events = await kit.events(roma, "What is known of the rope bridge?")
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.answer == HONEST
    assert kit.tokens(events) == HONEST
    assert [statement.text for statement in last.output.removed] == [false]
    assert [citation.verdict for citation in last.output.citations] == ["supported"]


async def test_what_is_left_out_makes_a_statement_partial_and_it_stays_marked(kit: Any) -> None:
    store = await kit.store({"bridge": TEXT})
    roma = kit.roma(store, FakeLLM(["The toll of the rope bridge is 3 euros [1]."]), citations="strict")
    last = (await kit.events(roma, "What is the toll of the rope bridge?"))[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.answer == "The toll of the rope bridge is 3 euros [1]."
    assert [statement.verdict for statement in last.output.statements] == ["partial"]


MIXED = (
    "The rope bridge of Quellfeld has 34 ropes [1]. Support for sockets was added in version 3.9.3 [1]. "
    "The toll of the rope bridge is 3 euros [1]. The heron may be faster than the gull [1]. "
    "The pump of the bridge yields 40 MW. I don't know about the length of the rope bridge."
)
"""Two wrong statements, one half right, one hedged, one without a marker, and one that says what is not known."""
VERDICTS = ["contradicted", "contradicted", "partial", "partial", "verbatim"]


def verdicts_of(output: TailorOutput) -> list[str]:
    return [statement.verdict for statement in output.statements]


async def test_mark_shows_the_verdict_of_each_statement_and_finds_the_missing_citation(kit: Any) -> None:
    store = await kit.store({"bridge": TEXT})
    roma = kit.roma(store, FakeLLM([MIXED, MIXED]), citations="mark")
    events = await kit.events(roma, "What is known of the rope bridge?")
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert verdicts_of(last.output) == VERDICTS
    assert [citation.found_by for citation in last.output.citations] == ["answer"] * 4 + ["roma"]
    assert last.output.answered is Answered.PARTLY
    assert last.output.answer == MIXED.replace("yields 40 MW.", "yields 40 MW. [1]")
    assert read_export(last.model_dump_json()).statements == last.output.statements
    assert (await roma.query(Query(text="What is known of the rope bridge?"))).statements == last.output.statements


async def test_strict_streams_and_keeps_the_corrected_text_with_the_verdicts_that_stay(kit: Any) -> None:
    store = await kit.store({"bridge": TEXT})
    roma = kit.roma(store, FakeLLM([MIXED]), citations="strict")
    events = await kit.events(roma, "What is known of the rope bridge?")
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    kept = MIXED[MIXED.index("The toll") :].replace("yields 40 MW.", "yields 40 MW. [1]")
    assert last.output.answer == kept
    assert kit.tokens(events) == kept
    assert verdicts_of(last.output) == VERDICTS[2:]
    assert len(last.output.removed) == 2
    assert last.output.answered is Answered.PARTLY


async def test_what_an_answer_does_not_know_is_no_statement_but_what_follows_it_is(kit: Any) -> None:
    store = await kit.store({"bridge": TEXT})
    told = "I don't know about the length of the rope bridge, but the toll of the rope bridge is 5 euros. "
    roma = kit.roma(store, FakeLLM([told + HONEST]), citations="mark")
    last = (await kit.events(roma, "What is known of the rope bridge?"))[-1]
    assert isinstance(last, CompleteEvent)
    assert len(last.output.statements) == 2
    assert verdicts_of(last.output)[0] not in {"verbatim", "supported"}
