"""The writer without a language model: the sentences that answer best, quoted word for word and cited.

Each kind of question has its own way (``questions``): facts of documents, summaries, whole lists and tables come by
``recipes``; the rest by the cross-encoder, which reads the sentences of the passages that are near the best one, each
in its surroundings (``units``); of many long ones the likeliest. The tuning and its results on questions that nothing
was tuned on are in ``docs/12_EXTRACTIVE.md``. It is no judge of questions that the passages nearly answer: relevance
is not answerability.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import ValidationError

from roma_core.cache import Cache
from roma_core.embeddings.base import EmbeddingResult
from roma_core.languages import UNKNOWN, count_words, describe_language, detect_language, is_covered
from roma_core.markup import collect_frame, read_markers, remove_markers
from roma_core.markup.compound import drop_topic, name_found_subject, name_subject, split_question
from roma_core.markup.questions import (
    LIGHT_WORDS,
    Question,
    content_words,
    focus_question,
    read_keywords,
    read_question,
    split_words,
    stem_word,
)
from roma_core.markup.windows import cut_windows
from roma_core.rerank import find_languages
from roma_core.types import ComponentHealth, Document, ScoredChunk, Usage, digest
from roma_core.writers.base import Draft, WritingContext
from roma_core.writers.extractive.calibration import (
    AGREEMENTS,
    UNCALIBRATED,
    KindThreshold,
    RiskContract,
    thresholds_of,
)
from roma_core.writers.extractive.clauses import choose_part, list_parts
from roma_core.writers.extractive.comparisons import compare_sides
from roma_core.writers.extractive.expectations import (
    affirms_denied,
    asks_certain_kind,
    definition_bonus,
    describe_asked,
    find_definition_units,
    find_statements,
    find_stating,
    lift_statements,
    type_penalty,
)
from roma_core.writers.extractive.overlap import OverlapRanker
from roma_core.writers.extractive.reading import (
    AGREEING_WORDS,
    MOST_PASSAGES,
    FoundSources,
    PairScores,
    QuotedAnswer,
    Reading,
    SentenceRanker,
    are_short,
)
from roma_core.writers.extractive.recipes import (
    RecipeAnswer,
    add_headings,
    find_rows,
    look_up_foreign,
    look_up_keywords,
    quote_reference,
    quote_rows,
    quote_units,
)
from roma_core.writers.extractive.selection import (
    SHORT_WORDS,
    Disagreement,
    choose_sides,
    choose_units,
    find_contradiction,
    find_corrected,
    find_disagreement,
    find_misfit,
    find_missed_scope,
    in_document_order,
    is_row_beside,
    leave_out_further,
    leave_out_items,
    leave_out_uncounted,
    refers_back,
    speaks_of,
)
from roma_core.writers.extractive.sources import CitedSources, DocumentLibrary, read_by_ids, read_documents
from roma_core.writers.extractive.spans import (
    find_foreign_language,
    find_least_share,
    find_row_disagreement,
    quote_by_spans,
)
from roma_core.writers.extractive.tables import TableAnswer, find_missing_thing
from roma_core.writers.extractive.units import QuotableUnit
from roma_core.writers.extractive.witnesses import find_relatives, find_witnesses
from roma_core.writers.extractive.wording import (
    find_absent_thing,
    find_missing,
    join_parts,
    render_best_passages,
)
from roma_core.writers.further import find_further_questions

VERSION = "59"
CACHE_KIND = "quotes"
UNREAD = -100.0
"""Score of a passage that the ranker cannot read."""
MISSED_QUESTION = 2
"""Missing names that a quote counts for which has no word of the question in its own words."""
FOREIGN_GAIN = 1.5
"""Logits that a quote gains without a word of the question from which on the word speaks against it."""
MOST_FOREIGN = 3
NEXT_GAIN = 1.5
"""Logits that a sentence gains by the next one from which on the next one is a part of the answer."""
MOST_SCORED = 8
"""Long sentences that the ranker reads, those with most words of the question. Over 7,658 passages the slowest answers
take a tenth less of the processor's time than with all, and 98 of 100 are the same."""
LEAST_LEVEL_UNITS = 6
"""Units of a document from which on the score of the middle one is the level of what does not answer."""
MOST_AGREEING = 24
"""Units of a note, the best ones, that the embedder reads."""
AGREEING_STEP = 4
"""Units that it reads before it is looked whether more of them can matter."""
SURE_COVERAGE = 0.75
"""Share of the question's words from which on a list or table answers whatever the ranker says: a row scores low."""


class SentenceEmbedder(Protocol):
    """The part of an embedder that this writer needs: its name, and unit vectors of texts and of a question."""

    @property
    def name(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult: ...

    async def embed_query(self, text: str) -> EmbeddingResult: ...


@dataclass(frozen=True)
class _Weight:
    """What speaks for an answer, and what against it."""

    evidence: float
    """See ``ScoreThresholds.answer_from``."""
    certain: float
    """The part of the evidence that makes an answer certain."""
    foreign: Sequence[str] = ()
    """Words of the question that no source has and that speak against it."""
    stands_by_both: bool = False
    """True where ranker and embedder together find it."""


class ExtractiveWriter:
    """Writer that quotes what ``ranker`` finds best; None ranks by shared words.

    ``why`` says why answers are quoted::

        writer = ExtractiveWriter(LocalReranker())
        pieces = [piece async for piece in writer.write("When was it built?", passages, context)]

    ``library`` lets it read whole documents: their lists, tables, headings and facts. ``cache`` keeps answers by
    everything that decides them. ``contract`` replaces the shipped threshold for answering by calibrated ones.
    ``embedder`` is heard too where the ranker is unsure of a sentence of a note, if it was measured with the ranker.
    """

    name = "extractive"

    def __init__(
        self,
        ranker: SentenceRanker | None = None,
        *,
        why: str = "",
        cache: Cache | None = None,
        library: DocumentLibrary | None = None,
        contract: RiskContract | None = None,
        embedder: SentenceEmbedder | None = None,
    ) -> None:
        self._ranker: SentenceRanker = ranker or OverlapRanker()
        self._ranks_by_words = ranker is None
        self._thresholds = thresholds_of(self._ranker.name)
        self._languages = frozenset({"en"}) if ranker is None else find_languages(self._ranker.name)
        self._why = why
        self._cache = cache
        self._library = library
        self._contract = contract
        is_measured = self._thresholds is not None and self._thresholds.stands_out > 0
        self._agreement = AGREEMENTS.get(embedder.name) if embedder is not None and is_measured else None
        self._embedder = embedder if self._agreement is not None else None

    @property
    def ranker_name(self) -> str:
        """The name of the ranker, to which thresholds belong."""
        return self._ranker.name

    @property
    def scorer(self) -> str:
        """The identity of the evidence that it weighs."""
        beside = f"+{self._embedder.name}" if self._embedder is not None else ""
        return f"extractive/{VERSION}:{self._ranker.name}{beside}"

    @property
    def fingerprint(self) -> str:
        return f"{self.scorer}:{self._contract.identity}" if self._contract is not None else self.scorer

    async def health(self) -> ComponentHealth:
        """The ranker reports its own health as ``reranker``."""
        return ComponentHealth()

    async def write(
        self, question: str, passages: Sequence[ScoredChunk], context: WritingContext
    ) -> AsyncGenerator[str | Draft, None]:
        """Yield quotes with their markers, or the sentence that ROMA does not know. Raises the ranker's error."""
        asked = focus_question(_with_reading(question, context.reading))
        found = await self._gather_sources(passages, context)
        answer, is_cached = await self._cached_answer(asked, found)
        for piece in answer.pieces:
            yield piece
        why = "" if answer.is_refusal else self._why
        text = "".join(answer.pieces)
        given = (*passages, *answer.added)
        follow_ups = await asyncio.to_thread(find_further_questions, context.reading or question, text, given)
        yield Draft(
            text=text,
            model=self.name,
            reason="; ".join(part for part in (why, answer.remark) if part),
            follow_ups=follow_ups,
            usage=Usage(cache_hits=1) if is_cached else Usage(),
            passages_read=len(passages),
            added=answer.added,
            is_partial=answer.is_partial,
            frame=answer.frame,
        )

    async def weigh(self, question: str, passages: Sequence[ScoredChunk], context: WritingContext) -> QuotedAnswer:
        """Return the answer that ``write`` would give were no evidence too little, with its evidence.

        Rules that refuse whatever the evidence still do. Raises the ranker's error.
        """
        asked = focus_question(_with_reading(question, context.reading))
        found = await self._gather_sources(passages, context)
        return await self._answer(asked, found, KindThreshold(-math.inf))

    async def _gather_sources(self, passages: Sequence[ScoredChunk], context: WritingContext) -> FoundSources:
        """Return the passages with their documents, the other candidates, and other editions of the documents."""
        tenant, candidates = context.query.tenant, context.candidates
        documents = await read_documents(self._library, tenant, passages[:MOST_PASSAGES])
        relatives = find_relatives(passages[:MOST_PASSAGES], candidates)
        editions = await read_by_ids(self._library, tenant, relatives)
        return FoundSources(tuple(passages), documents, tuple(candidates), editions)

    async def _cached_answer(self, question: str, found: FoundSources) -> tuple[QuotedAnswer, bool]:
        """Return the answer and True when it came out of the cache."""
        cache = self._cache
        if cache is None or not (cache.reads or cache.writes):
            return await self._answer(question, found, None), False
        key = self._key(question, found)
        data = await asyncio.to_thread(cache.get, CACHE_KIND, key)
        kept = _read_answer(data)
        if kept is not None:
            return kept, True
        answer = await self._answer(question, found, None)
        await asyncio.to_thread(cache.put, CACHE_KIND, key, answer.model_dump_json().encode())
        return answer, False

    async def answer(
        self,
        question: str,
        passages: Sequence[ScoredChunk],
        documents: Sequence[Document] = (),
        candidates: Sequence[ScoredChunk] = (),
    ) -> QuotedAnswer:
        """Return the quotes that answer ``question``, or the refusal with the score that decided it.

        ``documents`` are those of the passages; without them lists, tables and facts are not looked up. ``candidates``
        are passages that were found beside them: a source among them that says otherwise is quoted too.
        """
        return await self._answer(question, FoundSources(tuple(passages), tuple(documents), tuple(candidates)), None)

    async def _answer(self, question: str, found: FoundSources, threshold: KindThreshold | None) -> QuotedAnswer:
        """Return the answer; ``threshold`` replaces that of the contract or of the ranker."""
        passages = found.passages
        considered = passages[:MOST_PASSAGES]
        pairs = PairScores(self._ranker)
        if not considered:
            return Reading.begin(question, FoundSources(), pairs).refuse("no passages")
        reading = Reading.begin(question, found, pairs)
        part = await asyncio.to_thread(quote_reference, question, reading.sources)
        if part is not None:
            return reading.give(part.pieces, "")
        foreign = await asyncio.to_thread(find_foreign_language, self._languages, question, considered)
        if not foreign:
            return await self._answer_ranked(question, found, pairs, threshold)
        if self._is_readable_beside(question, considered):
            answer = await self._answer_ranked(question, found, pairs, threshold)
            if not answer.is_refusal:
                return answer
        return await self._quote_by_spans(Reading.begin(question, found, pairs), foreign)

    def _is_readable_beside(self, question: str, passages: Sequence[ScoredChunk]) -> bool:
        """Return whether the ranker knows the language of the question and of a passage behind the first one.

        One that shows no language is likely in that of the first one.
        """
        shown = [passage.chunk.facts.language for passage in passages if passage.chunk.facts.language != UNKNOWN]
        is_read = is_covered(self._languages, detect_language(question))
        return is_read and any(is_covered(self._languages, language) for language in shown)

    async def _answer_ranked(
        self, question: str, found: FoundSources, pairs: PairScores, threshold: KindThreshold | None
    ) -> QuotedAnswer:
        """Return the answer by the ranker's scores: that to each part of a question with several."""
        parts = split_question(question)
        if len(parts) > 1:
            answer = await self._answer_parts(question, parts, found, pairs, threshold)
            if answer is not None:
                return answer
        return await self._answer_reading(Reading.begin(question, found, pairs), threshold)

    async def _answer_parts(
        self,
        question: str,
        parts: Sequence[str],
        found: FoundSources,
        pairs: PairScores,
        threshold: KindThreshold | None,
    ) -> QuotedAnswer | None:
        """Return the answers to the parts of a question, one after the other; None where no part can be answered.

        A part that no source answers is named at the end.
        """
        sources = CitedSources(found.passages, found.documents, found.relatives)
        answers: list[QuotedAnswer] = []
        for part in parts:
            reading = Reading.begin(part, found, pairs, sources)
            reading.is_part = True
            answer = await self._answer_reading(reading, threshold)
            given = [other for other in answers if not other.is_refusal]
            if given and drop_topic(part) != part and not _adds_quote(part, answer, given):
                found_name = name_found_subject(part, parts[0], _read_quotes(answers[0]))
                for words in (name_subject(part, parts[0]), found_name, drop_topic(part)):
                    alone = await self._answer_alone(words, found, pairs, sources, threshold, given) if words else None
                    if alone is not None:
                        answer = alone
                        break
            answers.append(answer)
        if all(answer.is_refusal for answer in answers):
            return None
        weighed = [a.evidence for a in answers if not a.is_refusal and a.evidence is not None]
        given = [answer for answer in answers if not answer.is_refusal]
        pieces = join_parts(parts, [() if a.is_refusal else a.pieces for a in answers])
        lines = (line for answer in given for line in answer.frame)
        return QuotedAnswer(
            pieces=tuple(pieces),
            frame=tuple(dict.fromkeys((*lines, *collect_frame(pieces)))),
            remark="; ".join(dict.fromkeys(answer.remark for answer in answers if answer.remark)),
            added=tuple(sources.added),
            kind=read_question(question).kind,
            evidence=min(weighed, default=None),
            is_partial=any(answer.is_refusal for answer in answers),
        )

    async def _answer_alone(
        self,
        words: str,
        found: FoundSources,
        pairs: PairScores,
        sources: CitedSources,
        threshold: KindThreshold | None,
        given: Sequence[QuotedAnswer],
    ) -> QuotedAnswer | None:
        """Return the answer to a part in its own ``words``; None where it quotes nothing that was not quoted before.

        The words of the first part, which stand for its pronoun, may weigh more than its own. Words without a name are
        answered by the documents alone that answer the parts before it.
        """
        reading = Reading.begin(words, found, pairs, sources)
        is_telling = bool(reading.question.names)
        documents = {p.chunk.document_id for p in found.passages} if is_telling else _find_quoted(given, sources)
        reading.is_part = True
        reading.units = [unit for unit in reading.units if unit.document_place[0] in documents]
        reading.candidates = ()
        if not reading.units:
            return None
        answer = await self._answer_reading(reading, threshold)
        is_within = _find_quoted([answer], sources) <= documents
        return answer if is_within and _adds_quote(words, answer, given) else None

    async def _answer_reading(self, reading: Reading, threshold: KindThreshold | None) -> QuotedAnswer:
        passages = reading.sources.passages
        reading.units = [
            unit
            for unit in reading.units
            if is_covered(self._languages, passages[unit.passage - 1].chunk.facts.language)
        ]
        if reading.question.kind == "keywords":
            return await self._answer_keywords(reading)
        answer = reading.answer_whole()
        if answer is None:
            await self._score(reading)
            answer = await self._decide(reading, threshold or self._find_threshold(reading.question.kind))
        return answer

    def _find_threshold(self, kind: str) -> KindThreshold:
        if self._contract is not None:
            return self._contract.find_threshold(kind)
        return KindThreshold((self._thresholds or UNCALIBRATED).answer_from)

    async def _score(self, reading: Reading) -> None:
        """Have the passages scored, then the units of those near the best one."""
        thresholds = self._thresholds or UNCALIBRATED
        if thresholds.stands_out and len(reading.units) >= LEAST_LEVEL_UNITS:
            named = reading.name_subject()
            reading.names_subject, reading.ranked = named != reading.ranked, named
        reading.passage_scores = await self._passage_scores(reading)
        least = max(reading.passage_scores) - thresholds.passage_gap
        reads_all = reading.names_subject or max(reading.passage_scores) < thresholds.near_from
        near = [unit for unit in reading.units if reads_all or reading.passage_scores[unit.passage - 1] >= least]
        near = near or reading.units
        if not self._ranks_by_words:
            near = choose_likeliest(reading.question, near)
        reading.unread = [unit for unit in reading.units if unit not in near]
        reading.units = [*near, *find_definition_units(reading.question, reading.sources)]
        scores = await reading.pairs.of(reading.ranked, [unit.scored_text for unit in reading.units])
        question = reading.question
        reading.stating = find_statements(question, reading.units)
        weighed = [
            score + definition_bonus(question, unit) - type_penalty(question, unit)
            for score, unit in zip(scores, reading.units, strict=True)
        ]
        reading.scores = lift_statements(question, reading.units, weighed, reading.stating)

    async def _decide(self, reading: Reading, threshold: KindThreshold) -> QuotedAnswer:
        """Return the answer that the scores allow."""
        question = reading.question
        if not reading.units:
            return reading.refuse("the passages hold no sentence to quote")
        gap = (self._thresholds or UNCALIBRATED).gap
        chosen = choose_sides(question, reading.units, reading.scores)
        chosen = chosen or choose_units(question, reading.units, reading.scores, gap)
        special = reading.answer_specially(chosen)
        if special is not None and special.coverage >= SURE_COVERAGE:
            return await self._give_table(reading, special.table, special.pieces, "")
        best = reading.best_of(chosen)
        if special is not None and special.table is not None and not _is_in_document(best, special.table):
            special = None  # the ranker finds the answer in another document than the rows that may be meant
        if special is None and self._thresholds is not None:
            chosen = await self._add_next(reading, best, chosen)
        weight = await self._weigh(reading, chosen, special, threshold)
        refusal = self._refuse_by_rules(reading, chosen, special, weight)
        if refusal is not None:
            return refusal
        reading.weighed = weight.evidence
        if weight.evidence < threshold.answer_from:
            limit = f"{threshold.answer_from:g} ({threshold.origin})"
            return reading.refuse(f"the evidence scores {weight.evidence:.1f}, below {limit}", weight.foreign)
        remark = self._remark(weight, threshold)
        if special is not None:
            return await self._give_table(reading, special.table, special.pieces, remark)
        rows = find_rows(chosen, reading.sources)
        if rows is not None and (lacking := find_missing_thing(question, rows)):
            return reading.refuse(f"no row is about {lacking}", [lacking])
        if rows is not None:
            return await self._give_table(reading, rows, quote_rows(rows, reading.sources), remark)
        is_sure = self._thresholds is None or weight.certain >= self._thresholds.confident_from
        stating = find_stating(question, chosen, best) or best
        disagreement = await self._find_disagreement(reading, stating, among_candidates=is_sure)
        if disagreement is not None:
            return reading.give(reading.render(disagreement), remark)
        chosen = leave_out_further(question, chosen, best, reading.score_of)
        chosen = await self._shorten(reading, chosen)
        chosen = leave_out_uncounted(question, leave_out_items(question, chosen))
        quotes = quote_units(add_headings(question, chosen, reading.sources), reading.sources)
        lead = compare_sides(question, chosen)
        return reading.give([f"{lead}\n\n", *quotes] if lead else quotes, remark)

    async def _weigh(
        self,
        reading: Reading,
        chosen: Sequence[QuotableUnit],
        special: RecipeAnswer | None,
        threshold: KindThreshold,
    ) -> _Weight:
        """Return what speaks for an answer by the chosen units, or by the list or table that is ``special``."""
        thresholds = self._thresholds or UNCALIBRATED
        evidence = reading.evidence(chosen, thresholds, special)
        if special is not None:
            return _Weight(evidence, evidence)
        best = reading.best_of(chosen)
        evidence -= 0.0 if speaks_of(reading.question, best) else MISSED_QUESTION * thresholds.missing
        evidence -= thresholds.missing / 2 if is_row_beside(reading.question, best) else 0.0
        agreed = await self._measure_agreement(reading, best, evidence)
        stands_by_both = agreed > evidence
        evidence = max(evidence, agreed)
        most = (evidence - threshold.answer_from) / thresholds.missing if thresholds.missing else math.inf
        foreign = await self._find_foreign_words(reading, best, most)
        standing = reading.measure_standing(best, thresholds) if foreign and not stands_by_both else 0.0
        evidence -= thresholds.missing * len(foreign) + standing
        doubt = math.inf if stands_by_both else reading.measure_doubt(best, thresholds)
        return _Weight(evidence, evidence - doubt, foreign, stands_by_both)

    def _refuse_by_rules(
        self, reading: Reading, chosen: Sequence[QuotableUnit], special: RecipeAnswer | None, weight: _Weight
    ) -> QuotedAnswer | None:
        """Return the refusal of what is no answer whatever the evidence; None where nothing speaks against it."""
        question = reading.question
        if thing := find_absent_thing(question, reading.considered):
            return reading.refuse(f"no source speaks of {thing}", [thing])
        if missing := reading.missing_codes(chosen, special) or reading.undefined_acronyms(chosen):
            return reading.refuse(f"no source speaks of {', '.join(missing)}", missing)
        best = reading.best_of(chosen)
        if special is None and (missed := find_missed_scope(question, reading.units, reading.scores, chosen)):
            return reading.refuse(f"no source speaks of {missed}", [missed])
        if special is None and all(affirms_denied(question, unit) for unit in chosen):
            return reading.refuse("no source says it of what the question denies")
        if special is None and find_stating(question, chosen, best) is None:
            return reading.refuse(f"no source states {describe_asked(question)} for it")
        thresholds = self._thresholds or UNCALIBRATED
        relevance = reading.relevance_beside(best, thresholds) if special is None else reading.relevance
        if relevance < thresholds.refuse_below and not weight.stands_by_both:
            return reading.refuse(f"best passage scores {relevance:.1f}, below {thresholds.refuse_below}")
        return None

    async def _measure_agreement(self, reading: Reading, best: QuotableUnit, evidence: float) -> float:
        """Return the evidence that ranker and embedder give together for the best unit, where it is above ``evidence``.

        Else -inf. So it is for a row, among long sentences where it was not measured, where another unit is nearer,
        where a name of the question is missing (SLO is near to SLA), and where the document has no word for what a
        named one is said to have: all of "Mara's husband" but the husband is near her.
        """
        weights, embedder, thresholds = self._agreement, self._embedder, self._thresholds
        if weights is None or embedder is None or thresholds is None or evidence >= thresholds.confident_from:
            return -math.inf
        if best.is_row or not reading.is_of_short_sentences(best) or reading.lacks_owned(best):
            return -math.inf
        missing = reading.count_missing([best])
        if missing >= 1:
            return -math.inf
        place = best.document_place
        order = sorted(range(len(reading.units)), key=lambda at: (-reading.scores[at], at))
        units = (*(reading.units[at] for at in order), *reading.unread)
        others = [unit for unit in units if unit.document_place != place][: MOST_AGREEING - 1]
        asked = (await embedder.embed_query(reading.ranked)).vector
        texts = [unit.scored_text for unit in (best, *others)]
        words = weights.words * reading.weighty_coverage(best.own_text)
        alone = reading.score_of(best) + words - weights.offset - thresholds.missing * missing
        cosines: list[float] = []
        for start in range(0, len(texts), AGREEING_STEP):
            read = (await embedder.embed(texts[start : start + AGREEING_STEP])).vectors
            cosines += [float(cosine) for cosine in read @ asked]
            margin = cosines[0] - max(cosines[1:], default=cosines[0])
            agreed = min(alone + weights.margin * margin, thresholds.confident_from)
            if margin < 0 or agreed <= evidence:
                return -math.inf  # the units that follow can only take away from it
        return agreed

    async def _add_next(self, reading: Reading, best: QuotableUnit, chosen: list[QuotableUnit]) -> list[QuotableUnit]:
        """Return the chosen units with the sentence that goes on from the best one, where only both together answer.

        "In 1854 there was a rebellion at Ballarat. It was crushed by British troops.": alone the second speaks of
        nothing that is asked. Their score is the evidence then.
        """
        following = best.next
        is_quoted = following is None or any(unit.document_place == following.document_place for unit in chosen)
        if self._ranks_by_words or following is None or is_quoted or find_misfit(reading.question, following):
            return chosen
        if not refers_back(following) and not reading.question.words & content_words(following.quote):
            return chosen  # another subject
        if any(reading.units[at].document_place == best.document_place for at in reading.stating):
            return chosen  # it has all words of the question, and states what is asked
        both = replace(best, quote=f"{best.quote} {following.quote}")
        alone, together = await reading.pairs.of(reading.ranked, [best.scored_text, both.scored_text])
        if together - alone < NEXT_GAIN:
            return chosen
        reading.together = together
        words = sum(count_words(unit.quote) for unit in (*chosen, following))
        is_long = words > SHORT_WORDS and len(chosen) == 1
        if is_long and not refers_back(following) and not asks_certain_kind(reading.question):
            return chosen  # the next sentence makes it more certain, and is no part of what it says
        return in_document_order(reading.units, [*chosen, following])

    async def _shorten(self, reading: Reading, chosen: list[QuotableUnit]) -> list[QuotableUnit]:
        """Return the part of a single long sentence that answers, where one answers as well as the whole."""
        if len(chosen) != 1:
            return chosen
        parts = await asyncio.to_thread(list_parts, reading.question, chosen[0])
        if not parts:
            return chosen
        whole, *scores = await reading.pairs.of(
            reading.ranked, [chosen[0].scored_text, *(part.scored_text for part in parts)]
        )
        return [choose_part(reading.question, chosen[0], whole, parts, scores)]

    async def _give_table(
        self, reading: Reading, answer: TableAnswer | None, pieces: Sequence[str], remark: str
    ) -> QuotedAnswer:
        """Return the rows of a table that answer, with what another table or a sentence says otherwise."""
        contrary = reading.compare_tables(answer)
        if contrary:
            return reading.give(contrary, remark)
        candidates = self._list_candidates(reading)
        disagreement = reading.compare_row(answer, candidates) if answer is not None else None
        return reading.give(reading.render(disagreement) if disagreement is not None else pieces, remark)

    async def _find_foreign_words(self, reading: Reading, best: QuotableUnit, most: float) -> list[str]:
        """Return the words of the question that no passage has and that speak against the best unit.

        Without such a word the ranker finds the unit clearly better: "What do the dues of 2024 charge for a houseboat?"
        is not what the dues of 2024 say. Names have a rule of their own. They are looked for where they decide: the
        answer stands with up to ``most`` of them.
        """
        if self._thresholds is None or self._ranks_by_words or most < 0:
            return []
        known = {stem_word(part) for name in reading.question.names for part in split_words(name)}
        words = [
            word
            for word in find_missing(reading.question, reading.considered)
            if word.isalpha() and stem_word(word.casefold()) not in known | LIGHT_WORDS
        ]
        if len(words) <= most:
            return []
        asked = [reading.ranked, *(_leave_out(word, reading.ranked) for word in words[:MOST_FOREIGN])]
        scores = await asyncio.gather(*(reading.pairs.of(question, [best.scored_text]) for question in asked))
        [whole], *without = scores
        return [word for word, [score] in zip(words, without, strict=False) if score - whole > FOREIGN_GAIN]

    async def _find_disagreement(
        self, reading: Reading, best: QuotableUnit, *, among_candidates: bool
    ) -> Disagreement | None:
        """Return what contradicts the best unit: in the passages, else in the candidates of the search.

        A best unit that may be no answer is contradicted by nothing that was found beside the passages.
        """
        question, units = reading.question, [*reading.units, *reading.unread]
        disagreement = find_disagreement(question, units, reading.scores, best, reading.considered)
        if disagreement is not None or not among_candidates:
            return disagreement
        candidates = self._list_candidates(reading)
        disagreement = await asyncio.to_thread(reading.find_corrector, best, candidates)
        if disagreement is not None:
            return disagreement
        witnesses = await asyncio.to_thread(find_witnesses, question, best, candidates)
        if not witnesses:
            return None
        texts = [best.scored_text, *(witness.unit.scored_text for witness in witnesses)]
        top, *scores = await reading.pairs.of(reading.ranked, texts)
        for score, witness in sorted(zip(scores, witnesses, strict=True), key=lambda pair: -pair[0]):
            around = witness.passage.chunk
            corrected = find_corrected(question, best, witness.unit, around)
            if corrected is not None:
                return reading.cite_correction(corrected, witness.passage)
            conflict = find_contradiction(question, best, witness.unit, top - score, around)
            if conflict is not None:
                unit = replace(witness.unit, passage=reading.sources.add(witness.passage), copies=())
                return Disagreement((best, unit), conflict)
        return None

    def _list_candidates(self, reading: Reading) -> list[ScoredChunk]:
        """Return the passages that may hold another answer: those that were not read, then the other candidates."""
        unread = {unit.passage for unit in reading.unread} - {unit.passage for unit in reading.units}
        others = (*(reading.considered[number - 1] for number in sorted(unread)), *reading.candidates)
        return [passage for passage in others if is_covered(self._languages, passage.chunk.facts.language)]

    def _remark(self, weight: _Weight, threshold: KindThreshold) -> str:
        """Return what has to be said of the certainty of an answer."""
        remarks: list[str] = []
        if self._thresholds is None and self._contract is None:
            remarks.append(f"uncalibrated reranker {self._ranker.name or 'without a name'}: never refuses")
        else:
            confident_from = self._thresholds.confident_from if self._thresholds is not None else -math.inf
            remarks += ["low confidence"] if weight.certain < confident_from else []
            remarks += [threshold.remark] if threshold.remark else []
        if weight.foreign:
            remarks.append(f"no source has {', '.join(f'“{word}”' for word in weight.foreign)}")
        return "; ".join(remarks)

    async def _quote_by_spans(self, reading: Reading, language: str) -> QuotedAnswer:
        """Return quotes without the ranker, which was not measured on ``language``; the remark says so."""
        note = f"quoted by shared words: {self._ranker.name} was not measured on {describe_language(language)}"
        quotes = await asyncio.to_thread(quote_by_spans, reading.asked, reading.considered)
        languages = (detect_language(reading.asked), language)
        asked = quotes.reading or reading.asked
        note += f"; read as “{asked}”" if quotes.reading else ""
        special = await asyncio.to_thread(look_up_foreign, asked, languages, reading.sources)
        if special is not None and special.coverage >= min(SURE_COVERAGE, quotes.share):
            contrary = find_row_disagreement(asked, special.table, reading.units, reading.considered)
            return reading.give(reading.render(contrary) if contrary is not None else special.pieces, note)
        least = find_least_share(reading.asked)
        if quotes.share < least:
            share = f"the best sentence shares {quotes.share:.0%} of the question, below {least:.0%}"
            return reading.refuse(f"{note}; {share}")
        if quotes.unmet:
            return reading.refuse(f"{note}; no sentence says “{quotes.unmet}”", [quotes.unmet])
        if quotes.disagreement is not None:
            pieces = reading.render(quotes.disagreement)
        else:
            pieces = quote_units(quotes.units, reading.sources)
        return QuotedAnswer(pieces=tuple(pieces), remark=note, kind=reading.question.kind, frame=collect_frame(pieces))

    async def _answer_keywords(self, reading: Reading) -> QuotedAnswer:
        """Return the best sentence of each of the best passages; refused only where none has a word of the query."""
        special = await asyncio.to_thread(look_up_keywords, reading.question, reading.sources)
        if special is not None:
            return reading.give(special.pieces, "")
        query = read_keywords(reading.question.text)
        reading.ranked = query.words or reading.question.text
        wanted = content_words(reading.ranked)
        units = [
            unit
            for unit in reading.units
            if wanted & content_words(unit.scored_text)
            and not any(word.casefold() in unit.quote.casefold() for word in query.excluded)
            and all(word.casefold() in unit.surroundings[0].casefold() for word in query.title)
        ]
        held = [unit for unit in units if all(p.casefold() in unit.scored_text.casefold() for p in query.phrases)]
        units = held or units
        if not units:
            return reading.refuse("no passage has a word of the query", sorted(wanted))
        scores = await reading.pairs.of(reading.ranked, [unit.scored_text for unit in units])
        return reading.give(
            render_best_passages(reading.question, units, scores, reading.quote), "best passages for keywords"
        )

    async def _passage_scores(self, reading: Reading) -> list[float]:
        """Return the scores that retrieval already paid for, if the same reranker gave them to all.

        A passage in a language that the ranker was not measured on scores below all others.
        """
        passages = reading.considered
        readable = [p for p in passages if is_covered(self._languages, p.chunk.facts.language)]
        known = [passage.scores["rerank"] for passage in readable if "rerank" in passage.scores]
        is_asked_anew = reading.is_corrected or reading.is_part
        if len(known) != len(readable) or self._ranks_by_words or is_asked_anew:
            windows = cut_windows(reading.ranked, [passage.chunk for passage in readable])
            known = await reading.pairs.of(reading.ranked, windows)
        scores = iter(known)
        return [next(scores) if passage in readable else UNREAD for passage in passages]

    def _key(self, question: str, found: FoundSources) -> str:
        """Return the hash of everything that decides the answer."""
        parts: list[str] = []
        for passage in found.passages:
            parts += [passage.chunk.model_dump_json(), str(passage.scores.get("rerank"))]
        for document in (*found.documents, *found.relatives):
            parts += [document.id, document.content_sha256, document.parser, document.title]
        for passage in found.candidates:
            parts += [passage.chunk.id, passage.chunk.indexed_text]
        return digest(CACHE_KIND, self.fingerprint, question, *parts)


def _adds_quote(part: str, answer: QuotedAnswer, given: Sequence[QuotedAnswer]) -> bool:
    """Return whether an answer to a part quotes what the others do not; one that has all words of the part need not."""
    if answer.is_refusal:
        return False
    quoted = {piece.strip() for other in given for piece in other.pieces}
    if any(piece.strip() not in quoted for piece in answer.pieces):
        return True
    return read_question(drop_topic(part)).words <= content_words("".join(answer.pieces))


def _read_quotes(answer: QuotedAnswer) -> str:
    """Return what an answer quotes, without its markers; nothing of a refusal."""
    return "" if answer.is_refusal else remove_markers("".join(answer.pieces))


def _find_quoted(answers: Sequence[QuotedAnswer], sources: CitedSources) -> set[str]:
    """Return the ids of the documents that answers cite."""
    passages = (*sources.passages, *sources.added)
    markers = (marker for answer in answers for marker in read_markers("".join(answer.pieces), len(passages)))
    numbers = {number for marker in markers for number in marker.numbers if number <= len(passages)}
    return {passages[number - 1].chunk.document_id for number in numbers}


def choose_likeliest(question: Question, units: Sequence[QuotableUnit]) -> list[QuotableUnit]:
    """Return the ``MOST_SCORED`` units with most words of the question, in their own order; all of a terse note.

    How far a sentence stands out of a note is told by the scores of the others.
    """
    if len(units) <= MOST_SCORED or are_short(units, AGREEING_WORDS):
        return list(units)
    asked = question.words - LIGHT_WORDS
    shared = [len(asked & content_words(unit.scored_text)) for unit in units]
    likeliest = sorted(range(len(units)), key=lambda at: (-shared[at], at))[:MOST_SCORED]
    return [units[at] for at in sorted(likeliest)]


def _leave_out(word: str, question: str) -> str:
    return " ".join(re.sub(rf"\b{re.escape(word)}\b", " ", question, flags=re.IGNORECASE).split())


def _is_in_document(unit: QuotableUnit, answer: TableAnswer) -> bool:
    return unit.document_place[0] == answer.table.document.id


def _with_reading(question: str, reading: str) -> str:
    """Return the words to rank by: the question, with the reading of the conversation where that adds to it."""
    if not reading:
        return question
    return reading if question in reading else f"{question} ({reading})"


def _read_answer(data: bytes | None) -> QuotedAnswer | None:
    """Return a cached answer; None for one that another version wrote."""
    if data is None:
        return None
    try:
        return QuotedAnswer.model_validate_json(data)
    except ValidationError:
        return None
