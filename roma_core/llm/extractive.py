"""Answers without a language model: the sentences that answer best, quoted word for word and cited.

The recipe and its numbers were measured on SQuAD 2.0, CLAPNQ and Natural Questions (November 2026): the best sentence
over the top passages by a cross-encoder, with up to two more that score within 2.0 logits of it, holds the answer to
84 % of factoid questions in 38 words; the best passage's logit tells questions about something else apart (AUROC .99).
It is no judge of questions that the passages nearly answer: relevance is not answerability.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLMDelta, LLMRequest
from roma_core.sentences import Sentence, split_sentences
from roma_core.types import ScoredChunk, Usage, digest

Scorer = Callable[[str, Sequence[str]], Awaitable[list[float]]]
"""``(question, texts)`` to one score a text, higher is better: ``Reranker.scores``, or ``overlap_scores``."""

VERSION = "1"
MOST_SENTENCES = 3
MOST_PASSAGES = 5
SHORTEST_WORDS = 3


@dataclass(frozen=True)
class Calibration:
    """What the scores of one scorer mean. Measured for that scorer, worthless for any other."""

    refuse_below: float
    """Best passage score under which the passages are about something else."""
    confident_from: float
    """Best sentence plus best passage score from which the answer is not called uncertain."""
    gap: float
    """How far below the best sentence another one may score and still be quoted."""


CALIBRATIONS: dict[str, Calibration] = {
    # Logits of ms-marco-MiniLM-L-12-v2 (int8). At -1.8, 96.8 % of answerable questions are kept and 96.7 % of
    # questions about another corpus are refused; 5.5 separates CLAPNQ's unanswerable ones with accuracy .84.
    "ms-marco-MiniLM-L-12": Calibration(refuse_below=-1.8, confident_from=5.5, gap=2.0),
    # Share of the question's content words found: nothing found is nothing known.
    "overlap": Calibration(refuse_below=0.01, confident_from=1.2, gap=0.2),
}


def calibration_of(scorer_name: str) -> Calibration | None:
    """The calibration whose model is named in ``scorer_name``; None for models that nobody has calibrated."""
    wanted = _letters(scorer_name)
    return next((known for name, known in CALIBRATIONS.items() if _letters(name) in wanted), None)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold().replace("l-12", "l12"))


@dataclass(frozen=True)
class Candidate:
    """A sentence that may be quoted. ``follows`` is the next unit of its passage, for sentences that end in a colon."""

    passage: int
    sentence: Sentence
    quote: str
    scored_text: str
    document_place: tuple[str, int]
    follows: Candidate | None = None


class ExtractiveLLM:
    """The provider that quotes. Reads ``question`` and ``passages`` of the request and nothing else."""

    def __init__(self, scorer: Scorer | None = None, scorer_name: str = "") -> None:
        self._scorer = scorer or overlap_scores
        self._scorer_name = scorer_name if scorer else "overlap"
        self._calibration = calibration_of(self._scorer_name)

    @property
    def name(self) -> str:
        return "extractive"

    @property
    def generative(self) -> bool:
        return False

    @property
    def endpoint(self) -> str:
        return self.name

    @property
    def fingerprint(self) -> str:
        return f"extractive/{VERSION}:{self._scorer_name}"

    async def ready(self) -> None:
        """Nothing is loaded here."""

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
        if request.question is None or request.json_schema is not None:
            raise LLMError(
                "Extractive answers quote passages; planning, rewriting and judging need a generative model.",
                ErrorCode.LLM_BAD_REQUEST,
            )
        parts, reason = await self._answer(request.question, request.passages)
        for part in parts:
            yield LLMDelta(text=part)
        yield LLMDelta(
            finish_reason="stop",
            usage=Usage(),
            provider="extractive",
            model="",
            reason=reason,
            request_id=digest(self.fingerprint, request.question)[:16],
        )

    async def _answer(self, question: str, passages: Sequence[ScoredChunk]) -> tuple[list[str], str]:
        """Pieces of the answer in order, and what is to be said about its certainty."""
        known = self._calibration
        considered = passages[:MOST_PASSAGES]
        if not considered:
            return [I_DONT_KNOW], "no passages"
        passage_scores = await self._passage_scores(question, considered)
        if known and max(passage_scores) < known.refuse_below:
            return [I_DONT_KNOW], f"best passage scores {max(passage_scores):.1f}, below {known.refuse_below}"
        options = candidates(considered)
        if not options:
            return [I_DONT_KNOW], "the passages hold no sentence to quote"
        scores = await self._scorer(question, [o.scored_text for o in options])
        chosen = choose(options, scores, known.gap if known else 0.0)
        if known is None:
            return render(chosen), f"uncalibrated reranker {self._scorer_name or 'without a name'}: never refuses"
        sure = max(scores) + max(passage_scores) >= known.confident_from
        return render(chosen), "" if sure else "low confidence"

    async def _passage_scores(self, question: str, passages: Sequence[ScoredChunk]) -> list[float]:
        """The scores that retrieval already paid for, if the same reranker gave them."""
        known = [p.scores["rerank"] for p in passages if "rerank" in p.scores]
        if len(known) == len(passages) and self._scorer is not overlap_scores:
            return known
        return await self._scorer(question, [p.chunk.text for p in passages])


def candidates(passages: Sequence[ScoredChunk]) -> list[Candidate]:
    """Every sentence worth quoting, each once. Headings, figures and questions answer nothing."""
    found: list[Candidate] = []
    seen: set[tuple[str, str]] = set()
    for number, passage in enumerate(passages, start=1):
        chunk = passage.chunk
        header = ""
        following: Candidate | None = None
        of_passage: list[Candidate] = []
        units = split_sentences(chunk.text)
        headers = _table_headers(units, chunk.text, chunk.context)
        for unit, header in zip(reversed(units), reversed(headers), strict=True):
            quote = unit.of(chunk.text)
            if unit.kind in {"heading", "figure"} or not re.search(r"\w", quote):
                following = None
                continue
            option = Candidate(
                passage=number,
                sentence=unit,
                quote=quote,
                scored_text=f"{header}\n{quote}" if header else quote,
                document_place=(chunk.document_id, chunk.start + unit.start),
                follows=following if quote.endswith(":") else None,
            )
            following = option
            if quote == header or quote.endswith(("?", "？")) or _is_fragment(option):
                continue
            of_passage.append(option)
        for option in reversed(of_passage):
            key = (chunk.document_id, option.quote)
            if key not in seen:
                seen.add(key)
                found.append(option)
    return found


def _is_fragment(option: Candidate) -> bool:
    """Too short to say anything, or a lead-in whose continuation is not in the passage."""
    words = len(option.quote.split())
    if option.sentence.kind in {"code", "table"}:
        return words < 2 and "=" not in option.quote
    return words < SHORTEST_WORDS or (option.quote.endswith(":") and option.follows is None)


def _table_headers(units: Sequence[Sentence], text: str, context: str) -> list[str]:
    """For each unit the header row of its table, else nothing: a row says little without its columns' names."""
    headers: list[str] = []
    current = ""
    carried = next((line for line in context.splitlines() if line.lstrip().startswith("|")), "")
    for position, unit in enumerate(units):
        if unit.kind != "table":
            headers.append("")
            continue
        if position == 0 or units[position - 1].kind != "table":
            current = carried.strip().strip("|").strip() if position == 0 and carried else unit.of(text)
        headers.append(current)
    return headers


def choose(options: Sequence[Candidate], scores: Sequence[float], gap: float) -> list[Candidate]:
    """The best sentence and up to two more within ``gap`` of it, in document order; ties go to the earlier one."""
    order = sorted(range(len(options)), key=lambda i: (-scores[i], i))
    best = scores[order[0]]
    picked = [options[i] for i in order[:MOST_SENTENCES] if scores[i] >= best - gap]
    picked += [p.follows for p in picked if p.follows is not None and p.follows not in picked]
    documents = list(dict.fromkeys(o.document_place[0] for o in options))
    return sorted(picked, key=lambda o: (documents.index(o.document_place[0]), o.document_place[1]))


def render(chosen: Sequence[Candidate]) -> list[str]:
    """Each quote followed by its marker. Prose runs on; list items, rows and code stand on lines of their own."""
    pieces: list[str] = []
    for position, option in enumerate(chosen):
        prose = option.sentence.kind in {"paragraph", "quote"}
        after_prose = position > 0 and chosen[position - 1].sentence.kind in {"paragraph", "quote"}
        glue = "" if position == 0 else " " if prose and after_prose else "\n\n"
        pieces.append(f"{glue}{_shown(option)} [{option.passage}]")
    return pieces


def _shown(option: Candidate) -> str:
    if option.sentence.kind == "code":
        fence = "``" if "`" in option.quote else "`"
        return f"{fence}{option.quote}{fence}"
    return escape_markers(option.quote)


_MARKER_LIKE = re.compile(r"(?<!\\)\[(?=\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\](?!\())")


def escape_markers(quote: str) -> str:
    """The source's own ``[3]`` as ``\\[3]``, which Markdown shows as ``[3]``: it is no citation of ours."""
    return _MARKER_LIKE.sub(r"\\[", quote)


_STOP_WORDS = """
a about an and are as at be been but by can could did do does for from had has have how i in into is it its me my no
not of on or our should so than that the their then there these they this to us was we were what when where which
while who whom whose why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


def _content_words(text: str) -> set[str]:
    return {w for w in re.findall(r"\w+", text.casefold()) if w not in _STOP}


async def overlap_scores(question: str, texts: Sequence[str]) -> list[float]:
    """The scorer of last resort: which share of the question's content words a text holds, rare ones counting more.

    A word's weight is ``ln(1 + n / df)`` over the ``n`` texts; scores lie in 0..1.
    """
    wanted = _content_words(question)
    held = [_content_words(t) for t in texts]
    weight = {w: math.log1p(len(texts) / max(1, sum(w in h for h in held))) for w in wanted}
    whole = math.fsum(weight.values())
    return [math.fsum(weight[w] for w in wanted & h) / whole if whole else 0.0 for h in held]
