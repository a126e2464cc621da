"""Which connector reads a source, and which sources are refused before anything is done with them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from roma_core.connectors.base import Connector
from roma_core.connectors.local.paths import path_of
from roma_core.connectors.registry import connector_specs, describe_sources
from roma_core.errors import AgentFailure, InputError
from roma_core.redaction.rules import SECRETS, redact, redact_value
from roma_core.types import Source

_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*):", re.IGNORECASE)


def resolve_source(
    uri: str, connectors: Sequence[Connector], within: Sequence[str] | None = None
) -> tuple[Connector, Source]:
    """Return the connector of ``uri``, and the source confined to the places ``within`` (None: to none).

    Raises ``InputError`` for what no connector reads and for an address with a user name or a password,
    ``AccessError`` for what lies outside. Looks at the file system: call it from a thread.
    """
    _refuse_credentials(uri)
    connector = next((connector for connector in connectors if connector.accepts(uri)), None)
    if connector is None or _half_address().match(uri):
        raise InputError(_unreadable(uri))
    options = {} if within is None else {"within": tuple(within)}
    return connector, connector.normalise_source(Source(uri=uri, kind=connector.kind, options=options))


def redact_uri(uri: str) -> str:
    """Return ``uri`` as it may be kept and shown: without a user name or password, and without secrets."""
    text = uri.encode("utf-8", "backslashreplace").decode()
    return redact(_user().sub(r"\1", text), SECRETS)


def spell_address(uri: str) -> str:
    """Return the address as text that can be stored: a path with bytes that are not UTF-8 as its ``file://`` address.

    Raises ``InputError`` for what is neither text nor a path.
    """
    try:
        uri.encode()
    except UnicodeEncodeError:
        return path_of(uri).absolute().as_uri()
    return uri


def redact_failure(failure: AgentFailure) -> AgentFailure:
    """Return ``failure`` without the secrets of the address that it is about."""
    details, uri = redact_value(failure.details, SECRETS), failure.details.get("uri")
    if isinstance(uri, str):
        details["uri"] = redact_uri(uri)
    return failure.model_copy(update={"message": redact(failure.message, SECRETS), "details": details})


def _refuse_credentials(uri: str) -> None:
    """An address is kept, cited and shown, so it must not carry a password."""
    if _user().match(uri):
        raise InputError(
            "An address must not hold a user name or password: addresses are stored and shown with every citation. "
            "Take out what stands before the @; save pages behind a login as files and ingest those."
        )


def _unreadable(uri: str) -> str:
    """Return why no connector reads ``uri``, and what can be read."""
    named = _SCHEME.match(uri)
    scheme = named[1].lower() if named else ""
    for plugin in connector_specs().broken:
        if plugin.name == scheme:
            return f"The connector of {scheme}:// cannot be used: {plugin.reason}"
    of_scheme = f" ({scheme}://)" if named else ""
    return f"Nothing here can read this address{of_scheme}; use {describe_sources()}."


def _known_schemes() -> str:
    """Return the alternatives of a pattern: the schemes of addresses that connectors read."""
    names = {name for spec in connector_specs().values() for name in spec.address_schemes}
    return "|".join(re.escape(name) for name in sorted(names))


def _user() -> re.Pattern[str]:
    """Return the pattern of an address with a user's name; of the known schemes, also without both slashes."""
    return re.compile(rf"^(\s*(?:(?:{_known_schemes()}):/?|[a-z][a-z0-9+.-]*://))[^/?#]*@", re.IGNORECASE)


def _half_address() -> re.Pattern[str]:
    """Return the pattern of an address without its slashes.

    It would be taken for a path, and its password for a name.
    """
    return re.compile(rf"(?:{_known_schemes()}):(?!//)", re.IGNORECASE)
