"""The chat over another process's service: a Panel app of a workspace that is served elsewhere."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.api.tokens import TokenStore
from roma_core.errors import InputError
from roma_core.settings import Settings
from roma_core.ui import ChatPane
from roma_core.ui.chat.channel import ChatChannel
from roma_core.ui.chat.remote import RemoteChat
from tests.console import Service, fill_corpus

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service and the token of one of its users."""
    folder = tmp_path_factory.mktemp("remote")
    fill_corpus(folder / ".roma", folder)
    token = TokenStore(folder / ".roma").create("board", ["query"])[0]
    with Service(folder / ".roma").running() as service:
        yield service, token


class Caller:
    """A widget's page: it calls by name, and gets a result or a failure."""

    def __init__(self, chat: RemoteChat) -> None:
        self.said: list[dict[str, Any]] = []
        self._channel = ChatChannel(chat, self.said.append)

    async def call(self, name: str, **values: Any) -> dict[str, Any]:
        await self._channel.handle({"call": uuid.uuid4().hex, "name": name, "values": values})
        return self.said[-1]


async def test_a_whole_conversation_goes_over_the_services_own_api(served: tuple[Service, str]) -> None:
    service, token = served
    caller = Caller(RemoteChat(service.address, token))
    assert (await caller.call("state"))["value"]["documents"] == 2
    conversation = uuid.uuid4().hex
    question = {"text": "When does the valve open?"}
    started = await caller.call("ask", conversation=conversation, question=question, key=uuid.uuid4().hex)
    record = started["value"]["id"]
    await caller.call("follow", record_id=record)
    updates = [said["value"] for said in caller.said if said["kind"] == "update"]
    end = updates[-1]["turn"]
    assert end["state"] == "complete" and end["citations"]
    cited = end["citations"][0]
    rating = {"rating": "up", "comment": "clear"}
    assert (await caller.call("rate", conversation=conversation, answer_id=end["answer_id"], rating=rating))[
        "kind"
    ] == "result"
    turns = (await caller.call("conversation", conversation=conversation, most=20))["value"]["turns"]
    assert turns[0]["comment"] == "clear"
    source = await caller.call("source", document_id=cited["document"], start=cited["start"], end=cited["end"])
    assert "<mark>" in source["value"]["part"]["html"]
    file = (await caller.call("export_answer", record_id=record, format="md"))["value"]
    assert file["name"].endswith(".md") and file["data"]
    await caller.call("rename", conversation=conversation, title="About valves")
    assert "About valves" in {row["title"] for row in (await caller.call("conversations"))["value"]}
    await caller.call("delete", conversation=conversation)
    assert conversation not in {row["id"] for row in (await caller.call("conversations"))["value"]}


async def test_a_refusal_comes_in_the_words_of_the_service(served: tuple[Service, str]) -> None:
    service, token = served
    said = await Caller(RemoteChat(service.address, token)).call("conversation", conversation=uuid.uuid4().hex)
    assert said["value"]["turns"] == [] or said["kind"] == "failure"
    said = await Caller(RemoteChat(service.address, token)).call("follow", record_id="0" * 32)
    assert said["kind"] == "failure" and said["value"]["code"] == "ERR_NOT_FOUND"
    said = await Caller(RemoteChat(service.address, "no-token-at-all")).call("state")
    assert said["kind"] == "failure" and said["value"]["code"] == "ERR_ACCESS_UNAUTHENTICATED"


async def test_a_service_that_is_not_there_is_said_with_what_to_do() -> None:
    caller = Caller(RemoteChat("http://127.0.0.1:9"))
    for name, values in (("state", {}), ("follow", {"record_id": "0" * 32})):
        said = await caller.call(name, **values)
        assert said["kind"] == "failure" and "cannot be reached" in said["value"]["message"]


def test_an_address_of_no_service_is_refused() -> None:
    with pytest.raises(InputError, match="no address of a service"):
        RemoteChat("localhost:8000")


def test_the_app_shows_the_service_that_the_settings_name(
    served: tuple[Service, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service, token = served
    monkeypatch.setenv("ROMA_TOKEN", token)
    pane = ChatPane.from_settings(Settings.load(workspace=tmp_path, url=service.address))
    assert pane.get_root() is not None
    assert not (tmp_path / "answers.sqlite").exists(), "the workspace is that of the service"


def test_the_page_of_another_loop_is_served_too(served: tuple[Service, str]) -> None:
    service, token = served
    chat = RemoteChat(service.address, token)
    assert asyncio.run(chat.state())["documents"] == asyncio.run(chat.state())["documents"] == 2
