"""Pictures of stored documents, found by the words that stand with them and by what a model sees in them.

Every picture has a place in its document's text, and with it the words of five ways: its description (where figures
were described) or alternative text, its caption, the text read in it, and the paragraph beside it. All of them are
passages that are indexed, so pictures are found by words and by meaning. With ``ROMA_IMAGE_EMBEDDER`` they are found by
the labels or the pixels, too. The result says by which way.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from roma_core.citations import read_words
from roma_core.errors import AgentFailure, guarded
from roma_core.store.filters import parse_filters
from roma_core.types import Block, Box, Document, Noun, ReadScope, ScoredChunk

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.types import Query

PictureWay = Literal["description", "alt", "caption", "text in it", "paragraph beside it", "meaning", "label", "pixels"]
"""Way to a picture: words; their ``meaning`` where they share none with the query; a model's labels or pixels."""
FIGURE = re.compile(r"!\[(?P<words>(?:[^\]\\]|\\.)*)\]\((?P<name>[^)\s]*)\)")
"""A picture in a document's text; the parsers write it."""
CANDIDATES = 1000
"""Passages of each leg that are looked through for pictures."""
MOST_SEEN = 50
"""Pictures that a model finds."""
LIKENESS_MARGIN = {"label": 0.08, "pixels": 0.06}
"""How far below the best likeness a picture may be. Likenesses of a model are compared with each other alone: what is
much and what is little differs from model to model."""
RANK_OFFSET = 60
"""Of reciprocal rank fusion (Cormack et al. 2009)."""
MOST_RANKED = 20
"""Pictures that the reranker reads."""
DESCRIBED = "+figures:"
"""Part of the parser's name of a document whose figures were described."""
_FILE_NAME = re.compile(r"\A[\w ()-]+\.(?:png|jpe?g|gif|bmp|tiff?|webp|svg|emf|wmf)\Z", re.IGNORECASE)


class IndexedPicture(Noun):
    """A picture with its place; ``document.text[start:end]`` stands for it. ``words`` are those of each way."""

    document_id: str
    uri: str
    title: str
    name: str
    start: int
    end: int
    page: int | None = None
    place: str = ""
    box: Box | None = None
    words: dict[PictureWay, str] = {}  # noqa: RUF012  (pydantic copies it)

    @property
    def text(self) -> str:
        """All words that stand with it."""
        return "\n".join(self.words.values())


class PictureHit(Noun):
    """A picture that was found, and the ways that found it, the one with the most words of the query first.

    ``labels`` are what a model recognises in it, each with its share; ``likeness`` is the model's cosine.
    """

    rank: int
    score: float
    ways: tuple[PictureWay, ...]
    picture: IndexedPicture
    labels: tuple[tuple[str, float], ...] = ()
    likeness: float | None = None

    def _repr_html_(self) -> str:
        from roma_core.display import table

        rows = {
            "picture": self.picture.name,
            "source": self.picture.title or self.picture.uri,
            "where": self.picture.place,
            "found by": ", ".join(self.ways),
            "words": self.picture.text,
        }
        return table(["", ""], list(rows.items()))


def list_pictures(document: Document) -> list[IndexedPicture]:
    """Return the pictures of a document in their order, with the words that stand with each."""
    blocks = sorted(document.blocks, key=lambda block: block.start)
    starts = [block.start for block in blocks]
    found: list[IndexedPicture] = []
    for figure in FIGURE.finditer(document.text):
        index = bisect_right(starts, figure.start()) - 1
        if index >= 0 and blocks[index].kind != "code":
            found.append(_make_picture(document, blocks, index, figure))
    if not found and document.media_type.startswith("image/"):
        found.append(_make_scan(document))
    return found


async def search_pictures(roma: Roma, query: Query) -> tuple[PictureHit, ...]:
    """Return the pictures whose words answer ``query``, or that look like it, best first. Raises ``RomaError``."""
    from roma_core.agents.memory import RetrievalConfig
    from roma_core.parts import explain_search

    numbers = RetrievalConfig.of(roma.settings.retrieval).as_settings()
    config = RetrievalConfig.grid(**{name: (value,) for name, value in numbers.items()} | _WIDE)[0]
    report = await explain_search(roma, query.model_copy(update={"top_k": CANDIDATES}), config)
    asked = {word.stem for word in read_words(report.searched) if word.is_content}
    scope = await roma.grants.find_scope(query.principal)
    candidates = await _find_candidates(roma, query.tenant, report.passages)
    ranked = await _rank(roma, report.searched, candidates)
    seen = await _find_seen(roma, query.tenant, scope, report.searched, report.filters)
    hits = [_make_hit(score, picture, asked, seen.get(_key(picture))) for score, picture in ranked]
    found = {_key(picture) for _, picture in ranked}
    hits += [_make_hit(0.0, seen_as.picture, asked, seen_as) for key, seen_as in seen.items() if key not in found]
    best = sorted(hits, key=lambda hit: -hit.score) if not seen else _fuse(hits, seen)
    return tuple(hit.model_copy(update={"rank": rank}) for rank, hit in enumerate(best[: query.top_k], start=1))


class SeenAs(NamedTuple):
    """A picture that a model has found, by which way, and how like the query it is."""

    picture: IndexedPicture
    way: PictureWay
    likeness: float
    labels: tuple[tuple[str, float], ...]


async def _find_seen(
    roma: Roma, tenant: str, scope: ReadScope, text: str, filters: dict[str, Any]
) -> dict[tuple[str, int], SeenAs]:
    """Return the pictures that a model finds, best first; those of documents that have changed since are left out."""
    index = roma.pictures
    if index is None:
        return {}
    found: dict[tuple[str, int], SeenAs] = {}
    way = index.embedder.way
    conditions = parse_filters(filters)
    seen = await index.find(text, tenant, limit=MOST_SEEN)
    for picture in seen:
        if picture.likeness < seen[0].likeness - LIKENESS_MARGIN[way]:
            break
        document = await roma.store.document(tenant, picture.document_id, scope)
        if document is None or document.content_sha256 != picture.content_sha256:
            continue
        chunks = await roma.store.chunks(tenant, picture.document_id) if filters else []
        permitted = [chunk for chunk in chunks if conditions.match(chunk)]
        for place in list_pictures(document):
            is_permitted = not filters or any(chunk.start <= place.start < chunk.end for chunk in permitted)
            if place.name == picture.name and is_permitted:
                found[_key(place)] = SeenAs(place, way, picture.likeness, picture.labels)
    return found


def _key(picture: IndexedPicture) -> tuple[str, int]:
    return picture.document_id, picture.start


def _make_hit(score: float, picture: IndexedPicture, asked: set[str], seen: SeenAs | None) -> PictureHit:
    ways: tuple[PictureWay, ...] = _find_ways(asked, picture)
    if seen is None:
        return PictureHit(rank=1, score=score, ways=ways, picture=picture)
    by_words = tuple(way for way in ways if way != "meaning")
    return PictureHit(
        rank=1,
        score=score,
        ways=(*by_words, seen.way),
        picture=picture,
        labels=seen.labels,
        likeness=round(seen.likeness, 4),
    )


def _fuse(hits: Sequence[PictureHit], seen: dict[tuple[str, int], SeenAs]) -> list[PictureHit]:
    """Return the hits by reciprocal rank fusion of two orders: by words, and by what a model sees."""
    by_words = [_key(hit.picture) for hit in hits if hit.ways[0] not in {"meaning", "label", "pixels"}]
    orders = (by_words, list(seen))
    scores: dict[tuple[str, int], float] = {_key(hit.picture): 0.0 for hit in hits}
    for order in orders:
        for rank, key in enumerate(order, start=1):
            scores[key] += 1 / (RANK_OFFSET + rank)
    scored = [hit.model_copy(update={"score": scores[_key(hit.picture)]}) for hit in hits]
    return sorted(scored, key=lambda hit: (-hit.score, *_key(hit.picture)))


_WIDE = {"retrieve_limit": (CANDIDATES,), "rerank_limit": (0,)}


def _make_picture(document: Document, blocks: Sequence[Block], index: int, figure: re.Match[str]) -> IndexedPicture:
    block = blocks[index]
    page = document.page_at(block.start)
    return IndexedPicture(
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        name=figure["name"],
        start=figure.start(),
        end=figure.end(),
        page=page.number if page is not None else block.page,
        place=document.place(block.start),
        box=block.box,
        words=_collect_words(document, blocks, index, figure["words"]),
    )


def _make_scan(document: Document) -> IndexedPicture:
    """Return a picture of which nothing is known but the text that was read in it."""
    page = document.page_at(0)
    return IndexedPicture(
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        name=document.uri.rsplit("/", 1)[-1],
        start=0,
        end=len(document.text),
        page=page.number if page is not None else None,
        place=document.place(0),
        words={"text in it": document.text},
    )


def _collect_words(document: Document, blocks: Sequence[Block], index: int, alt: str) -> dict[PictureWay, str]:
    """Return the words of each way that has any."""
    block = blocks[index]
    alt = re.sub(r"\\(.)", r"\1", alt).strip()
    words: dict[PictureWay, str] = {}
    if alt and not _FILE_NAME.match(alt):
        words["description" if DESCRIBED in document.parser else "alt"] = alt
    beside = [blocks[place] for place in (index + 1, index - 1) if 0 <= place < len(blocks)]
    near = [other for other in beside if other.page == block.page]
    caption = next((other for other in near if other.kind == "caption"), None)
    if caption is not None:
        words["caption"] = caption.of(document.text).strip()
    inside = [other for other in blocks if other is not block and _is_read_in(document, block, other)]
    if inside:
        words["text in it"] = "\n".join(other.of(document.text).strip() for other in inside)
    taken = {id(other) for other in inside}
    is_alone = not FIGURE.sub("", block.of(document.text)).strip()
    paragraphs = _nearest_paragraphs(blocks, index, taken) if is_alone else [block]
    beside_it = "\n".join(FIGURE.sub("", other.of(document.text)).strip() for other in paragraphs).strip()
    if beside_it:
        words["paragraph beside it"] = beside_it
    return words


def _is_read_in(document: Document, figure: Block, other: Block) -> bool:
    """Return whether the words of a block were read in the picture: the whole text of an image, or inside its box."""
    if document.media_type.startswith("image/"):
        return other.kind not in {"figure", "caption"}
    if other.kind == "figure" or figure.box is None or other.box is None or figure.page != other.page:
        return False
    left, top, right, bottom = figure.box
    x0, y0, x1, y1 = other.box
    return left <= x0 and top <= y0 and x1 <= right and y1 <= bottom


def _nearest_paragraphs(blocks: Sequence[Block], index: int, taken: set[int]) -> list[Block]:
    """Return the paragraph before and the one behind, as far as no heading stands between."""
    nearest: list[Block] = []
    for step in (-1, 1):
        place = index + step
        while 0 <= place < len(blocks) and blocks[place].kind in {"figure", "caption"}:
            place += step
        if 0 <= place < len(blocks) and blocks[place].kind in {"paragraph", "list"} and id(blocks[place]) not in taken:
            nearest.append(blocks[place])
    return nearest


async def _find_candidates(
    roma: Roma, tenant: str, passages: Sequence[ScoredChunk]
) -> list[tuple[float, IndexedPicture]]:
    """Return the pictures whose words stand in one of the passages, each with the score of the best of them."""
    documents: dict[str, list[IndexedPicture]] = {}
    found: dict[tuple[str, int], tuple[float, IndexedPicture]] = {}
    for passage in passages:
        document_id = passage.chunk.document_id
        if document_id not in documents:
            document = await roma.store.document(tenant, document_id)
            documents[document_id] = list_pictures(document) if document is not None else []
        for picture in documents[document_id]:
            if _stands_in(picture, passage):
                found.setdefault((document_id, picture.start), (passage.score, picture))
    return list(found.values())


def _stands_in(picture: IndexedPicture, passage: ScoredChunk) -> bool:
    chunk = passage.chunk
    if picture.start < chunk.end and chunk.start < picture.end:
        return True
    return any(words and words in chunk.text for words in picture.words.values())


async def _rank(
    roma: Roma, question: str, candidates: Sequence[tuple[float, IndexedPicture]]
) -> list[tuple[float, IndexedPicture]]:
    """Return the pictures by what the reranker makes of their own words; without one by their passages' scores."""
    by_passage = sorted(candidates, key=lambda pair: (-pair[0], pair[1].document_id, pair[1].start))
    first, rest = by_passage[:MOST_RANKED], by_passage[MOST_RANKED:]
    if roma.reranker is None or not first:
        return by_passage
    scores = await guarded("pictures", roma.reranker.scores(question, [picture.text for _, picture in first]))
    if isinstance(scores, AgentFailure):
        return by_passage
    ranked = [(score, picture) for score, (_, picture) in zip(scores, first, strict=True)]
    ranked.sort(key=lambda pair: (-pair[0], pair[1].document_id, pair[1].start))
    return [*ranked, *rest]


def _find_ways(asked: set[str], picture: IndexedPicture) -> tuple[PictureWay, ...]:
    shared: dict[PictureWay, int] = {}
    for way, words in picture.words.items():
        count = len(asked & {word.stem for word in read_words(words)})
        if count:
            shared[way] = count
    return tuple(sorted(shared, key=lambda way: -shared[way])) or ("meaning",)
