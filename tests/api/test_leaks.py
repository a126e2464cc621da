"""No route shows a word, a title, a count or an id of a document that its caller may not read.

The routes are those of the OpenAPI document: a new one is tried without being named here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from roma_core.chunking import chunk
from roma_core.identity import Grantee, Resource
from roma_core.types import Document, digest

pytestmark = pytest.mark.slow
MARKS = ("zephyrine", "Quorumledger", "boardroom")
"""Word of the text, of the title, and the name of the collection."""
QUESTION = "What does the zephyrine resolution of the rope bridge say?"
OPEN_ROUTES = frozenset({"/docs", "/openapi.json", "/health"})
BODIES: dict[str, Any] = {
    "/query": {"text": QUESTION, "session_id": "s"},
    "/v1/chat/completions": {"model": "roma", "messages": [{"role": "user", "content": QUESTION}]},
    "/feedback": {"answer_id": "9b1d", "rating": "up"},
    "/sessions/{session_id}": {"title": "Mine"},
    "/ingest": {"sources": ["https://example.org/page"]},
}
QUERIES = {"/search": {"q": QUESTION, "explain": "true"}, "/search/pictures": {"q": QUESTION}}


@dataclass
class Shared:
    """A service with a board's document beside an open one, and who may do what."""

    service: Any
    secret: Document
    headers: dict[str, dict[str, str]]

    @property
    def marks(self) -> tuple[str, ...]:
        return (*MARKS, self.secret.id)


@pytest.fixture
async def shared(service: Any) -> AsyncIterator[Shared]:
    text = "# Quorumledger\n\nThe zephyrine resolution sells the rope bridge.\n\nMore zephyrine words."
    secret = Document(
        id=Document.id_for("file:///boardroom/quorum.md"),
        uri="file:///boardroom/quorum.md",
        title="Quorumledger",
        text=text,
        content_sha256=digest(text),
        parser="t/1",
        collection="boardroom",
    )
    embedder, store = service.roma.embedder, service.roma.store
    chunks = chunk(secret, embedder.count_tokens)
    await store.put("default", secret, chunks, (await embedder.embed([c.indexed_text for c in chunks])).vectors)
    service.roma.grants.grant("default", Resource("collection", "boardroom"), Grantee("user", "director"), by="local")
    callers = {
        "director": (["query", "ingest"], "default"),
        "reader": (["query"], "default"),
        "contributor": (["query", "ingest"], "default"),
        "uploader": (["ingest"], "default"),
        "stranger": (["query", "ingest"], "other"),
        "foreign-admin": (["admin"], "other"),
    }
    headers = {}
    for name, (scopes, tenant) in callers.items():
        secret_token, _ = service.tokens.create(name, scopes, tenant=tenant, owner=name)
        headers[name] = {"Authorization": f"Bearer {secret_token}"}
    yield Shared(service, secret, headers)


def list_routes(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in schema["paths"].items():
        for method in methods:
            yield method.upper(), path


def fill(template: str, document_id: str, name: str) -> str:
    filled = template.replace("{document_id}", document_id).replace("{session_id}", "s")
    filled = filled.replace("{model}", "roma").replace("{model:path}", "roma")
    return re.sub(r"\{[^}]+\}", name, filled)


async def ask_for(shared: Shared, method: str, template: str, path: str, who: str) -> Any:
    return await shared.service.client.request(
        method, path, headers=shared.headers[who], json=BODIES.get(template), params=QUERIES.get(template)
    )


WITHHELD = ["reader", "contributor", "uploader", "stranger", "foreign-admin"]


@pytest.mark.parametrize("who", WITHHELD)
async def test_no_route_shows_anything_of_a_forbidden_document(shared: Shared, who: str) -> None:
    schema = (await shared.service.client.get("/openapi.json")).json()
    await ask_for(shared, "POST", "/query", "/query", "director")
    tried = 0
    for method, template in list_routes(schema):
        path = fill(template, shared.secret.id, "nothing")
        response = await ask_for(shared, method, template, path, who)
        body = response.text.replace(QUESTION, "")
        for mark in MARKS if shared.secret.id in path else shared.marks:  # a 404 names the id that it was asked for
            assert mark not in body, (who, method, path, mark)
            assert mark not in str(response.headers.get("location", "")), (who, method, path, mark)
        tried += 1
    assert tried >= 20


CONSOLE = (
    "/console/api/state",
    "/console/api/conversations",
    "/console/api/documents/{document_id}",
    "/console/api/documents/{document_id}/pages/1",
    "/console/api/documents/{document_id}/pages/1.png",
    "/console/api/documents/{document_id}/original",
)


@pytest.mark.parametrize("template", [*CONSOLE, "/sources/{document_id}", "/sources/{document_id}?start=0&end=5"])
@pytest.mark.parametrize("who", ["reader", "stranger"])
async def test_a_forbidden_document_is_the_same_404_as_a_missing_one(shared: Shared, who: str, template: str) -> None:
    missing_id = "0" * len(shared.secret.id)
    forbidden = await ask_for(shared, "GET", template, fill(template, shared.secret.id, "x"), who)
    missing = await ask_for(shared, "GET", template, fill(template, missing_id, "x"), who)
    assert forbidden.status_code == missing.status_code
    if "{document_id}" in template:
        assert forbidden.status_code == 404
    ids = re.compile(r'"request_id": ?"[^"]+"')
    bodies = [ids.sub("", answer.text).replace(shared.secret.id, missing_id) for answer in (forbidden, missing)]
    assert bodies[0] == bodies[1]
    assert not any(mark in forbidden.text for mark in MARKS)


async def test_the_console_counts_and_suggests_what_may_be_read(shared: Shared) -> None:
    for who, documents in (("director", 2), ("reader", 1)):
        state = (await ask_for(shared, "GET", "", "/console/api/state", who)).json()
        assert state["documents"] == documents
        assert ("boardroom" in str(state)) is (who == "director")
        assert ("Quorumledger" in str(state["questions"])) is (who == "director")


async def test_who_is_granted_finds_what_others_do_not(shared: Shared) -> None:
    found = {}
    for who in ("director", "reader"):
        hits = (await ask_for(shared, "GET", "/search", "/search", who)).json()["hits"]
        found[who] = {hit["passage"]["chunk"]["document_id"] for hit in hits}
    assert shared.secret.id in found["director"]
    assert found["director"] - found["reader"] == {shared.secret.id}


async def test_no_model_reads_what_its_caller_may_not(shared: Shared) -> None:
    shared.service.model.asked.clear()
    await ask_for(shared, "POST", "/query", "/query", "reader")
    sent = str(shared.service.model.asked).replace(QUESTION, "")
    assert "sells the rope bridge" not in sent
    assert shared.service.model.asked


async def test_a_revoked_grant_holds_for_the_next_request_also_for_earlier_answers(shared: Shared) -> None:
    asked = await ask_for(shared, "POST", "/query", "/query", "director")
    record = f"/answers/{asked.headers['X-Answer-ID']}"
    events, session = f"{record}/events", "/sessions/s"
    before = [await ask_for(shared, "GET", "", path, "director") for path in (record, events)]
    assert all("zephyrine" in answer.text.replace(QUESTION, "") for answer in before)
    grants = shared.service.roma.grants
    grants.revoke("default", Resource("collection", "boardroom"), Grantee("user", "director"))
    for path in (record, events, session, f"/sources/{shared.secret.id}", "/console/api/state"):
        answer = await ask_for(shared, "GET", "", path, "director")
        words = answer.text.replace(QUESTION, "")
        marks = MARKS if shared.secret.id in path else shared.marks
        assert not any(mark in words for mark in marks), path
    assert (await ask_for(shared, "GET", "", events, "director")).status_code == 404
    schema = (await shared.service.client.get("/openapi.json")).json()
    for method, template in list_routes(schema):
        if method != "GET" or not {"record_id", "session_id"} & set(re.findall(r"{(\w+)}", template)):
            continue
        path = template.replace("{record_id}", record.rpartition("/")[2]).replace("{session_id}", "s")
        words = (await ask_for(shared, "GET", template, path, "director")).text.replace(QUESTION, "")
        assert not any(mark in words for mark in shared.marks), path


async def test_grants_that_cannot_be_read_shut(shared: Shared) -> None:
    shared.service.roma.grants.close()
    path = shared.service.roma.settings.workspace / "grants.sqlite"
    path.write_bytes(b"this is no database" * 100)
    for who in ("director", "reader"):
        for wanted in (f"/sources/{shared.secret.id}", f"/sources/{Document.id_for('bridge')}"):
            answer = await ask_for(shared, "GET", "", wanted, who)
            assert answer.status_code >= 500, (who, wanted)
        asked = await ask_for(shared, "POST", "/query", "/query", who)
        assert "in 1902" not in asked.text.replace(QUESTION, "") or not asked.json().get("citations"), who
    searched = await ask_for(shared, "GET", "/search", "/search", "reader")
    assert searched.status_code >= 500
