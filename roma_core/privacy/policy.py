"""The policy on personal data: what becomes of each kind in the documents of a tenant and a collection. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roma_core.settings.privacy import ANY, PrivacyRule
from roma_core.types.privacy import KIND_GROUPS, PERSONAL_KINDS, PersonalKind, PrivacyMode


@dataclass(frozen=True)
class PrivacyPolicy:
    """The rules in their order. Of those that fit, the last one counts; where none fits, the mode is ``off``.

    >>> from roma_core.settings import PrivacySettings
    >>> policy = PrivacyPolicy(PrivacySettings(policy="email=mask,hr/*=refuse").rules)
    >>> policy.find_modes("default", "hr")["email"]
    'refuse'
    """

    rules: Sequence[PrivacyRule] = ()

    def find_modes(self, tenant: str, collection: str) -> Mapping[PersonalKind, PrivacyMode]:
        """Return the mode of each kind that is not off."""
        modes: dict[PersonalKind, PrivacyMode] = {}
        for rule in self.rules:
            if rule.tenant in {ANY, tenant} and rule.collection in {ANY, collection}:
                modes.update(dict.fromkeys(rule.kinds, rule.mode))
        return {kind: modes[kind] for kind in PERSONAL_KINDS if modes.get(kind, "off") != "off"}

    @property
    def is_off(self) -> bool:
        """Return whether no rule looks for anything."""
        return all(rule.mode == "off" for rule in self.rules)

    @property
    def needs_names(self) -> bool:
        """Return whether a rule looks for names, which takes a model."""
        return any(rule.mode != "off" and self._leaves_names(at) for at, rule in enumerate(self.rules))

    def _leaves_names(self, at: int) -> bool:
        """Return whether a rule covers a kind of names that no later rule for the same places switches off."""
        rule = self.rules[at]
        wanted = rule.kinds & KIND_GROUPS["names"]
        for later in self.rules[at + 1 :]:
            covers = later.tenant in {ANY, rule.tenant} and later.collection in {ANY, rule.collection}
            if covers and later.mode == "off":
                wanted -= later.kinds
        return bool(wanted)
