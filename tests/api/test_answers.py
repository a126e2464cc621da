"""Answers by id over HTTP: one question one answer, any client at any time, stopped, kept apart, after a restart."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from roma_core.llm.providers.server import Script
from roma_core.types import Query
from tests.api.conftest import QUESTION, parse_events, running


async def read_stream(client: Any, method: str, url: str, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    async with client.stream(method, url, **options) as response:
        text = "".join([part async for part in response.aiter_text()])
    return response, parse_events(text)


def count_chats(service: Any) -> int:
    return sum(asked.path.endswith("/chat/completions") for asked in service.model.asked)


async def test_an_answer_is_found_by_the_id_in_its_header(service: Any) -> None:
    asked = await service.client.post("/query", json=QUESTION)
    record_id = asked.headers["x-answer-id"]
    record = (await service.client.get(f"/answers/{record_id}")).json()
    assert (record["state"], record["query"]["text"]) == ("complete", QUESTION["text"])
    assert {name: value for name, value in record["output"].items() if name != "passages"} == asked.json()
    assert record["stages"]
    assert record["identity"]["fingerprints"]["llm"] == "openai:gpt-4o-mini"
    (summary,) = (await service.client.get("/answers")).json()
    assert (summary["id"], summary["state"]) == (record_id, "complete")


async def test_a_stream_is_sent_again_byte_for_byte_and_behind_any_event(service: Any) -> None:
    response, first = await read_stream(service.client, "POST", "/query", json={**QUESTION, "stream": True})
    record_id = response.headers["x-answer-id"]
    _, again = await read_stream(service.client, "GET", f"/answers/{record_id}/events")
    assert again == first
    last = {"Last-Event-ID": first[2]["id"]}
    _, rest = await read_stream(service.client, "GET", f"/answers/{record_id}/events", headers=last)
    assert rest == first[3:]
    _, resumed = await read_stream(service.client, "POST", "/query", json={**QUESTION, "stream": True}, headers=last)
    assert resumed == first[3:]


async def test_one_key_is_one_answer_however_often_it_is_asked(service: Any) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    calls = [service.client.post("/query", json=QUESTION, headers=key) for _ in range(5)]
    answers = await asyncio.gather(*calls)
    assert len({answer.headers["x-answer-id"] for answer in answers}) == 1
    assert len({answer.text for answer in answers}) == 1
    _, events = await read_stream(service.client, "POST", "/query", json={**QUESTION, "stream": True}, headers=key)
    assert events[-1]["data"]["output"] == answers[0].json()
    assert count_chats(service) == 1
    other = await service.client.post("/query", json={"text": "Why?"}, headers=key)
    assert other.status_code == 422
    assert "another question" in other.json()["failure"]["message"]


async def test_with_a_key_the_answer_is_written_on_when_the_client_goes_away(workspace: Path, until: Any) -> None:
    slow = Script(text="The rope bridge of Quellfeld was built in 1902. [1]", first_wait_s=0.5)
    async with running(workspace, slow) as service:
        key = {"Idempotency-Key": "k"}
        leaving = asyncio.create_task(service.client.post("/query", json=QUESTION, headers=key))
        await until(lambda: service.model.asked)
        leaving.cancel()
        answer = await service.client.post("/query", json=QUESTION, headers=key)
        assert "1902" in answer.json()["answer"]
        assert count_chats(service) == 1


async def test_several_clients_follow_one_answer_and_it_is_stopped_by_its_id(workspace: Path) -> None:
    slow = Script(text="one two three four five six seven eight", word_wait_s=20)
    async with running(workspace, slow) as service:
        record_id = await service.roma.start_answer(Query(text="When was the rope bridge built?"))
        url = f"/answers/{record_id}/events"
        readers = [asyncio.create_task(read_stream(service.client, "GET", url)) for _ in range(3)]
        await asyncio.sleep(0.5)
        assert (await service.client.post(f"/answers/{record_id}/stop")).status_code == 202
        read = [events for _, events in await asyncio.gather(*readers)]
        assert read[0] == read[1] == read[2]
        assert read[0][-1]["data"]["failure"]["code"] == "ERR_STOPPED"
        assert (await service.client.get(f"/answers/{record_id}")).json()["state"] == "stopped"


async def test_tenants_and_strangers_see_nothing(service: Any, auth: Any) -> None:
    record_id = (await service.client.post("/query", json=QUESTION)).headers["x-answer-id"]
    other = auth(service.tokens.create("other", ["query"], tenant="other")[0])
    for method, url in (
        ("GET", f"/answers/{record_id}"),
        ("GET", f"/answers/{record_id}/events"),
        ("POST", f"/answers/{record_id}/stop"),
    ):
        assert (await service.client.request(method, url)).status_code == 401
        assert (await service.client.request(method, url, headers=other)).status_code == 404
    assert (await service.client.get("/answers", headers=other)).json() == []


async def test_a_restarted_service_says_what_was_interrupted_and_the_key_asks_again(workspace: Path) -> None:
    slow = Script(text="one two three four five six", word_wait_s=20)
    key = {"Idempotency-Key": "k"}
    async with running(workspace, slow) as service:
        reader = asyncio.create_task(
            read_stream(service.client, "POST", "/query", json={**QUESTION, "stream": True}, headers=key)
        )
        record_id = service.roma.answers.id_of_key("default", "local", "k")
        async with asyncio.timeout(60):
            while service.roma.answers.find_any("default", record_id) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        service.server.should_exit = True
        await asyncio.wait({reader}, timeout=60)
    async with running(workspace) as service:
        (summary,) = (await service.client.get("/answers")).json()
        assert (summary["id"], summary["state"]) == (record_id, "interrupted")
        _, events = await read_stream(service.client, "GET", f"/answers/{record_id}/events")
        assert events[-1]["data"]["failure"]["code"] == "ERR_INTERRUPTED"
        assert events[-1]["data"]["failure"]["recoverable"]
        answer = await service.client.post("/query", json=QUESTION, headers=key)
        assert "1902" in answer.json()["answer"]
        assert (await service.client.get(f"/answers/{record_id}")).json()["state"] == "complete"


async def test_deleting_a_conversation_takes_its_answers_along(service: Any) -> None:
    body = {**QUESTION, "session_id": "s"}
    record_id = (await service.client.post("/query", json=body)).headers["x-answer-id"]
    assert (await service.client.get("/answers", params={"session_id": "s"})).json()[0]["id"] == record_id
    assert (await service.client.delete("/sessions/s")).status_code == 204
    assert (await service.client.get(f"/answers/{record_id}")).status_code == 404


@pytest.mark.parametrize(("kind", "begins"), [("md", b"# "), ("docx", b"PK"), ("pdf", b"%PDF-"), ("bib", b"@misc{")])
async def test_an_answer_and_its_conversation_are_exported(service: Any, kind: str, begins: bytes) -> None:
    asked = await service.client.post("/query", json={**QUESTION, "session_id": "trip"})
    record_id = asked.headers["x-answer-id"]
    for path in (f"/answers/{record_id}/export", "/sessions/trip/export"):
        response = await service.client.get(path, params={"format": kind})
        assert response.status_code == 200 and response.content.startswith(begins)
        assert (
            response.headers["content-disposition"] == f'attachment; filename="when-was-the-rope-bridge-built.{kind}"'
        )


async def test_what_is_not_there_is_not_exported(service: Any) -> None:
    for path in ("/answers/nothing/export", "/sessions/nothing/export"):
        assert (await service.client.get(path)).status_code == 404
    asked = await service.client.post("/query", json=QUESTION)
    path = f"/answers/{asked.headers['x-answer-id']}/export"
    assert (await service.client.get(path, params={"format": "exe"})).status_code == 422
    secret, _ = service.tokens.create("other", ["query"], tenant="other")
    signed = {"Authorization": f"Bearer {secret}"}
    assert (await service.client.get(path, headers=signed)).status_code == 404
