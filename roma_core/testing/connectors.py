"""Conformance class of connectors, whichever place they read from.

Inherit it and give a case::

    class TestGopher(ConnectorContract):
        @pytest.fixture
        async def case(self) -> AsyncIterator[ConnectorCase]:
            connector = GopherConnector(Settings())
            yield ConnectorCase(connector, source, missing, contents, foreign="https://example.org/")
            await connector.close()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from roma_core.connectors.base import Connector, Listing, ListingEnd
from roma_core.errors import AccessError, AgentFailure, ErrorCode
from roma_core.types import RawDocument, Source


@dataclass
class ConnectorCase:
    """A place with three items: ``contents`` are their bytes in no order; ``foreign`` is a URI of another kind."""

    connector: Connector
    source: Source
    missing: Source
    contents: tuple[bytes, ...]
    foreign: str


async def list_all(connector: Connector, source: Source) -> list[Listing | AgentFailure | ListingEnd]:
    """Return everything that a connector's listing yields."""
    return [item async for item in connector.list(source)]


async def list_items(case: ConnectorCase) -> list[Listing]:
    """Return the items of a case's listing that can be read; fails on a listing with a failure."""
    items = await list_all(case.connector, case.source)
    assert not [i for i in items if isinstance(i, AgentFailure)]
    return [i for i in items if isinstance(i, Listing) and i.skip is None]


class ConnectorContract:
    """Conformance of a connector. Inherit it and give a ``case`` fixture, which closes the connector.

    ``is_confined`` says that its places are this installation's own, so that tokens may read named ones alone.
    """

    is_confined: ClassVar[bool] = True

    async def test_accepts_its_own_uris_only(self, case: ConnectorCase) -> None:
        assert case.connector.accepts(case.source.uri)
        assert not case.connector.accepts(case.foreign)
        for item in await list_items(case):
            assert case.connector.accepts(item.uri)

    async def test_lists_every_item_once_and_the_same_again(self, case: ConnectorCase) -> None:
        first = await list_items(case)
        assert len({i.uri for i in first}) == len(first) == len(case.contents)
        again = await list_items(case)
        assert [(i.uri, i.version) for i in again] == [(i.uri, i.version) for i in first]

    async def test_fetches_what_it_lists(self, case: ConnectorCase) -> None:
        got = []
        for item in await list_items(case):
            raw = await case.connector.fetch(case.source, item)
            assert isinstance(raw, RawDocument), raw
            assert raw.uri == item.uri
            got.append(raw.data)
            raw.discard()
        assert sorted(got) == sorted(case.contents)

    async def test_a_listed_uri_alone_can_be_fetched_later(self, case: ConnectorCase) -> None:
        uri = (await list_items(case))[0].uri
        raw = await case.connector.fetch(case.source, Listing(uri=uri))
        assert isinstance(raw, RawDocument)
        assert raw.data in case.contents
        raw.discard()

    async def test_a_missing_source_is_a_failure_and_nothing_is_raised(self, case: ConnectorCase) -> None:
        items = await list_all(case.connector, case.missing)
        failures = [i for i in items if isinstance(i, AgentFailure)]
        for item in items:
            if isinstance(item, Listing):
                result = await case.connector.fetch(case.missing, item)
                assert isinstance(result, AgentFailure)
                failures.append(result)
        assert failures
        assert all(f.code == ErrorCode.CONNECTOR_NOT_FOUND and f.message for f in failures)

    async def test_a_checked_source_means_the_same_and_stays_as_it_is(self, case: ConnectorCase) -> None:
        once = case.connector.checked(case.source)
        assert case.connector.checked(once) == once
        assert case.connector.accepts(once.uri)
        assert {i.uri for i in await list_all(case.connector, once) if isinstance(i, Listing)} == {
            i.uri for i in await list_all(case.connector, case.source) if isinstance(i, Listing)
        }

    async def test_what_is_this_installations_own_is_confined(self, case: ConnectorCase) -> None:
        """When it is checked, and by itself when it is listed."""
        elsewhere = case.source.model_copy(update={"options": {"within": ("/nowhere/at-all",)}})
        if not self.is_confined:
            assert case.connector.checked(elsewhere).uri == case.source.uri
            return
        with pytest.raises(AccessError):
            case.connector.checked(elsewhere)
        (refused,) = await list_all(case.connector, elsewhere)
        assert isinstance(refused, AgentFailure)
        assert refused.code == ErrorCode.ACCESS_FORBIDDEN
        named = case.source.model_copy(update={"options": {"within": (case.source.uri,)}})
        assert len([i for i in await list_all(case.connector, named) if isinstance(i, Listing)]) == len(case.contents)

    async def test_closes_twice(self, case: ConnectorCase) -> None:
        await case.connector.close()
        await case.connector.close()
