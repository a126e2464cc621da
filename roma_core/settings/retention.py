"""Settings of retention: how long each kind of record is kept, by tenant and collection."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import ClassVar, Final, Literal, NamedTuple, get_args

from pydantic import field_validator

from roma_core.settings.base import SettingsSection, setting
from roma_core.settings.privacy import ANY

RecordKind = Literal["documents", "conversations", "answers", "caches", "traces", "logs", "jobs", "uploads", "audit"]
RECORD_KINDS: Final[tuple[RecordKind, ...]] = get_args(RecordKind)
_AGE: Final = re.compile(r"(?P<days>\d{1,6})d(?P<unused>:unused)?|(?P<forever>forever)")


class RetentionRule(NamedTuple):
    """How long records of a tenant (``*``: of all) are kept; documents also by collection.

    ``age`` None keeps them. ``by_use`` counts from the last answer that used a document, not from when it was stored.
    """

    tenant: str
    collection: str
    record: RecordKind
    age: timedelta | None
    by_use: bool = False


class RetentionSettings(SettingsSection):
    """What is removed when it is old."""

    prefix: ClassVar[str] = "ROMA_RETENTION_"

    rules: tuple[str, ...] = setting(
        (),
        "Comma-separated [[TENANT/]COLLECTION/]RECORD=90d, 90d:unused or forever; the last one that fits counts.",
        decides_answers=False,
    )

    @field_validator("rules")
    @classmethod
    def _check_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for rule in value:
            read_retention_rule(rule)
        return value

    @property
    def parsed(self) -> tuple[RetentionRule, ...]:
        """The rules in their order."""
        return tuple(read_retention_rule(rule) for rule in self.rules)


def read_retention_rule(text: str) -> RetentionRule:
    """Return the rule that ``text`` spells. Raises ``ValueError`` that says what is wrong with it.

    >>> read_retention_rule("hr/documents=365d").age
    datetime.timedelta(days=365)
    """
    target, _, spelt = (part.strip() for part in text.partition("="))
    age = _AGE.fullmatch(spelt)
    if age is None:
        raise ValueError(f"{text!r} is no rule; write it like conversations=90d, documents=365d:unused, audit=forever")
    *place, record = (part.strip() for part in target.split("/"))
    if record not in RECORD_KINDS:
        raise ValueError(f"{record!r} is no kind of record; there are {', '.join(RECORD_KINDS)}")
    if len(place) > 2 or not all(place):
        raise ValueError(f"{text!r} is no rule; before the record there is at most TENANT/COLLECTION/")
    tenant, collection = ([ANY, ANY, *place])[-2:]
    if record != "documents" and (collection != ANY or age["unused"]):
        raise ValueError(f"{text!r} is no rule; only documents have a collection and a last use (TENANT/*/{record}=…)")
    kept = None if age["forever"] else timedelta(days=int(age["days"]))
    return RetentionRule(tenant, collection, record, kept, bool(age["unused"]))
