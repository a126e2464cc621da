"""The workspace goes away, fills up or is replaced under a running server: nothing opens, all recovers."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from roma_core.api.access import OPEN
from roma_core.api.jobqueue import JobQueue
from roma_core.api.operations import explain_lack_of_tokens
from roma_core.api.serve import _banner
from roma_core.api.serve import server as make_server
from roma_core.api.storage import keep_file
from roma_core.api.tokens import TokenStore
from roma_core.app import Roma
from roma_core.errors import ErrorCode, StoreError
from roma_core.settings import Settings
from tests.fakes.disk import NO_BYTES, fill, small_disk

FILE = "service.db"


async def closed(service: Any, secret: str | None, auth: Any) -> None:
    """Nobody is let in, with or without a token, and the service says that it is alive."""
    for headers in ({}, auth(secret) if secret else {}):
        for path in ("/metrics", "/sessions", "/ingest", "/console"):
            reply = await service.client.get(path, headers=headers)
            assert (reply.status_code, reply.json()["failure"]["code"]) == (503, "ERR_STORAGE_UNAVAILABLE"), path
        for path in OPEN:
            # A way to sign in that is not configured is no page, and SAML's answer is posted.
            usual = {404, 405} if path.startswith("/sign-in/") else {200, 503}
            assert (await service.client.get(path, headers=headers)).status_code in usual, path
        assert (await service.client.get("/health", headers=headers)).json()["components"] == []


async def test_a_workspace_that_is_taken_away_opens_nothing_and_is_not_made_anew(
    service: Any, workspace: Path, auth: Any
) -> None:
    secret, _ = service.tokens.create("any", ["admin"])
    assert (await service.client.get("/sessions")).status_code == 401
    workspace.rename(workspace.with_name("away"))
    await closed(service, secret, auth)
    assert not workspace.exists(), "what is made in its place would be taken for it"
    workspace.with_name("away").rename(workspace)
    assert (await service.client.get("/sessions")).status_code == 401
    assert (await service.client.get("/sessions", headers=auth(secret))).status_code == 200


async def test_nothing_is_made_where_a_volume_was_unmounted(service: Any, workspace: Path, auth: Any) -> None:
    """Its folder is there, and empty."""
    secret, _ = service.tokens.create("any", ["admin"])
    workspace.rename(workspace.with_name("away"))
    workspace.mkdir()
    service.client.timeout = 30
    await closed(service, secret, auth)
    await asyncio.sleep(1.2)  # the worker has looked for jobs
    assert list(workspace.iterdir()) == []
    workspace.rmdir()
    workspace.with_name("away").rename(workspace)
    assert (await service.client.get("/sessions", headers=auth(secret))).status_code == 200


def gone(path: Path) -> None:
    for part in (path, path.with_name(f"{FILE}-wal"), path.with_name(f"{FILE}-shm")):
        part.unlink(missing_ok=True)


def emptied(path: Path) -> None:
    gone(path)
    path.touch()


def foreign(path: Path) -> None:
    gone(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE tokens (name TEXT)")
        db.commit()


def damaged(path: Path) -> None:
    gone(path)
    path.write_bytes(b"no database at all" * 99)


def dropped(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE tokens")
        db.commit()


def cleared(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM tokens")
        db.commit()


@pytest.mark.parametrize("loss", [gone, emptied, foreign, damaged, dropped, cleared])
async def test_tokens_that_are_lost_open_nothing(
    service: Any, workspace: Path, auth: Any, loss: Callable[[Path], None]
) -> None:
    secret, _ = service.tokens.create("any", ["admin"])
    assert (await service.client.get("/sessions", headers=auth(secret))).status_code == 200
    with closing(sqlite3.connect(workspace / FILE)) as db, closing(sqlite3.connect(workspace / "backup")) as backup:
        db.backup(backup)
    loss(workspace / FILE)
    for headers in ({}, auth(secret)):
        reply = await service.client.get("/metrics", headers=headers)
        assert reply.status_code == 503
        assert reply.json()["failure"]["code"].startswith("ERR_STORAGE_")
        assert (await service.client.get("/health", headers=headers)).status_code in {200, 503}
    assert (workspace / FILE).exists() is (loss is not gone)
    gone(workspace / FILE)
    (workspace / "backup").rename(workspace / FILE)
    assert (await service.client.get("/metrics")).status_code == 401
    assert (await service.client.get("/metrics", headers=auth(secret))).status_code == 200


async def test_a_row_that_cannot_be_read_is_a_token_that_nobody_has(service: Any, workspace: Path, auth: Any) -> None:
    secret, _ = service.tokens.create("any", ["admin"])
    with closing(sqlite3.connect(workspace / FILE)) as db:
        db.execute("UPDATE tokens SET scopes = '[\"root\"]'")
        db.commit()
    assert (await service.client.get("/sessions")).status_code == 401
    assert (await service.client.get("/sessions", headers=auth(secret))).status_code == 401


async def test_a_workspace_without_a_token_that_is_taken_away_serves_nobody_either(
    service: Any, workspace: Path, auth: Any
) -> None:
    assert (await service.client.get("/sessions")).status_code == 200
    workspace.rename(workspace.with_name("away"))
    await closed(service, None, auth)
    assert not workspace.exists()
    workspace.with_name("away").rename(workspace)
    assert (await service.client.get("/sessions")).status_code == 200


def test_what_is_read_where_nothing_was_written_makes_nothing(tmp_path: Path) -> None:
    store, queue = TokenStore(tmp_path / "ws"), JobQueue(tmp_path / "ws")
    assert (store.configured(), store.list(), queue.list("t")) == (False, (), ())
    assert not (tmp_path / "ws").exists()


def test_a_kept_file_is_not_made_anew(tmp_path: Path) -> None:
    keep_file(tmp_path / "ws")
    assert (tmp_path / "ws" / FILE).stat().st_mode & 0o777 == 0o600
    shutil.rmtree(tmp_path / "ws")
    with pytest.raises(StoreError, match="gone"):
        TokenStore(tmp_path / "ws").create("a")
    with pytest.raises(StoreError, match="gone"):
        TokenStore(tmp_path / "ws").configured()
    assert not (tmp_path / "ws").exists()


async def test_a_server_that_needs_tokens_serves_nobody_until_there_is_one(
    start: Any, workspace: Path, auth: Any
) -> None:
    settings = Settings(workspace=workspace, require_token=True)
    running = make_server(Roma(settings))
    assert await _banner(running, settings) == (
        f"ROMA on http://{{address}} (no client: {explain_lack_of_tokens(settings)}); /console, /docs, /health\n"
    )
    async with start(require_token=True) as service:
        health = await service.client.get("/health")
        assert (health.status_code, health.json()["components"]) == (503, [])
        assert (await service.client.get("/sessions")).status_code == 401
        secret, _ = TokenStore(workspace).create("first", ["query"])
        assert (await service.client.get("/sessions", headers=auth(secret))).status_code == 200
        assert (await service.client.get("/health")).status_code == 200


async def test_a_service_that_needs_tokens_is_closed_while_there_is_none(
    start: Any, workspace: Path, auth: Any
) -> None:
    """As when another program than ``roma serve`` runs the application."""
    TokenStore(workspace).create("a")
    async with start(require_token=True) as service:
        service.app.state.tokens._snapshot = None
        (workspace / FILE).write_bytes(b"")
        for name in ("-wal", "-shm"):
            (workspace / f"{FILE}{name}").unlink(missing_ok=True)
        service.app.state.tokens._trusted_until = 0.0
        assert (await service.client.get("/sessions")).status_code == 401


# A full disk


async def test_on_a_full_disk_answers_go_on_and_writes_say_so(tmp_path: Path, start_at: Any, auth: Any) -> None:
    with small_disk(tmp_path / "disk", 12) as disk:
        async with start_at(disk / "ws", min_free_mb=0) as service:
            secret, _ = service.tokens.create("any", ["admin"])
            service.client.headers.update(auth(secret))
            question = {"text": "When was the rope bridge built?", "session_id": "s"}
            assert not (await service.client.post("/query", json=question)).json()["degraded"]
            ballast = fill(disk)
            for _ in range(2):
                answer = (await service.client.post("/query", json=question)).json()
                assert (answer["answered"] != "unknown", bool(answer["citations"])) == (True, True)
                assert answer["degraded_reasons"] == ["conversation: ERR_STORAGE_FULL"]
                service.app.state.tokens._trusted_until = 0.0
            assert [s["turns"] for s in (await service.client.get("/sessions")).json()] == [1]
            assert (await service.client.get("/ingest")).json() == []
            rated = {"answer_id": "a", "rating": "up", "comment": "x" * 4000}
            for method, path, body in (
                ("POST", "/feedback", rated),
                ("POST", "/ingest", {"sources": ["https://x.example/" + "x" * 4000] * 2}),
            ):
                reply = await service.client.request(method, path, json=body)
                assert (reply.status_code, reply.json()["failure"]["code"]) == (507, "ERR_STORAGE_FULL"), path
            report = (await service.client.get("/health")).json()
            parts = {c["name"]: c for c in report["components"]}
            assert (report["state"], parts["disk"]["state"]) == ("degraded", "degraded")
            assert "full" in parts["disk"]["reason"]
            with pytest.raises(StoreError) as caught:
                service.tokens.create("another")
            assert caught.value.code is ErrorCode.STORAGE_FULL
            ballast.unlink()
            assert not (await service.client.post("/query", json=question)).json()["degraded"]
            assert (await service.client.post("/feedback", json=rated)).status_code == 204
            (gap,) = (await service.client.get("/audit", params={"action": "gap"})).json()
            assert gap["details"]["unlogged"] >= 4, "two questions, and what was shown for each"
            assert (await service.client.get("/audit/verify")).json()["broken_at"] is None


async def test_a_server_starts_on_a_full_disk(tmp_path: Path, start_at: Any, auth: Any) -> None:
    with small_disk(tmp_path / "disk", 12) as disk:
        secret, _ = TokenStore(disk / "ws").create("any", ["admin"])
        fill(disk)
        async with start_at(disk / "ws", min_free_mb=0) as service:
            assert (await service.client.get("/sessions")).status_code == 401
            question = {"text": "When was the rope bridge built?"}
            assert (await service.client.post("/query", json=question, headers=auth(secret))).json()[
                "answered"
            ] != "unknown"
            parts = (await service.client.get("/health", headers=auth(secret))).json()["components"]
            assert {c["name"]: c["state"] for c in parts}["disk"] == "degraded"


def test_tokens_can_be_read_without_a_byte_left(tmp_path: Path) -> None:
    """The same where nobody may mount a disk."""
    secret, _ = TokenStore(tmp_path).create("any")
    code = (
        f"{NO_BYTES}\nimport sys; from pathlib import Path\n"
        "from roma_core.api.tokens import TokenStore; from roma_core.errors import StoreError\n"
        "store = TokenStore(Path(sys.argv[1]))\n"
        "print(store.configured(), store.verify(sys.argv[2]) is not None)\n"
        "try:\n    store.create('b')\nexcept StoreError as error:\n    print(error.code)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), secret]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.stdout.splitlines() == ["True True", "ERR_STORAGE_FULL"], done.stderr


@pytest.mark.parametrize("code", [ErrorCode.STORAGE_LOCKED, ErrorCode.STORAGE_FULL])
def test_what_was_read_holds_while_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: ErrorCode
) -> None:
    store = TokenStore(tmp_path)
    secret, _ = store.create("any")
    assert store.verify(secret) is not None

    def stuck() -> Any:
        raise StoreError("no", code)

    store._trusted_until = 0.0
    monkeypatch.setattr(store, "_select_rows", stuck)
    assert store.verify(secret) is not None
    fresh = TokenStore(tmp_path)
    monkeypatch.setattr(fresh, "_select_rows", stuck)
    with pytest.raises(StoreError):
        fresh.configured()
