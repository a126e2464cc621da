"""What a claim may leave out of the sentence that it follows, and what it may not. Pure.

A clause between commas may go. A condition, an exception, a limit, a rate, an alternative or the words that say whose
statement it is may not: without them the rest means something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from roma_core.citations.align import Edit
from roma_core.citations.lexicon import (
    ADVERBS,
    ATTRIBUTIONS,
    AUXILIARIES,
    BASE_OF,
    CONDITIONS,
    COORDINATORS,
    DENIALS,
    DETERMINERS,
    FACTIVES,
    FILLERS,
    HARMLESS,
    HEDGES,
    LIMITING_PHRASES,
    NAMING_VERBS,
    NEGATIONS,
    PLAIN_VERBS,
    PREPOSITIONS,
    QUANTIFIERS,
    RELATIVES,
    REPORTING,
    TITLES,
    WEEKDAYS,
)
from roma_core.citations.numbers import CURRENCIES, MONTHS
from roma_core.citations.reasons import Reason, ReasonKind
from roma_core.citations.verbs import HYPHENS, PARTING, find_verb, is_past_form
from roma_core.citations.words import ClaimWord

LEXICA: tuple[tuple[ReasonKind, frozenset[str]], ...] = (
    ("hedge", HEDGES),
    ("quantifier", QUANTIFIERS),
    ("condition", CONDITIONS),
    ("attribution", ATTRIBUTIONS),
)
CLAUSE_END = frozenset(",;:–—")
PLACE_NAMES = frozenset(
    "north south east west northern southern eastern western new old upper lower saint san los las la el vice former "
    "anti non central inner outer greater great little".split()
)
_PHRASES = frozenset("in on at during by".split())
_CONDITION_HEADS = (CONDITIONS | {"pending", "hypothetically", "theoretically"}) - {
    "without",
    "although",
    "whether",
    "save",
    "only",
}
_TEMPORAL_HEADS = frozenset("when whenever once after before during upon".split())
_GROUPING = frozenset({"in", "among", "for"})
"""Words before a group of which a statement holds: "In dogs, ..."."""
_KINDS_OF_YEAR = frozenset("fiscal financial academic tax school lunar light model".split())
_INVERTED = frozenset("Should Had Were".split())
_GOVERNING = PREPOSITIONS - {"like"}
"""Prepositions: what stands behind one is no subject."""
_SCOPES = frozenset("of in on among to within from for except but out ever".split())
_RESTRICTING = frozenset("with without over under above below aged weighing earning more less at".split())
_TERMS = frozenset("on with without only within before after until while during outside at in every".split())
_RULING = frozenset(
    "allowed permitted forbidden prohibited banned admitted welcome must possible required open closed free "
    "valid".split()
)
_OFFERED = frozenset("free valid open closed possible allowed permitted required".split())
_PRESENT = frozenset("is may can must shall will should does".split())
_PAST = frozenset("was had did".split())
_NO_SUPERLATIVES = frozenset(
    "forest interest request guest harvest protest honest modest priest contest digest suggest invest arrest quest "
    "northwest southwest conquest midwest west test".split()
)
_UNRANKED = frozenset("century war".split())
_ASKING = frozenset("ask asks asked asking find know knows see test tests tested check checks checked sure".split())
_SUBJECTS = frozenset("i we you they he she".split())
_JOINT = frozenset(
    "together jointly each other both alone share shares shared marry marries married meet meets met agree agrees "
    "agreed differ differs differed merge merges merged combine combines combined split form forms formed collide "
    "collided divorce divorced separate separated total totaled tie tied compete competed quarrel quarreled cooperate "
    "cooperated collaborate collaborated alternate alternated couple pair same alike similar different equal "
    "respectively twins sisters brothers partners rivals neighbors friends between".split()
)
"""Words that say what two do or are with each other."""
_ACHIEVED = frozenset(
    "won wrote written founded built funded financed paid owned owns designed drawn invented discovered composed "
    "created".split()
)
"""What two do together where its object is one: "Ann and Tom won the prize"."""


def find_left_out(
    edit: Edit, present: Sequence[ClaimWord], next_source: ClaimWord | None, source: Sequence[ClaimWord]
) -> list[Reason]:
    """Return the reasons why the words of the source in ``edit`` may not be left out; ``source`` is the passage."""
    words = edit.source
    keys = [word.key for word in words]
    if keys in (["not", "only"], ["not", "just"], ["not", "merely"]):
        return []
    if all(key in HARMLESS or key in FILLERS for key in keys):
        is_joint_cut = keys[:1] == ["and"] and "," in words[0].gap and not edit.at_end
        if is_joint_cut and _parts_clauses(present, edit.source_index):
            return [Reason("splice", source=text_of(present[edit.source_index - 1 : edit.source_index + 2]))]
        return []
    if len(keys) == 2 and keys[0] in {"which", "who", "that"} and keys[1] in {"is", "was"} and next_source is not None:
        return [] if is_past_form(next_source) else _decisive(words)
    before = present[: edit.source_index]
    if keys in (["but", "also"], ["but"]) and any(word.key == "only" for word in before):
        return []
    previous = before[-1] if before else None
    if keys == ["to", "be"] and previous is not None and previous.key in {"appear", "appears", "seem", "seems"}:
        return []
    if edit.at_start:
        return find_cut_before(words, next_source, present[edit.source_index + len(words) :])
    if edit.at_end:
        return find_cut_after(words, previous, before)
    if next_source is not None and _cuts_range(words, next_source):
        return [Reason("number", next_source.text, text_of(words))]
    is_over_border = any(";" in word.gap for word in words[1:]) and not _is_plain_aside(words, next_source)
    if ";" in words[0].gap and next_source is not None:
        is_over_border = is_over_border or not set(next_source.gap) & PARTING
    if is_over_border or _has_own_subject(words):
        return [Reason("left out", source=text_of(words))]
    if keys[0] in {"or", "nor"} or keys[-1] in {"or", "nor"}:
        return [Reason("quantifier", source=text_of(words))]
    if _is_title_or_initial(words, previous, next_source) or _is_short_name(words, next_source, source):
        return []
    if _is_role(words, present[edit.source_index + len(words) :]):
        return []
    if next_source is not None and next_source.date is not None and set(keys) <= WEEKDAYS:
        return []
    for clause, following in _shifts(words, edit.source_index, present):
        begins = bool(set(clause[0].gap) & PARTING) or clause[0].key in RELATIVES or clause[0].key in COORDINATORS
        ends = bool(set(following.gap) & PARTING) or clause[-1].key in COORDINATORS
        if begins and ends:
            return _clause_reasons(clause, before)
    if _cuts_owner(words, next_source):
        return [Reason("left out", source=text_of(words))]
    if words[-1].key in COORDINATORS and len(words) > 2 and not _joins_inside_clause(words):
        return _clause_reasons(words, before)
    is_phrase = words[0].key in _PHRASES and len(words) <= 6 and not {"but", "and"} & set(keys)
    is_phrase = is_phrase and not any(set(word.gap) & PARTING for word in words[1:])
    if is_phrase and next_source is not None and (next_source.key in _PHRASES or next_source.key in COORDINATORS):
        return _clause_reasons(words, before) or _decisive(words) or _object_cut(words, previous, before)
    return _decisive(words) or [Reason("left out", source=text_of(words))]


def _is_plain_aside(words: Sequence[ClaimWord], following: ClaimWord | None) -> bool:
    """Return whether words in parentheses deny, limit and state nothing: "(n = 16; 17.2 %)"."""
    is_within = "(" in words[0].gap and following is not None and ")" in following.gap
    is_stating = bool(find_verb(words)) or any(word.key in PLAIN_VERBS for word in words)
    return is_within and not is_stating and not _decisive(words)


def _joins_inside_clause(words: Sequence[ClaimWord]) -> bool:
    """Return whether the "and" at the end is one of a clause between: "mid May, with breaks in April and"."""
    if set(words[-1].gap) & PARTING:
        return False
    return any(set(word.gap) & PARTING and word.key in PREPOSITIONS for word in words[1:])


def _cuts_owner(words: Sequence[ClaimWord], following: ClaimWord | None) -> bool:
    """Return whether words end within "the winner of A and B", of which B alone is left, said of what is not B."""
    last = max((index for index, word in enumerate(words) if word.key in PREPOSITIONS), default=0)
    if words[-1].key != "and" or not last or words[last].key not in {"of", "between"} or following is None:
        return False
    is_other = following.key in DETERMINERS | PREPOSITIONS | AUXILIARIES or is_past_form(following)
    return not is_other and not any(set(word.gap) & PARTING for word in (*words[last:], following))


def _parts_clauses(words: Sequence[ClaimWord], place: int) -> bool:
    """Return whether a statement stands on either side of ``place``."""
    return find_verb(words[:place]) > 0 and find_verb(words[place + 1 :]) > 0


def _has_own_subject(words: Sequence[ClaimWord]) -> bool:
    """Return whether ``words`` hold a clause with its own subject, which what stands behind them continues."""
    for first, second in pairwise(words) if words[-1].key in COORDINATORS else ():  # "a chip, cats a chip and"
        if "," in first.gap and first.is_content and second.gap == " " and second.key in {"a", "an", "the"}:
            return True
    for index in range(2, len(words) - 3) if words[-1].key in COORDINATORS else ():
        if words[index].key not in COORDINATORS:
            continue
        clause = words[index + 1 : -1]
        if clause[0].key in _SUBJECTS or find_verb(clause):
            return True
        is_subject = clause[0].key in DETERMINERS or clause[0].is_name
        if is_subject and any(word.key.endswith("s") and word.kind == "word" for word in clause[2:-1]):
            return True  # "the tug pulls barges"
    return False


def _shifts(
    words: Sequence[ClaimWord], index: int, present: Sequence[ClaimWord]
) -> Iterator[tuple[Sequence[ClaimWord], ClaimWord]]:
    """Yield the words that were left out, and the ways to cut them that leave the same words: "index (h-index)"."""
    first, last = index, index + len(words)
    if list(present[first:last]) != list(words) or last >= len(present):
        if last < len(present):
            yield words, present[last]
        return
    yield words, present[last]
    for step in range(1, 4):
        if last + step < len(present) and [w.key for w in present[first : first + step]] == [
            w.key for w in present[last : last + step]
        ]:
            yield present[first + step : last + step], present[last + step]
        if first - step >= 0 and [w.key for w in present[first - step : first]] == [
            w.key for w in present[last - step : last]
        ]:
            yield present[first - step : last - step], present[last - step]


def _decisive(words: Sequence[ClaimWord]) -> list[Reason]:
    keys = {word.key for word in words}
    if keys & NEGATIONS:
        return [Reason("negation", source=text_of(words))]
    return [Reason(kind, source=text_of(words)) for kind, lexicon in LEXICA if keys & lexicon][:1]


def _clause_reasons(words: Sequence[ClaimWord], kept: Sequence[ClaimWord]) -> list[Reason]:
    """Return why a clause may not go: it is a condition or an exception, or it says whose statement this is."""
    is_limited = bool(words) and words[0].key == "but" and begins_limit(words[1:])
    is_joined = bool(words) and words[0].key in COORDINATORS
    while words and words[0].key in {"and", "but", "or"}:
        words = words[1:]
    head = [word.key for word in words][:2]
    if is_limited:  # "but only if they hang high enough"
        return [Reason("condition", source=text_of(words))]
    if is_joined and head[1:] == ["that"]:  # "and said that ...": another statement
        return []
    if head[:1] == ["not"] and _is_contrast(words, kept):
        return []
    if is_condition(words, kept) or head == ["other", "than"] or head[:1] == ["not"]:
        return [Reason("condition", source=text_of(words))]
    is_writing = (
        bool(words) and words[0].key in {"wrote", "writes"} and len(words) > 1 and words[1].key in {"to", "for"}
    )
    is_reporting = bool(words) and not is_writing and (words[0].key in REPORTING or words[-1].key in REPORTING)
    if len(words) <= 6 and (head[:1] == ["according"] or is_reporting):
        return [Reason("attribution", source=text_of(words))]
    return []


def begins_limit(words: Sequence[ClaimWord]) -> bool:
    """Return whether words begin with "only if", "only on" or the like, and not with what only one is or does."""
    keys = [word.key for word in words[:2]]
    return keys[:1] == ["only"] and len(keys) == 2 and keys[1] in PREPOSITIONS | CONDITIONS | _TEMPORAL_HEADS


def _is_contrast(words: Sequence[ClaimWord], kept: Sequence[ClaimWord]) -> bool:
    """Return whether words only say what is not so: "per user, not per project"."""
    second = words[1].key if len(words) > 2 and "," in words[0].gap else ""
    return second in PREPOSITIONS & {word.key for word in kept[-6:]}


def is_condition(words: Sequence[ClaimWord], kept: Sequence[ClaimWord]) -> bool:
    """Return whether a phrase limits when or for what the words that are kept hold."""
    keys = [word.key for word in words if word.key not in FILLERS]
    if not keys or keys[:2] == ["far", "from"] or keys[:3] == ["before", "or", "after"]:
        return False
    if keys[0] in _CONDITION_HEADS or any(_begins(keys, phrase) for phrase in LIMITING_PHRASES):
        return True
    if keys[0] == "without" and _is_generic(kept):
        return True
    if keys[0] in _GROUPING and len(words) == 2 and _is_plural(words[1]):
        return True
    if words[0].text in _INVERTED and len(words) > 2:
        return True
    return keys[0] in _TEMPORAL_HEADS and _is_generic(kept) and not any(word.date or word.quantity for word in words)


def find_condition(words: Sequence[ClaimWord], start: int) -> int:
    """Return where a condition or exception begins behind ``start``; the number of words where there is none."""
    for index in range(start, len(words)):
        if words[index].key in _CONDITION_HEADS - {"otherwise"} or _limits(words[index:]):
            return index
    return len(words)


def _is_plural(word: ClaimWord) -> bool:
    is_plural = word.key.endswith("s") or word.key in {"children", "people", "men", "women", "mice"}
    return word.kind == "word" and is_plural and word.text.islower()


_SEASONS = frozenset(
    "winter summer spring autumn fall weekdays weekends weekend holidays holiday night nights morning mornings evening "
    "evenings afternoon afternoons rain snow emergency emergencies daylight darkness".split()
)


def _is_season(words: Sequence[ClaimWord]) -> bool:
    """Return whether a short opening says when something holds: "In winter", "On weekdays"."""
    is_day = words[-1].key.removesuffix("s") in WEEKDAYS or words[-1].key in _SEASONS
    return len(words) <= 4 and is_day and (words[0].key in PREPOSITIONS or words[0].key == "every")


def _is_span(words: Sequence[ClaimWord]) -> bool:
    """Return whether words begin with the time for which something holds: "from May to July", "up to a day before"."""
    first, rest = words[0].key, words[1:7]
    if first == "at most":
        return bool(rest) and rest[0].quantity is not None and rest[0].quantity.unit in _DURATIONS
    times = [word for word in rest if word.date or word.key.startswith("time:") or _is_calendar_word(word)]
    is_joined = bool({word.key for word in rest} & {"to", "until", "and"})
    return first in {"from", "between"} and len(times) > 1 and is_joined


_DURATIONS = frozenset("minute hour day week month year".split())


def _is_calendar_word(word: ClaimWord) -> bool:
    return word.key in MONTHS or word.key.removesuffix("s") in WEEKDAYS


def _find_scope(words: Sequence[ClaimWord]) -> Sequence[ClaimWord]:
    """Return the words at the beginning of a sentence that say when or for which cases it holds; none otherwise."""
    for size in range(min(4, len(words)), 1, -1):
        if _is_season(words[:size]) or _is_class(words[:size]):
            return words[:size]
    return words if _is_term(words) else ()


_TERM_HEADS = frozenset("with on upon by under".split())
_NO_TERMS = frozenset("law custom tradition default contrast balance paper".split())
"""Nouns of openings that limit nothing: "By law, ...", "On paper, ..."."""


def _is_term(words: Sequence[ClaimWord]) -> bool:
    """Return whether an opening says on what terms or from when something holds: "With a permit", "From 2027"."""
    head, rest = words[0].key, [word for word in words[1:] if word.key not in {"a", "an"}]
    if not 0 < len(rest) <= 3:
        return False
    if head in {"from", "until"}:
        return any(word.date is not None or word.is_number or word.key in MONTHS for word in rest)
    is_plain = all(word.kind == "word" and word.is_content and word.text.islower() for word in rest)
    return head in _TERM_HEADS and is_plain and rest[-1].key not in _NO_TERMS


def _is_class(words: Sequence[ClaimWord]) -> bool:
    """Return whether words say of which cases something holds, or during what: "In severe cases", "During storms"."""
    if not all(word.kind == "word" and word.text.islower() for word in words[1:]) or not _is_plural(words[-1]):
        return False
    is_plain = all(word.is_content for word in words[1:])
    return is_plain and words[0].key in _GROUPING | {"during", "after", "before"}


def _begins(keys: Sequence[str], phrase: Sequence[str]) -> bool:
    return list(keys[: len(phrase)]) == list(phrase)


def _is_generic(words: Sequence[ClaimWord]) -> bool:
    """Return whether a statement tells of what holds always, and not of what once was."""
    keys = {word.key for word in words}
    return bool(keys & _PRESENT) or not _is_past(words)


def _is_past(words: Sequence[ClaimWord]) -> bool:
    keys = {word.key for word in words}
    return bool(keys & _PAST) or any(is_past_form(word) and BASE_OF.get(word.key) != word.key for word in words)


def has_finite_verb(words: Sequence[ClaimWord]) -> bool:
    """Return whether words hold a verb of a statement, as far as its form shows."""
    return any(word.key in _PRESENT or word.key == "has" for word in words) or _is_past(words)


def _is_short_name(words: Sequence[ClaimWord], next_source: ClaimWord | None, source: Sequence[ClaimWord]) -> bool:
    """Return whether the words left out begin a name whose end stays and is plain: "Ada" of "Ada Kern"."""
    if next_source is None or not next_source.is_name or next_source.gap.strip():
        return False
    if not all(word.is_name or word.text[:1].isupper() for word in words) or {w.key for w in words} & PLACE_NAMES:
        return False
    if any(word.is_number or ":" in word.key for word in words) or len(words) > 3:
        return False
    return is_unambiguous(next_source.key, words[-1].key, source)


def _is_title_or_initial(words: Sequence[ClaimWord], previous: ClaimWord | None, next_source: ClaimWord | None) -> bool:
    """Return whether the words left out are the title before a name, or the initial in one."""
    if next_source is None or not next_source.text[:1].isupper():
        return False
    if all(word.key in TITLES for word in words):
        return True
    is_initial = len(words) == 1 and len(words[0].text) == 1 and words[0].text.isupper()
    return is_initial and previous is not None and previous.text[:1].isupper()


def _is_role(words: Sequence[ClaimWord], following: Sequence[ClaimWord]) -> bool:
    """Return whether the words left out say what the person named behind them is: "the geologist" Ada Kern."""
    roles = [word for word in words if word.key not in {"the", "a"}]
    has_name = len(following) > 1 and all(word.is_name and word.gap == " " for word in following[:2])
    is_plain = all(word.kind == "word" and word.text.islower() and word.is_content for word in roles)
    return has_name and is_plain and 0 < len(roles) <= 2 and words[0].key in {"the", "a"} and not _decisive(words)


def is_unambiguous(name: str, before: str, source: Sequence[ClaimWord]) -> bool:
    """Return whether ``name`` stands behind no other word of a name than ``before`` in the passage."""
    others = {
        source[i - 1].key
        for i, word in enumerate(source)
        if i and word.key == name and source[i - 1].is_name and word.gap == " "
    }
    return others <= {before}


def find_cut_before(words: Sequence[ClaimWord], following: ClaimWord | None, kept: Sequence[ClaimWord]) -> list[Reason]:
    """Return why a claim may not begin after ``words``: they deny, limit or attribute what follows."""
    if not words or following is None:
        return []
    is_parted = bool(set(following.gap) & PARTING)
    clause = [] if is_parted else _last_clause(words)
    keys = [word.key for word in clause]
    if keys[-2:] == ["to", "be"]:  # "is to be opened": a plan
        return [Reason("hedge", source=text_of(clause))]
    if set(keys) & (DENIALS | {"failed", "fails", "fail", "refused", "denied", "denies", "prevented"}):
        return [Reason("negation", source=text_of(clause))]
    if set(keys) & ATTRIBUTIONS and (keys[-1] == "that" or set(keys[-3:]) & ATTRIBUTIONS):
        return [Reason("attribution", source=text_of(clause))]
    if set(keys) & HEDGES:
        return [Reason("hedge", source=text_of(clause))]
    is_only = [word.key for word in words] == ["only"] and (following.is_name or following.key in {"the", "these"})
    if set(keys[-2:]) & QUANTIFIERS and not is_only:
        return [Reason("quantifier", source=text_of(clause))]
    if set(keys) & _CONDITION_HEADS or is_condition(clause, kept) or _ends_as_condition(keys, kept):
        return [Reason("condition", source=text_of(clause))]
    if not is_parted and (reasons := _subject_cut(words, kept)):
        return reasons
    if goes_on_under_case([*words, following]) and _is_generic(kept):
        return [Reason("condition", source=text_of(words))]
    chunks = _chunks(words)
    for chunk in chunks:
        if (is_parted or chunk[-1] is not words[-1]) and is_condition(chunk, kept):
            return [Reason("condition", source=text_of(chunk))]
    first = chunks[0]
    is_of_all = len(chunks) > 1 and words[-1].key in COORDINATORS  # "In dogs, A is B, and C is D"
    opening = [word.key for word in words if word.key not in FILLERS][:2]
    if opening and opening[0] == "according" and (is_parted or is_of_all):
        return [Reason("attribution", source=text_of(words))]
    is_opening = is_parted or is_of_all or len(chunks) == 1
    opening_scope = _find_scope(first) if is_opening and _is_generic(kept) else ()
    if opening_scope:
        return [Reason("condition", source=text_of(opening_scope))]
    if len(words) > 1 and words[-1].key in {"to", "and"} and following.is_number and words[-2].is_number:
        return [Reason("number", following.text, text_of(words))]
    return []


def _ends_as_condition(keys: Sequence[str], kept: Sequence[ClaimWord]) -> bool:
    if any(len(phrase) > 1 and tuple(keys[-len(phrase) :]) == phrase for phrase in LIMITING_PHRASES):
        return True
    return keys[-1:] in (["when"], ["whenever"], ["once"], ["before"], ["after"]) and _is_generic(kept)


def goes_on_under_case(words: Sequence[ClaimWord]) -> bool:
    """Return whether a sentence begins with a case and goes on behind a semicolon: "If it burns, leave; ..."."""
    keys = [word.key for word in words[:2]]
    is_case = keys[0] in _CASES or keys == ["in", "case"]
    return is_case and any(";" in word.gap for word in words)


def _last_clause(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    for index in range(len(words) - 1, -1, -1):
        if (index + 1 < len(words) and set(words[index + 1].gap) & PARTING) or words[index].key in COORDINATORS:
            return list(words[index + 1 :])
    return list(words)


def _chunks(words: Sequence[ClaimWord]) -> list[list[ClaimWord]]:
    """Return the words between commas, from the last semicolon on."""
    chunks: list[list[ClaimWord]] = []
    for word in words:
        if ";" in word.gap:
            chunks = []
        if not chunks or set(word.gap) & PARTING:
            chunks.append([])
        chunks[-1].append(word)
    return chunks


def _subject_cut(words: Sequence[ClaimWord], kept: Sequence[ClaimWord]) -> list[Reason]:
    """Return why a claim may not begin right behind ``words``, where no comma parts them from it."""
    last, keys = words[-1].key, [word.key for word in words]
    if kept and kept[0].gap in HYPHENS:
        return [Reason("left out", source=words[-1].text)]
    if kept and _parts_group(words[-1], kept[0]):
        return [Reason("left out", source=words[-1].text)]
    if len(words) > 1 and ((last == "of" and words[-2].is_number) or (last == "year" and keys[-2] in _KINDS_OF_YEAR)):
        return [Reason("quantifier", source=text_of(words))]
    if len(words) > 2 and keys[-2:] == ["of", "the"] and (words[-3].is_number or keys[-3] in QUANTIFIERS):
        return [Reason("quantifier", source=text_of(words))]
    if last in {"or", "nor"} or (last == "and" and "between" in keys):
        return [Reason("quantifier", source=text_of(words))]
    if last == "and" and not find_verb(words) and not any(set(w.gap) & PARTING for w in words) and is_joint(kept):
        return [Reason("left out", source=text_of(words))]
    if last in {"whether", "how", "why"} or (last == "if" and set(keys) & _ASKING):
        return [Reason("attribution", source=text_of(words))]
    if keys[-2:] == ["so", "that"] and _is_generic(kept):
        return [Reason("hedge", source=text_of(words))]
    if last == "but" and set(keys[-3:]) & {"all", "none", "every", "nothing", "anything"}:
        return [Reason("quantifier", source=text_of(words))]
    if last == "that" and not set(keys) & FACTIVES:
        return [Reason("attribution", source=text_of(words))]
    if set(keys[-2:]) & NAMING_VERBS:
        return [Reason("attribution", source=text_of(words))]
    if last == "unlike" or (last in _GOVERNING and len(kept) > 2 and has_finite_verb(kept)):
        return [Reason("left out", source=text_of(words))]
    return []


def find_cut_after(words: Sequence[ClaimWord], previous: ClaimWord | None, kept: Sequence[ClaimWord]) -> list[Reason]:
    """Return why a claim may not end before ``words``: a condition, an exception or an attribution follows."""
    if not words:
        return []
    if previous is not None and previous.is_number and words[0].key == "to" and len(words) > 1 and words[1].is_number:
        return [Reason("number", previous.text, text_of((previous, *words[:2])))]
    for chunk in _split_at(words, CLAUSE_END):
        if reasons := _clause_reasons(chunk, kept):
            return reasons
    if _cuts_agents(kept, words):
        return [Reason("left out", source=text_of(words))]
    if _cuts_case(kept, words):
        return [Reason("condition", source=text_of(words))]
    is_parted = bool(set(words[0].gap) & (PARTING - {")", "]"}))
    if _cuts_compound(kept, words[0]):
        return [Reason("left out", source=words[0].text)]
    if not is_parted and (reasons := _object_cut(words, previous, kept)):
        return reasons
    is_new_clause = is_parted or words[0].key in RELATIVES
    for index, word in enumerate(words[:12] if not is_new_clause else ()):
        if word.key in {"if", "unless", "until", "except", "excluding"} or (index and _limits(words[index:])):
            return [Reason("condition", source=text_of(words[index:]))]
        if set(word.gap) & PARTING and index:
            break
    return []


def _cuts_agents(kept: Sequence[ClaimWord], words: Sequence[ClaimWord]) -> bool:
    """Return whether some of those who did something are cut off: "paid by the town" of "... and the county"."""
    by = next((index for index in range(len(kept) - 1, 0, -1) if kept[index].key == "by"), 0)
    agent = kept[by + 1 :]
    is_passive = by > 1 and (is_past_form(kept[by - 1]) or is_past_form(kept[by - 2]))  # "was paid for by"
    is_agent = is_passive and agent and not any(word.key in PREPOSITIONS for word in agent) and not find_verb(agent)
    if not is_agent or any(word.is_number for word in agent) or not goes_on_as_list(words):
        return False
    return words[0].key != "and" or is_shared_deed(kept[:by])


def is_shared_deed(words: Sequence[ClaimWord]) -> bool:
    """Return whether words end with what several do to one thing together: "was paid", "was written"."""
    return any(word.key in _ACHIEVED for word in words[-2:])


def goes_on_as_list(words: Sequence[ClaimWord]) -> bool:
    """Return whether words go on with names or things of the same kind: ", the county and the railway"."""
    joint = next((index for index, word in enumerate(words[:_MOST_AGENTS]) if word.key == "and"), None)
    if joint is None or joint + 1 == len(words):
        return False
    is_list = joint == 0 or "," in words[0].gap
    following = words[joint + 1]
    is_noun = following.is_name or following.key in DETERMINERS
    last = next((i for i in range(joint + 2, len(words)) if words[i].key in {"and", "but"}), len(words))
    return is_list and is_noun and not find_verb(words[:joint]) and not _begins_clause(words[joint:last])


_MOST_AGENTS = 10


def _begins_clause(words: Sequence[ClaimWord]) -> bool:
    """Return whether "and ..." goes on with another statement, as far as its next comma."""
    clause = next(_split_at(words, PARTING))
    end = next((i for i in range(1, len(clause)) if clause[i].key in RELATIVES | _CASES), len(clause))
    return bool(find_verb(clause[1:end]))


def _cuts_case(kept: Sequence[ClaimWord], words: Sequence[ClaimWord]) -> bool:
    """Return whether the second half of a case is cut off: "if it rains" of "if it rains and the door is open"."""
    start = next((index for index in range(len(kept) - 1, -1, -1) if kept[index].key in _CASES), None)
    if start is None or words[0].key != "and" or words[0].gap.strip() or not _is_generic(kept):
        return False
    return not any(set(word.gap) & PARTING for word in kept[start + 1 :]) and _begins_clause(words)


_CASES = frozenset("if when whenever unless".split())


def _cuts_compound(kept: Sequence[ClaimWord], following: ClaimWord) -> bool:
    """Return whether a cut goes through a noun of two words: "the garden" of "She bought the garden chair"."""
    verb = find_verb(kept)
    if not verb or verb == len(kept) - 1 or following.gap != " ":
        return False
    are_nouns = all(word.kind == "word" and word.is_content and word.text.islower() for word in (kept[-1], following))
    is_noun = not following.key.endswith("ly") and following.key not in _ADVERBIALS | ADVERBS | PREPOSITIONS
    return are_nouns and is_noun and not is_past_form(kept[-1]) and not kept[-1].key.endswith("ly")


_ADVERBIALS = frozenset(
    "today yesterday tomorrow daily weekly monthly yearly hourly online abroad alone early late home anew ago enough "
    "overnight upstairs downstairs outdoors indoors free away forward back apart altogether anymore worldwide".split()
)


def _limits(words: Sequence[ClaimWord]) -> bool:
    keys = [word.key for word in words[:4]]
    return any(_begins(keys, phrase) for phrase in LIMITING_PHRASES)


def _split_at(words: Sequence[ClaimWord], signs: Iterable[str]) -> Iterator[list[ClaimWord]]:
    chunk: list[ClaimWord] = []
    for index, word in enumerate(words):
        if index and set(word.gap) & set(signs):
            yield chunk
            chunk = []
        chunk.append(word)
    yield chunk


def _object_cut(words: Sequence[ClaimWord], previous: ClaimWord | None, kept: Sequence[ClaimWord]) -> list[Reason]:
    """Return why a claim may not end right before ``words``, where no comma parts them from it."""
    first = words[0].key
    if words[0].gap in HYPHENS:
        return [Reason("left out", source=words[0].text)]
    if first == "per":
        return [Reason("unit", source=text_of(words[:2]))]
    if first in {"or", "nor", "only"}:
        return [Reason("quantifier", source=text_of(words))]
    if first in AUXILIARIES and kept and kept[-1].is_content and find_verb(kept):  # the subject of what follows
        return [Reason("left out", source=text_of(words))]
    if first in _SCOPES and any(_is_ranking(word) for word in kept[-4:]) and len(words) > 1 and not _is_not_only(kept):
        ranked = not any(word.key in _UNRANKED for word in kept[-3:])
        if ranked and not (words[1].is_number and words[1].quantity is not None):
            return [Reason("quantifier", source=text_of(words))]
    is_relative = first in {"who", "whom", "whose", "which", "that"}
    if is_relative and any(_is_ranking(word) for word in kept[-6:]):
        return [Reason("quantifier", source=text_of(words))]
    if first == "without" and _is_generic(kept):
        return [Reason("condition", source=text_of(words))]
    if (first in _TERMS or (first == "for" and kept and kept[-1].key in _OFFERED)) and _is_ruled(kept):
        return [Reason("condition", source=text_of(words))]
    is_of_value = _is_valued(kept) or _is_priced(kept)
    if is_of_value and first in _TERMS | {"for"} and len(words) > 1 and not words[1].is_number:
        return [Reason("condition", source=text_of(words))]
    if (_is_season(words) or _is_span(words)) and _is_generic(kept):
        return [Reason("condition", source=text_of(words))]
    is_denied = first in _TERMS | _RESTRICTING and _denies_beyond(first, kept)
    if is_denied or (first == "for" and _is_priced(kept)):
        return [Reason("condition", source=text_of(words))]
    is_plural = previous is not None and previous.key.endswith("s") and not previous.is_name
    if is_plural and _is_generic(kept):
        if is_relative:
            return [Reason("condition", source=text_of(words))]
        limited = any(word.is_number or word.key in QUANTIFIERS for word in words[:4])
        if (first in _RESTRICTING or words[0].key in QUANTIFIERS) and limited:
            return [Reason("condition", source=text_of(words))]
    return []


def _is_ruled(kept: Sequence[ClaimWord]) -> bool:
    """Return whether a statement permits, bans or obliges, so that what follows it says on which terms."""
    keys = {word.key for word in kept}
    is_ruling = bool(keys & _RULING) or any(word.text == "may" for word in kept)
    return is_ruling and not _PAST & keys


def _is_priced(kept: Sequence[ClaimWord]) -> bool:
    """Return whether a statement ends with what something costs, so that "for" says for whom or what."""
    amount = kept[-1].quantity if kept else None
    return amount is not None and amount.unit in CURRENCIES and _is_generic(kept)


def _is_valued(kept: Sequence[ClaimWord]) -> bool:
    """Return whether a statement ends with a value that something has, so that what follows says when or for whom."""
    return len(kept) > 2 and kept[-1].is_number and kept[-2].key in {"is", "now"} and _is_generic(kept)


def is_joint(predicate: Sequence[ClaimWord]) -> bool:
    """Return whether a predicate of two may hold for both together only: "share the prize", "are brothers"."""
    keys = [word.key for word in predicate]
    if set(keys) & _JOINT or (keys[0] in _ACHIEVED and keys[1:2] == ["the"]):
        return True
    for index, word in enumerate(predicate):
        if word.text in {"are", "were"}:
            behind = predicate[index + 1 : index + 4]
            return any(_is_plural(other) for other in behind)
        if word.is_number and word.date is None and not (index and predicate[index - 1].key in PREPOSITIONS):
            return True
    return False


def _denies_beyond(first: str, kept: Sequence[ClaimWord]) -> bool:
    """Return whether a statement denies more without what follows it: "it does not open", of "on Sundays"."""
    is_denied = any(word.key in NEGATIONS for word in kept) and not _is_not_only(kept)
    return is_denied and (first in {"before", "until"} or _is_generic(kept))


def _is_not_only(kept: Sequence[ClaimWord]) -> bool:
    return any(a.key == "not" and b.key == "only" for a, b in pairwise(kept))


def _parts_group(last: ClaimWord, first: ClaimWord) -> bool:
    """Return whether a cut goes through "small boats" or "20 visitors", so that more is spoken of than before."""
    is_noun = first.is_content and first.kind == "word" and not first.is_name and not first.gap.strip()
    is_limit = last.is_number or (last.kind == "word" and last.is_content and not last.is_name)
    return is_noun and is_limit and not last.key.endswith("ly") and first.key.endswith("s")


def _is_ranking(word: ClaimWord) -> bool:
    """Return whether a word ranks: "largest", "first", "only"."""
    if word.key.startswith("ord:") or word.key in {"best", "worst", "most", "least", "last", "only"}:
        return True
    return word.kind == "word" and len(word.key) > 5 and word.key.endswith("est") and word.key not in _NO_SUPERLATIVES


def _cuts_range(words: Sequence[ClaimWord], following: ClaimWord) -> bool:
    """Return whether the words left out end with a number and "to" or "and" before another number."""
    if len(words) < 2 or not following.is_number:
        return False
    return words[-1].key in {"to", "and", "or"} and words[-2].is_number


def text_of(words: Iterable[ClaimWord]) -> str:
    """Return the words as they stand, each of them once."""
    return " ".join(dict.fromkeys(word.text for word in words))
