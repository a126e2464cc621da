"""Which roles the groups of an identity provider give, and whose e-mail addresses are let in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from roma_core.errors import AccessError, ConfigError
from roma_core.settings import ProviderSignInSettings
from roma_core.types import ROLES, Role

MOST_GROUPS = 1000
LONGEST_GROUP = 200


class AdmissionPolicy:
    """The rules of one provider, read from its settings. Raises ``ConfigError`` for a rule that cannot be read.

    >>> from roma_core.settings import OIDCSettings
    >>> policy = AdmissionPolicy(OIDCSettings(roles=("staff=reader",)))
    >>> policy.find_roles(["staff", "chess club"])
    ('reader',)
    """

    def __init__(self, settings: ProviderSignInSettings) -> None:
        self._variable = f"{settings.prefix}ROLES"
        self._domains = frozenset(domain.lower().lstrip("@") for domain in settings.allowed_domains)
        self._default_role = settings.default_role
        self._role_of: dict[str, list[Role]] = {}
        for rule in settings.roles:
            group, _, role = rule.rpartition("=")
            if not group.strip() or role.strip() not in ROLES:
                raise ConfigError(f"{self._variable}: {rule[:60]!r} is no GROUP=ROLE; roles are {', '.join(ROLES)}.")
            self._role_of.setdefault(group.strip(), []).append(cast(Role, role.strip()))

    @property
    def restricts_domains(self) -> bool:
        """Return whether only people with certain e-mail addresses are let in."""
        return bool(self._domains)

    def find_roles(self, groups: Iterable[str]) -> tuple[Role, ...]:
        """Return the roles of someone in ``groups``; none for someone who is not let in."""
        given: list[Role] = [self._default_role] if self._default_role else []
        for group in groups:
            given += self._role_of.get(group, [])
        return tuple(role for role in ROLES if role in given)

    def check_address(self, address: str) -> None:
        """Raise ``AccessError`` for a verified e-mail address of a domain that is not let in."""
        domain = address.rpartition("@")[2].lower()
        if self._domains and domain not in self._domains:
            raise AccessError(f"Addresses of {domain[:100]} are not let in here.")


def check_groups(value: object, source: str) -> tuple[str, ...]:
    """Return the names of groups that a provider sent: a list of words, or a single one.

    Raises ``AccessError`` for anything else: a part of the groups would silently be other rights.
    """
    if value is None:
        return ()
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise AccessError(f"The provider sent {source} that are no list of names.")
    if len(names) > MOST_GROUPS or any(not 0 < len(name) <= LONGEST_GROUP for name in names):
        raise AccessError(f"The provider sent more than {MOST_GROUPS} {source}, or one without a usable name.")
    return tuple(dict.fromkeys(names))
