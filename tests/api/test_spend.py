"""What models have cost, over HTTP: counted by token, and shown to whom it concerns."""

from __future__ import annotations

from typing import Any


async def test_costs_are_shown_by_token_and_within_the_tenant(service: Any) -> None:
    secret, admin = service.tokens.create("admin", ("admin",))
    reader, token = service.tokens.create("reader", ("query",))
    head = {"Authorization": f"Bearer {reader}"}
    asked = await service.client.post("/query", json={"text": "When was the rope bridge built?"}, headers=head)
    assert asked.status_code == 200, asked.text
    reply = await service.client.get(
        "/spend", params={"by": "token", "period": "day"}, headers={"Authorization": f"Bearer {secret}"}
    )
    assert reply.status_code == 200, reply.text
    report = reply.json()
    assert (report["tenant"], report["period"], report["by"]) == (token.tenant, "day", "token")
    assert [(row["name"], row["calls"] >= 1) for row in report["rows"]] == [(token.id, True)]
    assert report["cost_usd"] == sum(row["cost_usd"] for row in report["rows"]) > 0
    assert admin.id != token.id


async def test_a_token_without_admin_may_not_see_costs(service: Any) -> None:
    secret, _ = service.tokens.create("reader", ("query",))
    reply = await service.client.get("/spend", headers={"Authorization": f"Bearer {secret}"})
    assert reply.status_code == 403


async def test_a_period_that_does_not_exist_is_refused(service: Any) -> None:
    assert (await service.client.get("/spend", params={"period": "week"})).status_code == 422
