"""Settings as they may be printed: no keys, and no addresses with the credentials that they may hold."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import SecretStr

_CREDENTIALS: Final = re.compile(r"\A([^:/?#]*://)?.*@", re.DOTALL)  # up to the last @: a password may hold any sign
_ARGUMENT: Final = re.compile(r"([?&;][^=&;#]*=)[^&;#]*")


def mask_value(value: Any) -> Any:
    """Return ``value`` as it may be printed: a key as ``(set)``, an address without credentials and arguments."""
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, tuple):
        return tuple(mask_value(part) for part in value)
    if isinstance(value, str) and "://" in value:
        return mask_address(value)
    return value


def mask_address(address: str) -> str:
    """Return ``address`` with stars in place of credentials and of the values of its arguments.

    >>> mask_address("postgresql://joe:secret@host/db?sslmode=require")
    'postgresql://***@host/db?sslmode=***'
    """
    return _ARGUMENT.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", address))
