"""What every connector promises, whichever place it reads from."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from roma_core.connectors.base import Connector, Listing
from roma_core.connectors.fake import FakeConnector
from roma_core.connectors.gdrive.connector import GDriveConnector
from roma_core.connectors.local.connector import LocalConnector
from roma_core.connectors.web.connector import WebConnector
from roma_core.errors import AccessError, AgentFailure, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from tests.fakes.drive import FOLDER, Entry, FakeDrive
from tests.fakes.site import Reply, Site


@dataclass
class Case:
    """A place with three items: ``contents`` are their bytes in no order; ``foreign`` is a URI of another kind."""

    connector: Connector
    source: Source
    missing: Source
    contents: tuple[bytes, ...]
    foreign: str


async def listed(connector: Connector, source: Source) -> list[Listing | AgentFailure]:
    return [item async for item in connector.list(source)]


async def listings(case: Case) -> list[Listing]:
    items = await listed(case.connector, case.source)
    assert not [i for i in items if isinstance(i, AgentFailure)]
    return [i for i in items if isinstance(i, Listing) and i.skip is None]


class ConnectorContract:
    """Inherit and give a ``case`` fixture."""

    async def test_accepts_its_own_uris_only(self, case: Case) -> None:
        assert case.connector.accepts(case.source.uri)
        assert not case.connector.accepts(case.foreign)
        for item in await listings(case):
            assert case.connector.accepts(item.uri)

    async def test_lists_every_item_once_and_the_same_again(self, case: Case) -> None:
        first = await listings(case)
        assert len({i.uri for i in first}) == len(first) == len(case.contents)
        again = await listings(case)
        assert [(i.uri, i.version) for i in again] == [(i.uri, i.version) for i in first]

    async def test_fetches_what_it_lists(self, case: Case) -> None:
        got = []
        for item in await listings(case):
            raw = await case.connector.fetch(case.source, item)
            assert isinstance(raw, RawDocument), raw
            assert raw.uri == item.uri
            got.append(raw.data)
            raw.discard()
        assert sorted(got) == sorted(case.contents)

    async def test_a_listed_uri_alone_can_be_fetched_later(self, case: Case) -> None:
        uri = (await listings(case))[0].uri
        raw = await case.connector.fetch(case.source, Listing(uri=uri))
        assert isinstance(raw, RawDocument)
        assert raw.data in case.contents
        raw.discard()

    async def test_a_missing_source_is_a_failure_and_nothing_is_raised(self, case: Case) -> None:
        items = await listed(case.connector, case.missing)
        failures = [i for i in items if isinstance(i, AgentFailure)]
        for item in items:
            if isinstance(item, Listing):
                result = await case.connector.fetch(case.missing, item)
                assert isinstance(result, AgentFailure)
                failures.append(result)
        assert failures
        assert all(f.code == ErrorCode.CONNECTOR_NOT_FOUND and f.message for f in failures)

    async def test_a_checked_source_means_the_same_and_stays_as_it_is(self, case: Case) -> None:
        once = case.connector.checked(case.source)
        assert case.connector.checked(once) == once
        assert case.connector.accepts(once.uri)
        assert {i.uri for i in await listed(case.connector, once) if isinstance(i, Listing)} == {
            i.uri for i in await listed(case.connector, case.source) if isinstance(i, Listing)
        }

    async def test_what_is_this_installations_own_is_confined(self, case: Case) -> None:
        """When it is checked, and by itself when it is listed."""
        elsewhere = case.source.model_copy(update={"options": {"within": ("/nowhere/at-all", "gdrive://folder/none")}})
        if case.source.kind == "web":
            assert case.connector.checked(elsewhere).uri == case.source.uri
            return
        with pytest.raises(AccessError):
            case.connector.checked(elsewhere)
        (refused,) = await listed(case.connector, elsewhere)
        assert isinstance(refused, AgentFailure)
        assert refused.code == ErrorCode.ACCESS_FORBIDDEN
        named = case.source.model_copy(update={"options": {"within": (case.source.uri,)}})
        assert len([i for i in await listed(case.connector, named) if isinstance(i, Listing)]) == len(case.contents)

    async def test_closes_twice(self, case: Case) -> None:
        await case.connector.close()
        await case.connector.close()


CONTENTS = (b"# one\n", b"two\n", b"\x00three")


class TestFakeConnector(ConnectorContract):
    @pytest.fixture
    async def case(self) -> AsyncIterator[Case]:
        connector = FakeConnector({f"fake://box/{n}": data for n, data in enumerate(CONTENTS)})
        yield Case(
            connector,
            Source(uri="fake://box/", kind="local"),
            Source(uri="fake://nowhere/", kind="local"),
            CONTENTS,
            "https://example.org/",
        )
        await connector.close()


class TestLocalConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[Case]:
        (tmp_path / "sub").mkdir()
        for name, data in zip(("b.md", "a.txt", "sub/ü #1.bin"), CONTENTS, strict=True):
            (tmp_path / name).write_bytes(data)
        connector = LocalConnector(Settings())
        yield Case(
            connector,
            Source(uri=str(tmp_path), kind="local"),
            Source(uri=str(tmp_path / "absent"), kind="local"),
            CONTENTS,
            "https://example.org/",
        )
        await connector.close()


class TestWebConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[Case]:
        async with Site() as site:
            names = [f"/{n}.txt" for n in range(len(CONTENTS))]
            places = "".join(f"<url><loc>{site.base}{name}</loc></url>" for name in names)
            site.routes["/sitemap.xml"] = Reply(f"<urlset>{places}</urlset>", media_type="application/xml")
            site.routes |= {n: Reply(d, media_type="text/plain") for n, d in zip(names, CONTENTS, strict=True)}
            connector = WebConnector(
                Settings(
                    workspace=tmp_path,
                    web_allowed_private_hosts=("127.0.0.1",),
                    web_rate_per_s=500.0,
                    web_render="never",
                )
            )
            yield Case(
                connector,
                Source(uri=f"{site.base}/sitemap.xml", kind="web"),
                Source(uri=f"{site.base}/absent", kind="web"),
                CONTENTS,
                "gdrive://folder/x",
            )
            await connector.close()


class TestGDriveConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[Case]:
        files = [Entry(f"f{n}", f"{n}.bin", content=data, parent="top") for n, data in enumerate(CONTENTS)]
        async with FakeDrive(Entry("top", "Top", FOLDER), *files) as drive:
            connector = GDriveConnector(
                Settings(
                    workspace=tmp_path,
                    gdrive_api_endpoint=drive.base,
                    gdrive_credentials=json.dumps(drive.service_account()),
                )
            )
            yield Case(
                connector,
                Source(uri="gdrive://folder/top", kind="gdrive"),
                Source(uri="gdrive://folder/absent", kind="gdrive"),
                CONTENTS,
                "https://example.org/",
            )
            await connector.close()
