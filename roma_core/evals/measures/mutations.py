"""Mutations of answers: ways to make a good answer worse, and the measures that do not notice.

A measure that claims to see a mutation (``@measure(sees=...)``) must fall on every set of good answers that is mutated
so. A measure of one's own is checked by the same call::

    blind = await find_blind_measures(cases, outcomes, [mine], verify)
    assert not blind
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.base import CaseOutcome, Measure
from roma_core.markup import find_frame, read_markers, read_statements, remove_markers, split_sentences
from roma_core.types import Citation, ScoredChunk, TailorOutput, digest

Verify = Callable[[str, Sequence[ScoredChunk]], Awaitable[tuple[str, Sequence[Citation]]]]
"""Resolve and check the markers of an answer again, as the system under test does."""
Mutation = Callable[[GoldenCase, TailorOutput, Sequence[TailorOutput]], str]
"""A worse answer, of a case, its good answer and those of the other cases."""
_NUMBER = re.compile(r"\d+")
OTHER_UNITS = {
    "kPa": "MPa", "minutes": "hours", "Minuten": "Stunden", "seconds": "minutes", "days": "weeks", "euros": "dollars",
    "metres": "kilometres", "Meter": "Kilometer", "mm": "cm", "kg": "g", "°C": "°F", "megabytes": "gigabytes",
}  # fmt: skip
"""Units, and another one of the same kind for each."""
_AMOUNT_UNIT = re.compile(rf"(?<=\d )(?:{'|'.join(map(re.escape, OTHER_UNITS))})(?!\w)")
_NEGATION = re.compile(r"\b(?:not|never|nicht|nie)\s+")
_NAME = re.compile(r"\b(?!The|Der|Die|Das|Den)[A-ZÄÖÜ][a-zäöüß]+ [A-ZÄÖÜ][a-zäöüß]+\b")
_NUMBER_ALONE = re.compile(r"(?<![\d.,])\d+(?![\d.,]*\d)")
_EXCEPTION = re.compile(r",?\s*\b(?:except|unless|but not|außer|es sei denn)\b[^.\[]*")
_LIST = re.compile(r"([^\s,]+, )((?:[^\n.,]+, )*[^\n.,]+)( (?:and|und) [^\n.,\[]+)")
"""An enumeration of three things or more."""
PADDED_PASSAGES = 4
"""Passages up to which an answer is padded."""


def negate(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Deny every statement."""
    return _rewrite_statements(output, lambda text: f"It is false that {text[:1].lower()}{text[1:]}")


def dump(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Give all passages for an answer, each cited."""
    return "\n\n".join(f"{passage.chunk.text} [{n}]" for n, passage in enumerate(output.passages, start=1))


def echo(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Repeat the question, cited."""
    return f"{case.question.rstrip('?')} [1]."


def swap_numbers(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Change every number by one digit."""
    return _change_numbers(output, lambda digits: digits[:-1] + str((int(digits[-1]) + 3) % 10), _NUMBER)


def shuffle_citations(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Let each marker name another passage."""
    size = len(output.passages)
    text, parts, last = output.answer, [], 0
    for marker in read_markers(text, size):
        moved = "".join(f"[{number % size + 1}]" for number in marker.numbers)
        parts += [text[last : marker.start], moved]
        last = marker.end
    return "".join([*parts, text[last:]])


def drop_half(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Keep the first half of the words that carry the answer; of a single statement its beginning."""
    stated = read_statements(output.answer, frame=output.frame)
    if len(stated) > 1:
        kept = stated[: len(stated) // 2]
        return output.answer[kept[0].start : kept[-1].end]
    words = output.answer.split()
    return " ".join(words[: len(words) // 2])


def repeat(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Say everything three times."""
    return "\n\n".join([output.answer] * 3)


def answer_another(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Give the answer to another question."""
    draw = random.Random(digest("another", case.id))  # noqa: S311 (a choice, not a secret)
    different = [other for other in others if other.answer != output.answer]
    return draw.choice(different).answer if different else ""


def change_units(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Give every amount in another unit, without reckoning."""
    return _AMOUNT_UNIT.sub(lambda match: OTHER_UNITS[match[0]], output.answer)


def drop_negation(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Leave out every *not* and *never*."""
    return _NEGATION.sub("", output.answer)


def swap_names(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Say of the second name what was said of the first, and the reverse."""
    names = list(dict.fromkeys(_NAME.findall(output.answer)))
    if len(names) < 2:
        return output.answer
    first, second = names[:2]
    exchanged = {first: second, second: first}
    return re.sub("|".join(map(re.escape, exchanged)), lambda match: exchanged[match[0]], output.answer)


def truncate(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Break off in the middle of the last statement, and cite it."""
    last = read_statements(output.answer, frame=output.frame)[-1]
    words = remove_markers(output.answer[last.start : last.end]).split()
    return f"{output.answer[: last.start]}{' '.join(words[: max(2, len(words) // 2)])} [1]"


def pad(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Add true sentences of the other passages, each cited, that were not asked for."""
    added = []
    for number, passage in enumerate(output.passages[1:PADDED_PASSAGES], start=2):
        sentences = [unit.of(passage.chunk.text) for unit in split_sentences(passage.chunk.text)]
        added += [f"{sentence.strip().rstrip('.')}. [{number}]" for sentence in sentences]
    return " ".join([output.answer, *added])


def hedge(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Make a mere possibility of every statement."""
    return _rewrite_statements(output, lambda text: f"It might possibly be that {text[:1].lower()}{text[1:]}")


def say_not_so(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Say of every statement, ahead of it, that it is not so."""
    return _rewrite_statements(output, lambda text: f"It is not so: {text[:1].lower()}{text[1:]}")


def add_year(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Add to every statement a year that no source names."""
    ending = re.compile(r"\.?\s*((?:\[\d+\])*)\s*\Z")
    return _rewrite_statements(output, lambda text: ending.sub(r" since 1787. \1", text, count=1))


def nudge_numbers(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Replace every number by one that is as likely: a tenth greater, and at least by one."""
    return _change_numbers(output, lambda digits: str(int(digits) + max(1, int(digits) // 10)))


def take_value(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Replace every number by one of the answer to another question, as from the row beside."""
    draw = random.Random(digest("value", case.id))  # noqa: S311 (a choice, not a secret)
    own = set(_NUMBER.findall(remove_markers(output.answer)))
    foreign = [n for other in others for n in _NUMBER.findall(remove_markers(other.answer)) if n not in own]
    return _change_numbers(output, lambda digits: draw.choice(foreign)) if foreign else output.answer


def drop_exception(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Leave out what is excepted."""
    return _EXCEPTION.sub("", output.answer)


def drop_item(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Leave out the last thing of an enumeration."""
    return _LIST.sub(r"\1\2", output.answer)


def add_item(case: GoldenCase, output: TailorOutput, others: Sequence[TailorOutput]) -> str:
    """Add to an enumeration a thing that no source names."""
    return _LIST.sub(r"\1kayaks, \2\3", output.answer)


MUTATIONS: Mapping[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        negate, dump, echo, swap_numbers, shuffle_citations, drop_half, repeat, answer_another, change_units,
        drop_negation, swap_names, truncate, pad, hedge, say_not_so, add_year, nudge_numbers, take_value,
        drop_exception, drop_item, add_item,
    )
}  # fmt: skip


def _change_numbers(
    output: TailorOutput, change: Callable[[str], str], pattern: re.Pattern[str] = _NUMBER_ALONE
) -> str:
    """Return the answer with its numbers changed; those of markers stay."""
    markers = list(read_markers(output.answer, len(output.passages)))

    def replace_number(match: re.Match[str]) -> str:
        is_marker = any(marker.start <= match.start() < marker.end for marker in markers)
        return match[0] if is_marker else change(match[0])

    return pattern.sub(replace_number, output.answer)


def _rewrite_statements(output: TailorOutput, change: Callable[[str], str]) -> str:
    text, parts, last = output.answer, [], 0
    for statement in read_statements(text, frame=output.frame):
        parts += [text[last : statement.start], change(text[statement.start : statement.end])]
        last = statement.end
    return "".join([*parts, text[last:]])


@dataclass(frozen=True)
class BlindSpot:
    """A mutation that a measure claims to see and does not, on one set."""

    measure: str
    mutation: str
    before: float
    after: float


async def mutate(
    name: str, cases: Sequence[GoldenCase], outcomes: Sequence[CaseOutcome], verify: Verify
) -> list[CaseOutcome]:
    """Return the outcomes with every answer mutated and its citations checked again."""
    outputs = [outcome.output for outcome in outcomes]
    known = [output for output in outputs if output is not None]
    mutated = []
    for case, outcome, output in zip(cases, outcomes, outputs, strict=True):
        if output is None or not output.answered:
            mutated.append(outcome)
            continue
        text = MUTATIONS[name](case, output, known)
        answer, citations = await verify(text, output.passages)
        frame = find_frame(answer, [span.of(output.answer) for span in output.frame])
        worse = output.model_copy(update={"answer": answer, "citations": tuple(citations), "frame": frame})
        mutated.append(outcome.model_copy(update={"output": worse, "proofs": (True,) * len(citations)}))
    return mutated


async def mean_score(measure: Measure, cases: Sequence[GoldenCase], outcomes: Sequence[CaseOutcome]) -> float:
    """Return the mean of the scores; NaN without any. A score that no longer applies counts as the worst."""
    worst = math.nan
    if measure.scale and measure.higher is not None:
        worst = measure.scale[0] if measure.higher else measure.scale[1]
    values = []
    for case, outcome in zip(cases, outcomes, strict=True):
        score = await measure.score(case, outcome)
        if score.value is not None:
            values.append(score.value)
        elif measure.applies(case) and not math.isnan(worst):
            values.append(worst)
    return math.fsum(values) / len(values) if values else math.nan


async def find_blind_measures(
    cases: Sequence[GoldenCase], outcomes: Sequence[CaseOutcome], measures: Sequence[Measure], verify: Verify
) -> list[BlindSpot]:
    """Return every mutation that a measure claims to see and does not see on this set of good answers.

    A mutation that changes nothing on the set (no number to swap) proves nothing and is passed over.
    """
    blind = []
    for name in MUTATIONS:
        mutated = await mutate(name, cases, outcomes, verify)
        if all(_text(a) == _text(b) for a, b in zip(outcomes, mutated, strict=True)):
            continue
        for measure in measures:
            if name not in measure.sees:
                continue
            before, after = await mean_score(measure, cases, outcomes), await mean_score(measure, cases, mutated)
            fell = after < before if measure.higher else after > before
            if not fell:
                blind.append(BlindSpot(measure.name, name, before, after))
    return blind


def _text(outcome: CaseOutcome) -> str:
    return remove_markers(outcome.answer) + str([c.marker for c in outcome.citations])
