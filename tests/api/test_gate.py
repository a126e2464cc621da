"""The gate as an attacker meets it: pages of other sites, proxies, odd paths and headers, consoles that stay open."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import re
import sys
import zlib
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin

import pytest
import websockets
from structlog.testing import capture_logs

from roma_core.api.access import _first_part
from roma_core.api.serve import server as make_server
from roma_core.api.tokens import TokenStore
from roma_core.app import Roma
from roma_core.database import Database
from roma_core.errors import ConfigError
from roma_core.settings import Settings


def basic(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{secret}".encode()).decode()}


async def page_token(service: Any, headers: dict[str, str]) -> str:
    """The token that the console's page hands to its websocket."""
    page = await service.client.get("/console/sources", headers=headers)
    assert page.status_code == 200, page.text
    found = re.search(r'"token":\s*"([^"]+)"', page.text)
    assert found
    return found[1]


@asynccontextmanager
async def opened(service: Any, token: str, headers: dict[str, str], origin: str | None = None) -> Any:
    address = str(service.client.base_url).replace("http://", "ws://").rstrip("/")
    async with websockets.connect(
        f"{address}/console/sources/ws",
        subprotocols=["bokeh", token],
        origin=origin,
        additional_headers=headers,
        proxy=None,
    ) as socket:
        assert json.loads(await socket.recv())["msgtype"] == "ACK"
        yield socket


def own(service: Any) -> str:
    return str(service.client.base_url).rstrip("/")


async def refused(service: Any, token: str, headers: dict[str, str], origin: str | None = None) -> int:
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
        async with opened(service, token, headers, origin):
            pass
    return caught.value.response.status_code


FOREIGN = [
    "https://evil.example",
    "null",
    "",
    "http://localhost",
    "http://127.0.0.1:1",
    "http://[",
    "https://app.example",
]


async def test_a_page_of_another_site_opens_no_console(service: Any) -> None:
    secret, _ = service.tokens.create("any")
    token = await page_token(service, basic(secret))
    for origin in FOREIGN:
        assert await refused(service, token, basic(secret), origin) == 403, origin
    for origin in (own(service), None):  # its own page, and a program
        async with opened(service, token, basic(secret), origin):
            pass
    assert await refused(service, token, {}, own(service)) == 403


async def test_a_page_of_another_site_opens_no_console_where_there_is_no_token(service: Any) -> None:
    token = await page_token(service, {})
    for origin in FOREIGN:
        assert await refused(service, token, {}, origin) == 403, origin
    async with opened(service, token, {}, own(service)):
        pass


async def test_origins_that_are_named_may_open_a_console_and_a_star_names_none(start: Any) -> None:
    async with start(cors_origins=("https://app.example",)) as service:
        secret, _ = service.tokens.create("any")
        token = await page_token(service, basic(secret))
        async with opened(service, token, basic(secret), "https://app.example"):
            pass
        assert await refused(service, token, basic(secret), "https://evil.example") == 403


async def test_a_star_names_no_origin_of_a_console(start: Any, workspace: Any) -> None:
    secret, _ = TokenStore(workspace).create("any")
    async with start(cors_origins=("*",)) as service:
        token = await page_token(service, basic(secret))
        assert await refused(service, token, basic(secret), "https://evil.example") == 403


def test_every_site_may_not_use_a_server_without_a_token(workspace: Any) -> None:
    settings = Settings(workspace=workspace, cors_origins=("*",))
    with pytest.raises(ConfigError, match=r"ROMA_CORS_ORIGINS.*token") as caught:
        make_server(Roma(settings))
    assert "\n" not in caught.value.message
    TokenStore(workspace).create("any")
    make_server(Roma(settings))


async def test_without_a_token_pages_of_other_sites_are_strangers(service: Any) -> None:
    """A form or a script of any site can send a request to this machine, though it cannot read the answer."""
    for origin in FOREIGN:
        reply = await service.client.post("/query", json={"text": "x"}, headers={"Origin": origin})
        assert reply.status_code == 401, origin
        health = await service.client.get("/health", headers={"Origin": origin})
        assert health.json()["components"] == [], origin
    reply = await service.client.post("/query", json={"text": "rope bridge"}, headers={"Origin": own(service)})
    assert reply.status_code == 200


async def test_without_a_token_nobody_is_served_through_a_proxy(service: Any) -> None:
    """Behind one on the same machine everybody comes from 127.0.0.1, and many send Host: localhost."""
    for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Real-IP", "Via", "CF-Connecting-IP"):
        for value in ("127.0.0.1", "203.0.113.9", "for=127.0.0.1", ""):
            reply = await service.client.get("/sessions", headers={name: value})
            assert reply.status_code == 401, (name, value)
            assert "proxy" in reply.json()["detail"]


async def test_pictures_and_frames_of_other_pages_open_nothing(service: Any) -> None:
    """They come without Origin, and each of them would make a console."""

    def fetched(site: str, dest: str) -> dict[str, str]:
        return {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest}

    foreign = [fetched(site, dest) for site in ("cross-site", "same-site") for dest in ("image", "iframe", "empty")]
    own = [fetched("same-origin", "script"), fetched("none", "document"), fetched("cross-site", "document"), {}]
    for headers in foreign:
        assert (await service.client.get("/console", headers=headers)).status_code == 403
        assert (await service.client.get("/sessions", headers=headers)).status_code == 401
    for headers in own:
        assert (await service.client.get("/console", headers=headers)).status_code == 200
        assert (await service.client.get("/sessions", headers=headers)).status_code == 200
    secret, _ = service.tokens.create("any")
    for headers in foreign:
        assert (await service.client.get("/console", headers={**headers, **basic(secret)})).status_code == 403
        reply = await service.client.get("/sessions", headers={**headers, "Authorization": f"Bearer {secret}"})
        assert reply.status_code == 200, "a token that a page has been given is its own affair"


async def test_names_of_this_machine_and_others(service: Any) -> None:
    others = [
        "localhost.",
        "evil@127.0.0.1",
        "127.0.0.1#evil",
        "127.0.0.1/evil",
        "[::1",
        "::1",
        "127.0.0.1.x.example",
        "a b",
    ]
    for host in others:
        assert (await service.client.get("/sessions", headers={"Host": host})).status_code in {400, 401}, host
    for host in ("[::1]", "[::1]:8000", "localhost", "LOCALHOST:1", "127.0.0.1:"):
        assert (await service.client.get("/sessions", headers={"Host": host})).status_code == 200, host


async def test_wrong_tokens_are_counted_by_connection_and_not_by_what_is_claimed(service: Any, auth: Any) -> None:
    service.tokens.create("any")
    statuses = []
    for n in range(14):
        claimed = {
            "X-Forwarded-For": f"203.0.113.{n}",
            "Forwarded": f"for=203.0.113.{n}",
            "X-Real-IP": f"203.0.113.{n}",
        }
        statuses.append((await service.client.get("/sessions", headers={**auth(f"roma_{n}"), **claimed})).status_code)
    assert statuses[10:] == [429] * 4


async def test_a_wrong_token_costs_no_look_into_the_database(
    service: Any, auth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.tokens.create("any")
    store, read = service.app.state.tokens, []
    plain = store._select_rows
    monkeypatch.setattr(store, "_select_rows", lambda: read.append(1) or plain())
    monkeypatch.setattr("roma_core.api.tokens._TRUST_S", 3600.0)
    monkeypatch.setattr(Database, "read_mark", lambda database: "unchanged")  # others write to this file, too
    for n in range(5):
        await service.client.get("/sessions", headers=auth(f"roma_{n:012x}_{'x' * 43}"))
    assert len(read) == 1


async def test_a_locked_database_does_not_stop_the_server(
    service: Any, auth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the tokens waits beside the event loop, and many wait for one reader."""
    secret, _ = service.tokens.create("any")
    assert (await service.client.get("/sessions", headers=auth(secret))).status_code == 200
    store = service.app.state.tokens
    import threading

    waiting, go_on, readers = threading.Event(), threading.Event(), []
    plain = store._select_rows

    def slow() -> Any:
        readers.append(1)
        waiting.set()
        go_on.wait(60)
        return plain()

    monkeypatch.setattr(store, "_select_rows", slow)
    store._trusted_until = 0.0
    asked = [asyncio.create_task(service.client.get("/sessions", headers=auth(secret))) for _ in range(20)]
    assert await asyncio.to_thread(waiting.wait, 60)
    await asyncio.sleep(0.05)  # the loop turns
    assert not any(task.done() for task in asked)
    go_on.set()
    assert {reply.status_code for reply in await asyncio.gather(*asked)} == {200}
    assert len(readers) == 1


TARGETS = r"""
* //metrics //query /query/..;/metrics /query/../metrics /query/%2e%2e/metrics /%6detrics /QUERY /query/ /docs;x
/sess%69ons http://x/metrics /console/../metrics /health%00 /health/.. /%2fhealth /.//metrics /\metrics
/static/../metrics /static/%2e%2e/metrics
""".split()


async def test_odd_targets_are_shut(service: Any) -> None:
    """Sent as they stand, since clients tidy paths up."""
    service.tokens.create("any")
    for method, target in ((m, t) for m in ("GET", "OPTIONS", "HEAD") for t in TARGETS):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.client.base_url.port)
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        assert re.match(rb"HTTP/1.1 (400|401) ", answer), (method, target, answer[:60])


def test_parts_are_what_the_router_sees() -> None:
    assert [_first_part(path) for path in ("/query", "/query/x", "/query;x")] == ["query", "query", "query;x"]
    assert {_first_part(path) for path in ("//query", "/", "", "*", "query")} == {""}


async def test_no_path_imports_a_module(service: Any, auth: Any) -> None:
    """Panel's route for components imports whatever the path names."""
    secret, _ = service.tokens.create("any", ["admin"])
    for headers in ({}, auth(secret)):
        reply = await service.client.get("/components/antigravity/a/b/c", headers=headers)
        assert reply.status_code == 404
    assert "antigravity" not in sys.modules


async def test_a_browser_with_a_token_gets_the_consoles_files_too(service: Any) -> None:
    """It sends the password for every path of the server, and the page is nothing without its scripts."""
    secret, _ = service.tokens.create("any")
    files: list[str] = []
    for address in ("/console", "/console/sources"):
        page = (await service.client.get(address, headers=basic(secret))).text
        found = re.findall(r'(?:src|href)="((?:\.\./|/console/)?(?:static|assets)/[^"]+)"', page)
        assert found, address
        files += [urljoin(address, file) for file in found]
    for file in files:
        assert (await service.client.get(file, headers=basic(secret))).status_code == 200, file
        assert (await service.client.get(file)).status_code == 401
    kept = await service.client.get(files[0], headers=basic(secret))
    assert kept.headers["cache-control"] == "private, no-cache"
    asked = await service.client.get(files[0])
    assert asked.headers["www-authenticate"].startswith("Basic")


async def test_the_page_holds_no_password(service: Any) -> None:
    secret, _ = service.tokens.create("any")
    token = await page_token(service, {**basic(secret), "Cookie": "a=cookie-of-another", "User-Agent": "Mobi"})
    body = token.partition(".")[0]
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    packed = payload["__bk__zlib_"]
    kept = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))).decode()
    assert "Mobi" in kept
    for word in (basic(secret)["Authorization"], "Authorization", secret, "cookie-of-another"):
        assert word.casefold() not in kept.casefold()


async def test_sessions_of_the_console_are_signed_and_chosen_by_the_server(service: Any) -> None:
    secret, _ = service.tokens.create("any")
    token = await page_token(service, basic(secret))
    body, _, signature = token.partition(".")
    assert signature
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    payload["session_id"] = "of-somebody-else"
    forged = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    for wrong in (f"{forged}.{signature}", forged):
        assert await refused(service, wrong, basic(secret), own(service)) >= 400
    for query in ("bokeh_session_id=mine", "x=1&bokeh%5Fsession_id=mine"):
        reply = await service.client.get(f"/console/sources?{query}", headers=basic(secret))
        assert reply.status_code == 403


@pytest.mark.parametrize("how", ["revoked", "first token made"])
async def test_an_open_console_ends_with_its_right(service: Any, how: str) -> None:
    secret, made = service.tokens.create("any") if how == "revoked" else ("", None)
    headers = basic(secret) if secret else {}
    token = await page_token(service, headers)
    async with opened(service, token, headers, own(service)) as socket:
        await socket.send("{}")
        if made is not None:
            service.tokens.revoke(made.id)
        else:
            service.tokens.create("any")
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            async with asyncio.timeout(60):
                while True:
                    await socket.send("{}")
                    await socket.recv()
        assert socket.close_code == 1008


async def test_a_console_whose_browser_left_is_let_go(service: Any, until: Any) -> None:
    """bokeh-fastapi forgets to tell its sessions: each would stay for ever, with its whole page."""
    from bokeh.server.contexts import ApplicationContext

    contexts = [o for o in gc.get_objects() if issubclass(type(o), ApplicationContext)]  # not of dead proxies
    for _ in range(2):
        token = await page_token(service, {})
        async with opened(service, token, {}, own(service)):
            held = [s for context in contexts for s in context.sessions if s.connection_count == 1]
            assert len(held) == 1
        await until(lambda: all(s.connection_count == 0 for context in contexts for s in context.sessions))


async def test_head_is_answered_where_load_balancers_ask(service: Any) -> None:
    service.tokens.create("any")
    for path in ("/health", "/docs", "/openapi.json"):
        head = await service.client.head(path)
        assert (head.status_code in {200, 503}, head.content) == (True, b""), path
        assert "content-type" in head.headers
    assert (await service.client.head("/metrics")).status_code == 401


async def test_an_id_of_a_request_that_holds_a_secret_is_not_taken_over(service: Any) -> None:
    key = "sk-ant-" + "a1B2c3D4e5F6g7H8"
    with capture_logs() as lines:
        reply = await service.client.get("/health", headers={"X-Request-ID": key})
    assert len(reply.headers["x-request-id"]) == 32
    assert key not in str(lines)
