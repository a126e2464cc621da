"""Two services with a workspace each over one PostgreSQL know the same people, and end them at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import running

pytestmark = pytest.mark.slow  # each starts two services
PASSWORD = "correct horse battery"
STATE = "/console/api/state"


@pytest.fixture
async def replicas(tmp_path: Path, plain_url: str) -> AsyncIterator[tuple[Any, Any]]:
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(running(tmp_path / name, database_url=plain_url)) for name in ("a", "b")
        ]
        yield opened[0], opened[1]


async def test_a_sign_in_at_one_counts_at_the_other_and_ends_at_both(replicas: tuple[Any, Any]) -> None:
    first, second = replicas
    accounts = first.app.state.accounts
    accounts.set_password(accounts.add("anna", roles=["reader"]), PASSWORD)
    form = {"name": "anna", "password": PASSWORD}
    signed_in = await first.client.post("/sign-in", data=form, follow_redirects=False)
    assert signed_in.status_code == 303
    second.client.cookies.update(dict(first.client.cookies))
    assert (await second.client.get(STATE)).json()["user"]["name"] == "anna"
    assert (await second.client.post("/sign-out")).status_code == 204
    assert (await first.client.get(STATE)).status_code == 401


async def test_a_token_that_is_revoked_at_one_is_refused_at_the_other_from_the_next_request_on(
    replicas: tuple[Any, Any], auth: Any
) -> None:
    first, second = replicas
    secret, token = first.tokens.create("ci", ["query"])
    assert (await second.client.get("/sessions", headers=auth(secret))).status_code == 200
    assert (await second.client.get("/sessions")).status_code == 401
    first.tokens.revoke(token.id)
    assert (await second.client.get("/sessions", headers=auth(secret))).status_code == 401
