"""From markers in an answer to citations, statements with verdicts, and the answer that a policy leaves. Pure.

``cite`` resolves and checks. It cites what the answer left unmarked and a passage proves (labelled as found by ROMA),
and under the policy *strict* it takes out the statements that no passage supports.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from roma_core.citations.foreign import is_fair_cut
from roma_core.citations.verdict import Reason, Support, verify_claim
from roma_core.citations.words import read_words
from roma_core.facts import read_author
from roma_core.languages import describe_language, detect_language, is_covered
from roma_core.markup import (
    Claim,
    Marker,
    find_frame,
    is_framed,
    mask_markers,
    read_markers,
    remove_markers,
    rewrite_markers,
    says_unknown,
    split_claims,
)
from roma_core.markup.tables import frame_rows
from roma_core.types import (
    PROVEN,
    Answered,
    Chunk,
    Citation,
    CitationPolicy,
    CitationVerdict,
    Document,
    ScoredChunk,
    Span,
    Statement,
)

REFUSED: frozenset[CitationVerdict] = frozenset({"contradicted", "unsupported"})
"""Verdicts of a statement that *strict* takes out."""
MEASURED_LANGUAGES: frozenset[str] = frozenset({"en"})
"""Languages in which the check of claims was measured."""
MOST_DEFINING_CHARS = 200_000
"""Characters of a document up to which all of it is searched for the acronyms that it defines."""
MOST_SEARCHED = 8
"""Passages in which an unmarked statement is looked for."""

_BEST_FIRST: tuple[CitationVerdict, ...] = (
    "verbatim",
    "supported",
    "contradicted",
    "partial",
    "unsupported",
    "unchecked",
)
_JOINERS = r"(?:\b(?:and|but|or|while|whereas|so)\b)?"
_DANGLING_START = re.compile(rf"\A[\s,;:]*{_JOINERS}[\s,]*", re.IGNORECASE)
_DANGLING_END = re.compile(rf"[\s,;:–—-]*{_JOINERS}[\s,;]*\Z", re.IGNORECASE)
_LINE_MARK = re.compile(r"^\s*(?:[-*+>|•]\s*|\d{1,3}[.)]\s*)+")
_SAYS = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Cited:
    """An answer whose markers are all proven: each ``[n]`` in ``answer`` names a passage that has a citation here."""

    answer: str
    citations: tuple[Citation, ...] = ()
    unknown: int = 0
    """Markers dropped because no such passage was given."""
    stale: int = 0
    """Markers dropped because the document was changed or removed since it was retrieved."""
    uncited: int = 0
    """Sentences that state something and carry no marker, and that no passage proves."""
    statements: tuple[Statement, ...] = ()
    removed: tuple[Statement, ...] = ()
    """Statements that the policy took out; their offsets are those of the answer before."""
    frame: tuple[Span, ...] = ()
    """Places of the lines that ROMA wrote around quotes; they are no statements."""

    @property
    def answered(self) -> Answered:
        """Return how much of the answer is proven; nothing, where every statement was taken out."""
        if self.removed and not self.statements:
            return Answered.UNKNOWN
        return weigh_statements(self.statements, has_citations=bool(self.citations))


def weigh_statements(statements: Sequence[Statement], *, has_citations: bool) -> Answered:
    """Return *known* when every statement is proven, *unknown* when nothing speaks for any, else *partly*.

    Statements that could not be checked do not count.
    """
    checked = [statement.verdict for statement in statements if statement.verdict != "unchecked"]
    if not checked:
        return Answered.KNOWN if has_citations else Answered.PARTLY
    if all(verdict in PROVEN for verdict in checked):
        return Answered.KNOWN
    return Answered.UNKNOWN if all(verdict in REFUSED for verdict in checked) else Answered.PARTLY


def count_verdicts(statements: Sequence[Statement]) -> dict[CitationVerdict, int]:
    """Return how many statements have each verdict."""
    return dict(Counter(statement.verdict for statement in statements))


def cite(
    answer: str,
    passages: Sequence[ScoredChunk],
    proven: Mapping[int, Document],
    policy: CitationPolicy = "mark",
    confirmed: Mapping[OpenClaim, str] | None = None,
    frame: Sequence[str] = (),
) -> Cited:
    """Return the answer with its citations, from ``proven``: the document of each passage number that may be cited.

    ``confirmed`` are claims that the check of words left open and that a model found entailed, with its name.
    ``frame`` are the lines that the writer declared as frame: they are neither checked nor cited.
    """
    size = len(passages)
    known, unknown = rewrite_markers(answer, size, lambda n: True)
    text, stale = rewrite_markers(known, size, proven.__contains__)
    checks = _Checks(passages, proven, is_on=policy != "off", confirmed=confirmed or {}, frame=tuple(frame))
    found: frozenset[int] = frozenset()
    if policy != "off":
        text, found = _mark_unmarked(text, checks)
    removed: tuple[Statement, ...] = ()
    if policy == "strict":
        text, removed, found = _take_out(text, checks, found)
    claims, blank = checks.split(text)
    citations = [c for i, claim in enumerate(claims) for c in checks.citations(blank, claim, by_roma=i in found)]
    statements = tuple(s for claim in claims if (s := checks.statement(blank, claim)) is not None)
    return Cited(
        answer=text,
        citations=tuple(citations),
        unknown=unknown,
        stale=stale,
        uncited=sum(1 for claim in claims if not claim.numbers and is_statement(blank, claim)),
        statements=statements if policy != "off" else (),
        removed=removed,
        frame=find_frame(text, frame),
    )


@dataclass(frozen=True)
class OpenClaim:
    """A claim and the number of a passage that neither proves nor denies it by its words."""

    said: str
    number: int


def find_open_claims(
    answer: str, passages: Sequence[ScoredChunk], proven: Mapping[int, Document]
) -> list[tuple[OpenClaim, str]]:
    """Return the marked claims of an answer that a model may confirm, each with the text of its passage.

    No number, unit, negation, direction or quotation of them differs from the passage.
    """
    text, _ = rewrite_markers(answer, len(passages), proven.__contains__)
    checks = _Checks(passages, proven, is_on=True)
    blank = mask_markers(text, read_markers(text, len(passages)))
    found: dict[OpenClaim, str] = {}
    for claim in split_claims(text, len(passages)):
        said = blank[claim.start : claim.end]
        supports = {number: checks.support(said, number) for number in claim.numbers}
        if any(support.verdict in PROVEN or support.verdict == "contradicted" for support in supports.values()):
            continue
        for number, support in supports.items():
            if support.is_open:
                found.setdefault(OpenClaim(said, number), passages[number - 1].chunk.text)
    return list(found.items())


def is_statement(text: str, claim: Claim) -> bool:
    """Return whether a claim states something: three content words or a number, and it announces and asks nothing.

    "I don't know about its length" states nothing, as long as nothing follows that does.
    """
    said = text[claim.start : claim.end].strip()
    if not claim.states or said.endswith((":", "：", "?", "？")):
        return False
    words = read_words(said)
    content = [word for word in words if word.is_content]
    has_number = any(word.is_number for word in content)
    if says_unknown(said) and not has_number and not _GOES_ON.intersection(word.key for word in words):
        return False
    return len(content) >= 3 or has_number


_GOES_ON = frozenset("but however although though while whereas and because since except".split())
"""Words behind "I don't know" after which an answer may say what it knows."""


@dataclass
class _Checks:
    """Checks claims against the passages that may be cited; each pair of them once."""

    passages: Sequence[ScoredChunk]
    proven: Mapping[int, Document]
    is_on: bool
    confirmed: Mapping[OpenClaim, str] = field(default_factory=dict)
    frame: tuple[str, ...] = ()
    _supports: dict[tuple[str, int], Support] = field(default_factory=dict)

    def split(self, text: str) -> tuple[list[Claim], str]:
        """Return the claims of an answer, its frame left out, and its text with the markers masked."""
        size = len(self.passages)
        frame = find_frame(text, self.frame)
        claims = [claim for claim in split_claims(text, size) if claim.numbers or not is_framed(claim, frame)]
        return claims, mask_markers(text, read_markers(text, size))

    def support(self, said: str, number: int) -> Support:
        """Return what passage ``number`` says of a claim."""
        key = (said, number)
        if key not in self._supports:
            chunk = self.passages[number - 1].chunk
            context = "\n".join((chunk.title, *chunk.headings, chunk.context))
            document = self.proven[number].text
            defining = document if len(document) <= MOST_DEFINING_CHARS else ""
            support = _limit_to_measured(verify_claim(said, chunk.text, context, defining), chunk)
            if support.verdict not in PROVEN and states_fact(said, self.proven[number]):
                support = Support(support.start, support.end, "supported", 1.0)
            model = self.confirmed.get(OpenClaim(said, number))
            if model is not None and support.is_open:
                reason = Reason("entailment", source=model)
                support = Support(support.start, support.end, "supported", support.score, (reason,))
            self._supports[key] = support
        return self._supports[key]

    def best_passage(self, said: str) -> tuple[int, Support] | None:
        """Return the passage that proves an unmarked claim best, or else says the most of it."""
        best: tuple[int, Support] | None = None
        for number in sorted(self.proven)[:MOST_SEARCHED]:
            support = self.support(said, number)
            if support.verdict == "verbatim":
                return number, support
            if best is None or _rank(support) > _rank(best[1]):
                best = (number, support)
        return best

    def statement(self, text: str, claim: Claim) -> Statement | None:
        """Return the claim with the best verdict of its passages; None where it states nothing.

        A claim with several markers may be proven by its passages together, each of which holds a whole sentence of it.
        """
        if not claim.numbers and not is_statement(text, claim):
            return None
        said = text[claim.start : claim.end]
        if claim.numbers:
            support = min((self.support(said, n) for n in claim.numbers), key=lambda s: _BEST_FIRST.index(s.verdict))
            if len(claim.numbers) > 1 and support.verdict not in PROVEN:
                together = self._together(said, claim.numbers)
                support = together if together.verdict in PROVEN else support
        else:
            best = self.best_passage(said)
            support = best[1] if best is not None else Support(0, 0, "unsupported", 0.0)
        decided_by = tuple(str(reason) for reason in support.reasons)
        return Statement(
            start=claim.start, end=claim.end, verdict=support.verdict, markers=claim.numbers, decided_by=decided_by
        )

    def _together(self, said: str, numbers: Sequence[int]) -> Support:
        chunks = [self.passages[number - 1].chunk for number in numbers]
        return verify_claim(said, "\n\n".join(chunk.text for chunk in chunks), "\n".join(c.title for c in chunks))

    def citations(self, text: str, claim: Claim, *, by_roma: bool) -> Iterator[Citation]:
        """Yield one citation for each marker of a claim."""
        said = text[claim.start : claim.end]
        for number in claim.numbers:
            support = self.support(said, number) if self.is_on else None
            yield self._citation(claim, number, support, by_roma=by_roma)

    def _citation(self, claim: Claim, number: int, support: Support | None, *, by_roma: bool) -> Citation:
        chunk, document = self.passages[number - 1].chunk, self.proven[number]
        first, last = (support.start, support.end) if support is not None else (0, len(chunk.text))
        start, end = chunk.start + first, chunk.start + last
        page, place = document.page_at(start), document.place(start)
        if support is not None:
            start, end = frame_rows(document, start, end, chunk.start, chunk.end)
        return Citation(
            marker=number,
            chunk_id=chunk.id,
            document_id=document.id,
            uri=chunk.uri,
            title=chunk.title,
            page=page.number if page else chunk.page,
            place=place or chunk.place,
            start=start,
            end=end,
            quote=document.text[start:end],
            answer_start=claim.start,
            answer_end=claim.end,
            verdict=support.verdict if support is not None else "unchecked",
            score=support.score if support is not None else None,
            decided_by=tuple(str(reason) for reason in support.reasons) if support is not None else (),
            found_by="roma" if by_roma else "answer",
        )


def _limit_to_measured(support: Support, chunk: Chunk) -> Support:
    """Return a verdict as it is where the check was measured; elsewhere only what stands there word for word counts.

    There a part of a sentence counts where nothing in the rest of it decides.
    """
    language = chunk.facts.language or detect_language(chunk.text)
    if support.verdict == "unchecked" or is_covered(MEASURED_LANGUAGES, language):
        return support
    reason = Reason("language", source=describe_language(language))
    if support.verdict == "verbatim":
        if is_fair_cut(chunk.text, support.start, support.end, language):
            return support
        reason = Reason("left out", source="the rest of the sentence")
    return replace(support, verdict="unchecked", reasons=(reason,))


def states_fact(said: str, document: Document) -> bool:
    """Return whether a claim is ``Author of “title”: value``, with a value that the file states beside its text.

    The value stands in no span of the text; its citation leads to the document.
    """
    name, _, value = said.strip().rstrip(".").partition(": ")
    if not value or document.title not in name:
        return False
    values = [str(known) for known in document.metadata.values() if isinstance(known, (str, int))]
    values.append(read_author(document.metadata))
    return any(" ".join(value.split()) == " ".join(known.split()) for known in values)


def _rank(support: Support) -> tuple[bool, float, bool]:
    return support.verdict in PROVEN, support.score, support.verdict != "contradicted"


def _mark_unmarked(text: str, checks: _Checks) -> tuple[str, frozenset[int]]:
    """Return the text with a marker behind each unmarked statement that a passage proves, and which claims they are."""
    claims, blank = checks.split(text)
    found: dict[int, int] = {}
    for index, claim in enumerate(claims):
        if claim.numbers or not is_statement(blank, claim):
            continue
        best = checks.best_passage(blank[claim.start : claim.end])
        if best is not None and best[1].verdict in PROVEN:
            found[index] = best[0]
    if not found:
        return text, frozenset()
    marked = text
    for index in sorted(found, reverse=True):
        end = claims[index].end
        marked = f"{marked[:end]} [{found[index]}]{marked[end:]}"
    after, _ = checks.split(marked)
    agrees = len(after) == len(claims) and all(
        after[i].numbers == ((found[i],) if i in found else claim.numbers) for i, claim in enumerate(claims)
    )
    return (marked, frozenset(found)) if agrees else (text, frozenset())


def _take_out(text: str, checks: _Checks, found: frozenset[int]) -> tuple[str, tuple[Statement, ...], frozenset[int]]:
    """Return the text without the statements that no passage supports, those, and the claims that ROMA had marked."""
    markers = read_markers(text, len(checks.passages))
    claims, blank = checks.split(text)
    judged = [checks.statement(blank, claim) for claim in claims]
    refused = {i for i, statement in enumerate(judged) if statement is not None and statement.verdict in REFUSED}
    if not refused:
        return text, (), found
    removed: list[Statement] = []
    for index in sorted(refused):
        statement = judged[index]
        if statement is not None:
            said = blank[statement.start : statement.end].strip()
            removed.append(statement.model_copy(update={"text": said}))
    kept = text
    for start, end in reversed([_span_with_markers(text, claims[index], markers) for index in sorted(refused)]):
        kept = _without(kept, start, end)
    left = [index for index in range(len(claims)) if index not in refused]
    renumbered = frozenset(position for position, index in enumerate(left) if index in found)
    return re.sub(r"\n{3,}", "\n\n", kept).strip(), tuple(removed), renumbered


def _span_with_markers(text: str, claim: Claim, markers: Sequence[Marker]) -> tuple[int, int]:
    """Return the span of a claim with the markers that belong to it: those behind it, or those that begin its line."""
    start, end = claim.start, claim.end
    for marker in markers:
        if marker.start >= end and not text[end : marker.start].strip(" \t"):
            end = marker.end
    for marker in reversed(markers):
        if marker.end <= start and not text[marker.end : start].strip(" \t,;:"):
            start = marker.start
    begins_line = not text[text.rfind("\n", 0, start) + 1 : start].strip(" \t-*>|")
    return (start if begins_line else claim.start), end


def _without(text: str, start: int, end: int) -> str:
    """Return the text without a span: with its line where the line is left bare, and without a dangling "and"."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    before, after = text[line_start:start], text[end:line_end]
    if not _SAYS.search(_LINE_MARK.sub("", before)) and not _SAYS.search(after):
        return text[:line_start] + text[line_end + 1 :]
    if _LINE_MARK.sub("", before).strip() and not _ends_sentence(before):
        head = _DANGLING_END.sub("", before)
        tail = after.lstrip()
        if _SAYS.search(tail) and tail[:1] not in set(".!?;"):
            tail = f". {_DANGLING_START.sub('', tail, count=1)}"
        return text[:line_start] + head + (tail or ".") + text[line_end:]
    rest = _DANGLING_START.sub("", after.lstrip(" .!?"), count=1)
    before = before if rest else before.rstrip()
    glue = " " if before.strip() and not before.endswith(" ") and rest else ""
    return (
        text[:line_start] + (before if rest else before.rstrip()) + glue + rest[:1].upper() + rest[1:] + text[line_end:]
    )


def _ends_sentence(before: str) -> bool:
    return remove_markers(before).rstrip()[-1:] in set(".!?。！？:")
