"""The chat's side of ROMA: conversations of one person, answers that go on, sources with their words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from roma_core import Roma, Settings
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AccessError, AgentFailure, InputError, NotFoundError
from roma_core.identity import Grantee, Resource
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.service import LLMService
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Document, Principal, StageEvent, TokenEvent, digest
from roma_core.ui.chat import ChatQuestion, ChatRating, ChatService, wire
from roma_core.ui.chat.channel import ChatChannel
from roma_core.ui.chat.service import batch_events

TEXT = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres."
HERE = "abcdefgh"


def reply(request: Any) -> Reply:
    question = request.messages[-1].content
    if "cut" in question:
        return Reply("The rope bridge", finish_reason=None)
    if "nobody" in question:
        return Reply("I don't know.")
    if "is long" in question:
        return Reply("\n\n".join(f"Part {n} tells of the bridge." for n in range(8)), word_wait_s=0.02)
    wait_s = 0.2 if "slowly" in question else 0.0
    return Reply("The **rope bridge** was built in 1902. [1]\n\nThat is all.", word_wait_s=wait_s)


def person(subject: str, tenant: str = "default") -> Principal:
    return Principal(subject=subject, tenant=tenant, roles=("reader",))


@pytest.fixture
async def roma(tmp_path: Path) -> AsyncIterator[Roma]:
    store, embedder = InMemoryStore(), FakeEmbedder()
    settings = Settings.load(workspace=tmp_path, planner="off", reranker="fake")
    made = Roma(settings, store=store, embedder=embedder, llm=LLMService([FakeLLM(rule=reply)]))
    for tenant in ("default", "acme"):
        document = Document(
            id=Document.id_for("bridge", tenant),
            uri="bridge",
            title="Bridge",
            text=TEXT,
            content_sha256=digest(TEXT),
            parser="t/1",
        )
        chunks = chunk(document, embedder.count_tokens)
        await store.put(tenant, document, chunks, (await embedder.embed([c.indexed_text for c in chunks])).vectors)
    yield made
    await made.close()


async def ended(chat: ChatService, record_id: str) -> dict[str, Any]:
    updates = [update async for update in chat.follow(record_id)]
    turn: dict[str, Any] = updates[-1]["turn"]
    return turn


async def test_an_answer_comes_as_stages_words_and_its_end(roma: Roma) -> None:
    chat = ChatService(roma)
    asked = await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k")
    updates = [update async for update in chat.follow(asked["id"])]
    kinds = [update["type"] for update in updates]
    assert kinds[0] == "stage" and "words" in kinds and kinds[-1] == "end"
    titles = {update["stage"]: update["titles"] for update in updates if update["type"] == "stage"}
    assert titles["writing"] == ["Bridge"], "who waits sees what is read"
    turn = updates[-1]["turn"]
    assert turn["state"] == "complete" and turn["citations"][0]["quote"] in TEXT
    assert re.search(r"<strong>rope bridge</strong>.*roma-badge", "".join(turn["blocks"]))


async def test_who_comes_late_sees_the_same_from_the_beginning(roma: Roma) -> None:
    chat = ChatService(roma)
    asked = await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k")
    first, again = await ended(chat, asked["id"]), await ended(ChatService(roma), asked["id"])
    assert first == again


def read_words(updates: list[dict[str, Any]]) -> str:
    """Return the words that a page shows after some updates: those of finished blocks, and the open ones."""
    blocks: list[str] = []
    text = ""
    for update in updates:
        if update["type"] == "words":
            blocks += update.get("blocks", [])
            text = update["text"] if update.get("over") else text + update["text"]
    return " ".join(re.sub(r"<[^>]+>", " ", " ".join([*blocks, text])).split())


async def test_a_connection_that_was_lost_goes_on_behind_what_was_shown(roma: Roma) -> None:
    chat = ChatService(roma)
    asked = await chat.ask(HERE, ChatQuestion(text="What is long?"), "k")
    placed = [each async for each in chat.follow_from(asked["id"])]
    whole = read_words([update for _, update in placed])
    assert whole.startswith("Part 0 tells") and whole.endswith("Part 7 tells of the bridge.")
    assert sum(bool(place) for place, _ in placed) > 4
    for at, (place, _) in enumerate(placed):
        if not place:
            continue
        shown = [update for _, update in placed[: at + 1]]
        rest = [update async for _, update in chat.follow_from(asked["id"], place)]
        assert read_words(shown + rest) == whole, f"behind {place}"
        stages = [update for _, update in placed[at + 1 :] if update["type"] == "stage"]
        assert [update for update in rest if update["type"] == "stage"] == stages, "no stage is told of twice"
        assert rest[-1]["turn"]["blocks"] == placed[-1][1]["turn"]["blocks"]


@pytest.mark.parametrize("place", ["x", "1", "1.", "-1.2", "1.2.3", "\u0663.1", "9" * 40 + ".1"])
async def test_a_place_that_is_none_is_refused(roma: Roma, place: str) -> None:
    chat = ChatService(roma)
    asked = await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k")
    with pytest.raises(InputError):
        _ = [update async for update in chat.follow_from(asked["id"], place)]


async def test_a_tokens_own_answer_is_followed_and_nobody_elses_is(roma: Roma) -> None:
    mine = ChatService(roma, person("token:4f9a61c0de77b2"))
    asked = await mine.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k")
    assert (await ended(mine, asked["id"]))["state"] == "complete"
    assert (await ended(mine, asked["id"]))["state"] == "complete", "from its record"
    stranger = ChatService(roma, person("token:9c1b77aa20de41"))
    with pytest.raises(NotFoundError):
        await ended(stranger, asked["id"])


async def test_the_same_key_is_one_answer(roma: Roma) -> None:
    chat = ChatService(roma)
    question = ChatQuestion(text="When was the rope bridge built?")
    ids = {(await chat.ask(HERE, question, "k"))["id"] for _ in range(3)}
    assert len(ids) == 1
    await ended(chat, ids.pop())
    assert len((await chat.conversation(HERE))["turns"]) == 1


async def test_what_was_stopped_or_failed_is_kept_and_listed(roma: Roma) -> None:
    chat = ChatService(roma)
    slow = await chat.ask(HERE, ChatQuestion(text="And what slowly?"), "1")
    async with aclosing(chat.follow(slow["id"])) as updates:
        async for update in updates:
            if update["type"] == "words":
                break
    await chat.stop(slow["id"])
    stopped = await ended(chat, slow["id"])
    failed = await ended(chat, (await chat.ask("failing-one", ChatQuestion(text="What was cut?"), "2"))["id"])
    assert stopped["advice"] == "This answer was stopped."
    assert failed["failure"]["message"] and failed["failure"]["code"].startswith("ERR_LLM")
    listed = {item["id"]: item["title"] for item in await chat.conversations()}
    assert listed == {HERE: "And what slowly?", "failing-one": "What was cut?"}
    (turn,) = (await chat.conversation("failing-one"))["turns"]
    assert "rope bridge" in "".join(turn["blocks"]) and turn["failure"] == failed["failure"]


async def test_a_question_that_was_asked_again_stands_once(roma: Roma) -> None:
    chat = ChatService(roma)
    for key in ("1", "2"):
        await ended(chat, (await chat.ask(HERE, ChatQuestion(text="What was cut?"), key))["id"])
    assert len((await chat.conversation(HERE))["turns"]) == 1


async def test_people_of_a_tenant_and_tenants_see_nothing_of_each_other(roma: Roma) -> None:
    one = ChatService(roma, person("token:one"))
    asked = await one.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k")
    await ended(one, asked["id"])
    for other in (
        ChatService(roma, person("token:two")),
        ChatService(roma, person("token:one", "acme")),
        ChatService(roma, person("token")),
    ):
        assert await other.conversations() == []
        assert (await other.conversation(HERE))["turns"] == []
        with pytest.raises(NotFoundError):
            await other.stop(asked["id"])
        with pytest.raises(NotFoundError):
            await ended(other, asked["id"])
        with pytest.raises(NotFoundError):
            await other.delete(HERE)


@pytest.mark.parametrize("conversation", ["", "short", "local:abcdefgh", "a/b/c/d/e/f", "x" * 41])
async def test_an_id_that_is_none_is_not_found(roma: Roma, conversation: str) -> None:
    with pytest.raises(NotFoundError):
        await ChatService(roma).conversation(conversation)


async def test_an_answer_without_its_record_is_shown_from_the_conversation(roma: Roma) -> None:
    chat = ChatService(roma)
    asked = await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k")
    await ended(chat, asked["id"])
    await roma.answers.delete_session(Principal.local(), f"local:{HERE}")
    (turn,) = (await chat.conversation(HERE))["turns"]
    assert turn["state"] == "complete" and turn["citations"][0]["quote"] in TEXT


async def test_a_rating_keeps_its_reason_and_comes_back_with_the_turn(roma: Roma) -> None:
    chat = ChatService(roma)
    turn = await ended(chat, (await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k"))["id"])
    await chat.rate(HERE, turn["answer_id"], ChatRating(rating="down", comment="Old source"))
    (again,) = (await chat.conversation(HERE))["turns"]
    assert (again["rating"], again["comment"]) == ("down", "Old source")


async def test_filters_confine_the_search(roma: Roma) -> None:
    chat = ChatService(roma)
    question = ChatQuestion(text="When was the rope bridge built?", documents=("another",))
    turn = await ended(chat, (await chat.ask(HERE, question, "k"))["id"])
    assert turn["answered"] == "unknown" and turn["filters"] == {"document_id": ["another"]}


async def test_the_state_says_what_is_in_here_and_offers_questions(roma: Roma) -> None:
    state = await ChatService(roma).state()
    assert state["documents"] == 1 and state["questions"] and state["collections"] == [{"name": "main", "documents": 1}]


async def test_a_source_shows_the_exact_words_and_a_wrong_span_is_refused(roma: Roma) -> None:
    chat = ChatService(roma)
    document_id = Document.id_for("bridge")
    start = TEXT.index("It spans")
    shown = await chat.source(document_id, start, start + 8)
    assert "<mark>It spans</mark>" in shown["part"]["html"] and shown["quote"] == "It spans"
    with pytest.raises(InputError):
        await chat.source(document_id, 5, 10**6)
    with pytest.raises(NotFoundError):
        await ChatService(roma, Principal.local("acme")).source(document_id)
    with pytest.raises(NotFoundError):
        await chat.page(document_id, 1)


async def put(roma: Roma, name: str, text: str, collection: str = "main") -> Document:
    document = Document(
        id=Document.id_for(name),
        uri=name,
        title=name,
        text=text,
        content_sha256=digest(text),
        parser="t/1",
        collection=collection,
    )
    chunks = chunk(document, roma.embedder.count_tokens)
    vectors = (await roma.embedder.embed([one.indexed_text for one in chunks])).vectors
    await roma.store.put("default", document, chunks, vectors)
    return document


async def test_questions_are_offered_from_ones_own_history_and_from_permitted_documents_alone(roma: Roma) -> None:
    await put(roma, "Zephyr", "Zephyr is a secret bridge. It sways.", "board")
    roma.grants.grant("default", Resource("collection", "board"), Grantee("user", "anna"), by="local")
    anna, ben = ChatService(roma, person("anna")), ChatService(roma, person("ben"))
    assert "What is Zephyr?" in await anna.suggestions("zeph")
    assert await ben.suggestions("zeph") == []
    assert await ben.related("Does the Zephyr bridge sway?") == ["What is “Bridge” about?"]
    assert "What is Zephyr?" in await anna.related("Does the Zephyr bridge sway?")
    await ended(ben, (await ben.ask(HERE, ChatQuestion(text="Is zephyrium a metal?"), "k"))["id"])
    assert await ben.suggestions("zeph") == ["Is zephyrium a metal?"]
    assert "Is zephyrium a metal?" not in await anna.suggestions("zeph"), "other people's questions are theirs"
    roma.grants.revoke("default", Resource("collection", "board"), Grantee("user", "anna"))
    assert await anna.suggestions("zeph") == []


async def test_questions_follow_the_corpus(roma: Roma) -> None:
    chat = ChatService(roma)
    assert await chat.suggestions("kelp") == []
    await put(roma, "Kelp", "Kelp is an alga.")
    assert "What is Kelp?" in await chat.suggestions("kelp")


async def test_an_answer_is_compared_with_one_for_others_and_only_with_what_is_offered(roma: Roma) -> None:
    chat = ChatService(roma)
    turn = await ended(chat, (await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k"))["id"])
    beside = await chat.compare(turn["id"], {"persona": "executive"})
    assert beside["before"]["markdown"] == turn["markdown"] and beside["after"]["citations"]
    assert len((await chat.conversation(HERE))["turns"]) == 1, "it is not part of the conversation"
    for change in ({"persona": "king"}, {"llm_base_url": "http://127.0.0.1:1"}, {"llm_model": "another"}):
        with pytest.raises(InputError, match="not offered"):
            await chat.compare(turn["id"], change)


async def test_a_question_is_answered_by_an_offered_model_and_by_no_other(roma: Roma) -> None:
    settings = roma.settings.replace({"console_models": "small", "llm_model": "large"})
    other = Roma(settings, store=roma.store, embedder=roma.embedder, llm=roma.llm)
    chat = ChatService(other)
    assert (await chat.state())["choices"]["llm_model"] == ["large", "small"]
    with pytest.raises(InputError, match="not offered"):
        await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?", model="huge"), "k")
    asked = await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?", model="small"), "k")
    await ended(chat, asked["id"])
    record = await other.answers.get(Principal.local(), asked["id"])
    assert record.identity.settings["llm_model"] == "small"
    await other.close(keep=("store", "embedder", "llm"))


async def test_a_comparison_has_the_rights_of_now(roma: Roma) -> None:
    roma.grants.grant("default", Resource("collection", "main"), Grantee("user", "anna"), by="local")
    anna = ChatService(roma, person("anna"))
    turn = await ended(anna, (await anna.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k"))["id"])
    assert (await anna.compare(turn["id"], {"persona": "technical"}))["after"]["citations"]
    with pytest.raises(NotFoundError):
        await ChatService(roma, person("ben")).compare(turn["id"], {"persona": "technical"})
    roma.grants.revoke("default", Resource("collection", "main"), Grantee("user", "anna"))
    with pytest.raises(NotFoundError):
        await anna.compare(turn["id"], {"persona": "technical"})


async def test_only_who_may_ingest_into_the_collection_brings_files(roma: Roma) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"# A report"

    anna = Principal(subject="anna", roles=("contributor",))
    path = await ChatService(roma, anna).keep_upload("report.md", body())
    assert path.read_bytes() == b"# A report"
    (entry,) = roma.audit.query("default", action="ingest")
    assert entry.who == "anna"
    with pytest.raises(AccessError):
        await ChatService(roma, person("ben")).keep_upload("report.md", body())
    roma.grants.grant("default", Resource("collection", "main"), Grantee("user", "ben"), by="local")
    with pytest.raises(NotFoundError):
        await ChatService(roma, anna).keep_upload("other.md", body())
    assert not path.with_name("other.md").exists()


async def test_what_the_page_gets_has_the_shapes_that_its_types_are_made_of(roma: Roma) -> None:
    chat = ChatService(roma)
    wire.StateView.model_validate(await chat.state())
    asked = await chat.ask(HERE, ChatQuestion(text="When was the rope bridge built?"), "k")
    shapes = TypeAdapter(wire.StageUpdate | wire.WordsUpdate | wire.EndUpdate)
    updates = [shapes.validate_python(update) async for update in chat.follow(asked["id"])]
    last = updates[-1]
    assert isinstance(last, wire.EndUpdate) and isinstance(last.turn, wire.AnsweredTurn)
    await ended(chat, (await chat.ask(HERE, ChatQuestion(text="What was cut?"), "2"))["id"])
    turns = wire.ConversationView.model_validate(await chat.conversation(HERE)).turns
    assert [type(turn) for turn in turns] == [wire.AnsweredTurn, wire.UnansweredTurn]
    assert [wire.ConversationItem.model_validate(item) for item in await chat.conversations()]
    citation = last.turn.citations[0]
    wire.DocumentView.model_validate(await chat.source(citation.document, citation.start, citation.end))
    wire.ComparisonView.model_validate(await chat.compare(asked["id"], {"persona": "executive"}))


async def test_an_empty_question_is_refused(roma: Roma) -> None:
    with pytest.raises(InputError):
        await ChatService(roma).ask(HERE, ChatQuestion(text=" \n"), "k")


async def test_events_that_wait_come_in_one_group_and_a_failure_is_raised() -> None:
    async def events() -> Any:
        for number in range(100):
            yield number, TokenEvent(text="x")
        yield 100, StageEvent(stage="s", elapsed_ms=0)
        raise NotFoundError("gone")

    groups: list[int] = []
    with pytest.raises(NotFoundError):
        async for group in batch_events(events()):
            groups.append(len(group))
    assert sum(groups) == 101 and len(groups) < 5


async def test_a_widgets_calls_are_answered_one_by_one_and_others_are_refused(roma: Roma) -> None:
    sent: list[dict[str, Any]] = []
    channel = ChatChannel(ChatService(roma), sent.append)
    question = {"text": "When was the rope bridge built?"}
    await channel.handle(
        {"call": "1", "name": "ask", "values": {"conversation": HERE, "question": question, "key": "k"}}
    )
    await channel.handle({"call": "2", "name": "follow", "values": {"record_id": sent[0]["value"]["id"]}})
    assert [message["kind"] for message in sent if message["call"] == "2"][-2:] == ["update", "result"]
    sent.clear()
    for name in ("close", "_document", "__init__", "original", ""):
        await channel.handle({"call": "3", "name": name, "values": {}})
    await channel.handle({"call": "4", "name": "source", "values": {"nonsense": 1}})
    await channel.handle(
        {"call": "5", "name": "ask", "values": {"conversation": HERE, "question": {"text": 5}, "key": "k"}}
    )
    assert [message["kind"] for message in sent] == ["failure"] * 7
    assert all(message["value"]["code"] == "ERR_INPUT_INVALID" for message in sent)


async def test_a_store_that_is_gone_is_said_in_the_state(roma: Roma, monkeypatch: pytest.MonkeyPatch) -> None:
    from roma_core.errors import StoreError

    class Gone(InMemoryStore):
        async def counts(self, tenant: str, *_: Any) -> tuple[int, int]:
            raise StoreError("The store cannot be read; mount it.")

    roma.__dict__["store"] = Gone()
    state = await ChatService(roma).state()
    assert state["failure"]["message"] == "The store cannot be read; mount it." and state["documents"] == 0
    assert not isinstance(state, AgentFailure)


async def test_an_end_that_was_read_back_still_shows_what_comes_nearest(roma: Roma) -> None:
    """Whether the end comes from memory or from the disk is a matter of time."""
    chat = ChatService(roma)
    asked = await chat.ask(HERE, ChatQuestion(text="Why does nobody know the cook of the bridge?"), "k")
    live = await ended(chat, asked["id"])
    assert live["answered"] == "unknown"
    assert roma.answers.find_live(chat._who, asked["id"]) is None
    assert (await ended(chat, asked["id"]))["nearest"] == live["nearest"] != []
