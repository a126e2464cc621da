"""Which connector reads a source, and which sources are refused before anything is done with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from roma_core.connectors.base import Connector
from roma_core.errors import AgentFailure, InputError
from roma_core.redaction.rules import SECRETS, redact, redact_value
from roma_core.types import Source

_USER: Final = re.compile(r"^(\s*(?:(?:https?|gdrive):/?|[a-z][a-z0-9+.-]*://))[^/?#]*@", re.IGNORECASE)
_HALF: Final = re.compile(r"(?:https?|gdrive):(?!//)", re.IGNORECASE)
"""An address without its slashes would be taken for a path, and its password for a name."""


def resolved(
    uri: str, connectors: Sequence[Connector], within: Sequence[str] | None = None
) -> tuple[Connector, Source]:
    """Who reads ``uri``, and the source confined to the places ``within`` (None: to none).

    Raises ``InputError`` for what nobody reads and for an address with a user name or a password, ``AccessError`` for
    what lies outside. Looks at the file system: call it from a thread.
    """
    _refuse_credentials(uri)
    connector = next((c for c in connectors if c.accepts(uri)), None)
    if connector is None or _HALF.match(uri):
        raise InputError("Nothing here can read this address; use a path, https://... or gdrive://folder/ID.")
    options = {} if within is None else {"within": tuple(within)}
    return connector, connector.checked(Source(uri=uri, kind=connector.kind, options=options))


def shown(uri: str) -> str:
    """``uri`` as it may be kept in histories and shown: without a user name or password, and without secrets."""
    return redact(_USER.sub(r"\1", uri), SECRETS)


def shown_failure(failure: AgentFailure) -> AgentFailure:
    """``failure`` without the secrets of the address that it is about."""
    details, uri = redact_value(failure.details, SECRETS), failure.details.get("uri")
    told = details | ({"uri": shown(uri)} if isinstance(uri, str) else {})
    return failure.model_copy(update={"message": redact(failure.message, SECRETS), "details": told})


def _refuse_credentials(uri: str) -> None:
    """An address is kept, cited and shown, so it must not carry somebody's password."""
    if _USER.match(uri):
        raise InputError(
            "An address must not hold a user name or password: addresses are stored and shown with every citation. "
            "Take out what stands before the @; save pages behind a login as files and ingest those."
        )
