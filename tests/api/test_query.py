"""Asking over HTTP: JSON and events, resuming, going away, sources."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from roma_core.llm.providers.server import Script
from roma_core.telemetry import metrics
from roma_core.types import Principal

QUESTION = {"text": "When was the rope bridge built?"}
SLOW = Script(text=" ".join(f"word{i}" for i in range(20_000)) + " [1]", word_wait_s=0.02)
"""An answer that takes minutes."""


async def test_an_answer_with_proven_citations(service: Any) -> None:
    reply = await service.client.post("/query", json=QUESTION)
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert answer["answered"] == "known"
    assert "passages" not in answer
    (citation,) = answer["citations"]
    place = {"start": citation["start"], "end": citation["end"]}
    shown = await service.client.get(f"/sources/{citation['document_id']}", params=place)
    assert shown.json()["cited"]["quote"] == citation["quote"]
    assert "1902" in citation["quote"]


async def test_events_have_ids_in_order_and_one_end(service: Any, events_of: Any) -> None:
    reply = await service.client.post("/query", json={**QUESTION, "stream": True})
    events = events_of(reply.text)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert [e["event"] for e in events].count("complete") == 1
    assert events[-1]["event"] == "complete"
    stream = events[0]["id"].partition(":")[0]
    assert [e["id"] for e in events] == [f"{stream}:{n}" for n in range(len(events))]
    whole = await service.client.post("/query", json=QUESTION)
    assert events[-1]["data"]["output"]["answer"] == whole.json()["answer"]


async def test_resume_replays_what_was_missed_and_nothing_else(service: Any, events_of: Any) -> None:
    sent = events_of((await service.client.post("/query", json={**QUESTION, "stream": True})).text)
    for seen in (0, 3, len(sent) - 2):
        again = await service.client.post("/query", json=QUESTION, headers={"Last-Event-ID": sent[seen]["id"]})
        assert events_of(again.text) == sent[seen + 1 :]
    assert len(service.model.asked) == 1


async def test_resume_while_it_is_written(start: Any, events_of: Any) -> None:
    script = Script(text=" ".join(f"word{i}" for i in range(40)) + " [1]", word_wait_s=0.02)
    async with start(script=script) as service:
        body = {**QUESTION, "stream": True, "linger_s": 10}
        first = ""
        async with service.client.stream("POST", "/query", json=body) as reply:
            async for piece in reply.aiter_text():
                first += piece
                if first.count("event: token") >= 5:
                    break
        seen = events_of(first[: first.rindex("\n\n") + 2])
        await asyncio.sleep(0.1)
        again = await service.client.post("/query", json=body, headers={"Last-Event-ID": seen[-1]["id"]})
        rest = events_of(again.text)
        assert [int(e["id"].partition(":")[2]) for e in seen + rest] == list(range(len(seen) + len(rest)))
        assert rest[-1]["event"] == "complete"
        words = [w for e in seen + rest if e["event"] == "token" for w in e["data"]["text"].split()]
        assert [w for w in words if w.startswith("word")] == [f"word{i}" for i in range(40)]
        assert len(service.model.asked) == 1


@pytest.mark.parametrize("wrong", ["nonsense", "abc:1", "abc:-1", ":", "abc:٣"])
async def test_what_is_not_kept_cannot_be_resumed(service: Any, wrong: str) -> None:
    headers = {"Last-Event-ID": wrong.encode()}
    reply = await service.client.post("/query", json=QUESTION, headers=headers)
    assert reply.status_code == 404
    assert reply.json()["failure"]["code"] == "ERR_NOT_FOUND"


@pytest.mark.parametrize("stream", [True, False])
async def test_client_that_goes_away_stops_its_model_call(start: Any, until: Any, stream: bool) -> None:
    async with start(script=SLOW) as service:
        task = asyncio.create_task(service.client.post("/query", json={**QUESTION, "stream": stream}))
        await until(lambda: service.model.asked)
        await asyncio.sleep(0.1)
        assert service.model.left == 0
        task.cancel()
        await until(lambda: service.model.left == 1)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_goes_away_is_logged_and_counted_once(start: Any, until: Any, stream: bool) -> None:
    def gone() -> float:
        return metrics.REGISTRY.get_sample_value("roma_clients_gone_total") or 0.0

    async with start(script=SLOW) as service:
        before = gone()
        has_begun = asyncio.Event()

        async def read() -> None:
            asked = {"json": {**QUESTION, "stream": stream}, "headers": {"X-Request-ID": "left-7"}}
            async with service.client.stream("POST", "/query", **asked) as reply:
                async for line in reply.aiter_lines():
                    if line == "event: token":
                        has_begun.set()

        with capture_logs() as lines:
            task = asyncio.create_task(read())
            await until(lambda: service.model.asked and (has_begun.is_set() or not stream))
            task.cancel()
            await until(lambda: service.model.left == 1 and gone() > before)
        told = [line for line in lines if line["event"] == "client_gone"]
        assert [line["request_id"] for line in told] == ["left-7"]
        assert (told[0]["tokens"] > 0) is stream
        assert gone() == before + 1


async def test_the_end_of_the_service_ends_answers_with_an_event_or_a_problem(
    start: Any, until: Any, events_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roma_core.api.serve.ANSWERS_S", 0.1)
    async with start(script=SLOW) as service:
        asked = [service.client.post("/query", json={**QUESTION, "stream": stream}) for stream in (True, False)]
        replies = asyncio.gather(*asked)
        await until(lambda: len(service.model.asked) == 2)
        await asyncio.sleep(0.2)
        service.server.should_exit = True
        streamed, whole = await replies
        events = events_of(streamed.text)
        assert [e["event"] for e in events].count("error") == 1
        assert events[-1]["data"]["failure"]["code"] == whole.json()["failure"]["code"] == "ERR_STOPPED"
        assert events[-1]["data"]["failure"]["recoverable"]
        assert (whole.status_code, whole.headers["content-type"]) == (503, "application/problem+json")


async def test_an_answer_that_is_nearly_whole_may_end_before_the_service(
    start: Any, until: Any, events_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roma_core.api.serve.ANSWERS_S", 60.0)
    monkeypatch.setattr("roma_core.api.serve.SHUTDOWN_S", 90)
    script = Script(text=" ".join(f"word{i}" for i in range(30)) + " [1]", word_wait_s=0.02)
    async with start(script=script) as service:
        reply = asyncio.create_task(service.client.post("/query", json={**QUESTION, "stream": True}))
        await until(lambda: service.model.asked)
        service.server.should_exit = True
        assert events_of((await reply).text)[-1]["event"] == "complete"


async def test_whoever_resumes_a_stopped_answer_is_told(start: Any, until: Any, events_of: Any) -> None:
    async with start(script=SLOW) as service:
        text = ""
        async with service.client.stream("POST", "/query", json={**QUESTION, "stream": True, "linger_s": 0}) as reply:
            async for piece in reply.aiter_text():
                text += piece
                if "event: token" in text:
                    break
        await until(lambda: service.model.left == 1)
        last = events_of(text[: text.rindex("\n\n") + 2])[-1]["id"]
        again = events_of((await service.client.post("/query", json=QUESTION, headers={"Last-Event-ID": last})).text)
        assert again[-1]["event"] == "error"
        assert again[-1]["data"]["failure"]["code"] == "ERR_LLM_TRUNCATED"


async def test_a_failing_model_is_a_problem_or_an_error_event(start: Any, events_of: Any) -> None:
    async with start(script=Script(status=401, raw=b"{}"), llm_fallbacks=()) as service:
        reply = await service.client.post("/query", json=QUESTION)
        assert reply.status_code == 502
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["failure"]["code"] == "ERR_LLM_AUTH"
        assert reply.json()["failure"]["request_id"] == reply.headers["x-request-id"]
        streamed = events_of((await service.client.post("/query", json={**QUESTION, "stream": True})).text)
        assert [e["event"] for e in streamed][-1] == "error"


async def test_request_id_in_and_out(service: Any) -> None:
    kept = await service.client.post("/query", json=QUESTION, headers={"X-Request-ID": "mine-7"})
    made = await service.client.post("/query", json=QUESTION, headers={"X-Request-ID": "not mine; drop"})
    assert kept.headers["x-request-id"] == "mine-7"
    assert len(made.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"text": 3}', b'{"text": "x", "tenant": "other"}', b'{"text":"x","top_k":0}', b"\xff\xfe"],
)
async def test_wrong_bodies_are_problems_without_the_values(service: Any, body: bytes) -> None:
    reply = await service.client.post("/query", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in {400, 422}
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["failure"]["code"] == "ERR_INPUT_INVALID"


async def test_filters_are_bounded(service: Any) -> None:
    named = {"author": "doe", "after": "2024", "language": ["de", "en"], "type": "pdf", "collection": "hr"}
    good: list[dict[str, Any]] = [named, {"uri": ["bridge"] * 1000}, {"uri": "bridge", "uri_prefix": "b" * 8192}]
    bad: list[dict[str, Any]] = [
        {"uri": [f"file:///{n}" for n in range(200_000)]},
        {"uri": "x" * 8193},
        {"uri_prefix": "x" * 8193},
        {"document_id": ["x", "y" * 8193]},
        {"colour": "red"},
        {"after": ["2024"]},
        {f"{n:>0200}": "x" for n in range(20_000)},
    ]
    for filters in good:
        assert (await service.client.post("/query", json={**QUESTION, "filters": filters})).status_code == 200
    for filters in bad:
        reply = await service.client.post("/query", json={**QUESTION, "filters": filters})
        assert (reply.status_code, reply.json()["failure"]["code"]) == (422, "ERR_INPUT_INVALID")
        assert len(reply.content) < 10_000
    reply = await service.client.post("/query", json={**QUESTION, **{f"f{n}": n for n in range(100_000)}})
    assert (reply.status_code, len(reply.content) < 2000) == (422, True)


async def test_an_empty_question_is_refused_by_the_guardrails(service: Any) -> None:
    reply = await service.client.post("/query", json={"text": "   "})
    assert (reply.status_code, reply.json()["failure"]["code"]) == (422, "ERR_GUARDRAIL_EMPTY")


async def test_body_over_the_limit(start: Any) -> None:
    async with start(max_body_mb=0.001) as service:
        reply = await service.client.post("/query", json={"text": "x" * 5000})
        assert reply.status_code == 413
        assert reply.headers["content-type"] == "application/problem+json"

        async def chunks() -> Any:
            for _ in range(10):
                yield b"x" * 500

        assert (await service.client.post("/query", content=chunks())).status_code == 413


async def test_sources(service: Any) -> None:
    document = (await service.client.post("/query", json=QUESTION)).json()["citations"][0]["document_id"]
    whole = (await service.client.get(f"/sources/{document}")).json()
    assert whole["offset"] == 0
    assert len(whole["text"]) == whole["length"]
    part = (await service.client.get(f"/sources/{document}", params={"start": 20, "end": 30, "context": 5})).json()
    assert part["text"] == whole["text"][15:35]
    assert part["text"][20 - part["offset"] : 30 - part["offset"]] == part["cited"]["quote"]
    assert (await service.client.get(f"/sources/{document}", params={"offset": 10**6})).json()["text"] == ""
    for span in ({"start": 5}, {"end": 5}, {"start": 5, "end": 5}, {"start": 0, "end": 10**6}):
        assert (await service.client.get(f"/sources/{document}", params=span)).status_code == 422
    assert (await service.client.get("/sources/unknown")).status_code == 404


async def test_sessions_and_feedback(service: Any) -> None:
    client = service.client
    answer = (await client.post("/query", json={**QUESTION, "session_id": "s1"})).json()
    (session,) = (await client.get("/sessions")).json()
    assert (session["id"], session["turns"]) == ("s1", 1)
    assert (await client.patch("/sessions/s1", json={"title": "Bridges"})).status_code == 204
    for blank in ("", "  ", "\t\n", "\u00a0", "\u200b\u2060", "\x00"):
        refused = await client.patch("/sessions/s1", json={"title": blank})
        assert (refused.status_code, refused.json()["failure"]["code"]) == (422, "ERR_INPUT_INVALID"), blank
    assert (await client.get("/sessions")).json()[0]["title"] == "Bridges"
    assert (await client.get("/sessions/s1")).json()[0]["question"] == QUESTION["text"]
    rated = {"answer_id": answer["answer_id"], "rating": "up", "session_id": "s1"}
    assert (await client.post("/feedback", json=rated)).status_code == 204
    assert [f.rating for f in await service.roma.sessions.feedback(Principal.local())] == ["up"]
    assert (await client.delete("/sessions/s1")).status_code == 204
    for gone in (client.get("/sessions/s1"), client.delete("/sessions/s1")):
        assert (await gone).status_code == 404
    assert (await client.patch("/sessions/s1", json={"title": "x"})).status_code == 404


async def test_search_shows_passages_and_explains_them(service: Any) -> None:
    plain = (await service.client.get("/search", params={"q": "rope bridge"})).json()
    assert plain["hits"][0]["passage"]["chunk"]["title"] == "Bridge"
    assert plain["legs"] == []
    explained = (await service.client.get("/search", params={"q": "rope bridge", "explain": 1})).json()
    assert [leg["name"] for leg in explained["legs"]] == ["bm25", "dense", "fusion", "rerank"]
    nothing = await service.client.get("/search", params={"q": "rope bridge", "uri": "other"})
    assert nothing.json()["hits"] == []
    assert (await service.client.get("/search")).status_code == 422
