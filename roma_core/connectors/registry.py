"""The connectors that are installed: ROMA's own and those of plug-ins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.errors import AgentFailure, guarded_call
from roma_core.plugins import BrokenPlugin, Specs, load_specs
from roma_core.settings import Settings

GROUP: Final = "roma.connectors"


def connector_specs() -> Specs[ConnectorSpec]:
    """Return every installed connector's spec by its scheme."""
    return load_specs(GROUP, ConnectorSpec)


def make_connectors(settings: Settings) -> tuple[tuple[Connector, ...], tuple[BrokenPlugin, ...]]:
    """Make every connector; the one of paths comes last, as it takes what no other does.

    Also returns the plug-ins that could not be loaded or made: they take no other with them.
    """
    specs = connector_specs()
    made: list[Connector] = []
    broken = list(specs.broken)
    for spec in sorted(specs.values(), key=lambda spec: not spec.address_schemes):
        connector = guarded_call("connectors", lambda make=spec.make: make(settings))  # type: ignore[misc]
        if isinstance(connector, AgentFailure):
            broken.append(BrokenPlugin(spec.scheme, GROUP, connector.message))
        else:
            made.append(connector)
    return tuple(made), tuple(broken)


def describe_sources(specs: Iterable[ConnectorSpec] | None = None) -> str:
    """Return what can be ingested, as words for help and errors.

    >>> describe_sources([connector_specs()["local"], connector_specs()["gdrive"]])
    'a path or gdrive://folder/ID'
    """
    known = connector_specs().values() if specs is None else specs
    examples = [spec.example for spec in sorted(known, key=lambda spec: bool(spec.address_schemes))]
    if len(examples) < 2:
        return "".join(examples)
    return f"{', '.join(examples[:-1])} or {examples[-1]}"


def describe_sign_ins() -> str:
    """Return the connectors that a user account can sign in to, for help and errors."""
    return ", ".join(spec.scheme for spec in connector_specs().values() if spec.sign_in is not None) or "none"
