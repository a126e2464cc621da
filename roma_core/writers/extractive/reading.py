"""A question while quotes that answer it are looked for: what is asked, what was found, and the scores so far."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict

from roma_core.languages import count_words
from roma_core.llm.base import I_DONT_KNOW
from roma_core.markup import collect_frame
from roma_core.markup.questions import (
    LIGHT_WORDS,
    Question,
    asks_picture,
    content_words,
    count_tokens,
    holds_code,
    holds_name,
    read_question,
    split_words,
)
from roma_core.markup.windows import WINDOW_TOKENS
from roma_core.models import load_words
from roma_core.rerank import RERANKER_FILES
from roma_core.types import Document, ScoredChunk
from roma_core.writers.extractive.asked_things import find_owned
from roma_core.writers.extractive.calibration import ScoreThresholds
from roma_core.writers.extractive.cells import find_asked_cell
from roma_core.writers.extractive.corrections import Correction, list_correctors
from roma_core.writers.extractive.expectations import asks_certain_kind
from roma_core.writers.extractive.recipes import (
    RecipeAnswer,
    find_contrary_tables,
    list_items,
    look_up_table,
    quote_changes,
    quote_section,
    quote_units,
    render_tables,
    state_events,
    state_facts,
    summarise,
)
from roma_core.writers.extractive.selection import (
    Disagreement,
    find_corrected,
    find_row_contradiction,
    is_echo,
    missing_names,
    says_we,
)
from roma_core.writers.extractive.sources import CitedSources
from roma_core.writers.extractive.spelling import correct_spelling
from roma_core.writers.extractive.synonyms import read_measure, read_roles, read_synonyms, resolve_pronoun
from roma_core.writers.extractive.tables import TableAnswer
from roma_core.writers.extractive.units import QuotableUnit, quotable_units
from roma_core.writers.extractive.wording import (
    asks_change,
    describe_unknown,
    render_disagreement,
)

MOST_PASSAGES = 5
TERSE_WORDS = 12
"""Words of the middle sentence up to which a passage is a note of many small things; Wikipedia's have 20 and more."""
NAMED_LEVEL = 2.0
"""Weight of the score of the middle unit in the evidence, where the question names the title that all stand under."""
LEAST_TERSE_UNITS = 3
MOST_STANDING_OUT = 9.0
"""Evidence that a sentence gains at most by standing out of its note."""
AGREEING_WORDS = 16
"""The same of a document up to which the embedder is heard too: leaflets and house rules are a little longer."""


class SentenceRanker(Protocol):
    """The part of a reranker that this writer needs: its name, and a score a text, higher is better."""

    @property
    def name(self) -> str: ...

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]: ...


class PairScores:
    """The scores of a ranker for one answer: each pair of a question and a text is read once.

    >>> import asyncio
    >>> from roma_core.writers.extractive.overlap import OverlapRanker
    >>> scores = PairScores(OverlapRanker())
    >>> asyncio.run(scores.of("Which dog?", ["A dog.", "A dog."]))
    [1.0, 1.0]
    """

    def __init__(self, ranker: SentenceRanker) -> None:
        self._ranker = ranker
        self._known: dict[tuple[str, str], float] = {}

    async def of(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the score of each text, in the order given. Raises the ranker's error."""
        unread = [text for text in dict.fromkeys(texts) if (question, text) not in self._known]
        if unread:
            scores = await self._ranker.scores(question, unread)
            self._known.update({(question, text): score for text, score in zip(unread, scores, strict=True)})
        return [self._known[question, text] for text in texts]


class QuotedAnswer(BaseModel):
    """The pieces of a quoted answer in order, and a remark on its certainty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pieces: tuple[str, ...]
    remark: str = ""
    added: tuple[ScoredChunk, ...] = ()
    """Spans that are cited beside the passages, numbered after them."""
    kind: str = ""
    """The kind of question that was read."""
    evidence: float | None = None
    """The evidence that was compared with a threshold; None where rules decided, see ``ScoreThresholds``."""
    is_partial: bool = False
    """True where a part of the question has no answer."""
    frame: tuple[str, ...] = ()
    """Lines that only announce or name what stands around them."""

    @property
    def is_refusal(self) -> bool:
        """Return whether it says that ROMA does not know."""
        return self.pieces[:1] == (I_DONT_KNOW,)


@dataclass(frozen=True)
class FoundSources:
    """The passages of an answer, their documents, the other candidates, and other editions of the documents."""

    passages: tuple[ScoredChunk, ...] = ()
    documents: tuple[Document, ...] = ()
    candidates: tuple[ScoredChunk, ...] = ()
    relatives: tuple[Document, ...] = ()


@dataclass
class Reading:
    """A question while it is answered: what is asked, the sources, and the scores so far."""

    question: Question
    ranked: str
    """The words to rank by: the question, its typing errors corrected."""
    sources: CitedSources
    units: list[QuotableUnit]
    pairs: PairScores
    passage_scores: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    stating: frozenset[int] = frozenset()
    """Places of the units that have all words of the question and state what it asks."""
    together: float = -math.inf
    """Score of the best unit with the sentence that goes on from it, where only both together answer."""
    asked: str = ""
    """The question as it was typed."""
    unread: list[QuotableUnit] = field(default_factory=list)
    """Units of passages that are far from the best one, which the ranker is not given."""
    weighed: float | None = None
    """The evidence, where it decides."""
    candidates: tuple[ScoredChunk, ...] = ()
    """Passages that were found beside those that are read."""
    is_part: bool = False
    """True for a part of a question: the scores of its passages belong to the whole."""
    names_subject: bool = False
    """True where a pronoun of the question is ranked as the thing that its only document is about."""

    @classmethod
    def begin(
        cls, question: str, found: FoundSources, pairs: PairScores, sources: CitedSources | None = None
    ) -> Reading:
        """Return the state before anything is scored. Parts of one question share their ``sources``."""
        considered = found.passages[:MOST_PASSAGES]
        texts = [passage.chunk.indexed_text for passage in considered]
        corrected = correct_spelling(question, texts)
        if corrected != question:  # only then the words of the language are worth loading
            corrected = correct_spelling(question, texts, load_words(RERANKER_FILES))
        corrected = read_roles(corrected, [passage.chunk.text for passage in considered])
        corrected = read_synonyms(read_measure(corrected, texts), texts)
        units = quotable_units(considered, with_figures=asks_picture(question))
        units = [unit for unit in units if not is_echo(question, unit.quote)]
        sources = sources or CitedSources(found.passages, found.documents, found.relatives)
        reading = cls(read_question(corrected), corrected, sources, units, pairs, asked=question)
        reading.candidates = (*found.passages[MOST_PASSAGES:], *found.candidates)
        return reading

    def name_subject(self) -> str:
        """Return the words to rank by with the title of the document for a pronoun, where only one was found.

        A title that is the name of its file names no thing. In a conversation, or behind another part of the question,
        the pronoun stands for what was spoken of.
        """
        chunks = {p.chunk.document_id: p.chunk for p in (*self.sources.passages, *self.candidates)}
        if len(chunks) != 1 or self.is_part or self.asked.endswith(")"):
            return self.ranked
        [chunk] = chunks.values()
        is_file_name = chunk.title.casefold() == PurePosixPath(unquote(urlsplit(chunk.uri).path)).name.casefold()
        return self.ranked if is_file_name else resolve_pronoun(self.ranked, chunk.title)

    @property
    def is_corrected(self) -> bool:
        return self.question.text != " ".join(self.asked.split())

    @property
    def is_change(self) -> bool:
        return asks_change(self.asked)

    @property
    def relevance(self) -> float:
        """The best score of a passage, or of a unit that says all that is asked or is of a long passage.

        The ranker scores notes of many small things low for each of them, and reads a window of a long one alone.
        """
        best = max(self.passage_scores)
        certain = self.stating if asks_certain_kind(self.question) else frozenset()
        for at, (unit, score) in enumerate(zip(self.units, self.scores, strict=True)):
            if unit.passage <= len(self.considered) and score > best:
                text = self.considered[unit.passage - 1].chunk.indexed_text
                best = score if at in certain or count_tokens(text) > WINDOW_TOKENS else best
        return best

    @property
    def considered(self) -> tuple[ScoredChunk, ...]:
        return self.sources.passages[:MOST_PASSAGES]

    def answer_whole(self) -> QuotedAnswer | None:
        """Return an answer that needs no ranker: facts of documents, and summaries."""
        answer = state_facts(self.question, self.sources) or quote_changes(self.question, self.sources)
        answer = answer or state_events(self.question, self.sources)
        answer = answer or state_events(self.question, self.sources)
        if answer is None and self.question.kind == "summary":
            answer = summarise(self.question, self.sources)
        return self.give(answer.pieces, "") if answer is not None else None

    def answer_specially(self, chosen: Sequence[QuotableUnit]) -> RecipeAnswer | None:
        """Return what a list or a table answers, where it accounts for as much of the question as ``chosen``."""
        covered = self.coverage("\n".join(unit.scored_text for unit in chosen))
        answers: list[RecipeAnswer] = []
        recipes = (
            list_items(self.question, self.sources),
            quote_section(self.question, self.sources),
            look_up_table(self.question, self.sources),
        )
        answers += [answer for answer in recipes if answer is not None]
        answers = [answer for answer in answers if answer.coverage >= covered - (0.1 if answer.is_whole else 0.0)]
        return max(answers, key=lambda answer: answer.coverage, default=None)

    def coverage(self, text: str) -> float:
        """Return the share of the question's words that a text holds."""
        return _share(self.question.words, text)

    def weighty_coverage(self, text: str) -> float:
        """Return the same of the words that say what is asked: "happen" and "use" count where there are no others."""
        return _share(self.question.words - LIGHT_WORDS or self.question.words, text)

    def evidence(
        self, chosen: Sequence[QuotableUnit], thresholds: ScoreThresholds, special: RecipeAnswer | None
    ) -> float:
        """Return the evidence for an answer, see ``ScoreThresholds.answer_from``."""
        spoken_for = (name for name in self.question.names for unit in chosen if self._speaks_for(name, unit))
        text = "\n".join((*(unit.scored_text for unit in chosen), *spoken_for))
        covered = special.coverage if special is not None else self.weighty_coverage(text)
        missing = self.count_missing(chosen) if special is None else 0.0
        score = max(*self.scores, self.together) - thresholds.missing * missing + thresholds.coverage * covered
        if special is not None:
            return score + self.relevance
        best = self.best_of(chosen)
        if self.names_subject:
            level = statistics.median(self.scores)
            return score + self.score_of(best) - NAMED_LEVEL * level
        return score + self.relevance + self.measure_standing(best, thresholds)

    def relevance_beside(self, best: QuotableUnit, thresholds: ScoreThresholds) -> float:
        """Return the relevance; that of the best unit where it is higher and stands in a terse note.

        Where a pronoun is ranked as the title, which every unit stands under, the best unit alone tells.
        """
        if not self.is_in_note(best, thresholds) and not self.names_subject:
            return self.relevance
        return max(self.relevance, self.score_of(best))

    def measure_standing(self, best: QuotableUnit, thresholds: ScoreThresholds) -> float:
        """Return the evidence that the best unit adds as a sentence of a terse note, which it counts for.

        A note of many small things is scored low for each of them: what tells is how far a sentence with half of the
        question's words scores above its note. Where nothing answers, it scores as its note; under a title that the
        question names all its sentences score alike.
        """
        if self.names_subject or not self.is_in_note(best, thresholds):
            return 0.0
        gained = self.relevance_beside(best, thresholds) - self.relevance
        if 2 * self.weighty_coverage(best.scored_text) < 1.0:
            return gained
        beside = [score for score, each in zip(self.scores, self.units, strict=True) if each.passage == best.passage]
        level = max(self.passage_scores[best.passage - 1], statistics.median(beside))
        above = max(0.0, self.score_of(best) - level)
        return gained + min(MOST_STANDING_OUT, thresholds.stands_out * above)

    def measure_doubt(self, best: QuotableUnit, thresholds: ScoreThresholds) -> float:
        """Return the evidence that does not make an answer certain: by standing out, without a word of the question."""
        is_whole = self.weighty_coverage(best.scored_text) >= 1.0
        return 0.0 if is_whole else self.measure_standing(best, thresholds)

    def score_of(self, unit: QuotableUnit) -> float:
        at = next((i for i, each in enumerate(self.units) if each.document_place == unit.document_place), None)
        return self.scores[at] if at is not None else -math.inf

    def is_in_note(self, unit: QuotableUnit, thresholds: ScoreThresholds) -> bool:
        """Return whether a unit is a sentence of a passage whose sentences are short: a note of many small things."""
        if not thresholds.stands_out or unit.passage > len(self.considered) or unit.is_row:
            return False
        return are_short([each for each in self.units if each.passage == unit.passage], TERSE_WORDS)

    def is_of_short_sentences(self, unit: QuotableUnit) -> bool:
        """Return whether the sentences of the document of a unit, as far as they were found, are short."""
        return are_short(self._units_beside(unit), AGREEING_WORDS)

    def lacks_owned(self, unit: QuotableUnit) -> bool:
        """Return whether the document of a unit never speaks of what somebody has in the question."""
        owned = content_words(find_owned(self.ranked))
        return bool(owned) and not any(owned & content_words(each.scored_text) for each in self._units_beside(unit))

    def _units_beside(self, unit: QuotableUnit) -> list[QuotableUnit]:
        document = unit.document_place[0]
        return [each for each in (*self.units, *self.unread) if each.document_place[0] == document]

    def count_missing(self, chosen: Sequence[QuotableUnit]) -> float:
        """Return how many names of the question the quotes are not about; half of one that their passages have."""
        missing = missing_names(self.question.text, chosen)
        passages = (*self.sources.passages, *self.sources.added)
        around = "\n".join(passages[unit.passage - 1].chunk.indexed_text for unit in chosen)
        near = [name for name in missing if holds_name(name, around)]
        own = [name for name in missing if any(self._speaks_for(name, unit) for unit in chosen)]
        return len([name for name in missing if name not in own]) - len([name for name in near if name not in own]) / 2

    def _speaks_for(self, name: str, unit: QuotableUnit) -> bool:
        """Return whether a unit says "we" in a document under the name of a firm: a page of its site, a file of it."""
        chunk = (*self.sources.passages, *self.sources.added)[unit.passage - 1].chunk
        return says_we(unit) and holds_name(name, f"{chunk.uri} {chunk.title}")

    def missing_codes(self, chosen: Sequence[QuotableUnit], special: RecipeAnswer | None) -> list[str]:
        """Return the codes of the question that nothing in the answer names."""
        if special is not None:
            return []
        text = "\n".join(unit.scored_text for unit in chosen)
        return [code for code in self.question.codes if not holds_code(code, text)]

    def undefined_acronyms(self, chosen: Sequence[QuotableUnit]) -> list[str]:
        """Return the acronyms whose meaning is asked for and that no quote has or spells out: SLO is no SLA."""
        if self.question.kind != "definition":
            return []
        words = split_words("\n".join(unit.scored_text for unit in chosen))
        initials = "".join(word[0] for word in words)
        asked = [name for name in self.question.names if len(name) > 1 and name.isupper()]
        return [name for name in asked if name.casefold() not in words and name.casefold() not in initials]

    def quote(self, unit: QuotableUnit) -> list[str]:
        """Return the pieces of a unit with its markers; a row of a table comes under its header and caption."""
        return quote_units([unit, *unit.follows], self.sources)

    def render(self, disagreement: Disagreement) -> list[str]:
        """Return the pieces of what sources say that contradict each other."""
        sources = self.sources
        passages = (*sources.passages, *sources.added)
        return render_disagreement(disagreement, sources.documents, passages, self.quote, is_change=self.is_change)

    def find_corrector(self, best: QuotableUnit, candidates: Sequence[ScoredChunk]) -> Disagreement | None:
        """Return the best unit with a sentence of a candidate that corrects it; None where none does."""
        for unit, passage in list_correctors(self.question, candidates):
            corrected = find_corrected(self.question, best, unit, passage.chunk)
            if corrected is not None:
                return self.cite_correction(corrected, passage)
        return None

    def cite_correction(self, corrected: Correction, passage: ScoredChunk) -> Disagreement:
        """Return a correction whose other unit is of ``passage``, which gets a number."""
        number = self.sources.add(passage)
        follows = tuple(replace(line, passage=number) for line in corrected.unit.follows)
        unit = replace(corrected.unit, passage=number, follows=follows, copies=())
        return Disagreement((corrected.best, unit), corrected.conflict)

    def compare_row(self, answer: TableAnswer, candidates: Sequence[ScoredChunk] = ()) -> Disagreement | None:
        """Return the only row that answers with a sentence of another document that says otherwise; else None.

        A sentence of a candidate counts where it corrects the row.
        """
        if len(answer.rows) != 1 or (answer.is_computed and not answer.counts_only):
            return None
        [row] = answer.rows
        cell = find_asked_cell(self.question, answer.table, row)
        document = answer.table.document.id
        units = (*self.units, *self.unread)
        at_row = (u for u in units if u.document_place[0] == document and row.start <= u.document_place[1] < row.end)
        row_unit = next(at_row, None)
        if row_unit is None:
            return None
        for unit in units:
            if unit.passage > len(self.considered):
                continue
            around = self.considered[unit.passage - 1].chunk
            corrected = find_corrected(self.question, row_unit, unit, around)
            if corrected is not None:
                return Disagreement((corrected.best, corrected.unit), corrected.conflict)
            if cell is None:
                continue
            conflict = find_row_contradiction(self.question, row_unit, cell, unit, around)
            if conflict is not None:
                return Disagreement((row_unit, unit), conflict)
        return self.find_corrector(row_unit, candidates)

    def compare_tables(self, answer: TableAnswer | None) -> list[str]:
        """Return the rows of an answer with those of other documents that say otherwise; nothing where none does."""
        contrary = find_contrary_tables(self.question, answer, self.sources) if answer is not None else []
        if answer is None or not contrary:
            return []
        return render_tables([answer, *contrary], self.sources, is_change=self.is_change)

    def best_of(self, chosen: Sequence[QuotableUnit]) -> QuotableUnit:
        """Return the chosen unit with the best score; the first one where none of them was scored, as of a witness."""
        places = {unit.document_place for unit in chosen}
        ranked = sorted(range(len(self.units)), key=lambda i: (-self.scores[i], i))
        return next((self.units[i] for i in ranked if self.units[i].document_place in places), chosen[0])

    def give(self, pieces: Sequence[str], remark: str) -> QuotedAnswer:
        """Return an answer, with the remark that typing errors were corrected."""
        remarks = [remark] if remark else []
        if self.is_corrected:
            remarks.append(f"read as “{self.question.text}”")
        return QuotedAnswer(
            pieces=tuple(pieces),
            remark="; ".join(remarks),
            added=tuple(self.sources.added),
            kind=self.question.kind,
            evidence=self.weighed,
            frame=collect_frame(pieces),
        )

    def refuse(self, remark: str, missing: Sequence[str] = ()) -> QuotedAnswer:
        """Return the refusal: what was searched, what was nearest, and what is missing."""
        best = sorted(range(len(self.scores)), key=lambda i: (-self.scores[i], i))
        nearest = [self.units[i] for i in best] or self.units
        rest = describe_unknown(self.question, self.considered, nearest, missing)
        return QuotedAnswer(pieces=(I_DONT_KNOW, *rest), remark=remark, kind=self.question.kind, evidence=self.weighed)


def _share(wanted: Set[str], text: str) -> float:
    return len(wanted & content_words(text)) / len(wanted) if wanted else 1.0


def are_short(units: Sequence[QuotableUnit], most_words: int) -> bool:
    """Return whether there are enough units to judge by, and half of them have at most so many words."""
    lengths = [count_words(unit.quote) for unit in units]
    return len(lengths) >= LEAST_TERSE_UNITS and statistics.median(lengths) <= most_words
