"""Updates of an answer, as the console's page follows them: a connection that comes again goes on behind the last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roma_core.errors import ErrorCode

HERE = "/console/api/conversations/abcdefgh/ask"


async def start_answer(service: Any) -> str:
    body = {"text": "When was the rope bridge built?"}
    asked = await service.client.post(HERE, json=body, headers={"Idempotency-Key": "k"})
    return f"/console/api/answers/{asked.json()['id']}/updates"


async def read_updates(service: Any, path: str, last: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return the updates with their ids, an empty one for none."""
    text = (await service.client.get(path, headers={"Last-Event-ID": last} if last else {})).text
    updates = []
    for part in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines() if not line.startswith(":"))
        if "data" in lines:
            updates.append((lines.get("id", ""), json.loads(lines["data"])))
    return updates


async def test_the_updates_go_on_behind_the_last_one_that_came(service: Any) -> None:
    path = await start_answer(service)
    whole = await read_updates(service, path)
    assert whole[-1][1]["type"] == "end"
    place = next(place for place, _ in whole if place)
    rest = await read_updates(service, path, place)
    shown = [update for at, (_, update) in enumerate(whole) if at <= [p for p, _ in whole].index(place)]
    stages = [update["stage"] for update in shown if update["type"] == "stage"]
    assert not [update for _, update in rest if update["type"] == "stage" and update["stage"] in stages]
    assert rest[-1][1]["turn"]["blocks"] == whole[-1][1]["turn"]["blocks"]


@pytest.mark.parametrize("last", ["a1:7", "7", "-7.1"])
async def test_an_id_of_another_kind_is_refused(service: Any, last: str) -> None:
    path = await start_answer(service)
    refused = await service.client.get(path, headers={"Last-Event-ID": last})
    assert refused.status_code == 422
    assert refused.json()["failure"]["code"] == ErrorCode.INPUT_INVALID
