"""Files in places that fsspec reads, against its own in-memory place and zip archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest

from roma_core.connectors.base import Listing
from roma_core.connectors.files import FilesConnector
from roma_core.errors import AgentFailure, ErrorCode, InputError
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source


@pytest.fixture
def place() -> Iterator[Any]:
    place = fsspec.filesystem("memory")
    yield place
    for path in list(place.store):
        place.rm(path)


async def listed(uri: str, **options: Any) -> list[Any]:
    source = Source(uri=uri, kind="files", options=options)
    return [value async for value in FilesConnector(Settings()).list(source)]


async def names(uri: str, **options: Any) -> set[str]:
    found = [value for value in await listed(uri, **options) if isinstance(value, Listing) and value.skip is None]
    return {item.uri for item in found}


async def test_keys_dot_folders_and_ignored_names_are_left_out(place: Any) -> None:
    for name in ("a.md", ".git/x", "deep/.ssh/id_rsa", "prod.env", "b.txt"):
        place.pipe(f"/b/{name}", b"words")
    assert await names("memory://b") == {"memory://b/a.md", "memory://b/b.txt"}
    assert await names("memory://b", include=("*.md",)) == {"memory://b/a.md"}
    assert await names("memory://b", ignore=("*.md",)) == {"memory://b/b.txt"}


async def test_a_file_that_was_written_again_has_another_version(place: Any) -> None:
    place.pipe("/b/a.md", b"one")
    (first,) = await listed("memory://b")
    place.pipe("/b/a.md", b"two")
    (second,) = await listed("memory://b")
    assert first.version != second.version


async def test_members_of_an_archive_are_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("docs/one.md", "# One")
        archive.writestr("docs/two.md", "# Two")
    uri = f"zip://docs::{(tmp_path / 'a.zip').as_uri()}"
    items = await listed(uri)
    assert [item.title for item in items] == ["one.md", "two.md"]
    raw = await FilesConnector(Settings()).fetch(Source(uri=uri, kind="files"), items[1])
    assert isinstance(raw, RawDocument)
    assert raw.data == b"# Two"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
async def test_members_of_a_tar_archive_are_files_and_links_are_none(tmp_path: Path, mode: Any) -> None:
    archive = tmp_path / f"a.tar{mode[1:].replace(':', '.')}"
    write_tar(archive, {"docs/one.md": b"# One", b"docs/caf\xe9.md".decode("utf-8", "surrogateescape"): b"# Two"}, mode)
    uri = f"tar://docs::{archive.as_uri()}"
    found = await listed(uri)
    items = [item for item in found if item.skip is None]
    assert [item.title for item in items] == ["caf\ufffd.md", "one.md"]
    assert [(item.title, item.skip) for item in found if item.skip] == [("link.md", "a link")]
    for item, data in zip(items, (b"# Two", b"# One"), strict=True):
        raw = await FilesConnector(Settings()).fetch(Source(uri=uri, kind="files"), item)
        assert isinstance(raw, RawDocument)
        assert raw.data == data


async def test_a_member_that_was_rewritten_with_its_old_time_and_size_has_another_version(tmp_path: Path) -> None:
    versions: list[list[str | None]] = []
    for data in (b"one", b"two"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.md", (2020, 1, 1, 0, 0, 0)), data)
        write_tar(tmp_path / "a.tar", {"a.md": data}, "w")
        found = [
            *await listed(f"zip://::{(tmp_path / 'a.zip').as_uri()}"),
            *await listed(f"tar://::{(tmp_path / 'a.tar').as_uri()}"),
        ]
        versions.append([item.version for item in found if item.skip is None])
    assert len(versions[0]) == 2
    assert all(before != after for before, after in zip(*versions, strict=True))


async def test_an_archive_that_is_none_is_a_failure_and_not_an_empty_place(tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar"):
        (tmp_path / name).write_bytes(b"no archive")
        (failure,) = await listed(f"{name[2:]}://::{(tmp_path / name).as_uri()}")
        assert isinstance(failure, AgentFailure) and failure.code.value.startswith("ERR_CONNECTOR_")


def write_tar(path: Path, files: Mapping[str, bytes], mode: Any) -> None:
    """Write an archive with files, and a link that leads out of it."""
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("docs/link.md")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)


async def test_a_file_is_gone_when_its_place_is_there_without_it(place: Any) -> None:
    place.pipe("/b/a.md", b"one")
    place.pipe("/b/b.md", b"two")
    connector, source = FilesConnector(Settings()), Source(uri="memory://b", kind="files")
    assert await connector.is_gone(source, Listing(uri="memory://b/a.md")) is False
    place.rm("/b/a.md")
    assert await connector.is_gone(source, Listing(uri="memory://b/a.md")) is True
    place.rm("/b/b.md")
    assert await connector.is_gone(source, Listing(uri="memory://b/b.md")) is False, "the whole bucket is away"


async def test_a_place_that_fails_is_a_failure_and_not_an_empty_place(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ConnectionResetError("reset by peer with a secret in it")

    place.pipe("/b/a.md", b"one")
    monkeypatch.setattr(type(place), "find", fail)
    (failure,) = await listed("memory://b")
    assert isinstance(failure, AgentFailure)
    assert (failure.code, failure.recoverable) == (ErrorCode.CONNECTOR_UNAVAILABLE, True)
    assert "secret" not in failure.model_dump_json()


async def test_a_file_over_the_limit_is_refused(place: Any) -> None:
    place.pipe("/b/a.bin", b"x" * (2 << 20))
    connector = FilesConnector(Settings(parser_max_mb=1))
    failure = await connector.fetch(Source(uri="memory://b", kind="files"), Listing(uri="memory://b/a.bin"))
    assert isinstance(failure, AgentFailure)
    assert failure.code is ErrorCode.CONNECTOR_TOO_LARGE


async def test_a_place_whose_package_is_missing_says_so() -> None:
    connector = FilesConnector(Settings())
    assert connector.accepts("s3://bucket/x") and not connector.accepts("https://a.example/")
    with pytest.raises(InputError):
        connector.normalise_source(Source(uri="s3://", kind="files"))
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        (failure,) = await listed("s3://bucket/x")
        assert isinstance(failure, AgentFailure)
        assert failure.code is ErrorCode.DEPENDENCY_MISSING
