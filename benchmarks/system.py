"""One system behind a pipe: ``python system.py NAME FOLDER`` ingests the notes of a folder and answers questions.

A line in is ``ingest``, the number of a question, or ``end``; a line out is JSON, the first one when libraries and
model are loaded. ``FOLDER`` has ``notes/``, ``questions.json``, ``model/`` (an ONNX file and its tokenizer) and, where
the model is not to run over the notes, their vectors as ``notes.npy``. Nothing of ROMA is imported but for ``roma``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

os.environ.update(DO_NOT_TRACK="1", HAYSTACK_TELEMETRY_ENABLED="False", LANGCHAIN_TRACING_V2="false")
TOP_K = 10
CANDIDATES = 50
THREADS = 2
MOST_TOKENS = 512
PREFIX = "Represent this sentence for searching relevant passages: "
NUMBER = re.compile(r"[Nn]ote[ -](\d{5})")
Search = Callable[[str], list[int]]
"""Returns the numbers of the best notes for a question, best first."""


class Model:
    """The embedding model, run by ONNX Runtime on ``threads`` threads, a batch a call."""

    def __init__(self, folder: Path, threads: int = THREADS) -> None:
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        options = SessionOptions()
        options.intra_op_num_threads = threads
        place = folder / "model"
        self._session = InferenceSession(str(place / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_length=MOST_TOKENS)
        self._tokenizer.enable_padding()
        self._clock = Clock()
        self._known = load_vectors(folder)

    @property
    def seconds(self) -> float:
        """Time that the model took in all."""
        return self._clock.seconds

    def embed(self, texts: Sequence[str], batch: int) -> list[list[float]]:
        """Return the vectors of passages."""
        rows: list[list[float]] = []
        for start in range(0, len(texts), batch):
            rows += self._embed(texts[start : start + batch])
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question."""
        return self._run([PREFIX + text])[0]

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        numbers = [NUMBER.search(text) for text in texts]
        if self._known is not None and all(numbers):
            return [self._known[int(number[1])].tolist() for number in numbers if number]
        return self._run(texts)

    def _run(self, texts: Sequence[str]) -> list[list[float]]:
        with self._clock.running():
            encoded = self._tokenizer.encode_batch(list(texts))
            known = {
                "input_ids": [each.ids for each in encoded],
                "attention_mask": [each.attention_mask for each in encoded],
                "token_type_ids": [each.type_ids for each in encoded],
            }
            inputs = {name: np.array(known[name], dtype=np.int64) for name in self._inputs}
            first = self._session.run(None, inputs)[0][:, 0]  # CLS pooling
            unit = first / np.linalg.norm(first, axis=1, keepdims=True)
            return [row.tolist() for row in unit]


class Clock:
    """Adds up the time of something that happens now and then."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began


def load_vectors(folder: Path) -> Any:
    """Return the vectors of the notes, one a row by number; None where the model is to make them."""
    path = folder / "notes.npy"
    return np.load(path) if path.is_file() else None


def read_notes(folder: Path) -> list[str]:
    """Return the texts of the notes, by number."""
    return [path.read_text("utf-8") for path in sorted((folder / "notes").iterdir())]


class Haystack:
    """In-memory store, BM25 and vectors, joined by reciprocal rank."""

    package = "haystack-ai"
    libraries = ("haystack", "haystack.document_stores.in_memory")
    batch = 256  # of its FastembedDocumentEmbedder

    def __init__(self, folder: Path) -> None:
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        self._folder = folder
        self.model = Model(folder)
        self._store = InMemoryDocumentStore(embedding_similarity_function="cosine")

    def ingest(self) -> int:
        from haystack import Document

        texts = read_notes(self._folder)
        vectors = self.model.embed(texts, self.batch)
        pairs = enumerate(zip(texts, vectors, strict=True))
        documents = [Document(id=str(number), content=text, embedding=vector) for number, (text, vector) in pairs]
        return int(self._store.write_documents(documents))

    def prepare(self) -> Search:
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever

        words = InMemoryBM25Retriever(self._store, top_k=CANDIDATES)
        dense = InMemoryEmbeddingRetriever(self._store, top_k=CANDIDATES)
        joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=TOP_K)

        def search(question: str) -> list[int]:
            by_words = words.run(query=question)["documents"]
            by_vector = dense.run(query_embedding=self.model.embed_query(question))["documents"]
            joined = joiner.run(documents=[by_words, by_vector])["documents"]
            return [int(document.id) for document in joined]

        return search


class LangChain:
    """In-memory vector store and BM25 (rank_bm25) under its EnsembleRetriever."""

    package = "langchain-core"
    libraries = ("langchain_core.documents", "langchain_core.vectorstores", "langchain_community.retrievers")
    batch = 256  # of its FastEmbedEmbeddings

    def __init__(self, folder: Path) -> None:
        from langchain_core.embeddings import Embeddings
        from langchain_core.vectorstores import InMemoryVectorStore

        self._folder = folder
        self.model = model = Model(folder)
        batch = self.batch

        class OnnxEmbeddings(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return model.embed(texts, batch)

            def embed_query(self, text: str) -> list[float]:
                return model.embed_query(text)

        self._store = InMemoryVectorStore(OnnxEmbeddings())
        self._words: Any = None

    def ingest(self) -> int:
        from langchain_community.retrievers import BM25Retriever
        from langchain_core.documents import Document

        texts = read_notes(self._folder)
        documents = [Document(page_content=text, metadata={"id": str(n)}) for n, text in enumerate(texts)]
        self._store.add_documents(documents)
        self._words = BM25Retriever.from_documents(documents, k=CANDIDATES)
        return len(documents)

    def prepare(self) -> Search:
        from langchain_classic.retrievers import EnsembleRetriever

        dense = self._store.as_retriever(search_kwargs={"k": CANDIDATES})
        both = EnsembleRetriever(retrievers=[self._words, dense], weights=[0.5, 0.5], id_key="id")
        return lambda question: [int(document.metadata["id"]) for document in both.invoke(question)[:TOP_K]]


class LlamaIndex:
    """In-memory vector index and BM25 (bm25s) under its QueryFusionRetriever."""

    package = "llama-index-core"
    libraries = ("llama_index.core", "llama_index.core.schema", "llama_index.retrievers.bm25")
    batch = 10  # of its BaseEmbedding

    def __init__(self, folder: Path) -> None:
        from llama_index.core.embeddings import BaseEmbedding

        self._folder = folder
        self.model = model = Model(folder)

        class OnnxEmbedding(BaseEmbedding):
            def _get_text_embedding(self, text: str) -> list[float]:
                return model.embed([text], 1)[0]

            def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
                return model.embed(texts, len(texts))

            def _get_query_embedding(self, query: str) -> list[float]:
                return model.embed_query(query)

            async def _aget_query_embedding(self, query: str) -> list[float]:
                return model.embed_query(query)

        self._embedding = OnnxEmbedding(embed_batch_size=self.batch)
        self._index: Any = None
        self._words: Any = None

    def ingest(self) -> int:
        from llama_index.core import VectorStoreIndex
        from llama_index.core.schema import TextNode
        from llama_index.retrievers.bm25 import BM25Retriever

        nodes = [TextNode(id_=str(number), text=text) for number, text in enumerate(read_notes(self._folder))]
        self._index = VectorStoreIndex(nodes, embed_model=self._embedding)
        self._words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=CANDIDATES)
        return len(nodes)

    def prepare(self) -> Search:
        from llama_index.core.llms import MockLLM
        from llama_index.core.retrievers import QueryFusionRetriever

        dense = self._index.as_retriever(similarity_top_k=CANDIDATES)
        both = QueryFusionRetriever(
            [self._words, dense],
            llm=MockLLM(),
            mode="reciprocal_rerank",
            num_queries=1,
            similarity_top_k=TOP_K,
            use_async=False,
        )
        return lambda question: [int(found.node.node_id) for found in both.retrieve(question)]


class Roma:
    """ROMA as it is installed, without its reranker: files read in the sandbox, the ledger, LanceDB on disk."""

    package = "roma-core"
    libraries = ("roma_core",)

    def __init__(self, folder: Path) -> None:
        from roma_core import Settings, build_roma
        from roma_core.embeddings.base import EmbedderOver, EmbeddingResult
        from roma_core.embeddings.local import LocalEmbedder

        self._folder = folder
        clock, known = Clock(), load_vectors(folder)
        inner = LocalEmbedder(threads=THREADS)

        class TimedEmbedder(EmbedderOver):
            seconds = property(lambda _: clock.seconds)

            async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
                numbers = [NUMBER.search(text) for text in texts]
                if known is not None and all(numbers):
                    return EmbeddingResult(np.stack([known[int(number[1])] for number in numbers if number]))
                with clock.running():
                    return await inner.embed(texts)

            async def embed_query(self, text: str) -> EmbeddingResult:
                with clock.running():
                    return await inner.embed_query(text)

        self.model = TimedEmbedder(inner)
        settings = Settings(workspace=folder / "workspace", reranker="none", chunk_tokens=MOST_TOKENS - 32)
        self._roma = build_roma(settings, embedder=self.model)
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._roma.warm())
        self._loop.run_until_complete(inner.embed_query("The peers have loaded their model by now, too."))

    def ingest(self) -> int:
        async def work() -> int:
            report = await self._roma.ingest(self._folder / "notes")
            if report.counts()["failed"]:
                raise RuntimeError(str(report.counts()))
            return (await self._roma.store.counts("default"))[1]

        return self._loop.run_until_complete(work())

    def prepare(self) -> Search:
        async def find(question: str) -> list[int]:
            passages = await self._roma.search(question, limit=TOP_K)
            if not isinstance(passages, tuple):
                raise RuntimeError(passages.message)
            numbers = [NUMBER.search(passage.chunk.uri) for passage in passages]
            return [int(number[1]) for number in numbers if number]

        return lambda question: self._loop.run_until_complete(find(question))

    def close(self) -> None:
        self._loop.run_until_complete(self._roma.close())


SYSTEMS: dict[str, Any] = {"roma": Roma, "haystack": Haystack, "langchain": LangChain, "llamaindex": LlamaIndex}


def main() -> int:
    name, folder = sys.argv[1], Path(sys.argv[2])
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not break the pipe
    questions = json.loads((folder / "questions.json").read_text("utf-8"))
    for library in SYSTEMS[name].libraries:
        importlib.import_module(library)
    system = SYSTEMS[name](folder)
    search: Search | None = None

    def say(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    say(version=metadata.version(system.package))
    for line in sys.stdin:
        word = line.strip()
        if word == "end":
            break
        modelled, began = system.model.seconds, time.perf_counter()
        if word == "ingest":
            passages = system.ingest()
            say(passages=passages, seconds=time.perf_counter() - began, model_s=system.model.seconds - modelled)
            continue
        search = search or system.prepare()
        began = time.perf_counter()
        found = search(questions[int(word)])
        say(found=found, seconds=time.perf_counter() - began, model_s=system.model.seconds - modelled)
    if isinstance(system, Roma):
        system.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
