"""ROMA's connectors keep the contract of connectors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core.connectors.fake import FakeConnector
from roma_core.connectors.files import FilesConnector
from roma_core.connectors.gdrive import GDriveConnector
from roma_core.connectors.local import LocalConnector
from roma_core.connectors.web import WebConnector
from roma_core.settings import Settings
from roma_core.testing import ConnectorCase, ConnectorContract
from roma_core.types import Source
from tests.fakes.drive import FOLDER, Entry, FakeDrive
from tests.fakes.site import Reply, Site

CONTENTS = (b"# one\n", b"two\n", b"\x00three")


class TestFakeConnector(ConnectorContract):
    @pytest.fixture
    async def case(self) -> AsyncIterator[ConnectorCase]:
        connector = FakeConnector({f"fake://box/{n}": data for n, data in enumerate(CONTENTS)})
        yield ConnectorCase(
            connector,
            Source(uri="fake://box/", kind="local"),
            Source(uri="fake://nowhere/", kind="local"),
            CONTENTS,
            "https://example.org/",
        )
        await connector.close()


class TestLocalConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        (tmp_path / "sub").mkdir()
        for name, data in zip(("b.md", "a.txt", "sub/ü #1.bin"), CONTENTS, strict=True):
            (tmp_path / name).write_bytes(data)
        connector = LocalConnector(Settings())
        away = tmp_path.with_name("away")
        yield ConnectorCase(
            connector,
            Source(uri=str(tmp_path), kind="local"),
            Source(uri=str(tmp_path / "absent"), kind="local"),
            CONTENTS,
            "https://example.org/",
            change=lambda: (tmp_path / "a.txt").write_bytes(b"other") and None,
            remove=lambda: (tmp_path / "b.md").unlink(),
            fail=lambda: tmp_path.rename(away) and None,
            mend=lambda: away.rename(tmp_path) and None,
        )
        await connector.close()


class TestFilesConnector(ConnectorContract):
    @pytest.fixture
    async def case(self) -> AsyncIterator[ConnectorCase]:
        import fsspec

        place = fsspec.filesystem("memory")
        for name, data in zip(("b.md", "a.txt", "sub/c #1.bin"), CONTENTS, strict=True):
            place.pipe(f"/box/{name}", data)
        connector = FilesConnector(Settings())
        yield ConnectorCase(
            connector,
            Source(uri="memory://box", kind="files"),
            Source(uri="memory://absent", kind="files"),
            CONTENTS,
            "https://example.org/",
            change=lambda: place.pipe("/box/a.txt", b"other"),
            remove=lambda: place.rm("/box/b.md"),
        )
        await connector.close()
        place.rm("/box", recursive=True)


class TestWebConnector(ConnectorContract):
    is_confined = False  # the guard says at each connection where it ends

    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        async with Site() as site:
            names = [f"/{n}.txt" for n in range(len(CONTENTS))]
            places = "".join(f"<url><loc>{site.base}{name}</loc></url>" for name in names)
            sitemap = Reply(f"<urlset>{places}</urlset>", media_type="application/xml")
            site.routes["/sitemap.xml"] = sitemap
            site.routes |= {n: Reply(d, media_type="text/plain") for n, d in zip(names, CONTENTS, strict=True)}
            connector = WebConnector(
                Settings(
                    workspace=tmp_path,
                    web_allowed_private_hosts=("127.0.0.1",),
                    web_rate_per_s=500.0,
                    web_render="never",
                )
            )
            yield ConnectorCase(
                connector,
                Source(uri=f"{site.base}/sitemap.xml", kind="web"),
                Source(uri=f"{site.base}/absent", kind="web"),
                CONTENTS,
                "gdrive://folder/x",
                change=lambda: site.routes.update({"/1.txt": Reply(b"other", media_type="text/plain")}),
                fail=lambda: site.routes.update({"/sitemap.xml": Reply(b"down", 503)}),
                mend=lambda: site.routes.update({"/sitemap.xml": sitemap}),
            )
            await connector.close()


class TestGDriveConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        files = [Entry(f"f{n}", f"{n}.bin", content=data, parent="top") for n, data in enumerate(CONTENTS)]
        async with FakeDrive(Entry("top", "Top", FOLDER), *files) as drive:
            connector = GDriveConnector(
                Settings(
                    workspace=tmp_path,
                    gdrive_api_endpoint=drive.base,
                    gdrive_credentials=json.dumps(drive.service_account()),
                )
            )
            yield ConnectorCase(
                connector,
                Source(uri="gdrive://folder/top", kind="gdrive"),
                Source(uri="gdrive://folder/absent", kind="gdrive"),
                CONTENTS,
                "https://example.org/",
                change=lambda: drive.put(Entry("f1", "1.bin", content=b"other", parent="top")),
                remove=lambda: drive.remove("f2"),
            )
            await connector.close()
