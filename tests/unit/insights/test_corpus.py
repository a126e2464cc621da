"""The corpus: what is counted, and that nothing names a document that may not be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.errors import AccessError
from roma_core.identity.grants import Grantee, Resource
from roma_core.ingestion.ledger import ItemFigures
from roma_core.insights.corpus import count_corpus, read_corpus
from roma_core.settings import Settings
from roma_core.types import DocumentFacts, Principal


def make_item(name: str, state: str = "unchanged", **fields: object) -> ItemFigures:
    given: dict[str, object] = {
        "uri": f"file:///{name}",
        "state": state,
        "document_id": name,
        "source": "s",
        "reason": "",
        "code": None,
        "chunks": 1,
        "warnings": (),
        "content_sha256": name if state in {"added", "updated", "unchanged"} else None,
        "left_out": {},
        **fields,
    }
    return ItemFigures(**given)  # type: ignore[arg-type]


def make_facts(**languages: str) -> dict[str, DocumentFacts]:
    return {name: DocumentFacts(type="pdf", language=code, collection="main") for name, code in languages.items()}


def test_documents_items_losses_and_copies_are_counted() -> None:
    items = [
        make_item("a", content_sha256="same", left_out={"header_or_footer": 2}),
        make_item("b", content_sha256="same", left_out={"header_or_footer": 1, "hidden": 1}),
        make_item("c", left_out=None, warnings=("near-duplicate of file:///a",)),
        make_item("d", "failed", code="ERR_PARSER_EMPTY", reason="It has no text."),
    ]
    corpus = count_corpus(make_facts(a="en", b="de", c=""), items)
    assert (corpus.documents, corpus.by_language) == (3, {"de": 1, "en": 1, "unknown": 1})
    assert corpus.by_state == {"unchanged": 3, "failed": 1}
    assert corpus.by_code == {"ERR_PARSER_EMPTY": 1}
    assert corpus.losses == {"header or footer": 3, "hidden": 1}
    assert corpus.uncounted == 1
    assert (corpus.copies, corpus.spare_copies) == ((("file:///a", "file:///b"),), 1)
    assert corpus.near_copies == (("file:///c", "file:///a"),)


def test_items_are_chosen_by_state_code_and_words() -> None:
    items = [
        make_item("a.pdf", left_out={"hidden": 1}),
        make_item("b.pdf", "failed", code="ERR_PARSER_EMPTY", reason="It has no text."),
        make_item("c.md", "failed", code="ERR_TIMEOUT", reason="Late."),
    ]
    corpus = count_corpus({}, items)
    assert [item.uri for item in corpus.choose("failed", "pdf TEXT")] == ["file:///b.pdf"]
    assert [item.uri for item in corpus.choose(code="ERR_TIMEOUT")] == ["file:///c.md"]
    assert [item.uri for item in corpus.choose("with losses")] == ["file:///a.pdf"]
    assert len(corpus.choose()) == 3


def test_who_may_not_read_a_document_is_told_nothing_of_it() -> None:
    items = [
        make_item("open", warnings=("near-duplicate of file:///secret", "it has a table"), reason="like secret"),
        make_item("secret", content_sha256="open"),
        make_item("lost-secret", "failed", reason="secret"),
    ]
    corpus = count_corpus(make_facts(open="en"), items, is_partial=True)
    assert [item.uri for item in corpus.items] == ["file:///open"]
    assert corpus.items[0].warnings == ("it has a table",)
    assert "secret" not in corpus.model_dump_json()


def test_secrets_in_addresses_are_masked() -> None:
    item = make_item("x")._replace(uri="https://anna:hunter2@example.org/x?token=abc")
    assert "hunter2" not in count_corpus({}, [item]).model_dump_json()


# --- a real workspace ---


async def test_a_workspace_is_counted_without_reading_its_texts(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "one.md").write_text("The ferry to Quellfeld goes at noon, every day of the week.\n")
    (tmp_path / "docs" / "two.md").write_text("The ferry to Quellfeld goes at noon, every day of the week.\n")
    (tmp_path / "docs" / "page.html").write_text(
        "<html><body><nav>Home | About</nav><main><h1>Tolls</h1><p>A lorry pays 12 EUR at the bridge of Quellfeld."
        "</p></main><footer>Imprint</footer></body></html>"
    )
    (tmp_path / "docs" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    settings = Settings(workspace=tmp_path / "ws", embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as roma:
        await roma.ingest(tmp_path / "docs")
        corpus = await read_corpus(roma, roma.user)
        assert (corpus.documents, corpus.by_type) == (3, {"markdown": 2, "html": 1})
        assert corpus.by_state == {"added": 3, "failed": 1}
        assert corpus.spare_copies == 1
        assert corpus.uncounted == 0
        assert [record.items for record in corpus.sources] == [4]
        assert corpus.passages == (await roma.store.counts("default"))[1]


async def test_grants_hold_for_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "board.md").write_text("The salary of the board is 900 EUR.\n")
    (tmp_path / "ferry.md").write_text("The ferry to Quellfeld goes at noon.\n")
    settings = Settings(workspace=tmp_path / "ws", embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as roma:
        await roma.ingest(tmp_path / "board.md", collection="board")
        await roma.ingest(tmp_path / "ferry.md")
        roma.grants.grant("default", Resource("collection", "board"), Grantee("user", "bo"), by="local")
        corpus = await read_corpus(roma, Principal(subject="ada", roles=("analyst",)))
        assert (corpus.documents, corpus.passages, corpus.by_collection) == (1, 1, {"main": 1})
        assert "board" not in corpus.model_dump_json()
        with pytest.raises(AccessError):
            await read_corpus(roma, Principal(subject="rita", roles=("reader",)))
