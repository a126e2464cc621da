"""Decisions about one item as tables: what to do with an item that is listed, and with one that is listed no more.

Pure. A table is a list of rules; the first rule whose conditions all hold decides. A run gathers the facts, asks
``decide_item`` at three points (listed, fetched, parsed) and ``decide_absence`` after a listing, and acts.

>>> decide_item("listed", ItemFacts(is_stored=True, has_same_version=True, is_made_as_today=True, has_same_title=True))
'keep'
>>> decide_absence(AbsenceFacts(is_listing_complete=True, is_confirmed=True)).state
'gone'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

Look = Literal["listed", "fetched", "parsed"]
"""Points at which an item is decided about: each knows more than the one before, and costs more."""

Action = Literal["leave_out", "take_out", "keep", "give_up", "fetch", "parse", "write"]
"""``leave_out``: skip, nothing is stored. ``take_out``: skip, and remove what is stored. ``keep``: unchanged.
``give_up``: fails as it did before. ``fetch``, ``parse`` and ``write`` lead on to the next point."""

AbsenceState = Literal["present", "missing", "gone"]

A = TypeVar("A")


@dataclass(frozen=True)
class ItemFacts:
    """Facts about a listed item. One that is not known yet at a point is not in that point's rules."""

    is_excluded: bool = False
    """The connector lists the item and will not fetch it (ignored, a copy, forbidden by robots.txt)."""
    is_deferred: bool = False
    """It is excluded for now alone (over a limit, not to be asked for today), which says nothing about its content."""
    is_held_elsewhere: bool = False
    """Another source lists the item as well, and does not exclude it."""
    is_recorded: bool = False
    """The ledger names a content that was stored for it."""
    is_stored: bool = False
    """The store holds that content."""
    is_made_as_today: bool = False
    """Parser, chunker and embedder of what is stored are those of today."""
    is_known_failure: bool = False
    """The same version of the item and the same parsers failed before, in a way that they always will."""
    has_same_version: bool = False
    has_same_title: bool = False
    """Its title, and who may read it, are those that were listed when it was stored."""
    has_same_content: bool = False
    """The fetched bytes are those that the stored document was made of, and the same parser reads them."""
    has_same_document: bool = False
    """Parsing came to what is stored: same bytes, same parser identity, same chunker and embedder."""


@dataclass(frozen=True)
class DecisionRow(Generic[A]):
    """A row of a table: ``action`` when every fact has the value that ``when`` gives it, with the reason why."""

    action: A
    why: str
    when: Mapping[str, bool] = field(default_factory=dict)

    def applies_to(self, facts: ItemFacts | AbsenceFacts) -> bool:
        return all(getattr(facts, name) is value for name, value in self.when.items())


_UP_TO_DATE: Final = {"is_stored": True, "is_made_as_today": True, "has_same_title": True}

ITEM_RULES: Final[Mapping[Look, Sequence[DecisionRow[Action]]]] = {
    "listed": (
        DecisionRow("leave_out", "it is left out for now alone", {"is_excluded": True, "is_deferred": True}),
        DecisionRow("leave_out", "another source holds it", {"is_excluded": True, "is_held_elsewhere": True}),
        DecisionRow(
            "take_out", "what is not to be fetched is not to be found", {"is_excluded": True, "is_recorded": True}
        ),
        DecisionRow("leave_out", "the source leaves it out", {"is_excluded": True}),
        DecisionRow("keep", "the source's version is the stored one", {"has_same_version": True, **_UP_TO_DATE}),
        DecisionRow("give_up", "the same bytes and parsers fail again", {"is_known_failure": True}),
        DecisionRow("fetch", "only the content can tell"),
    ),
    "fetched": (
        DecisionRow("keep", "the bytes are the stored ones", {"has_same_content": True, **_UP_TO_DATE}),
        DecisionRow("parse", "the content or its making changed"),
    ),
    "parsed": (
        DecisionRow(
            "keep",
            "parsing came to what is stored",
            {"has_same_document": True, "is_stored": True, "has_same_title": True},
        ),
        DecisionRow("write", "the document is new or different"),
    ),
}
"""The last rule of each point has no conditions, so every item is decided."""


def decide_item(look: Look, facts: ItemFacts) -> Action:
    """Return what to do with an item at a point of its way."""
    return _first(ITEM_RULES[look], facts).action


@dataclass(frozen=True)
class UpdateFacts:
    """Differences between a stored document and the one that replaces it."""

    has_moved: bool = False
    has_new_content: bool = False
    has_new_captions: bool = False
    has_new_parser: bool = False
    has_new_title: bool = False
    has_new_readers: bool = False
    has_new_making: bool = False
    """Chunker, embedder, masks or collection are others than those of the stored document."""


UPDATE_REASONS: Final = (
    ("has_moved", "moved from {previous_uri}"),
    ("has_new_content", "content changed"),
    ("has_new_captions", "{captions}"),
    ("has_new_parser", "parser {old_parser} became {new_parser}"),
    ("has_new_title", "renamed from {old_title}"),
    ("has_new_readers", "others may read it now"),
    ("has_new_making", "chunking, embedding, masks or collection changed"),
)
NOT_IN_STORE: Final = "it was not in the store"


def explain_update(facts: UpdateFacts, words: Mapping[str, str | None]) -> str:
    """Return the reason of an update: the first difference in the order of ``UPDATE_REASONS``."""
    for name, sentence in UPDATE_REASONS:
        if getattr(facts, name):
            return sentence.format_map(words)
    return NOT_IN_STORE


# Absence


@dataclass(frozen=True)
class AbsenceFacts:
    """Facts about an item that a source had and that its latest listing does not show."""

    is_held_elsewhere: bool = False
    """Another source lists the item."""
    is_pinned: bool = False
    """A person restored it after it was deleted."""
    is_listing_complete: bool = False
    """Every part of the source answered, and no limit cut the listing short."""
    is_named_itself: bool = False
    """The source is this one item, so that its own absence is all that there is to know."""
    is_confirmed: bool = False
    """Asked for by itself after the listing, the item was not there either (404, 410, no such file)."""
    is_mass: bool = False
    """More than a tolerable share of the source vanished at once: a fault is likelier than a wish."""
    is_pruning: bool = False
    """The user asked to delete whatever is missing (``--prune``)."""
    is_missing_long_enough: bool = False
    """Missing in enough complete listings, or for longer than the time of grace."""


@dataclass(frozen=True)
class Absence:
    """A decision about an item that is listed no more. ``is_released``: only this source's claim ends."""

    state: AbsenceState
    is_released: bool = False


ABSENCE_RULES: Final[Sequence[DecisionRow[Absence]]] = (
    DecisionRow(Absence("present"), "it was restored by hand", {"is_pinned": True}),
    DecisionRow(
        Absence("gone"),
        "the source is this item, and it is not there",
        {"is_named_itself": True, "is_confirmed": True},
    ),
    DecisionRow(Absence("present", is_released=True), "another source lists it", {"is_held_elsewhere": True}),
    DecisionRow(
        Absence("present"), "the listing is incomplete, so its absence says nothing", {"is_listing_complete": False}
    ),
    DecisionRow(Absence("gone"), "the source no longer has it", {"is_pruning": True}),
    DecisionRow(
        Absence("missing"),
        "too much vanished at once; if that is right, run again with --prune",
        {"is_mass": True},
    ),
    DecisionRow(Absence("gone"), "the source no longer has it", {"is_confirmed": True}),
    DecisionRow(Absence("gone"), "the source no longer lists it", {"is_missing_long_enough": True}),
    DecisionRow(Absence("missing"), "the source did not list it; it is deleted when it is missing again"),
)
"""A listing that fails, a limit, an outage and an unmounted disk never get past the rule about completeness."""


def decide_absence(facts: AbsenceFacts) -> Absence:
    """Return the state of an item that its source listed before and lists no more."""
    return _first(ABSENCE_RULES, facts).action


def explain_absence(facts: AbsenceFacts) -> str:
    """Return the reason of ``decide_absence``, as it is shown to users."""
    return _first(ABSENCE_RULES, facts).why


MASS_SHARE: Final = 0.2
MASS_LEAST: Final = 5
"""Up to so many items may vanish at once from a source of any size."""


def is_mass_absence(vanished: int, known: int, *, share: float = MASS_SHARE) -> bool:
    """Return whether so many of the ``known`` items vanished at once that a fault is likelier than a wish.

    A source of several items that is suddenly empty is one, whatever its size.
    """
    if known > 1 and vanished >= known:
        return True
    return vanished > max(MASS_LEAST, share * known)


def _first(rules: Sequence[DecisionRow[A]], facts: ItemFacts | AbsenceFacts) -> DecisionRow[A]:
    return next(rule for rule in rules if rule.applies_to(facts))
