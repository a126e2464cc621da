"""Three scripted models that know which of their statements are true: obedient, weak and adversarial.

A model reads the passages out of the prompt that it is sent, takes sentences of them, alters some, and marks them
well, badly or falsely. So each statement of its answer comes with the truth about it, and what ROMA makes of the
answer can be counted. Everything is drawn by a seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from roma_core.llm.providers.server import Asked, Script
from roma_core.markup import remove_markers, split_sentences
from roma_core.types import PROVEN, Answered, TailorOutput
from tests.attacks import ATTACKS, FORM, PARAPHRASE, Case

PASSAGE = re.compile(r'<passage-([0-9a-f]+) number="(\d+)" from="([^"]*)"[^>]*>\n(.*?)\n</passage-\1>', re.DOTALL)

STYLES: tuple[str, ...] = (
    "[{n}]",
    "({n})",
    "[Passage {n}]",
    "[citation:{n}]",
    "【{n}†source】",
    "[^{n}]",
    "[[{n}]]",
    "［{n}］",
    "[Source: {n}]",
    "(Source {n})",
    "<sup>{n}</sup>",
    "[doc {n}]",
    "[ref {n}]",
    "^{n}^",
)
"""Styles in which a weak model writes a marker."""


CORPUS = {
    "Quellfeld bridge": (
        "The rope bridge of Quellfeld was built in 1902 by the engineer Ada Kern. It spans 48 metres over the "
        "river Elm and carries at most twelve people. In March 1950 a flood took two of its four pillars. The "
        "town council rebuilt the pillars in stone before the next winter. Since 1987 the bridge has not been "
        "open to horses."
    ),
    "River Elm": (
        "The river Elm rises in the Barrow hills and flows 212 kilometres to the northern sea. Its largest "
        "flood was measured in March 1950 at the gauge of Quellfeld. Salmon returned to the Elm after the "
        "mill of Oster closed in 1974. The water supplies about 340,000 people in three districts. Barges may "
        "not pass the locks of Oster at night."
    ),
    "Ada Kern": (
        "Ada Kern studied engineering in Basel between 1890 and 1894. She designed eleven bridges, of which "
        "seven still stand today. Her notebooks are kept in the city archive of Basel. The rope bridge of "
        "Quellfeld was her third work and the first that she signed. Kern never accepted a commission from "
        "the railway company."
    ),
    "Oster mill": (
        "The mill of Oster was founded in 1811 and ground rye for the garrison. Its wheel was 6.5 metres high "
        "and made of oak. The owners replaced the wheel with a turbine in 1923. The mill closed in 1974 "
        "because the locks were no longer maintained. Volunteers have restored the main building for "
        "visitors."
    ),
    "Tides of the northern sea": (
        "The tides of the northern sea follow the moon and rise about 3.2 metres. Spring tides come shortly "
        "after the full moon and the new moon. Storms from the west can raise the water by another metre. The "
        "harbour of Lund closes its gates when the water stands above 5 metres. Fishing boats leave the "
        "harbour with the ebb."
    ),
}
"""Titles and texts that were written for tests."""


@dataclass(frozen=True)
class Claim:
    """One statement of an answer; ``true_of`` numbers the passages that say it, none for a false one."""

    text: str
    true_of: frozenset[int]
    marked: tuple[int, ...] = ()


@dataclass
class ScriptedModel:
    """Writes answers in one manner, and keeps the claims of the last one."""

    manner: Callable[[Sequence[tuple[int, str, str]], random.Random], tuple[str, list[Claim]]]
    seed: int = 7
    claims: list[Claim] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Script:
        prompt = "\n\n".join(str(message["content"]) for message in asked.body["messages"])
        passages = [(int(number), title, text) for _, number, title, text in PASSAGE.findall(prompt)]
        rng = random.Random(f"{self.seed} {asked.number} {prompt[-200:]}")
        text, self.claims = self.manner(passages, rng)
        return Script(text=text)


def read_cases(passages: Sequence[tuple[int, str, str]], rng: random.Random) -> list[tuple[int, Case]]:
    """Return sentences that state something, each with the number of its passage, in a drawn order."""
    cases: list[tuple[int, Case]] = []
    for place, (number, title, text) in enumerate(passages):
        units = [unit.of(text) for unit in split_sentences(text)]
        foreign = passages[(place + 1) % len(passages)][2]
        for position, sentence in enumerate(units):
            ends = sentence.rstrip()[-1:] == "."
            if 7 <= len(sentence.split()) <= 40 and sentence[:1].isupper() and ends and '"' not in sentence:
                others = tuple(unit for unit in units if unit != sentence)
                cases.append((number, Case(sentence, text, title, sentence, others, foreign, position)))
    rng.shuffle(cases)
    return cases


def holders(sentence: str, passages: Sequence[tuple[int, str, str]]) -> frozenset[int]:
    """Return the passages that have a sentence word for word."""
    plain = " ".join(sentence.split())
    return frozenset(number for number, _, text in passages if plain in " ".join(text.split()))


def write_obediently(passages: Sequence[tuple[int, str, str]], rng: random.Random) -> tuple[str, list[Claim]]:
    """Write true statements, in the passages' words or others, each with its marker."""
    claims = []
    for number, case in read_cases(passages, rng)[:3]:
        text = change_form(case, rng)
        claims.append(Claim(text, holders(case.sentence, passages) | {number}, (number,)))
    return " ".join(mark(claim.text, "[{n}]", claim.marked) for claim in claims), claims


def write_weakly(passages: Sequence[tuple[int, str, str]], rng: random.Random) -> tuple[str, list[Claim]]:
    """Write mostly true statements in some style of citation; leave out, mistake and invent markers."""
    style = rng.choice(STYLES)
    numbers = [number for number, _, _ in passages]
    claims = []
    for number, case in read_cases(passages, rng)[:4]:
        draw = rng.random()
        marked: tuple[int, ...] = (number,)
        if draw < 0.2:
            marked = ()
        elif draw < 0.35:
            marked = (rng.choice(numbers),)
        elif draw < 0.42:
            marked = (len(numbers) + 3,)
        if rng.random() < 0.15 and (false := falsify(case, rng)) is not None:
            claims.append(Claim(false, frozenset(), marked))
        else:
            claims.append(Claim(change_form(case, rng), holders(case.sentence, passages) | {number}, marked))
    lead = rng.choice(
        ["", "Based on the passages:\n\n", "Sure! Here is what I found.\n\n", "<think>Let me see [2].</think>\n"]
    )
    return lead + " ".join(mark(claim.text, style, claim.marked) for claim in claims), claims


def write_adversarially(passages: Sequence[tuple[int, str, str]], rng: random.Random) -> tuple[str, list[Claim]]:
    """Write false statements that look like the passages and are marked with them, and a true one among them."""
    numbers = [number for number, _, _ in passages]
    claims: list[Claim] = []
    for number, case in read_cases(passages, rng):
        if len(claims) == 3:
            break
        if (false := falsify(case, rng)) is not None:
            claims.append(Claim(false, frozenset(), (number,)))
    for number, case in read_cases(passages, rng)[:2]:
        wrong = [other for other in numbers if other not in holders(case.sentence, passages)]
        marked = (rng.choice(wrong),) if wrong and rng.random() < 0.5 else (number,)
        claims.append(Claim(case.sentence, holders(case.sentence, passages) | {number}, marked))
    rng.shuffle(claims)
    return " ".join(mark(claim.text, "[{n}]", claim.marked) for claim in claims), claims


MANNERS = {"obedient": write_obediently, "weak": write_weakly, "adversarial": write_adversarially}


def change_form(case: Case, rng: random.Random) -> str:
    """Return a sentence as it is, or in another form that says the same."""
    if rng.random() < 0.5:
        return case.sentence
    changes = list({**FORM, **PARAPHRASE}.values())
    rng.shuffle(changes)
    for change in changes:
        changed = change(case, rng)
        # What was done to the source, not to the claim, cannot be done here: the source is the prompt's.
        if changed is not None and changed.passage == case.passage and "\n" not in changed.claim:
            return changed.claim
    return case.sentence


def falsify(case: Case, rng: random.Random) -> str | None:
    """Return a sentence that says something else than its passage."""
    changes = [change for _, change in ATTACKS.values()]
    rng.shuffle(changes)
    for change in changes:
        changed = change(case, rng)
        is_altered = changed is not None and changed.passage == case.passage
        if changed is not None and is_altered and changed.claim not in changed.passage and "\n" not in changed.claim:
            return changed.claim
    return None


def mark(text: str, style: str, numbers: Iterable[int]) -> str:
    """Return a statement with its markers before the full stop."""
    markers = "".join(style.format(n=number) for number in numbers)
    if not markers:
        return text
    body = text.rstrip()
    end = body[-1] if body[-1:] in {".", "!"} else ""
    return f"{body.removesuffix(end) if end else body} {markers}{end}"


@dataclass
class Counts:
    """What became of the statements of some answers."""

    answers: int = 0
    true: int = 0
    proven: int = 0
    """True statements with a citation that is proven and right."""
    false: int = 0
    false_proven: int = 0
    """False statements with a citation that is called proven."""
    proven_citations: int = 0
    false_citations: int = 0
    """Citations that are called proven although their passage does not say it."""
    uncited: int = 0
    """Answers without any proven citation."""
    posing: int = 0
    """Answers without any proven citation that look like any other answer."""

    def add(self, output: TailorOutput, claims: Sequence[Claim]) -> None:
        """Count one answer beside the claims that its model wrote."""
        self.answers += 1
        proven = [c for c in output.citations if c.verdict in PROVEN]
        said_of = [_nearest(output.answer[c.answer_start : c.answer_end], claims) for c in proven]
        for place, claim in enumerate(claims):
            numbers = {c.marker for c, nearest in zip(proven, said_of, strict=True) if nearest == place}
            if claim.true_of:
                self.true += 1
                self.proven += bool(numbers & claim.true_of)
            else:
                self.false += 1
                self.false_proven += bool(numbers)
            self.proven_citations += len(numbers)
            self.false_citations += len(numbers - claim.true_of)
        if not proven:
            self.uncited += 1
            self.posing += output.answered is Answered.KNOWN

    def row(self) -> dict[str, int | float | None]:
        """Return the counts as a row of a table."""
        return {
            "answers": self.answers,
            "true statements": self.true,
            "with a proven citation": _share(self.proven, self.true),
            "false statements": self.false,
            "called proven": _share(self.false_proven, self.false),
            "proven citations": self.proven_citations,
            "false attributions": _share(self.false_citations, self.proven_citations),
            "answers without a proven citation": self.uncited,
            "of them shown like any other": self.posing,
        }


def _nearest(said: str, claims: Sequence[Claim]) -> int | None:
    """Return the place of the claim that a part of the answer is, or is a half of; the one nearest in length."""
    plain = _plain(said)
    wholes = [_plain(claim.text) for claim in claims]
    near = [place for place, whole in enumerate(wholes) if plain and (plain in whole or whole in plain)]
    return min(near, key=lambda place: abs(len(wholes[place]) - len(plain)), default=None)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", remove_markers(text).casefold()))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
