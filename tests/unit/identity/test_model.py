"""A model of grants, and what must hold whatever is granted, revoked, ingested and asked in whatever order.

No search, read, count, collection, suggestion or earlier answer shows anything of a document that its reader may not
read, and none of what the reader may read is missing. ``ROMA_ACL_SEQUENCES`` sets how many histories are tried.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from roma_core.app import Roma
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure
from roma_core.hiding import HIDDEN
from roma_core.identity import Grantee, Resource
from roma_core.sessions import Turn
from roma_core.sessions.service import Reference
from roma_core.settings import Settings
from roma_core.store.inmemory import InMemoryStore
from roma_core.testing.stores import document
from roma_core.types import Document, Principal, Role

SEQUENCES = int(os.environ.get("ROMA_ACL_SEQUENCES", "6"))
TENANTS = ("t", "u")
COLLECTIONS = ("main", "hr", "board")
GROUPS = ("people", "directors")
USERS: dict[str, tuple[tuple[str, ...], tuple[Role, ...]]] = {
    "anna": (("people",), ("reader",)),
    "bert": (("people", "directors"), ("contributor",)),
    "carl": ((), ("analyst",)),
    "dora": ((), ("auditor",)),
    "emil": ((), ("admin",)),
}
GRANTEES = st.one_of(
    st.sampled_from([Grantee("user", name) for name in USERS]),
    st.sampled_from([Grantee("group", name) for name in GROUPS]),
    st.sampled_from([Grantee("role", role) for role in ("reader", "analyst", "contributor")]),
    st.just(Grantee("everyone")),
)
NUMBERS = st.integers(0, 5)


class GrantMachine(RuleBasedStateMachine):
    """Users and documents of two tenants; ``granted`` is what was said of each restricted resource."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="roma-grants-")
        self.loop = asyncio.new_event_loop()
        self.roma = Roma(
            Settings(workspace=Path(self.folder.name), planner="off", llm_provider="extractive"),
            store=InMemoryStore(),
            embedder=FakeEmbedder(dim=32),
        )
        self.roma.__dict__["reranker"] = None
        self.held: dict[tuple[str, int], str] = {}
        """The collection of each document by tenant and number."""
        self.granted: dict[tuple[str, Resource], set[Grantee]] = {}
        self.cited: dict[tuple[str, str], list[tuple[str, ...]]] = {}

    def teardown(self) -> None:
        self.run(self.roma.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    # What happens

    @initialize()
    def begin(self) -> None:
        for number, collection in enumerate(COLLECTIONS):
            self.ingest("t", number, collection)
        self.ingest("u", 0, "main")

    @rule(tenant=st.sampled_from(TENANTS), number=NUMBERS, collection=st.sampled_from(COLLECTIONS))
    def ingest(self, tenant: str, number: int, collection: str) -> None:
        made = self.make(tenant, number, collection)
        embedder = self.roma.embedder
        from roma_core.chunking import chunk

        chunks = chunk(made, embedder.count_tokens)
        vectors = self.run(embedder.embed([c.indexed_text for c in chunks])).vectors
        self.run(self.roma.store.put(tenant, made, chunks, vectors))
        self.held[tenant, number] = collection

    @rule(tenant=st.sampled_from(TENANTS), number=NUMBERS)
    def delete(self, tenant: str, number: int) -> None:
        self.run(self.roma.store.delete(tenant, [self.make(tenant, number).id]))
        self.held.pop((tenant, number), None)

    @rule(
        tenant=st.sampled_from(TENANTS),
        on=st.one_of(st.sampled_from(COLLECTIONS), NUMBERS, st.none()),
        grantee=GRANTEES,
        is_granted=st.booleans(),
    )
    def change_grants(self, tenant: str, on: str | int | None, grantee: Grantee, is_granted: bool) -> None:
        if on is None:
            resource = Resource("tenant")
        elif isinstance(on, int):
            resource = Resource("document", self.make(tenant, on).id)
        else:
            resource = Resource("collection", on)
        grantees = self.granted.setdefault((tenant, resource), set())
        if is_granted:
            self.roma.of_tenant(tenant).grants.grant(tenant, resource, grantee, by="emil")
            grantees.add(grantee)
        else:
            assert self.roma.of_tenant(tenant).grants.revoke(tenant, resource, grantee) is (grantee in grantees)
            grantees.discard(grantee)

    @rule(name=st.sampled_from(list(USERS)), tenant=st.sampled_from(TENANTS))
    def answer(self, name: str, tenant: str) -> None:
        """Keep a turn that cites what the user may read now."""
        who = self.principal(name, tenant)
        ids = tuple(sorted(self.permitted(who)))[:2]
        references = tuple(
            Reference(marker=1, document_id=id_, uri="u", title="T", start=0, end=1, verdict="verbatim") for id_ in ids
        )
        turn = Turn(question="Q?", standalone="Q?", answer="Said.", answer_id="a", references=references)
        self.run(self.roma.of_tenant(tenant).sessions.append(who, "s", turn))
        self.cited.setdefault((tenant, name), []).append(ids)

    # What must hold

    @rule(name=st.sampled_from(list(USERS)), tenant=st.sampled_from(TENANTS))
    def look(self, name: str, tenant: str) -> None:
        who = self.principal(name, tenant)
        permitted = self.permitted(who)
        present = {self.make(tenant, number).id for of_tenant, number in self.held if of_tenant == tenant}
        passages = self.run(self.roma.search("secret harbour", limit=50, principal=who))
        assert not isinstance(passages, AgentFailure), passages
        assert {passage.chunk.document_id for passage in passages} == permitted
        assert self.run(self.roma.count_documents(who))[0] == len(permitted)
        collections = {self.held[key] for key in self.held if self.make(*key).id in permitted and key[0] == tenant}
        assert set(self.run(self.roma.collections(who))) == collections
        for id_ in present | {self.make("u", 0).id, self.make("t", 0).id}:
            assert isinstance(self.run(self.roma.document(id_, who)), Document) is (id_ in permitted)
        self.check_history(name, who, permitted, present)

    def check_history(self, name: str, who: Principal, permitted: set[str], present: set[str]) -> None:
        turns = self.run(self.roma.turns("s", who))
        cited = self.cited.get((who.tenant, name), [])
        assert len(turns) == len(cited)
        is_withheld = not self.run(self.roma.of_tenant(who.tenant).grants.find_scope(who)).is_everything
        for turn, ids in zip(turns, cited, strict=True):
            is_hidden = is_withheld and not set(ids) <= permitted
            assert (turn.answer == HIDDEN) is is_hidden
            assert not is_hidden or turn.references == ()

    # The model

    def permitted(self, who: Principal) -> set[str]:
        """Return the documents that ``who`` may read by the rules in words: one by one, without a scope."""
        own = {Grantee("everyone"), Grantee("user", who.subject)}
        own |= {Grantee("group", group) for group in who.groups} | {Grantee("role", role) for role in who.roles}
        found: set[str] = set()
        for (tenant, number), collection in self.held.items():
            if tenant != who.tenant or "auditor" in who.roles:
                continue
            id_ = self.make(tenant, number).id
            of_collection = self.granted.get((tenant, Resource("collection", collection)))
            of_tenant = self.granted.get((tenant, Resource("tenant")))
            of_document = self.granted.get((tenant, Resource("document", id_)))
            decisive = of_collection if of_collection is not None else of_tenant
            may_read_collection = decisive is None or bool(own & decisive)
            may_read_document = of_document is None or bool(own & of_document)
            if "admin" in who.roles or (may_read_collection and may_read_document):
                found.add(id_)
        return found

    @staticmethod
    def principal(name: str, tenant: str) -> Principal:
        groups, roles = USERS[name]
        return Principal(subject=name, tenant=tenant, groups=groups, roles=roles)

    @staticmethod
    def make(tenant: str, number: int, collection: str = "main") -> Document:
        text = f"The secret harbour {number} of {tenant}."
        return document(f"file:///{number}.md", text, tenant=tenant, collection=collection)


TestGrants = GrantMachine.TestCase
TestGrants.settings = settings(
    max_examples=SEQUENCES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
