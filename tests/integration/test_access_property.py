"""Random people, grants, revocations, documents, questions and conversations: nobody ever reads what is withheld.

The model that answers repeats every word it is sent, so that a forbidden passage in a prompt is a leak in an answer.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_core import Settings, build_roma
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure, RomaError
from roma_core.identity import Grantee, Resource
from roma_core.llm.providers.fake import FakeLLM
from roma_core.llm.service import LLMService
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Document, Principal, Query, Role, TailorOutput, digest
from tests.sizes import examples

COLLECTIONS = ("red", "green", "blue")
GROUPS = ("crew", "board")
PEOPLE: tuple[tuple[str, tuple[str, ...], Role], ...] = (
    ("anna", ("crew",), "reader"),
    ("bert", ("board",), "contributor"),
    ("cora", (), "analyst"),
    ("dora", ("crew", "board"), "reader"),
    ("emil", (), "admin"),
)
QUESTION = "Where is the bridge"
_runs = itertools.count()

names = st.sampled_from([name for name, _, _ in PEOPLE])
resources = st.one_of(
    st.tuples(st.just("collection"), st.sampled_from(COLLECTIONS)), st.tuples(st.just("document"), st.integers(0, 5))
)
grantees = st.one_of(
    st.tuples(st.just("user"), names),
    st.tuples(st.just("group"), st.sampled_from(GROUPS)),
    st.tuples(st.just("role"), st.sampled_from(["reader", "analyst"])),
    st.tuples(st.just("everyone"), st.just("")),
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.sampled_from(COLLECTIONS)),
        st.tuples(st.just("grant"), resources, grantees),
        st.tuples(st.just("revoke"), resources, grantees),
        st.tuples(st.just("ask"), names, st.booleans()),
        st.tuples(st.just("look"), names, st.just(0)),
    ),
    min_size=4,
    max_size=12,
)


@dataclass
class Rules:
    """The rules of access, told a second time and as simply as they can be."""

    restricted: dict[tuple[str, Any], set[tuple[str, str]]] = field(default_factory=dict)

    def grant(self, resource: tuple[str, Any], grantee: tuple[str, str]) -> None:
        self.restricted.setdefault(resource, set()).add(grantee)

    def revoke(self, resource: tuple[str, Any], grantee: tuple[str, str]) -> None:
        self.restricted.setdefault(resource, set()).discard(grantee)  # to revoke closes what was open

    def permits(self, who: Principal, number: int, collection: str) -> bool:
        if "admin" in who.roles:
            return True
        mine = {("user", who.subject), ("everyone", "")}
        mine |= {("group", group) for group in who.groups} | {("role", role) for role in who.roles}
        needed = (("collection", collection), ("document", number))
        return all(self.restricted[resource] & mine for resource in needed if resource in self.restricted)


class World:
    """A tenant of its own in one Roma, beside the rules that it must keep to."""

    def __init__(self, roma: Any) -> None:
        self.tenant = f"t{next(_runs)}"
        self._roma = roma.of_tenant(self.tenant)
        self.rules = Rules()
        self.collections: dict[int, str] = {}
        self.answers: list[tuple[str, Principal]] = []

    def find_person(self, name: str) -> Principal:
        groups, role = next((groups, role) for known, groups, role in PEOPLE if known == name)
        return Principal(subject=name, tenant=self.tenant, groups=groups, roles=(role,), signed_in_by="account")

    def mark(self, number: int) -> str:
        return f"zq{self.tenant}n{number}xv"

    def make_document(self, number: int, collection: str) -> Document:
        mark = self.mark(number)
        text = f"# {mark}\n\nThe bridge is at {mark}, said {mark}."
        return Document(
            id=Document.id_for(mark, self.tenant),
            uri=mark,
            title=mark,
            text=text,
            content_sha256=digest(text),
            parser="t/1",
            collection=collection,
        )

    async def put(self, number: int, collection: str) -> None:
        document = self.make_document(number, collection)
        embedder = self._roma.embedder
        chunks = chunk(document, embedder.count_tokens)
        vectors = (await embedder.embed([piece.indexed_text for piece in chunks])).vectors
        await self._roma.store.put(self.tenant, document, chunks, vectors)
        self.collections[number] = collection

    def change(self, kind: str, resource: tuple[str, Any], grantee: tuple[str, str]) -> None:
        name = resource[1] if resource[0] == "collection" else Document.id_for(self.mark(resource[1]), self.tenant)
        target, who = Resource(resource[0], name), Grantee(*grantee)  # type: ignore[arg-type]
        if kind == "grant":
            self._roma.grants.grant(self.tenant, target, who, by="local")
            self.rules.grant(resource, grantee)
        else:
            self._roma.grants.revoke(self.tenant, target, who)
            self.rules.revoke(resource, grantee)

    def check(self, who: Principal, shown: object, where: str) -> None:
        for number, collection in self.collections.items():
            if not self.rules.permits(who, number, collection):
                assert self.mark(number) not in str(shown), (where, who.subject, number, collection, self.rules)

    async def ask(self, name: str, in_conversation: bool) -> None:
        who = self.find_person(name)
        query = Query(text=QUESTION, top_k=10, principal=who, session_id="s" if in_conversation else None)
        answer = await self._roma.query(query)
        self.check(who, answer, "answer")
        if isinstance(answer, TailorOutput):
            self.answers.append((answer.answer_id, who))

    async def look(self, name: str) -> None:
        """Look at everything that could show a word of a document."""
        who = self.find_person(name)
        roma = self._roma
        self.check(who, await roma.search(Query(text=QUESTION, top_k=10, principal=who)), "search")
        self.check(who, await roma.turns("s", who), "history")
        self.check(who, await roma.collections(who), "collections")
        counts = await roma.count_documents(who)
        readable = [n for n, collection in self.collections.items() if self.rules.permits(who, n, collection)]
        assert not isinstance(counts, AgentFailure)
        assert counts[0] == len(readable)
        for number in self.collections:
            found = await roma.document(Document.id_for(self.mark(number), self.tenant), who)
            assert isinstance(found, Document) is (number in readable), (number, found)
        for answer_id, owner in self.answers:
            if owner.subject == who.subject and answer_id:
                self.check(who, await self._read_answer(answer_id, who), "record")

    async def _read_answer(self, answer_id: str, who: Principal) -> object:
        try:
            return await self._roma.answer_record(answer_id, who)
        except RomaError as error:
            return error.message


def repeat(request: Any) -> str:
    """Answer with every word that was sent, and a marker."""
    return " ".join(message.content for message in request.messages)[-3000:] + " [1]"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def roma(tmp_path_factory: pytest.TempPathFactory, loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("access")
    chosen = Settings.load(workspace=folder / ".roma", reranker="fake", planner="off", citations="off", audit="off")
    made = build_roma(chosen, llm=LLMService([FakeLLM(rule=repeat)]), store=InMemoryStore(), embedder=FakeEmbedder())
    yield made
    loop.run_until_complete(made.close())


async def play(roma: Any, steps: list[tuple[Any, ...]]) -> None:
    world = World(roma)
    for kind, first, second in steps:
        if kind == "put":
            await world.put(first, second)
        elif kind in {"grant", "revoke"}:
            world.change(kind, first, second)
        elif kind == "ask":
            await world.ask(first, second)
        else:
            await world.look(first)
    for name, _, _ in PEOPLE:
        await world.look(name)


QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


@settings(
    max_examples=examples(8, whole=25), deadline=None, suppress_health_check=QUIET, derandomize=True, database=None
)
@given(steps=actions)
def test_nobody_reads_what_is_withheld(roma: Any, loop: asyncio.AbstractEventLoop, steps: Any) -> None:
    loop.run_until_complete(play(roma, steps))


@pytest.mark.soak
@settings(max_examples=2000, deadline=None, suppress_health_check=QUIET, database=None)
@given(steps=actions)
def test_nobody_reads_what_is_withheld_in_two_thousand_runs(
    roma: Any, loop: asyncio.AbstractEventLoop, steps: Any
) -> None:
    loop.run_until_complete(play(roma, steps))
