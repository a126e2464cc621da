"""``/console/ab``: trials with their decision, for analysts alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

NAME = "lazy"


@pytest.fixture
def trial(service: Any) -> Any:
    changes = {"prompts": 'answer=<img src=x onerror="alert(1)">'}
    return service.roma.trials.table.start("default", NAME, {}, changes, by="local")


def sign_in(service: Any, scopes: list[str], tenant: str = "default") -> dict[str, str]:
    secret, _ = service.tokens.create("someone", scopes, tenant=tenant)
    return {"Authorization": f"Bearer {secret}"}


async def test_the_pages_show_the_trial_and_nothing_of_it_is_html(service: Any, trial: Any) -> None:
    for path in ("/console/ab", f"/console/ab/{NAME}"):
        response = await service.client.get(path)
        assert response.status_code == 200 and NAME in response.text
        assert "<img" not in response.text and "&lt;img" in response.text
        assert not re.search(r"<script|style=|https?://", response.text)
    assert "Undecided" in response.text and "interval -100.0% to +100.0%" in response.text


async def test_a_trial_that_is_not_there_is_not_found(service: Any, trial: Any) -> None:
    assert (await service.client.get("/console/ab/other")).status_code == 404


async def test_readers_and_other_tenants_see_no_trial(service: Any, trial: Any) -> None:
    reader, admin = sign_in(service, ["query"]), sign_in(service, ["admin"])
    stranger = sign_in(service, ["admin"], "acme")
    assert (await service.client.get("/console/ab", headers=reader)).status_code == 403
    assert (await service.client.get(f"/console/ab/{NAME}", headers=reader)).status_code == 403
    assert NAME in (await service.client.get("/console/ab", headers=admin)).text
    assert NAME not in (await service.client.get("/console/ab", headers=stranger)).text
    assert (await service.client.get(f"/console/ab/{NAME}", headers=stranger)).status_code == 404
