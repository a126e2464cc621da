"""What is logged of the service, who may read it, and that nothing is shown or done that cannot be logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roma_core.types import Document

QUESTION = {"text": "When was the rope bridge built?"}
BRIDGE = Document.id_for("bridge")


@pytest.fixture
def headers(service: Any) -> dict[str, dict[str, str]]:
    made = {}
    for name, scopes in (("anna", ["query", "ingest"]), ("chief", ["admin"])):
        secret, _ = service.tokens.create(name, scopes, owner=name)
        made[name] = {"Authorization": f"Bearer {secret}"}
    return made


async def read_log(service: Any, headers: dict[str, Any], **asked: str) -> list[dict[str, Any]]:
    answer = await service.client.get("/audit", params=asked, headers=headers["chief"])
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()
    return rows


def harm(service: Any) -> None:
    """Make the log's file one that cannot be written."""
    service.roma.audit.close()
    folder: Path = service.roma.settings.workspace / "audit"
    for path in folder.glob("*"):
        path.unlink()
    service.roma.audit.append  # noqa: B018
    from datetime import UTC, datetime

    folder.mkdir(exist_ok=True)
    (folder / f"{datetime.now(UTC):%Y-%m}.sqlite").write_bytes(b"this is no database" * 100)


async def test_an_answer_is_logged_with_its_question_and_the_documents_that_were_shown(
    service: Any, headers: Any
) -> None:
    answered = await service.client.post("/query", json=QUESTION, headers=headers["anna"])
    shown, asked = await read_log(service, headers, who="anna")
    assert (asked["action"], asked["details"]["question"]) == ("ask", QUESTION["text"])
    assert (shown["action"], shown["documents"]) == ("show", [BRIDGE])
    assert shown["details"]["answer_id"] == answered.json()["answer_id"]


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", f"/sources/{BRIDGE}", "read"),
        ("GET", "/search?q=bridge", "search"),
        ("GET", f"/console/api/documents/{BRIDGE}", "read"),
    ],
)
async def test_what_is_read_is_logged_with_its_document(
    service: Any, headers: Any, method: str, path: str, action: str
) -> None:
    assert (await service.client.request(method, path, headers=headers["anna"])).status_code == 200
    (row,) = await read_log(service, headers, document=BRIDGE)
    assert (row["who"], row["action"]) == ("anna", action)


async def test_an_ingest_and_a_wrong_token_are_logged(service: Any, headers: Any) -> None:
    sources = {"sources": ["https://user-page.example.org/?token=abcdefgh12345678"]}
    assert (await service.client.post("/ingest", json=sources, headers=headers["anna"])).status_code == 202
    wrong = {"Authorization": "Bearer roma_0123456789ab_" + "x" * 43}
    assert (await service.client.get("/search?q=x", headers=wrong)).status_code == 401
    assert (await service.client.get("/search?q=x")).status_code == 401
    (refused,) = await read_log(service, headers, action="sign_in.failed")
    assert refused["details"] == {"address": "127.0.0.1"}
    (handed_in,) = await read_log(service, headers, action="ingest")
    assert "abcdefgh12345678" not in str(handed_in)


async def test_only_who_may_read_the_log_reads_it_and_that_is_logged(service: Any, headers: Any) -> None:
    for path in ("/audit", "/audit/verify"):
        assert (await service.client.get(path, headers=headers["anna"])).status_code == 403
    await read_log(service, headers, document=BRIDGE)
    (row,) = await read_log(service, headers, action="audit.read", who="chief", limit="1")
    assert row["details"]["action_asked"] == "audit.read"
    check = (await service.client.get("/audit/verify", headers=headers["chief"])).json()
    assert (check["broken_at"], check["rows"]) == (None, 2)


async def test_a_tenants_log_is_its_own(service: Any, headers: Any) -> None:
    await service.client.post("/query", json=QUESTION, headers=headers["anna"])
    secret, _ = service.tokens.create("other", ["admin"], tenant="other")
    rows = (await service.client.get("/audit", headers={"Authorization": f"Bearer {secret}"})).json()
    assert [row["action"] for row in rows] == ["audit.read"]


async def test_what_cannot_be_logged_is_neither_shown_nor_done(service: Any, headers: Any) -> None:
    await service.client.get(f"/sources/{BRIDGE}", headers=headers["anna"])
    harm(service)
    for method, path, body in (
        ("POST", "/query", QUESTION),
        ("GET", f"/sources/{BRIDGE}", None),
        ("GET", "/search?q=bridge", None),
        ("POST", "/ingest", {"sources": ["https://example.org/page"]}),
    ):
        answer = await service.client.request(method, path, json=body, headers=headers["anna"])
        assert answer.status_code >= 500, (path, answer.text)
        assert "in 1902" not in answer.text, path
    assert service.app.state.jobs.list("default") == ()


async def test_what_the_user_of_the_machine_asks_is_not_logged(service: Any) -> None:
    assert (await service.client.post("/query", json=QUESTION)).status_code == 200
    assert not (service.roma.settings.workspace / "audit").exists()
