"""The policy *strict* over a stream: what is contradicted or unsupported never reaches the client, honest words do."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.llm.providers.fake import FakeLLM
from roma_core.types import CompleteEvent

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
