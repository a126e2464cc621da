"""Who may do what: every route from the OpenAPI document, every kind of wrong token, strangers, rates, headers."""

from __future__ import annotations

import base64
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roma_core.api.access import OPEN, RateLimiter, find_permission
from roma_core.api.serve import server as make_server
from roma_core.api.tokens import SCOPES, TokenStore, check_bind, find_scope, is_loopback
from roma_core.app import Roma
from roma_core.errors import ConfigError, InputError, NotFoundError, StoreError
from roma_core.settings import Settings


def routes(schema: dict[str, Any]) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in schema["paths"].items() for method in methods]


async def test_auth_matrix_over_every_route(service: Any, auth: Any) -> None:
    """With a token configured: nothing without one, nothing with a wrong one, nothing outside of the scope."""
    store = service.tokens
    secret = {scope: store.create(scope, [scope])[0] for scope in SCOPES}
    revoked, gone = store.create("revoked", ["admin"])
    store.revoke(gone.id)
    expired, _ = store.create("expired", ["admin"], days=1e-9)
    wrong = ["", "x", revoked, expired, secret["admin"][:-1] + "A" * 2, secret["admin"].upper()]
    schema = service.app.openapi()
    assert len(routes(schema)) >= 13
    for method, template in routes(schema):
        path = re.sub(r"\{\w+\}", "nothing", template)
        strange = await service.client.request(method, path)
        assert (strange.status_code == 401) is (template not in OPEN), (method, template, strange.status_code)
        for value in wrong:
            service.app.state  # noqa: B018  (the same running app)
            refused = await service.client.request(method, path, headers=auth(value) if value else {})
            expected = {401, 429} if template not in OPEN or value else {200, 503}
            assert refused.status_code in expected, (method, template, value)
        needed = find_scope(find_permission(template))
        for scope in SCOPES:
            status = (await service.client.request(method, path, headers=auth(secret[scope]))).status_code
            allowed = template in OPEN or scope in {needed, "admin"}
            assert (status not in {401, 403}) is allowed, (method, template, scope, status)


async def test_paths_outside_of_the_document_are_shut_too(service: Any) -> None:
    service.tokens.create("any")
    for path in (
        "/",
        "/console",
        "/console/x",
        "/admin",
        "//query",
        "/QUERY",
        "/health/",
        "/docs/../metrics",
        "/%2e%2e/x",
    ):
        assert (await service.client.get(path)).status_code == 401, path


async def test_open_are_only_the_documentation_the_health_and_the_ways_to_sign_in() -> None:
    assert sorted(OPEN) == [
        "/docs",
        "/health",
        "/openapi.json",
        "/sign-in",
        "/sign-in/oidc",
        "/sign-in/oidc/callback",
        "/sign-in/oidc/logout",
        "/sign-in/saml",
        "/sign-in/saml/acs",
        "/sign-in/saml/finish",
        "/sign-in/saml/metadata",
        "/sign-in/saml/slo",
    ]


async def test_strangers_see_no_reasons(service: Any, auth: Any) -> None:
    secret, _ = service.tokens.create("any")
    assert (await service.client.get("/health")).json()["components"] == []
    assert (await service.client.get("/health", headers=auth(secret))).json()["components"]


async def test_wrong_tokens_lock_an_address_out_but_not_the_right_ones(service: Any, auth: Any) -> None:
    secret, _ = service.tokens.create("any")
    statuses = [(await service.client.get("/sessions", headers=auth(f"roma_{i}"))).status_code for i in range(14)]
    assert statuses[:10] == [401] * 10
    assert set(statuses[11:]) == {429}
    assert (await service.client.get("/sessions", headers=auth(secret))).status_code == 200


async def test_rate_limit_is_per_token_and_says_when(start: Any, auth: Any) -> None:
    async with start(rate_limit_per_minute=3) as service:
        one, two = (service.tokens.create(name)[0] for name in "ab")
        statuses = [(await service.client.get("/sessions", headers=auth(one))).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        late = await service.client.get("/sessions", headers=auth(one))
        assert 1 <= int(late.headers["retry-after"]) <= 20
        assert late.json()["failure"]["recoverable"]
        assert (await service.client.get("/sessions", headers=auth(two))).status_code == 200
        assert (await service.client.get("/health")).status_code == 200


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


async def test_the_console_shows_the_documents_of_the_tokens_tenant_alone(service: Any) -> None:
    counted: list[int] = []
    for tenant in ("acme", "default"):
        secret, _ = service.tokens.create(f"of {tenant}", tenant=tenant)
        state = await service.client.get("/console/api/state", headers=basic(secret))
        counted.append(state.json()["documents"])
    assert counted[0] == 0 and counted[1] > 0


async def test_the_consoles_questions_count_as_questions(start: Any) -> None:
    async with start(rate_limit_per_minute=1) as service:
        secret, _ = service.tokens.create("any", ["query"])
        asking = {**basic(secret), "Idempotency-Key": "one"}
        statuses = []
        for _ in range(2):
            address = "/console/api/conversations/abcdefgh/ask"
            reply = await service.client.post(address, json={"text": "rope bridge?"}, headers=asking)
            statuses.append(reply.status_code)
        assert statuses == [202, 429]
        assert (await service.client.get("/console/api/state", headers=basic(secret))).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_a_page_of_another_site_changes_nothing_in_the_console(service: Any, method: str) -> None:
    """Its browser would send the password along."""
    secret, _ = service.tokens.create("any")
    for origin in ("http://evil.example", "null"):
        headers = {**basic(secret), "Origin": origin, "Idempotency-Key": "x"}
        reply = await service.client.request(
            method.upper(), "/console/api/conversations/abcdefgh/ask", headers=headers, content=b"{}"
        )
        assert reply.status_code == 403


async def test_the_chat_runs_no_script_of_a_page_and_panel_has_a_policy_of_its_own(service: Any) -> None:
    for path in ("/console", "/console/c/abcdefgh", "/read/x"):
        policy = (await service.client.get(path)).headers["content-security-policy"]
        assert "unsafe" not in policy and "require-trusted-types-for 'script'" in policy
    for path in ("/console/sources", "/static/js/bokeh.min.js"):
        assert "'unsafe-eval'" in (await service.client.get(path)).headers["content-security-policy"]


async def test_console_takes_a_token_as_password_and_nothing_else_does(service: Any) -> None:
    secret, _ = service.tokens.create("any")

    asked = await service.client.get("/console")
    assert asked.headers["www-authenticate"].startswith("Basic")
    assert (await service.client.get("/console/none", headers=basic(secret))).status_code == 404
    assert (await service.client.get("/console/none", headers=basic("x"))).status_code == 401
    assert (await service.client.get("/console/none", headers={"Authorization": "Basic %%%"})).status_code == 401
    assert (await service.client.get("/sessions", headers=basic(secret))).status_code == 401


async def test_the_files_that_the_console_is_made_of_go_with_it(start: Any, auth: Any) -> None:
    """A page loads many: they would use up a minute's requests, and the browser sends what it knows, Basic."""
    async with start(rate_limit_per_minute=1) as service:
        secret, _ = service.tokens.create("any", ["query"])
        other, _ = service.tokens.create("other", ["ingest"])
        for script in ("/console/assets/app.js", "/console/assets/theme.css", "/static/js/bokeh.min.js"):
            file = await service.client.get(script, headers=basic(secret))
            assert file.status_code == 200 and file.headers["cache-control"] == "private, no-cache"
        again = {**basic(secret), "If-None-Match": file.headers["etag"]}
        assert (await service.client.get(script, headers=again)).status_code == 304
        assert (await service.client.get(script, headers=auth(other))).status_code == 403
        stranger = await service.client.get(script)
        assert stranger.status_code == 401 and stranger.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("origin", "let_in"), [(None, True), ("own", True), ("http://evil.example", False), ("null", False)]
)
async def test_a_page_of_another_site_cannot_open_the_consoles_connection(
    service: Any, origin: str | None, let_in: bool
) -> None:
    """Browsers let any page open a websocket to any host, and send the password along."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    address = str(service.client.base_url).rstrip("/")
    page = (await service.client.get("/console/sources", follow_redirects=True)).text
    (ticket,) = set(re.findall(r'"token":"([^"]+)"', page))
    own = address if origin == "own" else origin
    try:
        async with connect(
            f"{address.replace('http', 'ws')}/console/sources/ws", origin=own, subprotocols=["bokeh", ticket]
        ):
            assert let_in
    except InvalidStatus as refused:
        assert not let_in and refused.response.status_code == 403


async def test_without_a_token_a_rebound_name_is_a_stranger(service: Any) -> None:
    assert (await service.client.get("/sessions")).status_code == 200
    for host in ("evil.example", "evil.example:8000", "10.0.0.7", ""):
        assert (await service.client.get("/sessions", headers={"Host": host})).status_code == 401, host


async def test_tenants_come_from_the_token(service: Any, auth: Any) -> None:
    ours, theirs = (service.tokens.create(t, ["query", "ingest"], tenant=t)[0] for t in ("default", "other"))
    question = {"text": "When was the rope bridge built?", "session_id": "s1"}
    answer = (await service.client.post("/query", json=question, headers=auth(ours))).json()
    document = answer["citations"][0]["document_id"]
    job = (await service.client.post("/ingest", json={"sources": ["https://x.example"]}, headers=auth(ours))).json()
    for path in (f"/sources/{document}", "/sessions/s1", f"/ingest/{job['id']}"):
        assert (await service.client.get(path, headers=auth(ours))).status_code == 200
        assert (await service.client.get(path, headers=auth(theirs))).status_code == 404, path
    assert (await service.client.get("/sessions", headers=auth(theirs))).json() == []
    assert (await service.client.get("/ingest", headers=auth(theirs))).json() == []
    unknown = (await service.client.post("/query", json={"text": question["text"]}, headers=auth(theirs))).json()
    assert unknown["answered"] == "unknown"


async def test_a_stream_is_resumed_by_its_owner_alone(service: Any, auth: Any, events_of: Any) -> None:
    ours, theirs = (service.tokens.create(n)[0] for n in "ab")
    body = {"text": "When was the rope bridge built?", "stream": True}
    sent = events_of((await service.client.post("/query", json=body, headers=auth(ours))).text)
    resume = {"Last-Event-ID": sent[0]["id"]}
    assert (await service.client.post("/query", json=body, headers={**auth(theirs), **resume})).status_code == 404
    assert (await service.client.post("/query", json=body, headers={**auth(ours), **resume})).status_code == 200


async def test_security_headers_and_no_cors(service: Any) -> None:
    for path in ("/health", "/docs", "/nowhere"):
        reply = await service.client.get(path, headers={"Origin": "https://evil.example"})
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert "script" not in reply.headers["content-security-policy"]
        assert "access-control-allow-origin" not in reply.headers
        assert "server" not in reply.headers


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/chat/completions", "authorization,content-type,x-stainless-lang,x-stainless-retry-count,openai-beta"),
        ("/mcp", "authorization,content-type,mcp-protocol-version,mcp-session-id,last-event-id"),
    ],
)
async def test_a_page_of_a_named_origin_may_use_the_sdks_of_its_browser(start: Any, path: str, headers: str) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    async with start(cors_origins=("https://app.example",)) as service:
        good = await service.client.options(path, headers={"Origin": "https://app.example", **asks})
        bad = await service.client.options(path, headers={"Origin": "https://evil.example", **asks})
        used = await service.client.get("/v1/models", headers={"Origin": "https://app.example"})
    assert good.status_code == 200
    assert {name.strip() for name in good.headers["access-control-allow-headers"].split(",")} >= set(headers.split(","))
    assert "access-control-allow-origin" not in bad.headers
    assert used.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in used.headers


async def test_cors_for_the_origins_that_are_set(start: Any) -> None:
    async with start(cors_origins=("https://app.example",)) as service:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        good = await service.client.options("/query", headers={"Origin": "https://app.example", **asks})
        bad = await service.client.options("/query", headers={"Origin": "https://evil.example", **asks})
        assert good.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-origin" not in bad.headers


def test_tokens_are_stored_hashed_and_shown_once(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    secret, token = store.create("ci", ["query", "query"], days=1)
    assert token.scopes == ("query",)
    assert secret.startswith(f"roma_{token.id}_")
    raw = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert secret.encode() not in raw
    assert secret.removeprefix(f"roma_{token.id}_").encode() not in raw
    assert (tmp_path / "service.db").stat().st_mode & 0o077 == 0
    assert "list" in dir(store)
    assert store.list() == (token,)
    assert store.verify(secret) == token


def test_token_life(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    assert not store.configured()
    secret, token = store.create("a", ["ingest"], days=2)
    assert token.valid_at(datetime.now(UTC))
    assert not token.valid_at(datetime.now(UTC) + timedelta(days=3))
    store.revoke(token.id)
    store.revoke(token.id)
    assert store.verify(secret) is None
    assert store.configured(), "revoking the last token must not open the service"
    assert store.verify("") is None
    with pytest.raises(NotFoundError):
        store.revoke("nobody")


@pytest.mark.parametrize(("scopes", "days"), [([], None), (["root"], None), (["query"], 0), (["query"], -1)])
def test_wrong_tokens_are_not_made(tmp_path: Path, scopes: list[Any], days: float | None) -> None:
    with pytest.raises(InputError):
        TokenStore(tmp_path).create("a", scopes, days=days)


def test_a_broken_database_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "service.db").write_bytes(b"no database at all" * 99)
    with pytest.raises(StoreError):
        TokenStore(tmp_path).configured()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        TokenStore(tmp_path / "file").create("a")


def test_a_locked_database_is_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.api.storage.BUSY_S", 0.01)
    TokenStore(tmp_path).create("a")
    holder = sqlite3.connect(tmp_path / "service.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught:
        TokenStore(tmp_path).create("b")
    assert caught.value.code == "ERR_STORAGE_LOCKED"
    assert TokenStore(tmp_path).configured(), "readers wait for nobody"
    holder.close()


@pytest.mark.parametrize(("host", "loopback"), [
    ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
    ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.evil.example", False), ("", False),
])  # fmt: skip
def test_binding(tmp_path: Path, host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    store = TokenStore(tmp_path)
    if loopback:
        check_bind(host, store)
    else:
        with pytest.raises(ConfigError, match="token"):
            check_bind(host, store)
    store.create("a")
    check_bind(host, store)


def test_serve_refuses_to_bind_openly_without_a_token(workspace: Path) -> None:
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0"):
        make_server(Roma(Settings(workspace=workspace)), host="0.0.0.0")


def test_buckets_refill_and_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(RateLimiter, "_MOST", 2)
    buckets = RateLimiter(60)
    assert [buckets.wait_s("a") for _ in range(61)][-2:] == [0.0, 1.0]
    now[0] = 1.0
    assert buckets.wait_s("a") == 0.0
    buckets.wait_s("b")
    buckets.wait_s("c")
    assert buckets.wait_s("a") == 0.0, "a was forgotten, so it starts full"


@pytest.mark.parametrize("path", ["/console/evals", "/console/usage", "/console/corpus", "/console/usage/ws"])
async def test_the_dashboards_need_the_permission_to_read_insights(service: Any, path: str) -> None:
    reader, _ = service.tokens.create("reader", ["query"])
    refused = await service.client.get(path, headers=basic(reader))
    assert refused.status_code == 403
    assert "'admin'" in refused.text, "a token needs the scope of admins"
