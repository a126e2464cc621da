"""Claims altered on purpose, and claims altered in form alone: seeded, from real passages that are read in place.

An *attack* changes what a sentence says, a *control* does not. Each function takes a case and a random generator and
returns the altered case, or None where the sentence has nothing to alter. Nothing here reads the checker's own word
lists: an attack knows what it changes by itself.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from roma_core.markup import split_sentences


@dataclass(frozen=True)
class Case:
    """A claim with the passage it is cited to; ``sentence`` is the sentence it was made from."""

    claim: str
    passage: str
    title: str = ""
    sentence: str = ""
    others: tuple[str, ...] = ()
    """Other sentences of the passage, in order."""
    foreign: str = ""
    """A passage of another document."""
    position: int = 0


Change = Callable[[Case, random.Random], Case | None]


def read_passages(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield title and text of each passage of a shared corpus."""
    with gzip.open(folder / name / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row.get("title", ""), row["text"]


def make_cases(passages: Sequence[tuple[str, str]], seed: int) -> list[Case]:
    """Return one case for each sentence that states something, in a seeded order."""
    rng = random.Random(seed)
    cases: list[Case] = []
    for number, (title, text) in enumerate(passages):
        units = [unit.of(text) for unit in split_sentences(text)]
        foreign = passages[(number + 137) % len(passages)][1]
        for position, sentence in enumerate(units):
            if (
                7 <= len(sentence.split()) <= 40
                and sentence[:1].isupper()
                and sentence.rstrip()[-1] in ".!"
                and '"' not in sentence
            ):
                others = tuple(unit for unit in units if unit != sentence)
                cases.append(Case(sentence, text, title, sentence, others, foreign, position))
    rng.shuffle(cases)
    return cases


# --- helpers -----------------------------------------------------------------------------------------------------------

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: [A-Z][a-z]+)*\b(?!')")
_CONTENT = re.compile(r"\b[a-z]{5,}\b")
_AUXILIARY = re.compile(r"\b(is|was|are|were|can|will|has been|had been|have been|could|would|must)\b(?! not)")
_NUMBER = re.compile(r"(?<![\w.,$£€-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w-])(?![.,]\d)")
_NOT_CONTENT = frozenset(
    "about above after again among before being between could during every first their there these thing those three under until where which while whose would might since other often never rarely still almost".split()
)
_MONTH = "January February March April May June July August September October November December".split()


def swap_words(text: str, pairs: dict[str, str], rng: random.Random) -> str | None:
    """Replace one word of ``pairs`` (either way) that stands in the text."""
    table = dict(pairs)
    table.update({b: a for a, b in pairs.items() if b not in table})
    found = [m for m in re.finditer(r"\b[A-Za-z]+(?:-[a-z]+)?\b", text) if m[0].lower() in table]
    if not found:
        return None
    match = rng.choice(found)
    new = table[match[0].lower()]
    new = new.capitalize() if match[0][0].isupper() else new
    return text[: match.start()] + new + text[match.end() :]


def swap_phrases(text: str, pairs: Sequence[tuple[str, str]], rng: random.Random) -> str | None:
    """Replace one phrase by its partner."""
    options = [(m, new) for old, new in pairs for m in re.finditer(rf"\b{old}\b", text)]
    if not options:
        return None
    match, new = rng.choice(options)
    return text[: match.start()] + match.expand(new) + text[match.end() :]


def claimed(case: Case, claim: str | None) -> Case | None:
    if claim is None or claim == case.claim or (claim in case.passage):
        return None
    return replace(case, claim=claim)


# --- attacks -----------------------------------------------------------------------------------------------------------


def misquote(case: Case, rng: random.Random) -> Case | None:
    """One word inside quotation marks is another one of the passage."""
    words = _CONTENT.findall(" ".join(case.others))
    found = [m for m in _CONTENT.finditer(case.claim) if m[0] not in _NOT_CONTENT]
    if not found or not words:
        return None
    match, new = rng.choice(found), rng.choice(words)
    if new == match[0]:
        return None
    body = (case.claim[: match.start()] + new + case.claim[match.end() :]).rstrip(".!")
    return claimed(case, f"The source says “{body}”.")


def misquote_function_word(case: Case, rng: random.Random) -> Case | None:
    """A small word inside quotation marks is another one."""
    new = swap_words(case.claim.rstrip(".!"), {"the": "a", "in": "on", "of": "for", "and": "or", "with": "by"}, rng)
    return claimed(case, f'The author writes: "{new}"' if new else None)


def fabricated_quote(case: Case, rng: random.Random) -> Case | None:
    """Words that nobody wrote, in quotation marks, beside the right title."""
    title = case.title or "the report"
    return claimed(case, f"According to {title}, “{title} was never meant to last beyond its first decade”.")


def fabricated(case: Case, rng: random.Random) -> Case | None:
    names = _NAME.findall(case.passage)
    if not names:
        return None
    return claimed(case, f"{rng.choice(names)} secretly financed a rival expedition to the southern glaciers.")


def new_number(case: Case, rng: random.Random) -> Case | None:
    found = list(_NUMBER.finditer(case.claim))
    if not found:
        return None
    match = rng.choice(found)
    digits = match[0]
    last = digits[-1]
    changed = digits[:-1] + str((int(last) + rng.randint(1, 8)) % 10)
    return claimed(case, case.claim[: match.start()] + changed + case.claim[match.end() :])


def number_from_passage(case: Case, rng: random.Random) -> Case | None:
    found = list(_NUMBER.finditer(case.claim))
    elsewhere = sorted({n for other in case.others for n in _NUMBER.findall(other)} - {m[0] for m in found})
    if not found or not elsewhere:
        return None
    match = rng.choice(found)
    return claimed(case, case.claim[: match.start()] + rng.choice(elsewhere) + case.claim[match.end() :])


_WORDS = "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand".split()


def number_word(case: Case, rng: random.Random) -> Case | None:
    found = [m for m in re.finditer(r"\b[a-z]+\b", case.claim) if m[0] in _WORDS]
    if not found:
        return None
    match = rng.choice(found)
    new = rng.choice([w for w in _WORDS if w != match[0]])
    return claimed(case, case.claim[: match.start()] + new + case.claim[match.end() :])


def unit(case: Case, rng: random.Random) -> Case | None:
    pairs = [
        (r"(\d) ?(?:km|kilometres|kilometers)", r"\1 miles"), (r"(\d) (?:mi|miles)", r"\1 kilometres"), (r"(\d) ?(?:m|metres|meters)", r"\1 yards"),
        (r"(\d) (?:feet|ft)", r"\1 metres"), (r"(\d) ?kg", r"\1 pounds"), (r"(\d) ?mg", r"\1 g"), (r"(\d) ?ml", r"\1 l"), (r"(\d) ?mm", r"\1 cm"),
        (r"(\d) ?cm", r"\1 mm"), ("million", "billion"), ("billion", "million"), ("thousand", "million"), ("hours", "minutes"), ("minutes", "hours"),
        ("days", "weeks"), ("weeks", "months"), ("months", "years"), ("years", "months"), ("decades", "years"), ("centuries", "decades"), ("acres", "hectares"), ("percent", "percentage points"), ("dollars", "euros"),
        ("pounds", "dollars"), ("inches", "centimetres"), ("tons", "pounds"), ("tonnes", "kilograms"), ("per year", "per month"), ("per day", "per week"), ("annual", "monthly"), ("daily", "weekly"),
    ]  # fmt: skip
    changed = swap_phrases(case.claim, pairs, rng)
    if changed is None and "$" in case.claim:
        changed = case.claim.replace("$", "¥", 1)
    if changed is None and re.search(r"\d%", case.claim):
        changed = re.sub(r"(\d)%", r"\1 percentage points", case.claim, count=1)
    return claimed(case, changed)


def add_not(case: Case, rng: random.Random) -> Case | None:
    if not _AUXILIARY.search(case.claim):
        return None
    return claimed(case, _AUXILIARY.sub(lambda m: f"{m[0]} not", case.claim, count=1))


def remove_not(case: Case, rng: random.Random) -> Case | None:
    match = re.search(r" (?:not|never)\b|n't\b", case.claim)
    return claimed(case, case.claim[: match.start()] + case.claim[match.end() :] if match else None)


def soft_negation(case: Case, rng: random.Random) -> Case | None:
    """A word that denies without "not"."""
    adverb = rng.choice(["rarely", "hardly", "never", "no longer", "by no means", "seldom", "scarcely"])
    options = [
        _AUXILIARY.sub(lambda m: f"{m[0]} {adverb}", case.claim, count=1) if _AUXILIARY.search(case.claim) else None
    ]
    verb = re.search(r"(?<=[a-z] )([a-z]{3,})ed\b(?! by)", case.claim)
    if verb:
        phrase = rng.choice(["failed to", "refused to", "was unable to", "declined to"])
        options.append(f"{case.claim[: verb.start()]}{phrase} {verb[1]}{case.claim[verb.end() :]}")
    return claimed(case, rng.choice([o for o in options if o] or [case.claim]))


_OPPOSITES = {
    "increase": "decrease", "increased": "decreased", "increases": "decreases", "increasing": "decreasing", "before": "after", "higher": "lower", "high": "low", "more": "fewer",
    "larger": "smaller", "large": "small", "largest": "smallest", "first": "last", "early": "late", "earlier": "later", "north": "south", "northern": "southern", "east": "west", "eastern": "western", "won": "lost",
    "above": "below", "upper": "lower", "inside": "outside", "began": "ended", "beginning": "end", "rise": "fall", "rose": "fell", "gain": "loss", "male": "female", "men": "women", "positive": "negative", "better": "worse",
    "best": "worst", "strong": "weak", "major": "minor", "old": "new", "older": "younger", "longer": "shorter", "long": "short", "good": "bad", "accepted": "rejected", "allowed": "forbidden", "supported": "opposed", "public": "private", "significant": "insignificant",
    "internal": "external", "left": "right", "most": "least", "include": "exclude", "included": "excluded", "including": "excluding", "common": "rare", "open": "closed", "success": "failure", "successful": "unsuccessful", "likely": "unlikely", "able": "unable",
    "domestic": "foreign", "improved": "worsened", "reduced": "raised", "built": "demolished", "founded": "dissolved", "created": "destroyed", "death": "birth", "died": "survived", "to": "from", "into": "out of", "with": "without", "for": "against",
}  # fmt: skip


def opposite(case: Case, rng: random.Random) -> Case | None:
    return claimed(case, swap_words(case.claim, _OPPOSITES, rng))


def negative_prefix(case: Case, rng: random.Random) -> Case | None:
    pairs = {
        "possible": "impossible", "legal": "illegal", "known": "unknown", "complete": "incomplete", "direct": "indirect", "formal": "informal", "significant": "insignificant", "likely": "unlikely", "successful": "unsuccessful", "able": "unable",
        "dependent": "independent", "regular": "irregular", "official": "unofficial", "popular": "unpopular", "stable": "unstable", "effective": "ineffective", "clear": "unclear", "equal": "unequal", "agreed": "disagreed", "visible": "invisible", "usual": "unusual",
        "active": "inactive", "accurate": "inaccurate", "sufficient": "insufficient", "appropriate": "inappropriate", "related": "unrelated", "important": "unimportant", "limited": "unlimited", "common": "uncommon", "certain": "uncertain", "specific": "unspecific",
    }  # fmt: skip
    return claimed(case, swap_words(case.claim, pairs, rng))


_QUANTITIES = {
    "some": "all", "many": "all", "most": "all", "several": "all", "few": "most", "often": "always", "usually": "always", "sometimes": "always", "may": "does", "might": "will", "can": "must", "could": "did", "generally": "always", "mostly": "entirely",
    "only": "also", "about": "exactly", "approximately": "exactly", "around": "exactly", "nearly": "more than", "almost": "more than", "probably": "certainly", "possibly": "certainly", "partly": "entirely", "both": "neither", "each": "no", "every": "no", "all": "some",
    "any": "every", "at": "at", "largely": "entirely", "likely": "certainly", "likely to": "certain to", "rarely": "often", "occasionally": "constantly", "should": "must", "would": "did", "primarily": "exclusively", "mainly": "only", "typically": "invariably", "frequently": "always", "half": "all",
}  # fmt: skip


def quantifier(case: Case, rng: random.Random) -> Case | None:
    found = [m for m in re.finditer(r"\b[a-z]+\b", case.claim) if m[0] in _QUANTITIES and _QUANTITIES[m[0]] != m[0]]
    if not found:
        return None
    match = rng.choice(found)
    return claimed(case, case.claim[: match.start()] + _QUANTITIES[match[0]] + case.claim[match.end() :])


def hedge_dropped(case: Case, rng: random.Random) -> Case | None:
    pattern = r"\b(?:may|might|could|probably|possibly|perhaps|reportedly|allegedly|likely|about|approximately|around|nearly|almost|roughly|at least|at most|more than|less than|up to|some of|most of|many of|only|partly|usually|often|sometimes|generally) "
    found = list(re.finditer(pattern, case.claim))
    if not found:
        return None
    match = rng.choice(found)
    return claimed(case, case.claim[: match.start()] + case.claim[match.end() :])


def other_entity(case: Case, rng: random.Random) -> Case | None:
    found, names = list(_NAME.finditer(case.claim)), _NAME.findall(case.foreign)
    names = [n for n in names if n not in case.passage]
    if not found or not names:
        return None
    match = rng.choice(found)
    return claimed(case, case.claim[: match.start()] + rng.choice(names) + case.claim[match.end() :])


def entity_of_passage(case: Case, rng: random.Random) -> Case | None:
    found = list(_NAME.finditer(case.claim))
    held = {m[0] for m in found}
    names = sorted(
        {n for other in case.others for n in _NAME.findall(other) if not any(n in h or h in n for h in held)}
    )
    if not found or not names:
        return None
    match = rng.choice(found)
    return claimed(case, case.claim[: match.start()] + rng.choice(names) + case.claim[match.end() :])


def roles(case: Case, rng: random.Random) -> Case | None:
    """Two names of the sentence change places."""
    found = [
        m
        for m in re.finditer(r"\b[A-Z][a-z]{2,}(?: [A-Z][a-z]+)*\b", case.claim)
        if m.start() or m[0].split()[0] in _NAME.findall(case.passage)
    ]
    distinct = {m[0] for m in found}
    if len(distinct) < 2:
        return None
    a = found[0]
    b = next((m for m in reversed(found) if m[0] not in a[0] and a[0] not in m[0] and m.start() > a.end()), None)
    if b is None or re.fullmatch(r",? (?:and|or) |, ", case.claim[a.end() : b.start()]):
        return None
    swapped = case.claim[: a.start()] + b[0] + case.claim[a.end() : b.start()] + a[0] + case.claim[b.end() :]
    return claimed(case, swapped)


def nouns_change_places(case: Case, rng: random.Random) -> Case | None:
    found = list(re.finditer(r"(?<=the )[a-z]{4,}\b", case.claim))
    if len(found) < 2 or found[0][0] == found[-1][0]:
        return None
    a, b = found[0], found[-1]
    return claimed(
        case, case.claim[: a.start()] + b[0] + case.claim[a.end() : b.start()] + a[0] + case.claim[b.end() :]
    )


def _halves(sentence: str) -> tuple[str, str]:
    words = sentence.rstrip(".!").split()
    middle = len(words) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


def splice_any(case: Case, rng: random.Random) -> Case | None:
    others = [o for o in case.others if len(o.split()) >= 8]
    if not others:
        return None
    return claimed(case, f"{_halves(case.sentence)[0]} {_halves(rng.choice(others))[1]}.")


def splice_neighbours(case: Case, rng: random.Random) -> Case | None:
    """The first half of a sentence with the second half of the next one, or the other way round."""
    start = case.passage.find(case.sentence)
    rest = case.passage[start + len(case.sentence) :]
    following = [u.of(rest) for u in split_sentences(rest)][:1]
    if start < 0 or not following or len(following[0].split()) < 8:
        return None
    if rng.random() < 0.5:
        return claimed(case, f"{_halves(case.sentence)[1]} {_halves(following[0])[0]}.")
    return claimed(case, f"{_halves(case.sentence)[0]} {_halves(following[0])[1]}.")


def splice_clauses(case: Case, rng: random.Random) -> Case | None:
    """Clauses of two sentences put together at a comma."""
    others = [o for o in case.others if ", " in o and len(o.split()) >= 8]
    if ", " not in case.sentence or not others:
        return None
    left = case.sentence.split(", ")[0]
    right = rng.choice(others).split(", ", 1)[1]
    return claimed(case, f"{left}, {right}") if len(left.split()) >= 3 and len(right.split()) >= 3 else None


_CLAUSES = (
    ", which led to a series of lawsuits", ", although the project was later abandoned", " and received the highest award of the academy", ", making it the most expensive in Europe",
    " because the government had ordered it", ", a claim that historians have confirmed", " despite strong protests by the residents", " and was soon copied around the world",
)  # fmt: skip


def appended_clause(case: Case, rng: random.Random) -> Case | None:
    return claimed(case, case.claim.rstrip(".!") + rng.choice(_CLAUSES) + ".")


def appended_from_passage(case: Case, rng: random.Random) -> Case | None:
    """A cause that is put together of the passage's own words."""
    if not case.others:
        return None
    tail = _halves(rng.choice(case.others))[1]
    return claimed(case, f"{case.claim.rstrip('.!')} because of {tail}.")


def prepended_clause(case: Case, rng: random.Random) -> Case | None:
    lead = rng.choice(
        [
            "Contrary to popular belief",
            "After years of litigation",
            "Thanks to a secret agreement",
            "Against the will of its founders",
        ]
    )
    return claimed(case, f"{lead}, {case.claim[:1].lower()}{case.claim[1:]}")


def inserted_cause(case: Case, rng: random.Random) -> Case | None:
    if len(case.others) < 1:
        return None
    other = rng.choice(case.others).rstrip(".!")
    joiner = rng.choice([" because ", ", and as a result ", " so that ", " after "])
    return claimed(case, f"{case.claim.rstrip('.!')}{joiner}{other[:1].lower()}{other[1:]}.")


def other_document(case: Case, rng: random.Random) -> Case | None:
    return None if case.claim in case.foreign else replace(case, passage=case.foreign, title="")


def tense(case: Case, rng: random.Random) -> Case | None:
    pairs = {"is": "was", "are": "were", "has": "had", "have": "had", "will": "did", "can": "could", "does": "did"}
    return claimed(case, swap_words(case.claim, pairs, rng))


def ordinal(case: Case, rng: random.Random) -> Case | None:
    pairs = {"first": "second", "second": "third", "third": "fourth", "fourth": "fifth"}
    found = list(re.finditer(r"\b(\d+)(st|nd|rd|th)\b", case.claim))
    if found:
        match = rng.choice(found)
        return claimed(case, f"{case.claim[: match.start()]}{int(match[1]) + 1}th{case.claim[match.end() :]}")
    return claimed(case, swap_words(case.claim, pairs, rng))


def comparative(case: Case, rng: random.Random) -> Case | None:
    pairs = [
        (r"at least", "at most"), (r"at most", "at least"), (r"more than", "less than"), (r"less than", "more than"), (r"up to", "more than"), (r"over (\d)", r"under \1"), (r"as (\w+) as", r"more \1 than"),
        (r"the largest", "one of the largest"), (r"one of the (\w+)", r"the \1"), (r"fewer than", "more than"), (r"between (\d+) and", r"above \1 and"), (r"by (\d)", r"to \1"), (r"from (\d+) to (\d+)", r"from \2 to \1"),
    ]  # fmt: skip
    return claimed(case, swap_phrases(case.claim, pairs, rng))


def month(case: Case, rng: random.Random) -> Case | None:
    found = [m for m in re.finditer(r"\b[A-Z][a-z]+\b", case.claim) if m[0] in _MONTH and m[0] != "May"]
    if not found:
        return None
    match = rng.choice(found)
    new = rng.choice([m for m in _MONTH if m != match[0]])
    return claimed(case, case.claim[: match.start()] + new + case.claim[match.end() :])


def preposition(case: Case, rng: random.Random) -> Case | None:
    pairs = {
        "before": "after",
        "since": "until",
        "during": "after",
        "by": "for",
        "from": "to",
        "under": "over",
        "within": "beyond",
        "until": "since",
    }
    return claimed(case, swap_words(case.claim, pairs, rng))


def condition_dropped(case: Case, rng: random.Random) -> Case | None:
    match = re.search(r",? (?:if|unless|until|except|provided that|only if) [^,.;]+(?=[,.;])", case.claim)
    if match is None or match.start() < 15:
        return None
    return replace(case, claim=case.claim[: match.start()] + case.claim[match.end() :])


def attribution_dropped(case: Case, rng: random.Random) -> Case | None:
    match = re.match(
        r"[^,;.]{3,60}\b(?:claim|claimed|claims|argued|argues|argue|believed|believes|believe|suggested|suggests|suggest|alleged|alleges|denied|stated|said|says|speculated|proposed) that ",
        case.claim,
    )
    if match is None:
        return None
    rest = case.claim[match.end() :]
    return replace(case, claim=rest[:1].upper() + rest[1:]) if len(rest.split()) >= 5 else None


def respectively(case: Case, rng: random.Random) -> Case | None:
    if "respectively" not in case.claim:
        return None
    match = re.search(r"(\d[\d.,%]*) and (\d[\d.,%]*)", case.claim)
    if match is None or match[1].strip(",%") == match[2].strip(",%"):
        return None
    second = match[2].rstrip(",")
    tail = match[2][len(second) :]
    return claimed(case, f"{case.claim[: match.start()]}{second} and {match[1]}{tail}{case.claim[match.end() :]}")


def conjunction(case: Case, rng: random.Random) -> Case | None:
    return claimed(case, swap_words(case.claim, {"and": "or"}, rng))


def modality(case: Case, rng: random.Random) -> Case | None:
    match = re.search(r"(?<=[a-z] )(was|is|were|are)(?= [a-z]+)", case.claim)
    if match is None:
        return None
    new = rng.choice(
        [
            "may be",
            "could have been",
            "should be",
            "will be",
            "is said to be",
            "was supposed to be",
            "was planned to be",
        ]
    )
    return claimed(case, case.claim[: match.start()] + new + case.claim[match.end() :])


ATTACKS: dict[str, tuple[float, Change]] = {
    "misquoted, one word": (0.01, misquote),
    "misquoted, a small word": (0.01, misquote_function_word),
    "fabricated in quotation marks": (0.01, fabricated_quote),
    "fabricated predicate, real name": (0.01, fabricated),
    "number changed": (0.01, new_number),
    "number from the passage": (0.01, number_from_passage),
    "number word changed": (0.01, number_word),
    "unit changed": (0.01, unit),
    "month changed": (0.01, month),
    "ordinal changed": (0.01, ordinal),
    "respectively swapped": (0.01, respectively),
    "not added": (0.01, add_not),
    "not removed": (0.01, remove_not),
    "rarely, failed to": (0.01, soft_negation),
    "negative prefix": (0.05, negative_prefix),
    "opposite or direction": (0.05, opposite),
    "preposition turned": (0.05, preposition),
    "quantifier or hedge": (0.05, quantifier),
    "hedge or limit dropped": (0.05, hedge_dropped),
    "comparative turned": (0.05, comparative),
    "and for or": (0.05, conjunction),
    "tense": (0.05, tense),
    "modality": (0.05, modality),
    "entity of another article": (0.05, other_entity),
    "entity of the passage": (0.05, entity_of_passage),
    "two names change roles": (0.05, roles),
    "two nouns change places": (0.05, nouns_change_places),
    "splice of any two": (0.01, splice_any),
    "splice of neighbours": (0.01, splice_neighbours),
    "splice of clauses": (0.01, splice_clauses),
    "clause appended": (0.05, appended_clause),
    "clause of the passage appended": (0.05, appended_from_passage),
    "clause put before": (0.05, prepended_clause),
    "cause put between": (0.05, inserted_cause),
    "condition dropped": (0.05, condition_dropped),
    "attribution dropped": (0.05, attribution_dropped),
    "another document": (0.01, other_document),
}
"""Name: the largest share that may be called verbatim or supported, and how the claim is made."""


# --- controls ----------------------------------------------------------------------------------------------------------


def untouched(case: Case, rng: random.Random) -> Case | None:
    return case


def rewrapped(case: Case, rng: random.Random) -> Case | None:
    words = case.claim.split()
    return replace(case, claim="".join(w + ("\n" if rng.random() < 0.2 else " ") for w in words).strip())


def _source(case: Case, sentence: str) -> Case:
    return replace(case, passage=case.passage.replace(case.sentence, sentence))


def hyphenated(case: Case, rng: random.Random) -> Case | None:
    """The source breaks words at the end of its lines."""
    found = list(re.finditer(r"\b[a-z]{7,}\b", case.sentence))
    if not found:
        return None
    match = rng.choice(found)
    cut = match.start() + len(match[0]) // 2
    return _source(case, case.sentence[:cut] + "-\n" + case.sentence[cut:])


def soft_hyphens(case: Case, rng: random.Random) -> Case | None:
    return _source(case, re.sub(r"\b([a-z]{3})([a-z]{3,})\b", "\\1\u00ad\\2", case.sentence))


def ligatures(case: Case, rng: random.Random) -> Case | None:
    changed = case.sentence.replace("ffi", "ﬃ").replace("fi", "ﬁ").replace("fl", "ﬂ").replace("ff", "ﬀ")
    return _source(case, changed) if changed != case.sentence else None


def typography(case: Case, rng: random.Random) -> Case | None:
    changed = case.claim.replace("'", "’").replace(" - ", " – ")
    words = changed.split(" ")
    return replace(case, claim="\u00a0".join(words[:3]) + " " + " ".join(words[3:]))


def in_quotes(case: Case, rng: random.Random) -> Case | None:
    opening, closing = rng.choice(["“”", '""', "«»", "„“"])
    return replace(case, claim=f"{opening}{case.claim.rstrip('.!')}{closing}")


def thousands(case: Case, rng: random.Random) -> Case | None:
    separator = rng.choice(["", "\u202f", "\u00a0"])
    changed = re.sub(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])", lambda m: m[0].replace(",", separator), case.claim)
    return claimed(case, changed) or None


def number_words(case: Case, rng: random.Random) -> Case | None:
    table = {
        str(i): w for i, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
    }
    table.update({w: d for d, w in list(table.items()) if w not in {"zero", "one"}})
    pattern = r"(?<![\w.,$£€%–-])(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[2-9]|1[0-2])(?![\w%–°-])(?![.,:]\d)"
    return claimed(case, re.sub(pattern, lambda m: table[m[0]], case.claim, count=1))


def spelling(case: Case, rng: random.Random) -> Case | None:
    pairs = {
        "color": "colour", "colors": "colours", "labor": "labour", "honor": "honour", "favor": "favour", "behavior": "behaviour", "center": "centre", "centers": "centres", "theater": "theatre", "organization": "organisation", "organizations": "organisations",
        "organized": "organised", "recognized": "recognised", "realized": "realised", "defense": "defence", "analyzed": "analysed", "traveled": "travelled", "traveling": "travelling", "program": "programme", "programs": "programmes", "gray": "grey", "catalog": "catalogue",
        "meters": "metres", "kilometers": "kilometres", "tumor": "tumour", "tumors": "tumours", "fetal": "foetal", "anemia": "anaemia", "pediatric": "paediatric", "modeling": "modelling", "labeled": "labelled", "neighbor": "neighbour", "civilization": "civilisation", "characterized": "characterised",
        "industrialized": "industrialised", "hospitalized": "hospitalised", "randomized": "randomised", "utilized": "utilised", "harbor": "harbour", "license": "licence", "aging": "ageing", "judgment": "judgement", "toward": "towards", "among": "amongst", "while": "whilst", "esophageal": "oesophageal",
    }  # fmt: skip
    return claimed(case, swap_words(case.claim, pairs, rng))


def date_order(case: Case, rng: random.Random) -> Case | None:
    months = "|".join(_MONTH)
    match = re.search(rf"\b(\d{{1,2}}) ({months}) (\d{{4}})\b", case.claim)
    if match:
        new = rng.choice(
            [f"{match[2]} {match[1]}, {match[3]}", f"{match[3]}-{_MONTH.index(match[2]) + 1:02}-{int(match[1]):02}"]
        )
        return claimed(case, case.claim[: match.start()] + new + case.claim[match.end() :])
    match = re.search(rf"\b({months}) (\d{{1,2}}), (\d{{4}})\b", case.claim)
    if match is None:
        return None
    new = rng.choice(
        [f"{match[2]} {match[1]} {match[3]}", f"{match[3]}-{_MONTH.index(match[1]) + 1:02}-{int(match[2]):02}"]
    )
    return claimed(case, case.claim[: match.start()] + new + case.claim[match.end() :])


def unit_spelt(case: Case, rng: random.Random) -> Case | None:
    pairs = [
        (r"(\d) ?km", r"\1 kilometres"), (r"(\d) ?kg", r"\1 kilograms"), (r"(\d) ?mg", r"\1 milligrams"), (r"(\d) ?mm", r"\1 millimetres"), (r"(\d) ?cm", r"\1 centimetres"), (r"(\d) ?ml", r"\1 millilitres"), (r"(\d) (?:feet)", r"\1 ft"),
        (r"(\d) miles", r"\1 mi"), (r"(\d) (?:meters|metres)", r"\1 m"), (r"(\d) hours", r"\1 h"), (r"(\d) minutes", r"\1 min"), (r"(\d) ?ft", r"\1 feet"), (r"(\d) (?:kilometers|kilometres)", r"\1 km"), (r"(\d) mi", r"\1 miles"),
    ]  # fmt: skip
    return claimed(case, swap_phrases(case.claim, pairs, rng))


_FACTORS = {
    "km": (1000, "m"), "kilometers": (1000, "metres"), "kilometres": (1000, "m"), "m": (100, "cm"), "meters": (100, "centimetres"), "metres": (100, "cm"), "cm": (10, "mm"), "kg": (1000, "g"), "g": (1000, "mg"), "weeks": (7, "days"), "hours": (60, "minutes"), "minutes": (60, "seconds"),
    "miles": (1.609344, "km"), "feet": (0.3048, "m"), "ft": (0.3048, "metres"), "mi": (1.609344, "km"), "days": (24, "hours"), "ml": (0.001, "l"), "mm": (0.1, "cm"), "inches": (2.54, "cm"), "acres": (0.404686, "hectares"),
}  # fmt: skip


def unit_converted(case: Case, rng: random.Random) -> Case | None:
    found = [
        m
        for m in re.finditer(
            r"(?<![\w.,–-])(?<!to )(?<!or )(?<!and )(\d+(?:,\d{3})*(?:\.\d+)?) (\w+)\b(?!²)", case.claim
        )
        if m[2] in _FACTORS
    ]
    if not found:
        return None
    match = rng.choice(found)
    factor, name = _FACTORS[match[2]]
    value = float(match[1].replace(",", "")) * factor
    written = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return claimed(case, f"{case.claim[: match.start()]}{written} {name}{case.claim[match.end() :]}")


def million(case: Case, rng: random.Random) -> Case | None:
    match = re.search(r"(?<![\d./-])(\d+(?:\.\d+)?) (million|billion)\b", case.claim)
    if match is None:
        return None
    value = round(float(match[1]) * (10**6 if match[2] == "million" else 10**9))
    return claimed(case, f"{case.claim[: match.start()]}{value:,}{case.claim[match.end() :]}")


def percent(case: Case, rng: random.Random) -> Case | None:
    changed = re.sub(r"(\d) ?%(?![A-Z])", r"\1 percent", case.claim, count=1)
    if changed == case.claim:
        changed = re.sub(r"(\d) per ?cent\b", r"\1 %", case.claim, count=1)
    return claimed(case, changed)


def acronym(case: Case, rng: random.Random) -> Case | None:
    for match in re.finditer(r"((?:[A-Z][\w-]+ (?:of |and |for |the )?){2,6})\(([A-Z]{2,6})\)", case.passage):
        long, short = match[1].strip(), match[2]
        initials = "".join(w[0] for w in long.split() if w[0].isupper())
        if initials != short:
            continue
        if long in case.claim and short not in case.claim:
            return claimed(case, case.claim.replace(long, short))
        if re.search(rf"\b{short}\b", case.claim) and long not in case.claim:
            return claimed(case, re.sub(rf"\b{short}\b", long, case.claim))
    for long, short in (
        ("United States", "US"),
        ("United Kingdom", "UK"),
        ("European Union", "EU"),
        ("United Nations", "UN"),
        ("United States", "U.S."),
    ):
        if long in case.claim and short not in case.claim:
            return claimed(case, case.claim.replace(long, short))
    return None


def clause_dropped(case: Case, rng: random.Random) -> Case | None:
    inner = re.search(r", (?:which|who|where|whose|a|an|the) [^,;.]{8,80},(?= )", case.claim)
    if inner:
        return replace(case, claim=case.claim[: inner.start()] + case.claim[inner.end() :])
    bracket = re.search(r" \([^()]{3,60}\)", case.claim)
    if bracket:
        return replace(case, claim=case.claim[: bracket.start()] + case.claim[bracket.end() :])
    tail = re.search(r", (?:which|who|where|while|and|with|including) [^;]{10,}\.$", case.claim)
    if tail and tail.start() > 30:
        return replace(case, claim=case.claim[: tail.start()] + ".")
    return None


def joined(case: Case, rng: random.Random) -> Case | None:
    """Two whole sentences of the passage in one."""
    others = [
        o
        for o in case.others
        if 5 <= len(o.split()) <= 30 and o.rstrip()[-1] in ".!" and o in case.passage and '"' not in o
    ]
    if not others:
        return None
    other = rng.choice(others)
    joiner = rng.choice([", and ", "; ", ", while ", " and "])
    begins_name = other.split()[0] in _NAME.findall(case.passage)
    if not other[1:2].islower() or other.split()[0] in {"While", "And", "But", "Although"}:
        return None
    tail = other if begins_name else other[:1].lower() + other[1:]
    return replace(case, claim=f"{case.claim.rstrip('.!')}{joiner}{tail}")


FORM: dict[str, Change] = {
    "untouched": untouched,
    "re-wrapped": rewrapped,
    "hyphenated source": hyphenated,
    "soft hyphens": soft_hyphens,
    "ligatures": ligatures,
    "typography": typography,
    "in quotation marks": in_quotes,
    "thousands separators": thousands,
    "spelling variants": spelling,
    "clause dropped": clause_dropped,
    "two sentences joined": joined,
    "date in another order": date_order,
}
PARAPHRASE: dict[str, Change] = {
    "number words": number_words,
    "million in digits": million,
    "percent": percent,
    "unit spelt out": unit_spelt,
    "unit converted": unit_converted,
    "acronyms": acronym,
}


def alter(cases: Sequence[Case], change: Change, size: int, seed: int) -> list[Case]:
    """Return the first ``size`` cases that ``change`` can alter."""
    rng = random.Random(seed)
    altered: list[Case] = []
    for case in cases:
        if (changed := change(case, rng)) is not None:
            altered.append(changed)
            if len(altered) == size:
                break
    return altered
