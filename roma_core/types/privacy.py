"""Personal data in documents: its kinds, what becomes of each, and a finding of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from pydantic import Field

from roma_core.types.base import Noun
from roma_core.types.document import Document

PersonalKind = Literal[
    "private_key",
    "jwt",
    "auth",
    "api_key",
    "password",
    "iban",
    "card",
    "national_id",
    "ssn",
    "email",
    "ip",
    "phone",
    "person",
    "place",
    "affiliation",
]
"""In order of precedence where two overlap."""
PERSONAL_KINDS: Final[tuple[PersonalKind, ...]] = get_args(PersonalKind)
PrivacyMode = Literal["off", "flag", "mask", "refuse"]
"""``flag`` reports a finding, ``mask`` also hides it, ``refuse`` leaves the whole document out."""
KIND_GROUPS: Final[Mapping[str, frozenset[PersonalKind]]] = {
    "secrets": frozenset({"private_key", "jwt", "auth", "api_key", "password"}),
    "numbers": frozenset({"iban", "card", "national_id", "ssn", "email", "ip", "phone"}),
    "names": frozenset({"person", "place", "affiliation"}),
    "*": frozenset(PERSONAL_KINDS),
}
"""Names that stand for several kinds in a policy."""
FINDINGS: Final = "roma.personal_data"
"""Key of ``Document.metadata`` under which the findings are listed."""


class PersonalFinding(Noun):
    """Personal data at a place of a document, without its value.

    ``start`` and ``end`` are offsets into ``Document.text`` where ``field`` is ``text``. In any other field (``title``,
    ``metadata.author``, ``address``) they are 0.
    """

    kind: PersonalKind
    mode: PrivacyMode
    field: str = "text"
    start: int = Field(default=0, ge=0)
    end: int = Field(default=0, ge=0)
    place: str = ""
    """Place for a person: ``page 3``."""


def read_findings(document: Document) -> tuple[PersonalFinding, ...]:
    """Return the findings that a stored document lists; none for one that was not looked through."""
    listed: list[Any] = document.metadata.get(FINDINGS) or []
    return tuple(PersonalFinding.model_validate(entry) for entry in listed)


def is_masked(document: Document) -> bool:
    """Return whether something of a stored document is masked."""
    return any(finding.mode == "mask" for finding in read_findings(document))
