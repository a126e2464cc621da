"""Names of persons and places and affiliations in running text, by Presidio with a model of spaCy.

Presidio's own recognisers of numbers stay out: they take UUIDs and part numbers for identity numbers, and one of them
asks the network for a list of domains.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from roma_core.environment import find_extra
from roma_core.errors import ConfigError, ErrorCode
from roma_core.types.privacy import PersonalKind

ENTITIES: Final[Mapping[str, PersonalKind]] = {"PERSON": "person", "LOCATION": "place", "NRP": "affiliation"}
LEAST_SCORE: Final = 0.5
MOST_PIECE_CHARS: Final = 20_000
"""Characters that are read at once: a model's memory grows with them."""
_MARKUP: Final = str.maketrans(dict.fromkeys("*#|_`>[](){}~\N{FULL BLOCK}", " "))
"""Signs of Markdown say nothing of names and cut them; each is one blank, so that offsets hold."""
_BREAKS: Final = re.compile(r"\n[^\S\n]*\n|\n|(?<=[.!?])\s")
_EDGES: Final = " \t\n\r.,;:!?\"'\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
_POSSESSIVE: Final = re.compile(r"['\N{RIGHT SINGLE QUOTATION MARK}]s\Z")
NameSpan = tuple[PersonalKind, int, int]


class NameFinder(Protocol):
    """Finds names in texts of some languages."""

    @property
    def fingerprint(self) -> str: ...

    def can_read(self, language: str) -> bool:
        """Return whether there is a model for ``language`` (ISO 639-1; empty: not known)."""
        ...

    def find(self, text: str, language: str) -> list[NameSpan]:
        """Return the names in ``text`` with their kinds, by place. ``cut_pieces`` makes texts that are short enough."""
        ...


class PresidioNames:
    """``NameFinder`` by Presidio; a model is loaded when a text of its language comes. Safe to share by threads."""

    def __init__(self, models: Mapping[str, str]) -> None:
        """``models`` are names of spaCy's models by language; the first one also reads texts of unknown language."""
        self._models = dict(models)
        self._analyzers: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """Name of the models, part of what documents are made with."""
        return "presidio-1 " + ",".join(f"{language}:{model}" for language, model in self._models.items())

    def can_read(self, language: str) -> bool:
        """Return whether there is a model for ``language``, see ``NameFinder``."""
        return bool(self._models) and (not language or language in self._models)

    def find(self, text: str, language: str) -> list[NameSpan]:
        """Return the names in ``text``, see ``NameFinder``. Raises ``ConfigError`` without the model."""
        code = language or next(iter(self._models))
        piece = text.translate(_MARKUP)
        with self._lock:  # spaCy's pipelines are not made for threads
            analyzer = self._analyzer(code)
            results = analyzer.analyze(piece, language=code, entities=[*ENTITIES], score_threshold=LEAST_SCORE)
        names: list[NameSpan] = []
        for result in results:
            kind = ENTITIES[result.entity_type]
            names += [(kind, start, end) for start, end in _trim(piece, result.start, result.end)]
        return sorted(names, key=lambda name: name[1])

    def _analyzer(self, language: str) -> Any:
        if language not in self._analyzers:
            self._analyzers[language] = _load_analyzer(language, self._models[language])
        return self._analyzers[language]


def require_presidio() -> None:
    """Raise ``ConfigError`` that names the extra when Presidio is not installed."""
    try:
        import presidio_analyzer  # noqa: F401
    except ModuleNotFoundError as missing:
        extra = find_extra("presidio_analyzer")
        raise ConfigError(
            f'ROMA_PII_POLICY looks for names, which takes Presidio: pip install "roma-core[{extra}]", or add '
            f"names=off to the policy ({missing.name} is missing).",
            ErrorCode.DEPENDENCY_MISSING,
        ) from None


def _load_analyzer(language: str, model: str) -> Any:
    """Return Presidio with one model and one recogniser."""
    require_presidio()
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    if importlib.util.find_spec(model) is None:  # Presidio would download it
        raise ConfigError(
            f"ROMA_PII_MODELS names {model}, which is not installed: install this package of spaCy, or name another."
        )
    engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": model}])
    engine.load()
    recognizer = SpacyRecognizer(supported_language=language, supported_entities=[*ENTITIES])
    registry = RecognizerRegistry(recognizers=[recognizer], supported_languages=[language])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])


def cut_pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield spans that cover ``text``, each cut at a paragraph, a line or a sentence where there is one.

    >>> list(cut_pieces("one"))
    [(0, 3)]
    """
    start = 0
    while start < len(text):
        end = min(len(text), start + MOST_PIECE_CHARS)
        if end < len(text):
            ends = [found.end() for found in _BREAKS.finditer(text, start + MOST_PIECE_CHARS // 2, end)]
            end = ends[-1] if ends else end
        yield start, end
        start = end


def _trim(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the lines of a name without the signs around them; what has no letter, or a digit, is no name."""
    at = start
    for line in text[start:end].split("\n"):
        first, last = at, at + len(line)
        at = last + 1
        words = _POSSESSIVE.sub("", line.rstrip(_EDGES))
        last = first + len(words)
        first += len(words) - len(words.lstrip(_EDGES))
        has_letters = any(map(str.isalpha, text[first:last]))
        if has_letters and not any(map(str.isdigit, text[first:last])):  # numbers of orders are no people
            yield first, last
