"""The scripted connector does what tests elsewhere rely on."""

from __future__ import annotations

from roma_core.connectors.base import Listing
from roma_core.connectors.fake import FakeConnector
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode
from roma_core.types import RawDocument, Source

SOURCE = Source(uri="fake://box/", kind="local")


async def listed(connector: FakeConnector) -> list[Listing | AgentFailure]:
    return [item async for item in connector.list(SOURCE)]


async def fetched(connector: FakeConnector, uri: str) -> RawDocument | AgentFailure:
    return await connector.fetch(SOURCE, Listing(uri=uri))


async def test_scripts_are_played() -> None:
    whole = RawDocument(uri="fake://box/whole", data=b"w", title="Whole")
    connector = FakeConnector(
        {
            "fake://box/text": "text",
            "fake://box/call": lambda: b"called",
            "fake://box/whole": whole,
            "fake://box/bad": ConnectorError("no", ErrorCode.CONNECTOR_PERMISSION),
        },
        skips={"fake://box/skip": "not wanted"},
        moved={"fake://box/text": "fake://box/old"},
    )
    items = {i.uri: i for i in await listed(connector) if isinstance(i, Listing)}
    assert items["fake://box/skip"].skip == "not wanted"
    assert items["fake://box/text"].previous_uri == "fake://box/old"
    assert items["fake://box/text"].version is not None and items["fake://box/call"].version is None
    called = await fetched(connector, "fake://box/call")
    assert isinstance(called, RawDocument) and called.data == b"called"
    assert await fetched(connector, "fake://box/whole") == whole
    for uri, code in (("bad", ErrorCode.CONNECTOR_PERMISSION), ("gone", ErrorCode.CONNECTOR_NOT_FOUND)):
        failure = await fetched(connector, f"fake://box/{uri}")
        assert isinstance(failure, AgentFailure) and failure.code == code
    assert connector.fetched == ["fake://box/call", "fake://box/whole", "fake://box/bad", "fake://box/gone"]


async def test_listing_breaks_where_it_is_told() -> None:
    items = {f"fake://box/{n}": "x" for n in range(3)}
    for after, count in ((0, 0), (2, 2), (3, 3)):
        error = ConnectorError("cut", ErrorCode.CONNECTOR_UNAVAILABLE)
        found = await listed(FakeConnector(dict(items), list_error=error, list_error_after=after))
        assert [isinstance(i, Listing) for i in found] == [True] * count + [False]
