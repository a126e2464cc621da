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

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from roma_core.connectors.base import Connector, Listing, ListingEnd
from roma_core.errors import AccessError, AgentFailure, ErrorCode
from roma_core.types import RawDocument, Source

Act = Callable[[], None]


@dataclass
class ConnectorCase:
    """A place with three items: ``contents`` are their bytes in no order; ``foreign`` is a URI of another kind.

    What happens to the place is done by functions, so that the place can be a fake that injects faults. A test whose
    function is None is skipped.
    """

    connector: Connector
    source: Source
    missing: Source
    contents: tuple[bytes, ...]
    foreign: str
    change: Act | None = None
    """Changes the content of one item."""
    remove: Act | None = None
    """Takes one item away for good."""
    fail: Act | None = None
    """Makes the place fail at whatever it is asked from now on; it has lost nothing."""
    mend: Act | None = None
    """Ends what ``fail`` began."""


async def list_all(connector: Connector, source: Source) -> list[Listing | AgentFailure | ListingEnd]:
    """Return everything that a connector's listing yields."""
    return [item async for item in connector.list(source)]


def is_complete(items: Sequence[Listing | AgentFailure | ListingEnd]) -> bool:
    """Return whether a listing says that it showed everything."""
    ends = [item for item in items if isinstance(item, ListingEnd)]
    return not any(isinstance(item, AgentFailure) for item in items) and all(end.is_complete for end in ends)


def next_source(source: Source, items: Sequence[Listing | AgentFailure | ListingEnd]) -> Source:
    """Return the source as the next listing gets it: with the state that this one left."""
    states = [item.state for item in items if isinstance(item, ListingEnd) and item.state is not None]
    if not states:
        return source
    state = json.loads(json.dumps(states[-1]))
    return source.model_copy(update={"options": {**source.options, "state": state}})


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
        once = case.connector.normalise_source(case.source)
        assert case.connector.normalise_source(once) == once
        assert case.connector.accepts(once.uri)
        assert {i.uri for i in await list_all(case.connector, once) if isinstance(i, Listing)} == {
            i.uri for i in await list_all(case.connector, case.source) if isinstance(i, Listing)
        }

    async def test_what_is_this_installations_own_is_confined(self, case: ConnectorCase) -> None:
        """When it is checked, and by itself when it is listed."""
        elsewhere = case.source.model_copy(update={"options": {"within": ("/nowhere/at-all",)}})
        if not self.is_confined:
            assert case.connector.normalise_source(elsewhere).uri == case.source.uri
            return
        with pytest.raises(AccessError):
            case.connector.normalise_source(elsewhere)
        (refused,) = await list_all(case.connector, elsewhere)
        assert isinstance(refused, AgentFailure)
        assert refused.code == ErrorCode.ACCESS_FORBIDDEN
        named = case.source.model_copy(update={"options": {"within": (case.source.uri,)}})
        listed = await list_all(case.connector, named)
        assert len([i for i in listed if isinstance(i, Listing) and i.skip is None]) == len(case.contents)

    async def test_a_listing_from_its_saved_state_is_the_same(self, case: ConnectorCase) -> None:
        first = await list_all(case.connector, case.source)
        again = await list_all(case.connector, next_source(case.source, first))
        assert _versions(again) == _versions(first)

    async def test_a_changed_item_alone_has_another_version(self, case: ConnectorCase) -> None:
        change = _require(case.change)
        first = await list_all(case.connector, case.source)
        change()
        again = await list_all(case.connector, next_source(case.source, first))
        before, after = _versions(first), _versions(again)
        assert set(after) == set(before)
        changed = [uri for uri, version in after.items() if version is None or version != before[uri]]
        assert changed
        if None not in after.values():
            assert len(changed) == 1
        results = [await case.connector.fetch(case.source, Listing(uri=uri)) for uri in changed]
        fetched = [result for result in results if isinstance(result, RawDocument)]
        assert len(fetched) == len(changed)
        assert any(raw.data not in case.contents for raw in fetched)

    async def test_a_removed_item_is_gone_and_the_others_are_not(self, case: ConnectorCase) -> None:
        remove = _require(case.remove)
        first = await list_all(case.connector, case.source)
        before = [item for item in first if isinstance(item, Listing) and item.skip is None]
        remove()
        again = await list_all(case.connector, next_source(case.source, first))
        left = _versions(again)
        gone = [item for item in before if item.uri not in left]
        if is_complete(again):
            assert len(gone) == 1
            assert await case.connector.is_gone(case.source, gone[0]) is True
            result = await case.connector.fetch(case.source, gone[0])
            assert isinstance(result, AgentFailure)
            assert result.code == ErrorCode.CONNECTOR_NOT_FOUND
        for item in before:
            if item.uri in left:
                assert await case.connector.is_gone(case.source, item) is not True

    async def test_a_place_that_fails_gives_failures_and_no_evidence(self, case: ConnectorCase) -> None:
        fail, mend = _require(case.fail), _require(case.mend)
        first = await list_all(case.connector, case.source)
        fail()
        broken = await list_all(case.connector, next_source(case.source, first))
        failures = [item for item in broken if isinstance(item, AgentFailure)]
        assert failures or not is_complete(broken)
        assert all(failure.message for failure in failures)
        for item in first:
            if isinstance(item, Listing) and item.skip is None:
                assert await case.connector.is_gone(case.source, item) is not True
        mend()
        assert _versions(await list_all(case.connector, case.source)) == _versions(first)

    async def test_closes_twice(self, case: ConnectorCase) -> None:
        await case.connector.close()
        await case.connector.close()


def _versions(items: Sequence[Listing | AgentFailure | ListingEnd]) -> dict[str, str | None]:
    assert not [item for item in items if isinstance(item, AgentFailure)]
    return {item.uri: item.version for item in items if isinstance(item, Listing) and item.skip is None}


def _require(act: Act | None) -> Act:
    if act is None:
        pytest.skip("the case has no function for this")
    return act
