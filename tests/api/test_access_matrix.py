"""Every route x role x tenant x granted, withheld or foreign document: nobody sees a word that is not permitted.

The routes are those of the OpenAPI document and those that stand beside it, as the application lists them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.routing import Route

from roma_core.api.accounts import AccountTable
from roma_core.chunking import chunk
from roma_core.identity import Grantee, Resource
from roma_core.types import ROLES, Document, digest

pytestmark = pytest.mark.slow
TENANTS = ("default", "other")
WORDS = "Where is the rope bridge?"
BODIES: dict[str, Any] = {
    "/query": {"text": WORDS, "session_id": "s"},
    "/v1/chat/completions": {"model": "roma", "messages": [{"role": "user", "content": WORDS}]},
    "/feedback": {"answer_id": "9b1d", "rating": "up"},
    "/sessions/{session_id}": {"title": "Mine"},
    "/ingest": {"sources": ["https://example.org/page"]},
    "/console/api/conversations/{conversation}/ask": {"text": WORDS},
    "/console/api/conversations/{conversation}": {"title": "Mine"},
    "/console/api/conversations/{conversation}/ratings/{answer_id}": {"rating": "up"},
    "/mcp": {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": WORDS}},
    },
}
QUERIES = {"/search": {"q": WORDS, "explain": "true"}, "/search/pictures": {"q": WORDS}}
LEFT_OUT = frozenset({("POST", "/sign-in"), ("POST", "/sign-out"), ("GET", "/mcp")})
"""Forms that belong to a browser, which the tests of accounts go through; and a stream that waits for messages."""


@dataclass(frozen=True)
class Marked:
    """A document whose every part holds a word of its own."""

    document: Document
    tenant: str
    collection: str

    @property
    def mark(self) -> str:
        return self.document.title


@dataclass(frozen=True)
class Caller:
    name: str
    role: str
    tenant: str
    is_granted: bool
    headers: dict[str, str] = field(hash=False)

    def may_read(self, marked: Marked) -> bool:
        """Return whether the rules, told over again here, permit a document."""
        if marked.tenant != self.tenant:
            return False
        may_ask = self.role in {"reader", "contributor", "analyst", "admin"}
        return may_ask and (marked.collection != "board" or self.is_granted or self.role == "admin")


@dataclass
class Matrix:
    service: Any
    documents: list[Marked]
    callers: list[Caller]


@pytest.fixture
async def matrix(service: Any) -> AsyncIterator[Matrix]:
    documents = []
    for tenant in TENANTS:
        for collection in ("open", "board"):
            mark = f"zq{tenant}{collection}xv"
            marked = Marked(make_document(mark, tenant, collection), tenant, collection)
            documents.append(marked)
            embedder = service.roma.embedder
            chunks = chunk(marked.document, embedder.count_tokens)
            vectors = (await embedder.embed([piece.indexed_text for piece in chunks])).vectors
            await service.roma.store.put(tenant, marked.document, chunks, vectors)
        service.roma.of_tenant(tenant).grants.grant(
            tenant, Resource("collection", "board"), Grantee("group", "board"), by="local"
        )
    yield Matrix(service, documents, list(make_callers(service)))


def make_document(mark: str, tenant: str, collection: str) -> Document:
    uri = f"file:///{mark}/{mark}.md"
    text = f"# {mark}\n\nThe rope bridge is at {mark}. {mark} again."
    return Document(
        id=Document.id_for(uri, tenant),
        uri=uri,
        title=mark,
        text=text,
        content_sha256=digest(text),
        parser="t/1",
        collection=collection,
    )


def make_callers(service: Any) -> Iterator[Caller]:
    table: AccountTable = service.app.state.accounts
    for tenant in TENANTS:
        for role in ROLES:
            for is_granted in (False, True):
                name = f"{role}-{tenant}-{'in' if is_granted else 'out'}"
                table.add(name, roles=[role], groups=["board"] if is_granted else [], tenant=tenant)
                secret, _ = service.tokens.create(name, ["admin"], tenant=tenant, owner=name)
                yield Caller(name, role, tenant, is_granted, {"Authorization": f"Bearer {secret}"})


async def list_routes(service: Any) -> list[tuple[str, str]]:
    """Return methods and templates of every route there is."""
    schema = (await service.client.get("/openapi.json")).json()
    found = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    for route in walk(service.app.routes):
        methods = set(route.methods or {"GET", "POST", "DELETE"})
        found |= {(method, route.path) for method in methods - {"HEAD", "OPTIONS"}}
    return sorted(found - LEFT_OUT)


def walk(routes: Iterable[Any]) -> Iterator[Route]:
    """Yield the routes of an application, also those of routers inside of it."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from walk(inner.routes)
        elif isinstance(route, Route):
            yield route


def fill(template: str, document_id: str) -> str:
    filled = re.sub(r"\{(?:document_id|document)\}", document_id, template)
    filled = re.sub(r"\{(?:session_id|conversation)\}", "s", filled)
    filled = re.sub(r"\{number\}", "1", filled)
    return re.sub(r"\{[^}]+\}", "roma", filled)


def choose_callers(matrix: Matrix) -> list[Caller]:
    """Return a caller for each role, one who is granted, and two of the other tenant: all pairs take minutes."""
    wanted = [(role, "default", False) for role in ROLES]
    wanted += [("reader", "default", True), ("reader", "other", True), ("admin", "other", False)]
    return [caller for caller in matrix.callers if (caller.role, caller.tenant, caller.is_granted) in wanted]


async def request(matrix: Matrix, caller: Caller, method: str, template: str, path: str) -> Any:
    accepted = "application/json, text/event-stream"
    headers = {**caller.headers, "idempotency-key": f"{caller.name}{path}", "accept": accepted}
    return await matrix.service.client.request(
        method, path, headers=headers, json=BODIES.get(template), params=QUERIES.get(template), follow_redirects=False
    )


async def test_nobody_sees_a_word_of_a_document_that_is_not_permitted(matrix: Matrix) -> None:
    routes = await list_routes(matrix.service)
    assert len(routes) >= 40
    callers = choose_callers(matrix)
    assert len(callers) == 8
    tried, leaks = 0, []
    for caller in callers:
        forbidden = [marked for marked in matrix.documents if not caller.may_read(marked)]
        for method, template in routes:
            targets = forbidden if "{document" in template else forbidden[:1]
            for target in targets:
                answer = await request(matrix, caller, method, template, fill(template, target.document.id))
                tried += 1
                shown = f"{answer.text} {answer.headers}"
                leaks += [(caller.name, method, template, m.mark) for m in forbidden if m.mark in shown]
    assert leaks == []
    assert tried >= len(callers) * len(routes)


async def test_who_is_permitted_sees_it(matrix: Matrix) -> None:
    for caller in matrix.callers:
        for marked in matrix.documents:
            answer = await request(matrix, caller, "GET", "", f"/sources/{marked.document.id}")
            assert (marked.mark in answer.text) is caller.may_read(marked), (caller.name, marked.mark)


async def test_a_forbidden_document_is_answered_as_a_missing_one(matrix: Matrix) -> None:
    ids = re.compile(r'"request_id": ?"[^"]+"')
    templates = [pair for pair in await list_routes(matrix.service) if "{document" in pair[1]]
    assert len(templates) >= 4
    for caller in choose_callers(matrix):
        for marked in matrix.documents:
            if caller.may_read(marked):
                continue
            missing_id = "0" * len(marked.document.id)
            for method, template in templates:
                answers = []
                for document_id in (marked.document.id, missing_id):
                    answer = await request(matrix, caller, method, template, fill(template, document_id))
                    body = ids.sub("", answer.text).replace(document_id, "ID")
                    answers.append((answer.status_code, body))
                assert answers[0] == answers[1], (caller.name, method, template)


async def test_a_role_has_the_routes_of_its_permissions_alone(matrix: Matrix) -> None:
    expected = {
        "/search": {"reader", "contributor", "analyst", "admin"},
        "/console/api/state": {"reader", "contributor", "analyst", "admin"},
        "/ingest": {"contributor", "admin"},
        "/spend": {"analyst", "admin"},
        "/metrics": {"analyst", "auditor", "admin"},
        "/audit": {"auditor", "admin"},
        "/audit/verify": {"auditor", "admin"},
        "/audit-log": {"auditor", "admin"},
        "/audit-log/export": {"auditor", "admin"},
    }
    for caller in matrix.callers:
        for path, roles in expected.items():
            answer = await request(matrix, caller, "GET", path, path)
            assert (answer.status_code == 200) is (caller.role in roles), (caller.name, path, answer.status_code)
