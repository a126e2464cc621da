"""Conversations, answers and feedback belong to their user: another user meets the same 404 as for what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.types import Principal

QUESTION = {"text": "When was the rope bridge built?", "session_id": "s"}


def auth(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
async def asked(service: Any) -> tuple[Any, dict[str, str], dict[str, str], str]:
    """The service, the headers of anna, who has asked, and of bert, and the id of the answer."""
    anna, bert = (auth(service.tokens.create(name, ["query"], owner=name)[0]) for name in ("anna", "bert"))
    answered = await service.client.post("/query", json=QUESTION, headers=anna)
    assert answered.status_code == 200
    return service, anna, bert, answered.headers["X-Answer-ID"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/sessions/s", None),
        ("PATCH", "/sessions/s", {"title": "Mine"}),
        ("DELETE", "/sessions/s", None),
        ("GET", "/answers/{id}", None),
        ("GET", "/answers/{id}/events", None),
        ("POST", "/answers/{id}/stop", None),
        ("GET", "/console/api/answers/{id}/updates", None),
    ],
)
async def test_what_another_user_asked_is_missing_like_what_nobody_asked(
    asked: Any, method: str, path: str, body: dict[str, str] | None
) -> None:
    service, anna, bert, record_id = asked
    there = path.format(id=record_id)
    nowhere = path.format(id="0" * 32).replace("/sessions/s", "/sessions/nothing")
    foreign = await service.client.request(method, there, json=body, headers=bert)
    missing = await service.client.request(method, nowhere, json=body, headers=bert)
    assert (foreign.status_code, foreign.json()["detail"]) == (404, missing.json()["detail"])
    own = await service.client.request(method, there, json=body, headers=anna)
    assert own.status_code < 300 or path.startswith("/console"), own.text


async def test_lists_hold_ones_own_alone(asked: Any) -> None:
    service, anna, bert, record_id = asked
    for path in ("/sessions", "/answers"):
        assert len((await service.client.get(path, headers=anna)).json()) == 1
        assert (await service.client.get(path, headers=bert)).json() == []
    assert [answer["id"] for answer in (await service.client.get("/answers", headers=anna)).json()] == [record_id]


async def test_two_tokens_of_a_user_share_its_conversations(asked: Any) -> None:
    service, _, _, record_id = asked
    second = auth(service.tokens.create("laptop", ["query"], owner="anna")[0])
    assert (await service.client.get(f"/answers/{record_id}", headers=second)).status_code == 200
    assert len((await service.client.get("/sessions/s", headers=second)).json()) == 1


async def test_one_session_id_of_two_users_is_two_conversations(asked: Any) -> None:
    service, anna, bert, _ = asked
    other = {**QUESTION, "text": "How many metres does it span?"}
    assert (await service.client.post("/query", json=other, headers=bert)).status_code == 200
    (of_anna,) = (await service.client.get("/sessions/s", headers=anna)).json()
    (of_bert,) = (await service.client.get("/sessions/s", headers=bert)).json()
    assert (of_anna["question"], of_bert["question"]) == (QUESTION["text"], other["text"])


async def test_an_idempotency_key_is_its_users_own(asked: Any) -> None:
    service, anna, bert, _ = asked
    ids = set()
    for headers in (anna, bert):
        answered = await service.client.post("/query", json=QUESTION, headers={**headers, "Idempotency-Key": "k"})
        ids.add(answered.headers["X-Answer-ID"])
    assert len(ids) == 2


async def test_feedback_is_kept_for_the_user_who_gave_it(asked: Any) -> None:
    service, anna, bert, _ = asked
    rating = {"answer_id": "9b1d", "rating": "up", "session_id": "s"}
    for headers, opinion in ((anna, "up"), (bert, "down")):
        sent = await service.client.post("/feedback", json={**rating, "rating": opinion}, headers=headers)
        assert sent.status_code == 204
    for name, opinion in (("anna", "up"), ("bert", "down")):
        (kept,) = await service.roma.sessions.feedback(Principal(subject=name))
        assert kept.rating == opinion
