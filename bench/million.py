"""A million passages in one store: recall and latency with and without filters, and while others ingest.

``python -m bench.million FOLDER [PASSAGES]``. Everything is kept in FOLDER: a run that was cut short, or stopped with
Ctrl-C, goes on with the next commit of the store, or the next table row, when the same command is given again. The
texts are passages of the shared collections, the vectors are made up: topics, documents about them, passages of those.
Exact neighbours are computed from the same vectors by numpy. Half of the questions are near a passage that the filter
permits, the others near any passage, whose neighbours the filter takes away. The last rows are of the same passages in
partitions, each with its own indices, and of ten partitions that are all links to the store of a million.
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
import os
import random
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import beir, report
from bench.processors import freeze_garbage
from roma_core.errors import StoreError
from roma_core.ranking import rank_chunks
from roma_core.settings import Settings
from roma_core.store.base import EmbeddedDocument, Filters
from roma_core.store.folder import open_folder
from roma_core.store.fusion import fuse
from roma_core.store.lance import LanceStore
from roma_core.store.partitions import create_partitions, name_partition, publish_new
from roma_core.store.register import FIRST_TABLE, table_folder
from roma_core.store.rows import rows as make_store_rows
from roma_core.store.tables import connect
from roma_core.types import Chunk, Document, ScoredChunk, digest

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

PASSAGES = 1_000_000
DIM = 384
OF_DOCUMENT, OF_SMALL, OF_MIDDLE, OF_LARGE = 20, 1_000, 10_000, 100_000
"""Passages of a document, and of the folders that documents lie in: one within the other."""
DOCUMENTS_A_COMMIT = 1000
TOPICS = 3000
DOCUMENT_SPREAD, PASSAGE_SPREAD, QUESTION_SPREAD = 0.7, 0.7, 0.4
QUESTIONS, WARM = 40, 5
DEPTH = 10
ADDED_DOCUMENTS, ADDED_AT_ONCE = 10_000, 250
"""Documents of one passage that are ingested while questions are asked."""
PARTITIONS = 10
"""Partitions of a whole store each that are searched side by side."""
TENANT = "bench"

RETRIEVAL = Settings().retrieval


@dataclass(frozen=True)
class Permitted:
    """A filter, and the range of passages that it permits."""

    name: str
    filters: Filters | None
    first: int
    count: int


def make_vectors(documents: Sequence[int]) -> Vectors:
    """Return the unit vectors of the passages of documents, in order. The same numbers give the same vectors."""
    topics = np.random.default_rng(1).normal(size=(TOPICS, DIM)).astype(np.float32)
    parts = []
    for document in documents:
        rng = np.random.default_rng([2, document])
        topic = topics[rng.integers(TOPICS)]
        about = topic + DOCUMENT_SPREAD * rng.normal(size=DIM)
        parts.append(about + PASSAGE_SPREAD * rng.normal(size=(OF_DOCUMENT, DIM)))
    rows = np.concatenate(parts).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def read_collections() -> list[beir.Collection]:
    """Return all shared collections."""
    root = beir.folder()
    if root is None:
        raise SystemExit("bench.million: the collections are not beside this checkout; nothing was measured.")
    return [beir.load(root, name) for name in beir.SETS]


def read_texts() -> list[str]:
    """Return the texts of all shared collections."""
    return [text for collection in read_collections() for _, text in collection.corpus.values()]


def read_questions() -> list[str]:
    """Return the questions of all shared collections, as many of each."""
    rng = random.Random(4)
    return [q for each in read_collections() for q in rng.sample(sorted(each.queries.values()), QUESTIONS)]


def place_of(document: int) -> str:
    """Return the address of a document: folders of 100,000, 10,000 and 1,000 passages."""
    first = document * OF_DOCUMENT
    return f"file:///corpus/l{first // OF_LARGE}/m{first // OF_MIDDLE}/s{first // OF_SMALL}/d{document}.md"


def make_entry(number: int, texts: Sequence[str], vectors: Vectors) -> EmbeddedDocument:
    """Return a document of as many passages as it has vectors."""
    rng = random.Random(number)
    uri, title = place_of(number), f"Paper {number}"
    key = digest("million", uri)[:32]
    chunks = []
    for index in range(len(vectors)):
        text = f"{texts[rng.randrange(len(texts))]} ({number}.{index})"
        id_ = f"{number:06d}-{index:02d}"
        chunks.append(
            Chunk(id=id_, document_id=key, uri=uri, title=title, text=text, start=index, end=index + len(text))
        )
    document = Document(id=key, uri=uri, title=title, text=title, content_sha256=key, parser="bench/1")
    return EmbeddedDocument(document, chunks, vectors)


class Notes:
    """What a run has measured so far, in a file of the folder, so that the next run goes on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "notes.json"
        self._values: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}

    def get(self, name: str, default: Any = None) -> Any:
        """Return what was noted under a name."""
        return self._values.get(name, default)

    def note(self, name: str, value: Any) -> None:
        """Note a value in the file."""
        self._values[name] = value
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._values, indent=1), encoding="utf-8")
        fresh.replace(self._path)

    async def once(self, name: str, measure: Callable[[], Awaitable[Any]]) -> Any:
        """Return what was noted under a name, or else measure and note it."""
        if name not in self._values:
            began = time.perf_counter()
            self.note(name, await measure())
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        return self._values[name]


async def build(folder: Path, passages: int, notes: Notes) -> None:
    """Fill the store and index it; what is there already stays as it is."""
    if notes.get("indexed") == passages:
        return
    store = open_store(folder)
    pattern = make_pattern(read_texts())
    (folder / "vectors").mkdir(parents=True, exist_ok=True)
    present = (await store.counts(TENANT))[0]  # whole commits, in the order of the documents
    for block in batched(range(present, passages // OF_DOCUMENT), DOCUMENTS_A_COMMIT):
        began = time.perf_counter()
        vectors = make_vectors(block)
        np.save(folder / "vectors" / f"{block[0]:06d}.npy", vectors)
        await store.add_rows(make_rows(pattern, block, vectors))
        notes.note("fill s", notes.get("fill s", 0.0) + time.perf_counter() - began)
        print(f"{block[-1] + 1} documents, {notes.get('fill s'):.0f} s", file=sys.stderr, flush=True)
    began = time.perf_counter()
    await store.optimize()
    notes.note("index s", time.perf_counter() - began)
    notes.note("indexed", passages)
    await store.close()


def make_pattern(texts: Sequence[str]) -> Any:
    """Return the rows of a commit as the store makes them: documents with passages of real text."""
    numbers = range(DOCUMENTS_A_COMMIT)
    empty = np.eye(1, DIM, dtype=np.float32).repeat(OF_DOCUMENT, axis=0)
    return make_store_rows(TENANT, [make_entry(number, texts, empty) for number in numbers], DIM)


def make_rows(pattern: Any, block: Sequence[int], vectors: Vectors) -> Any:
    """Return the rows of other documents with the texts of ``pattern``: made a hundred times faster than one by one.

    A row of a document is followed by those of its passages.
    """
    import pyarrow as pa

    size = 1 + OF_DOCUMENT
    made = pattern.slice(0, size * len(block))
    uris = [place_of(number) for number in block]
    keys = [digest("million", uri)[:32] for uri in uris]
    ids: list[str] = []
    payloads: list[str | None] = []
    for number, uri, key in zip(block, uris, keys, strict=True):
        title = f"Paper {number}"
        document = Document(id=key, uri=uri, title=title, text=title, content_sha256=key, parser="bench/1")
        ids += [key, *(f"{number:06d}-{index:02d}" for index in range(OF_DOCUMENT))]
        payloads += [document.model_dump_json(), *([None] * OF_DOCUMENT)]
    flat = np.tile(np.eye(1, DIM, dtype=np.float32), (len(ids), 1)).reshape(len(block), size, DIM)
    flat[:, 1:] = vectors.reshape(len(block), OF_DOCUMENT, DIM)
    columns = {
        "key": [digest("million row", id_)[:32] for id_ in ids],
        "id": ids,
        "document_id": [key for key in keys for _ in range(size)],
        "uri": [uri for uri in uris for _ in range(size)],
        "place_words": [f"\n{uri}" for uri in uris for _ in range(size)],
        "payload": payloads,
    }
    for name, values in columns.items():
        field = made.schema.field(name)
        made = made.set_column(made.schema.get_field_index(name), field, pa.array(values, type=field.type))
    place, field = made.schema.get_field_index("vector"), made.schema.field("vector")
    return made.set_column(place, field, pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), DIM))


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def open_store(folder: Path, partition_rows: int = 0) -> LanceStore:
    return LanceStore(
        folder / "store", fingerprint="bench-million", dim=DIM, model="made up", partition_rows=partition_rows
    )


def list_filters(passages: int) -> list[Permitted]:
    """Return the filters that are measured; each lies somewhere in the middle of the corpus."""
    middle = passages // 2 // OF_LARGE * OF_LARGE
    document = middle // OF_DOCUMENT
    large, medium, small = middle // OF_LARGE, middle // OF_MIDDLE, middle // OF_SMALL
    key = digest("million", place_of(document))[:32]
    above = f"file:///corpus/l{large}/"
    return [
        Permitted("none", None, 0, passages),
        Permitted("one document", {"document_id": key}, middle, OF_DOCUMENT),
        Permitted("folder", {"uri_prefix": f"{above}m{medium}/s{small}/"}, middle, OF_SMALL),
        Permitted("folder", {"uri_prefix": f"{above}m{medium}/"}, middle, OF_MIDDLE),
        Permitted("folder", {"uri_prefix": above}, middle, OF_LARGE),
    ]


def load_vectors(folder: Path) -> Vectors:
    """Return all vectors, by passage."""
    return np.concatenate([np.load(path) for path in sorted((folder / "vectors").glob("*.npy"))])


def make_questions(vectors: Vectors, permitted: Permitted) -> list[tuple[Vector, list[int]]]:
    """Return questions as vectors, each with its true neighbours among the permitted passages."""
    rng = np.random.default_rng(5)
    inside = rng.integers(permitted.first, permitted.first + permitted.count, size=(QUESTIONS + WARM) // 2)
    anywhere = rng.integers(0, len(vectors), size=QUESTIONS + WARM - len(inside))
    near = vectors[rng.permutation(np.concatenate([inside, anywhere]))]
    asked = near + QUESTION_SPREAD * rng.normal(size=near.shape).astype(np.float32) / np.sqrt(DIM)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    rows = vectors[permitted.first : permitted.first + permitted.count]
    likeness = asked @ rows.T
    true = np.argsort(-likeness, axis=1)[:, :DEPTH] + permitted.first
    return [(asked[i], [int(number) for number in true[i]]) for i in range(len(asked))]


def id_of(passage: int) -> str:
    return f"{passage // OF_DOCUMENT:06d}-{passage % OF_DOCUMENT:02d}"


async def search(store: LanceStore, words: str, vector: Vector, filters: Filters | None = None) -> list[ScoredChunk]:
    """Search both ways and fuse, as a question does; return what the vectors found."""
    limit = RETRIEVAL.retrieve_limit
    lexical, dense = await asyncio.gather(
        store.lexical(TENANT, words, limit=limit, filters=filters),
        store.dense(TENANT, vector, limit=limit, filters=filters),
    )
    fuse(lexical, dense, lexical_weight=RETRIEVAL.lexical_weight, limit=limit)
    return dense


async def measure_filter(
    store: LanceStore, permitted: Permitted, vectors: Vectors, words: Sequence[str], copies: int = 1
) -> dict[str, object]:
    """Return recall of the vector leg and latencies of both legs side by side; a passage is there ``copies`` times."""
    rng = random.Random(3)
    recalls: list[float] = []
    taken: list[float] = []
    used: list[float] = []
    for number, (vector, true) in enumerate(make_questions(vectors, permitted)):
        if number == WARM:
            freeze_garbage()
        began, cpu = time.perf_counter(), time.process_time()
        dense = await search(store, rng.choice(words), vector, permitted.filters)
        taken.append(1000 * (time.perf_counter() - began))
        used.append(1000 * (time.process_time() - cpu))
        recalls.append(measure_recall(dense[::copies], true))
    return {
        "filter": permitted.name,
        "permitted passages": permitted.count,
        "recall@10": statistics.mean(recalls[WARM:]),
        "least recall": min(recalls[WARM:]),
        "hybrid P50 ms": statistics.median(taken[WARM:]),
        "hybrid P95 ms": float(np.percentile(taken[WARM:], 95)),
        "processor P50 ms": statistics.median(used[WARM:]),
        "processor P95 ms": float(np.percentile(used[WARM:], 95)),
    }


def measure_recall(dense: Sequence[ScoredChunk], true: Sequence[int]) -> float:
    wanted = {id_of(number) for number in true}
    return len(wanted & {hit.chunk.id for hit in dense[:DEPTH]}) / len(wanted)


async def measure_beside(
    folder: Path, name: str, share: float, vectors: Vectors, words: Sequence[str]
) -> list[dict[str, object]]:
    """Return latencies with ``share`` of the rows outside of the indices, and after the upkeep that follows."""
    copy = link_store(folder, name)
    store, texts = open_store(copy), read_texts()
    added = int(share * len(vectors)) // OF_DOCUMENT
    first = len(vectors) // OF_DOCUMENT
    for block in batched(range(first, first + added), DOCUMENTS_A_COMMIT):
        rows = make_vectors(block)
        own = [rows[i * OF_DOCUMENT : (i + 1) * OF_DOCUMENT] for i in range(len(block))]
        await store.put_many(TENANT, [make_entry(n, texts, v) for n, v in zip(block, own, strict=True)])
    result = [await measure_state(store, f"{share:.0%} outside of the indices", vectors, words)]
    began = time.perf_counter()
    await store.maintain()
    took = time.perf_counter() - began
    result.append(await measure_state(store, f"after upkeep of {took:.0f} s", vectors, words))
    await store.close()
    shutil.rmtree(copy)
    return result


async def measure_state(store: LanceStore, name: str, vectors: Vectors, words: Sequence[str]) -> dict[str, object]:
    everything = list_filters(len(vectors))[0]
    row = await measure_filter(store, everything, vectors, words)
    health = await store.health()
    return {
        "state": name,
        **{key: row[key] for key in row if "hybrid" in key},
        "unindexed": health.details["unindexed_rows"],
    }


def link_store(folder: Path, name: str) -> Path:
    """Return a second store of the same files. LanceDB never changes a file, so links suffice."""
    copy = folder / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "store", copy / "store", copy_function=os.link, ignore=shutil.ignore_patterns("*.lock"))
    return copy


async def measure_serving(folder: Path, vectors: Vectors, words: Sequence[str]) -> dict[str, object]:
    """Ask one question after the other while another process ingests, and then brings the indices up to date."""
    copy = link_store(folder, "serving")
    store, rng = open_store(copy), random.Random(6)
    asked = make_questions(vectors, list_filters(len(vectors))[0])
    writer = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.million", str(copy), "add")
    taken: list[float] = []
    failed = 0
    while writer.returncode is None:
        vector, _ = asked[len(taken) % len(asked)]
        began = time.perf_counter()
        try:
            await search(store, rng.choice(words), vector)
        except StoreError as error:
            failed += 1
            print(error, file=sys.stderr)
        taken.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.05)
    assert writer.returncode == 0, writer.returncode
    documents, passages = await store.counts(TENANT)
    await store.close()
    shutil.rmtree(copy)
    return {
        "state": f"while {ADDED_DOCUMENTS:,} documents come and upkeep runs",
        "hybrid P50 ms": statistics.median(taken),
        "hybrid P95 ms": float(np.percentile(taken, 95)),
        "questions": len(taken),
        "failed": failed,
        "documents after": documents,
        "passages after": passages,
    }


async def add_documents(folder: Path) -> None:
    """Ingest documents of one passage, then do what upkeep is due."""
    store, texts = open_store(folder), read_texts()
    first = 10 * PASSAGES // OF_DOCUMENT
    for block in batched(range(first, first + ADDED_DOCUMENTS), ADDED_AT_ONCE):
        vectors = make_vectors(block)[::OF_DOCUMENT]
        entries = [make_entry(n, texts, vectors[i : i + 1]) for i, n in enumerate(block)]
        await store.put_many(TENANT, entries)
    await store.maintain()
    await store.close()


async def measure_partitions(folder: Path, vectors: Vectors, words: Sequence[str]) -> list[dict[str, object]]:
    """Return recall and latency of the same passages in partitions."""
    copy = link_store(folder, "partitions")
    store = open_store(copy, partition_rows=math.ceil(len(vectors) / 2))
    began = time.perf_counter()
    await store.optimize()
    took = time.perf_counter() - began
    partitions = (await store.health()).details["partitions"]
    rows = []
    for permitted in (list_filters(len(vectors))[0], list_filters(len(vectors))[2]):
        row = await measure_filter(store, permitted, vectors, words)
        rows.append({"partitions": partitions, "spread and indexed s": took, **row})
    await store.close()
    shutil.rmtree(copy)
    return rows


def link_partitions(folder: Path, name: str) -> Path:
    """Return a store of ``PARTITIONS`` partitions, all with the files of the store: ten times its passages."""
    copy = folder / name
    shutil.rmtree(copy, ignore_errors=True)
    whole, table = folder / "store" / f"{FIRST_TABLE}.lance", copy / "store" / f"{FIRST_TABLE}.lance"
    for number in range(PARTITIONS):
        shutil.copytree(whole, table / f"{name_partition(number)}.lance", copy_function=os.link)
    return copy


async def measure_ten(folder: Path, vectors: Vectors, words: Sequence[str]) -> list[dict[str, object]]:
    """Return what a question costs over ten partitions of the whole store, beside one, and what their merge costs."""
    copy = link_partitions(folder, "ten")
    place = open_folder(copy / "store")
    table = table_folder(place, FIRST_TABLE)
    await publish_new(table, await create_partitions(await connect(table), None, PARTITIONS))
    everything = list_filters(len(vectors))[0]
    rows = []
    for partitions, where in ((1, folder), (PARTITIONS, copy)):
        store = open_store(where)
        row = await measure_filter(store, everything, vectors, words, copies=partitions)
        found = [await store.dense(TENANT, vectors[0], limit=RETRIEVAL.retrieve_limit)] * partitions
        began = time.perf_counter()
        rank_chunks(((hit.chunk, hit.score, hit.scores) for hits in found for hit in hits), "dense", limit=DEPTH)
        merged = 1000 * (time.perf_counter() - began)
        rows.append({"partitions": partitions, **row, "merge ms": merged if partitions > 1 else None})
        rows[-1]["permitted passages"] = partitions * len(vectors)
        await store.close()
    shutil.rmtree(copy)
    return rows


async def measure_whole(
    folder: Path, permitted: Permitted, vectors: Vectors, words: Sequence[str]
) -> dict[str, object]:
    """Return recall and latency under one filter, with the memory that this took."""
    store = open_store(folder)
    row = await measure_filter(store, permitted, vectors, words)
    health = await store.health()
    await store.close()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - vectors.nbytes
    return {**row, "MiB": held / 2**20, "bytes a passage": health.details["live_bytes"] / len(vectors)}


async def run(folder: Path, passages: int) -> None:
    notes = Notes(folder)
    await build(folder, passages, notes)
    vectors, words = load_vectors(folder), read_questions()
    rows = [
        await notes.once(
            f"filter {permitted.count}", functools.partial(measure_whole, folder, permitted, vectors, words)
        )
        for permitted in list_filters(len(vectors))
    ]
    note = (
        f"{len(vectors):,} passages: filled in {notes.get('fill s'):.0f} s, indexed in {notes.get('index s'):.0f} s. "
        "Recall of the ten nearest by cosine against numpy's; both legs side by side, without reranking. On a machine "
        "that others use too, read processor time, of all cores. MiB: the most memory so far beside the true vectors."
    )
    title = f"{len(vectors):,} passages"
    report.write("million", f"{title} in one store", rows, note, ["lancedb"])
    states = [
        await notes.once("serving", lambda: measure_serving(folder, vectors, words)),
        *await notes.once("beside", lambda: measure_beside(folder, "beside", 0.1, vectors, words)),
    ]
    report.write("million_states", f"{title} while the store changes", states, "", ["lancedb"])
    parts = [
        *await notes.once("partitions", lambda: measure_partitions(folder, vectors, words)),
        *await notes.once("ten", lambda: measure_ten(folder, vectors, words)),
    ]
    note = (
        "The same passages and questions. Times of runs at different hours: read recall, and ratios with care. The "
        f"last two rows are of one run: the store of {len(vectors):,} passages, and {PARTITIONS} partitions that each "
        "have its files and their own open indices: each passage is found in all of them, and recall counts it once. "
        "*merge*: of their lists, which the times of the row hold too."
    )
    report.write("million_partitions", f"{title} in partitions", parts, note, ["lancedb"])


def main(*arguments: str) -> int:
    if not arguments:
        print("bench.million FOLDER [PASSAGES]: needs a folder with 10 GB of room.", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    if arguments[1:] == ("add",):
        asyncio.run(add_documents(folder))
    else:
        asyncio.run(run(folder, int(arguments[1]) if arguments[1:] else PASSAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
