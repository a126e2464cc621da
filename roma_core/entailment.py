"""Entailment: does a text say what a sentence says, by a cross-encoder that a user provides (NLI).

The folder, or the repository of the hub, holds ``model.onnx`` (also below ``onnx/``), ``tokenizer.json`` and
``config.json``, whose ``id2label`` names the class *entailment*. The model confirms what the check of words leaves
open; it is never asked about a number, a unit, a negation or a quotation that differs.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.models import LazyObjects, find_or_fetch_folder, make_session
from roma_core.types import digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MODEL, TOKENIZER, CONFIG = "model.onnx", "tokenizer.json", "config.json"
MOST_TOKENS: Final = 512
"""Longest pair of texts that is read; the longer one is cut."""
ENTAILED_FROM: Final = 0.5
"""Probability from which a text entails a sentence."""
_LABEL: Final = "entailment"


class EntailmentModel(Protocol):
    """A model that reads a text and a sentence."""

    @property
    def name(self) -> str:
        """Return the name of the model, for people."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return the hash of all that decides a probability."""
        ...

    async def entail(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return, in one call, the probability that each text entails its sentence. Raises ``EmbeddingError``."""
        ...


class OnnxEntailment:
    """``EntailmentModel`` by the files in a folder, or in a repository of the hub. Loaded at first use.

    >>> model = OnnxEntailment("models/nli-small")  # doctest: +SKIP
    >>> await model.entail([("It was shut in May.", "In May nobody could use it.")])  # doctest: +SKIP
    [0.97]
    """

    def __init__(self, model: str) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return Path(self._model).name if Path(self._model).is_dir() else self._model

    @property
    def fingerprint(self) -> str:
        return digest("entailment", "1", self._model, str(MOST_TOKENS), str(ENTAILED_FROM))

    async def entail(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        if not pairs:
            return []
        return await asyncio.to_thread(lambda: _classifiers(self._model).run(pairs))


class EntailmentClassifier:
    """The model of a folder. Raises ``EmbeddingError`` when a file is missing or is not what it should be."""

    def __init__(self, folder: Path) -> None:
        place = folder / MODEL if (folder / MODEL).is_file() else folder / "onnx" / MODEL
        try:
            self._session = make_session(place)
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            self._tokenizer = _load_tokenizer(folder / TOKENIZER)
        except (OSError, ValueError) as error:
            raise _make_error(str(folder), str(error)) from error
        labels = {str(label).casefold(): int(number) for number, label in config.get("id2label", {}).items()}
        if _LABEL not in labels:
            raise _make_error(str(folder), f"id2label of {CONFIG} names no class {_LABEL!r}")
        self._entailed = labels[_LABEL]
        self._inputs = [node.name for node in self._session.get_inputs()]

    def run(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the probability of *entailment* for each pair, in one batch."""
        import numpy as np

        encoded = self._tokenizer.encode_batch([list(pair) for pair in pairs])
        known = {
            "input_ids": [one.ids for one in encoded],
            "attention_mask": [one.attention_mask for one in encoded],
            "token_type_ids": [one.type_ids for one in encoded],
        }
        inputs = {name: np.array(known[name], dtype=np.int64) for name in self._inputs}
        logits = np.asarray(self._session.run(None, inputs)[0], dtype=np.float64)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        return [float(value) for value in probabilities[:, self._entailed]]


def make_entailment(model: str) -> EntailmentModel | None:
    """Return the model that ``ROMA_ENTAILMENT`` names; None for "none". Cheap: nothing is loaded."""
    return None if model in {"", "none"} else OnnxEntailment(model)


@functools.cache
def find_folder(model: str) -> Path:
    """Return the folder of a model, fetched from the hub when ``model`` is none. Raises ``EmbeddingError``."""
    return find_or_fetch_folder(model, [TOKENIZER, CONFIG, MODEL, f"onnx/{MODEL}"], _make_error)


_classifiers: LazyObjects[str, EntailmentClassifier] = LazyObjects(
    lambda model: EntailmentClassifier(find_folder(model))
)


def _load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of a file, cutting the longer text of a pair and filling up a batch."""
    from tokenizers import Tokenizer

    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.enable_truncation(max_length=MOST_TOKENS)
    padding = data.get("padding") or {}
    tokenizer.enable_padding(pad_id=int(padding.get("pad_id", 0)), pad_token=str(padding.get("pad_token", "[PAD]")))
    return tokenizer


def _make_error(model: str, reason: str) -> EmbeddingError:
    return EmbeddingError(
        f"The entailment model {model!r} could not be loaded ({reason}): ROMA_ENTAILMENT names a folder with {MODEL}, "
        f"{TOKENIZER} and {CONFIG}, or a repository of the hub that has them; none switches it off.",
        ErrorCode.EMBEDDING_MODEL,
        details={"model": model},
    )
