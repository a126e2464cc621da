"""The audit log as a page: who may open it, what its address means, and that it hides and runs nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roma_core.api.accounts import AccountTable
from roma_core.types import Principal

pytestmark = pytest.mark.slow  # each starts the service
PASSWORD = "correct horse battery"
HTML = {"accept": "text/html"}
ATTACK = '<img src=x onerror="x">'


async def sign_in(service: Any, name: str, role: Any) -> Any:
    table: AccountTable = service.app.state.accounts
    table.set_password(table.add(name, roles=[role]), PASSWORD)
    form = {"name": name, "password": PASSWORD}
    return await service.client.post("/sign-in", data=form, follow_redirects=False)


def log(service: Any, who: str, action: Any = "read", **details: Any) -> int:
    number: int = service.roma.audit.append(Principal(subject=who), action, **details)
    return number


async def test_an_auditor_is_led_to_the_log_and_out_again(service: Any) -> None:
    assert (await sign_in(service, "carl", "auditor")).headers["location"] == "/audit-log"
    page = await service.client.get("/audit-log", headers=HTML)
    assert page.status_code == 200
    assert "carl" in page.text
    assert "/console" not in page.text, "an auditor may ask nothing"
    ended = await service.client.post("/sign-out", headers=HTML)
    assert "You are signed out" in ended.text
    led = await service.client.get("/audit-log", headers=HTML, follow_redirects=False)
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/audit-log")


async def test_nobody_else_sees_it(service: Any) -> None:
    for role in ("reader", "contributor", "analyst"):
        await sign_in(service, role, role)
        for path in ("/audit-log", "/audit-log?verify=true", "/audit-log/export"):
            assert (await service.client.get(path, headers=HTML)).status_code == 403, role
        assert (await service.client.get("/console/api/state")).json()["may_audit"] is False


async def test_the_address_holds_the_conditions(service: Any) -> None:
    log(service, "anna", documents=["d1"])
    log(service, "bert", documents=["d2"])
    log(service, "bert", "ingest")
    rows = {
        "who=anna": ["anna"],
        "document=d2": ["bert"],
        "action=ingest": ["bert"],
        "who=bert&action=read": ["bert"],
        "until=2020-01-01": [],
        "who=anna&since=2020-01-01T00:00": ["anna"],
    }
    for query, expected in rows.items():
        page = (await service.client.get(f"/audit-log?{query}")).text
        assert page.count("<tr><td>") == len(expected), query
        for name in expected:
            assert f">{name}</a>" in page
        exported = (await service.client.get(f"/audit-log/export?{query}")).text.splitlines()
        assert [json.loads(line)["who"] for line in exported] == expected


async def test_a_condition_that_cannot_be_read_is_refused(service: Any) -> None:
    for query in ("action=fly", "since=yesterday", "before=0"):
        assert (await service.client.get(f"/audit-log?{query}")).status_code == 422, query


async def test_more_rows_than_a_page_are_reached_by_its_link(service: Any) -> None:
    numbers = [log(service, "anna", place=n) for n in range(130)]
    first = (await service.client.get("/audit-log?who=anna")).text
    assert first.count("<tr><td>") == 100
    second = (await service.client.get(f"/audit-log?who=anna&before={numbers[30]}")).text
    assert f"before={numbers[30]}" in first
    assert second.count("<tr><td>") == 30
    exported = (await service.client.get("/audit-log/export?who=anna")).text.splitlines()
    assert len(exported) == 130


async def test_values_of_the_log_and_of_the_address_are_escaped(service: Any) -> None:
    log(service, ATTACK, documents=[ATTACK], reason=ATTACK)
    for path in ("/audit-log", f"/audit-log?who={ATTACK}&document={ATTACK}&until=2030-01-01"):
        page = await service.client.get(path)
        assert "<img" not in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_the_chain_is_verified_on_demand(service: Any) -> None:
    log(service, "anna")
    whole = await service.client.get("/audit-log?verify=true")
    assert "as they were written" in whole.text
    (path,) = (service.roma.settings.workspace / "audit").glob("*.sqlite")
    service.roma.audit.close()
    import sqlite3

    with sqlite3.connect(path) as db:
        db.execute("UPDATE entries SET who = 'nobody' WHERE number = 1")
    assert "not as it was written" in (await service.client.get("/audit-log?verify=true")).text


async def test_reading_and_exporting_the_log_is_logged(service: Any) -> None:
    await service.client.get("/audit-log?document=d1")
    await service.client.get("/audit-log/export")
    exported, read = service.roma.audit.query("default", action="audit.read")
    assert read.details == {"document": "d1"}
    assert exported.details == {"exported": True}


async def test_another_site_cannot_show_it(service: Any) -> None:
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe"}
    assert (await service.client.get("/audit-log", headers=foreign)).status_code == 403
