"""Conformance class of stores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import InputError
from roma_core.store.base import ChunkStore, EmbeddedDocument
from roma_core.types import Document, Page, ReadScope, ScoredChunk, Section

EMBEDDER = FakeEmbedder(dim=64)
HOSTILE = [
    "' OR 1=1 --",
    'a"b\\c`d',
    "%_*?[x]",
    "a AND (b",
    '"unclosed',
    "drop table passages;",
    "é 中文 👩\u200d👧 \u202e",
    "\x00\x01",
    "x" * 5000,
    "+ - && || ! ( ) { } [ ] ^ ~ * ? : /",
]


def document(uri: str, text: str, tenant: str = "t", **fields: Any) -> Document:
    """Return a document for a test of stores."""
    return Document(
        id=Document.id_for(uri, tenant),
        uri=uri,
        title=uri.rsplit("/", 1)[-1],
        text=text,
        content_sha256=str(len(text)),
        parser="text/1",
        **fields,
    )


async def entry(doc: Document, target: int = 40) -> EmbeddedDocument:
    """Return a document cut and embedded, as stores take it."""
    chunks = chunk(doc, EMBEDDER.count_tokens, target)
    return EmbeddedDocument(doc, chunks, (await EMBEDDER.embed([c.indexed_text for c in chunks])).vectors)


async def put(store: ChunkStore, doc: Document, tenant: str = "t") -> EmbeddedDocument:
    """Store a document and return what was stored."""
    made = await entry(doc)
    await store.put(tenant, *made)
    return made


def ids(found: list[ScoredChunk]) -> list[str]:
    """Return the chunk ids of search hits in their order."""
    return [hit.chunk.id for hit in found]


HARBOUR = document(
    "file:///a/harbour.md", "The harbour was dredged in 1911.\n\nShips of nine metres draught enter now."
)
YEAST = document("file:///a/yeast.md", "Yeast ferments sugar.\n\nBakers and brewers keep cultures of it.")
OTHER = document("file:///b/harbour.md", "Another harbour, another town.")


LANGUAGES = {
    "Chinese": ("年假为二十天，未休的年假可以结转到下一年。", "年假"),
    "Japanese": ("有給休暇は年に二十日です。翌年に繰り越せます。", "有給休暇"),
    "Thai": ("วันลาพักร้อนประจำปีคือยี่สิบวัน", "ลาพักร้อน"),
    "Korean": ("연차 휴가는 이십일입니다.", "연차"),
    "French": ("Les congés annuels durent vingt jours.", "congés"),
}


class StoreContract:
    """Conformance of a store. Inherit it and give an empty ``store``; vectors are those of ``EMBEDDER``."""

    async def test_each_change_is_another_version_and_reading_is_none(self, store: ChunkStore) -> None:
        versions = [await store.version("t")]
        await put(store, HARBOUR)
        versions.append(await store.version("t"))
        await put(store, document(HARBOUR.uri, "The harbour was closed."))
        versions.append(await store.version("t"))
        await store.delete("t", [HARBOUR.id])
        versions.append(await store.version("t"))
        assert len(set(versions)) == len(versions)
        await store.lexical("t", "harbour", limit=3)
        assert await store.version("t") == versions[-1]

    async def test_empty_store_answers_with_nothing(self, store: ChunkStore) -> None:
        assert await store.counts("t") == (0, 0)
        assert await store.document("t", "d") is None
        assert await store.chunks("t", "d") == []
        assert await store.contents("t") == {}
        assert await store.lexical("t", "harbour", limit=5) == []
        assert await store.dense("t", (await EMBEDDER.embed_query("harbour")).vector, limit=5) == []
        assert [d async for d in store.documents("t")] == []
        assert [c async for c in store.passages("t")] == []
        assert await store.delete("t", ["d"]) == 0
        await store.put_many("t", [])
        await store.optimize()
        assert (await store.health()).state == "ok"

    async def test_gives_back_what_was_put(self, store: ChunkStore) -> None:
        pages = (Page(start=0, end=32, number=1, label="i", width=10.5), Page(start=32, end=55, number=2))
        sections = (Section(start=0, end=55, title="Über “é”", level=1),)
        doc = document(
            "file:///ü 中.md", HARBOUR.text, pages=pages, sections=sections, metadata={"author": "é", "n": [1]}
        )
        made = await put(store, doc)
        assert await store.document("t", doc.id) == doc
        assert await store.chunks("t", doc.id) == list(made.chunks)
        assert await store.counts("t") == (1, len(made.chunks))
        assert await store.contents("t") == {doc.id: doc.content_sha256}
        for hit in await store.lexical("t", "harbour dredged", limit=5):
            assert doc.text[hit.chunk.start : hit.chunk.end] == hit.chunk.text

    async def test_all_passages_come_by_document_and_start(self, store: ChunkStore) -> None:
        made = [await put(store, each) for each in (HARBOUR, YEAST)]
        await put(store, OTHER, tenant="u")
        wanted = sorted((c for each in made for c in each.chunks), key=lambda c: (c.document_id, c.start, c.id))
        assert [chunk async for chunk in store.passages("t")] == wanted

    async def test_unicode_offsets_survive(self, store: ChunkStore) -> None:
        text = "👩\u200d👧 naïve café.\n\n" + "中文句子。" * 40 + "\n\nend é\u0301 harbour"
        doc = document("file:///u.md", text)
        await put(store, doc)
        held = await store.document("t", doc.id)
        assert held is not None
        for c in await store.chunks("t", doc.id):
            assert held.text[c.start : c.end] == c.text

    async def test_lexical_and_dense_rank_by_their_scores(self, store: ChunkStore) -> None:
        for doc in (HARBOUR, YEAST, OTHER):
            await put(store, doc)
        lexical = await store.lexical("t", "harbour dredged", limit=10)
        dense = await store.dense("t", (await EMBEDDER.embed_query("Yeast ferments sugar")).vector, limit=10)
        assert lexical[0].chunk.document_id == HARBOUR.id
        assert dense[0].chunk.document_id == YEAST.id
        for found, retriever in ((lexical, "bm25"), (dense, "dense")):
            assert [h.rank for h in found] == list(range(1, len(found) + 1))
            assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
            assert {h.retriever for h in found} == {retriever}
            assert all(h.scores == {retriever: h.score} for h in found)
        assert all(-1.001 <= h.score <= 1.001 for h in dense)
        assert (
            ids(await store.dense("t", (await EMBEDDER.embed_query("Yeast ferments sugar")).vector, limit=1))
            == ids(dense)[:1]
        )

    async def test_context_is_searched_too(self, store: ChunkStore) -> None:
        section = Section(start=0, end=21, title="Zymurgy", level=1)
        doc = document("file:///z.md", "  \nYeast makes alcohol.", sections=(section,))
        await put(store, doc)
        assert (
            ids(await store.lexical("t", "zymurgy", limit=3)) == ids(await store.lexical("t", "alcohol", limit=3)) != []
        )

    async def test_words_that_are_small_words_of_another_language_are_found(self, store: ChunkStore) -> None:
        await put(
            store, document("file:///w.md", "The war at sea cost a man his dog, a cat and the door of his AI sale.")
        )
        await put(store, HARBOUR)
        for word in ("war", "sea", "man", "dog", "cat", "door", "AI", "sale"):
            found = await store.lexical("t", word, limit=3)
            assert [hit.chunk.title for hit in found] == ["w.md"], word

    async def test_put_replaces_all_chunks_of_the_document(self, store: ChunkStore) -> None:
        await put(store, YEAST)
        await put(store, HARBOUR)
        shorter = document(HARBOUR.uri, "The quay was paved.")
        made = await put(store, shorter)
        assert await store.document("t", HARBOUR.id) == shorter
        assert await store.chunks("t", HARBOUR.id) == list(made.chunks)
        assert await store.lexical("t", "dredged", limit=5) == []
        assert (await store.counts("t"))[0] == 2

    async def test_put_twice_is_put_once(self, store: ChunkStore) -> None:
        made = await entry(HARBOUR)
        await store.put_many("t", [made, await entry(YEAST), made])
        before = await store.counts("t")
        await store.put("t", *made)
        assert await store.counts("t") == before
        assert len(await store.lexical("t", "harbour", limit=50)) == 1

    async def test_document_without_chunks(self, store: ChunkStore) -> None:
        await store.put("t", HARBOUR, [], np.zeros((0, EMBEDDER.dim), np.float32))
        assert await store.counts("t") == (1, 0)
        assert await store.document("t", HARBOUR.id) == HARBOUR

    async def test_delete_removes_document_and_chunks(self, store: ChunkStore) -> None:
        await put(store, HARBOUR)
        await put(store, YEAST)
        assert await store.delete("t", [HARBOUR.id, HARBOUR.id, "unknown"]) == 1
        assert await store.delete("t", [HARBOUR.id]) == 0
        assert await store.document("t", HARBOUR.id) is None
        assert await store.lexical("t", "harbour", limit=5) == []
        assert (await store.counts("t"))[0] == 1
        assert await store.delete("t", []) == 0

    async def test_tenants_never_meet(self, store: ChunkStore) -> None:
        """Two tenants hold one document id, on purpose."""
        await put(store, HARBOUR, "t")
        theirs = HARBOUR.model_copy(update={"text": "The harbour of another tenant, dredged in secret."})
        await put(store, theirs, "u")
        question = (await EMBEDDER.embed_query("secret harbour dredged")).vector
        for tenant, secret in (("t", False), ("u", True), ("", False), ("t' OR 'u'='u", False)):
            found = [
                *await store.lexical(tenant, "secret harbour dredged", limit=50),
                *await store.dense(tenant, question, limit=50),
                *await store.dense(tenant, question, limit=50, filters={"document_id": HARBOUR.id}),
            ]
            assert any("secret" in hit.chunk.text for hit in found) is secret
            assert bool(found) is (tenant in {"t", "u"})
        assert await store.delete("u", [HARBOUR.id]) == 1
        assert await store.document("t", HARBOUR.id) == HARBOUR
        assert [d.id async for d in store.documents("u")] == []
        assert await store.contents("u") == {}

    async def test_filters(self, store: ChunkStore) -> None:
        for doc in (HARBOUR, YEAST, OTHER):
            await put(store, doc)
        question = (await EMBEDDER.embed_query("harbour")).vector
        cases: list[tuple[dict[str, Any], set[str]]] = [
            ({}, {HARBOUR.id, OTHER.id, YEAST.id}),
            ({"document_id": HARBOUR.id}, {HARBOUR.id}),
            ({"document_id": [HARBOUR.id, OTHER.id]}, {HARBOUR.id, OTHER.id}),
            ({"document_id": []}, set()),
            ({"uri": YEAST.uri}, {YEAST.id}),
            ({"uri_prefix": "file:///a/"}, {HARBOUR.id, YEAST.id}),
            ({"uri_prefix": "file:///a/", "document_id": [OTHER.id]}, set()),
            ({"uri_prefix": "file:///%"}, set()),
            ({"uri": None}, {HARBOUR.id, OTHER.id, YEAST.id}),
        ]
        for filters, expected in cases:
            dense = await store.dense("t", question, limit=50, filters=filters)
            assert {h.chunk.document_id for h in dense} == expected, filters
            lexical = await store.lexical("t", "harbour", limit=50, filters=filters)
            assert {h.chunk.document_id for h in lexical} == expected - {YEAST.id}, filters

    async def test_collections_are_counted_apart(self, store: ChunkStore) -> None:
        assert await store.collections("t") == {}
        moved = document("file:///hr/leave.md", "Leave is 28 days.").model_copy(update={"collection": "hr"})
        for doc in (HARBOUR, YEAST, moved):
            await put(store, doc)
        await put(store, document("file:///x", "Another tenant.", tenant="u"), "u")
        sizes = await store.collections("t")
        assert {name: documents for name, (documents, _) in sizes.items()} == {"hr": 1, "main": 2}
        assert sum(chunks for _, chunks in sizes.values()) == (await store.counts("t"))[1]

    async def test_filters_by_facts(self, store: ChunkStore) -> None:
        """Names without case and accents, dates of any precision, languages by passage."""
        by_jose = {"author": "José Müller, Jane Doe", "date": "2024-03-15"}
        german = document("file:///hr/urlaub.md", "Der Hafen wird im März gesperrt. harbour", metadata=by_jose)
        german = german.model_copy(update={"collection": "hr", "source": "handbook", "parser": "pdf/5"})
        dated = document("file:///b/old.md", "The harbour was closed by the town.", metadata={"date": "2023"})
        for doc in (german, dated, HARBOUR):
            await put(store, doc)
        question = (await EMBEDDER.embed_query("harbour")).vector
        cases: list[tuple[dict[str, Any], set[str]]] = [
            ({"author": "muller"}, {german.id}),
            ({"author": ["Roe", "jane DOE"]}, {german.id}),
            ({"author": "Jan"}, set()),
            ({"after": "2024"}, {german.id}),
            ({"after": "2024-03-15"}, {german.id}),
            ({"after": "2024-03-16"}, set()),
            ({"after": "2023-01-01"}, {german.id, dated.id}),
            ({"before": "2024-03-15"}, {dated.id}),
            ({"before": "2024-03-16"}, {german.id, dated.id}),
            ({"before": "2023"}, set()),
            ({"after": "2023", "before": "2024"}, {dated.id}),
            ({"type": "PDF"}, {german.id}),
            ({"type": ["txt", "pdf"]}, {german.id, dated.id, HARBOUR.id}),
            ({"language": "German"}, {german.id}),
            ({"lang": "en"}, {dated.id, HARBOUR.id}),
            ({"source": "Handbook"}, {german.id}),
            ({"source": "/a/"}, {HARBOUR.id}),
            ({"collection": "hr"}, {german.id}),
            ({"collection": "main"}, {dated.id, HARBOUR.id}),
            ({"collection": "main", "language": "de"}, set()),
        ]
        for filters, expected in cases:
            dense = await store.dense("t", question, limit=50, filters=filters)
            assert {h.chunk.document_id for h in dense} == expected, filters
            lexical = await store.lexical("t", "harbour", limit=50, filters=filters)
            assert {h.chunk.document_id for h in lexical} == expected, filters

    @pytest.mark.parametrize(
        ("scope", "expected"),
        [
            (ReadScope(), {"main", "board", "hr"}),
            (ReadScope(collections=("hr", "board")), {"board", "hr"}),
            (ReadScope(collections=()), set()),
            (ReadScope(collections=("nothing",)), set()),
            (ReadScope(closed=("board",)), {"main", "hr"}),
            (ReadScope(closed=("board", "hr", "main")), set()),
            (ReadScope(hidden=(Document.id_for("file:///hr.md", "t"),)), {"main", "board"}),
            (ReadScope(collections=("hr",), hidden=(Document.id_for("file:///hr.md", "t"),)), set()),
        ],
        ids=lambda value: "-".join(sorted(value)) if isinstance(value, set) else str(value),
    )
    async def test_what_is_outside_of_a_scope_is_missing(
        self, store: ChunkStore, scope: ReadScope, expected: set[str]
    ) -> None:
        names = ("main", "board", "hr")
        for name in names:
            await put(store, document(f"file:///{name}.md", f"The harbour of {name}.", collection=name))
        ids = {name: Document.id_for(f"file:///{name}.md", "t") for name in names}
        permitted = {ids[name] for name in expected}
        question = (await EMBEDDER.embed_query("harbour")).vector
        for hits in (
            await store.lexical("t", "harbour", limit=5, scope=scope),
            await store.dense("t", question, limit=5, scope=scope),
        ):
            assert {hit.chunk.document_id for hit in hits} == permitted
        assert await store.counts("t", scope) == (len(expected), len(expected))
        assert set(await store.collections("t", scope)) == expected
        assert {found.id async for found in store.documents("t", scope)} == permitted
        assert await store.permitted_ids("t", [*ids.values(), "nothing"], scope) == permitted
        facts = await store.facts("t", scope)
        assert {document_id: found.collection for document_id, found in facts.items()} == {
            ids[name]: name for name in expected
        }
        for name in names:
            assert (await store.document("t", ids[name], scope) is not None) is (name in expected)

    async def test_a_scope_takes_no_place_of_what_it_permits(self, store: ChunkStore) -> None:
        """Better hits that may not be read crowd out none that may."""
        for number in range(8):
            await put(store, document(f"file:///{number}.md", "harbour harbour harbour", collection="board"))
        await put(store, document("file:///own.md", "Some town with a harbour and much else to be seen in it."))
        question = (await EMBEDDER.embed_query("harbour")).vector
        scope = ReadScope(closed=("board",))
        for hits in (
            await store.lexical("t", "harbour", limit=3, scope=scope),
            await store.dense("t", question, limit=3, scope=scope),
        ):
            assert [hit.chunk.document_id for hit in hits] == [Document.id_for("file:///own.md", "t")]

    async def test_words_are_found_by_the_rules_of_their_language(self, store: ChunkStore) -> None:
        await put(store, document("file:///de.md", "Der Jahresurlaub beträgt dreißig Tage. Die Prüfung ist im Mai."))
        await put(store, document("file:///fr.md", "Les congés annuels sont de vingt jours ouvrables par salarié."))
        await put(store, document("file:///ru.md", "Отпуск составляет двадцать восемь дней в году."))
        for words in ("Urlaub", "Urlaubstage", "Pruefungen", "congé annuel", "отпуска", "ОТПУСК"):
            assert await store.lexical("t", words, limit=5) != [], words

    @pytest.mark.parametrize(
        "filters",
        [
            {"tenant": "u"},
            {"uri": 3},
            {"uri": [3]},
            {"uri_prefix": ["x"]},
            {"1=1": "x"},
            {"uri": ["x"] * 1001},
            {"document_id": "x" * 8193},
            {"uri_prefix": "x" * 8193},
            {"after": "soon"},
            {"before": ["2024"]},
            {"author": "!"},
            {"language": "Klingon"},
            {"source": " "},
            {str(n) * 100: "x" for n in range(1000)},
        ],
        ids=lambda filters: f"{min(filters)[:12]} {str(min(filters.values()))[:12]}",
    )
    async def test_other_filters_are_refused(self, store: ChunkStore, filters: dict[str, Any]) -> None:
        with pytest.raises(InputError) as caught:
            await store.lexical("t", "harbour", limit=5, filters=filters)
        assert len(caught.value.message) < 250
        with pytest.raises(InputError):
            await store.dense("t", (await EMBEDDER.embed_query("x")).vector, limit=5, filters=filters)

    @pytest.mark.parametrize("hostile", HOSTILE)
    async def test_hostile_strings_are_only_strings(self, store: ChunkStore, hostile: str) -> None:
        await put(store, HARBOUR, "t")
        doc = document(f"file:///{hostile}", f"Text with {hostile} inside.", tenant=hostile)
        made = await put(store, doc, hostile)
        assert await store.document(hostile, doc.id) == doc
        assert await store.chunks(hostile, doc.id) == list(made.chunks)
        await store.lexical("t", hostile, limit=5)
        assert ids(await store.lexical(hostile, "inside", limit=5, filters={"uri": doc.uri})) != []
        assert await store.lexical("t", "harbour", limit=5, filters={"uri_prefix": hostile}) == []
        assert await store.delete("t", [hostile]) == 0
        assert await store.delete(hostile, [doc.id]) == 1
        assert (await store.counts("t"))[0] == 1

    async def test_ties_are_ordered_by_id(self, store: ChunkStore) -> None:
        docs = [document(f"file:///{n}.md", "Exactly the same words.") for n in range(12)]
        docs = [d.model_copy(update={"title": "same"}) for d in docs]
        for doc in reversed(docs):
            await put(store, doc)
        lexical = ids(await store.lexical("t", "same words", limit=5))
        dense = ids(await store.dense("t", (await EMBEDDER.embed_query("same words")).vector, limit=5))
        everything = sorted([c.id for d in docs for c in await store.chunks("t", d.id)])
        assert lexical == dense == everything[:5]

    async def test_documents_are_streamed_by_id(self, store: ChunkStore) -> None:
        docs = [document(f"file:///{n}.md", f"text {n}") for n in range(40)]
        await store.put_many("t", [await entry(d) for d in docs])
        assert [d.id async for d in store.documents("t")] == sorted(d.id for d in docs)

    async def test_optimize_changes_no_answer(self, store: ChunkStore) -> None:
        for doc in (HARBOUR, YEAST, OTHER):
            await put(store, doc)
        await store.optimize()
        lexical = await store.lexical("t", "harbour town", limit=5)
        await put(store, YEAST)
        await store.optimize()
        assert await store.lexical("t", "harbour town", limit=5) == lexical

    async def test_chunks_and_vectors_must_match(self, store: ChunkStore) -> None:
        made = await entry(HARBOUR)
        with pytest.raises(InputError):
            await store.put("t", HARBOUR, made.chunks, made.vectors[:0])
        assert await store.counts("t") == (0, 0)

    @pytest.mark.parametrize("language", LANGUAGES)
    async def test_a_word_of_any_script_is_found(self, store: ChunkStore, language: str) -> None:
        for name, (text, _) in LANGUAGES.items():
            await put(store, document(f"file:///{name}.txt", text))
        await store.optimize()
        found = await store.lexical("t", LANGUAGES[language][1], limit=10)
        assert [hit.chunk.uri for hit in found] == [f"file:///{language}.txt"]

    @pytest.mark.parametrize("code", ["PPR-9087", "X-200.1", "2.4.0", "v2.4.0", "user_name", "user"])
    async def test_codes_and_versions_are_found_as_they_are(self, store: ChunkStore, code: str) -> None:
        await put(store, document("file:///codes.txt", "Parts PPR-9087 and X-200.1 of release v2.4.0 set user_name."))
        await put(store, document("file:///others.txt", "Parts PPR-9078 and X-200.2 of release v2.3.1 set group_name."))
        found = await store.lexical("t", code, limit=10)
        assert found[0].chunk.uri == "file:///codes.txt"

    async def test_a_misspelt_word_is_found_when_nothing_is_spelt_so(self, store: ChunkStore) -> None:
        await put(store, document("file:///leave.txt", "The annual leave can be taken until March."))
        await put(store, document("file:///days.txt", "Office days are agreed by each team."))
        await store.optimize()
        found = await store.lexical("t", "anual leeve days", limit=10)
        assert {hit.chunk.uri for hit in found} == {"file:///leave.txt", "file:///days.txt"}
        assert [hit.chunk.uri for hit in await store.lexical("t", "leeve", limit=10)] == ["file:///leave.txt"]
        assert await store.lexical("t", "lieeve", limit=10) == []
