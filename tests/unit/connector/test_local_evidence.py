"""What a folder leaves out by itself, and what is evidence that a file is gone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Listing
from roma_core.connectors.local.connector import LocalConnector
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.settings import Settings
from roma_core.types import Source


@pytest.fixture
def connector(tmp_path: Path) -> LocalConnector:
    return LocalConnector(Settings(workspace=tmp_path / "ws"))


async def listings(connector: LocalConnector, folder: Path | str, **options: Any) -> list[Listing]:
    source = Source(uri=str(folder), kind="local", options=options)
    return [item async for item in connector.list(source) if isinstance(item, Listing)]


async def taken(connector: LocalConnector, folder: Path, **options: Any) -> set[str]:
    found = await listings(connector, folder, **options)
    return {item.uri.removeprefix(f"{folder.as_uri()}/") for item in found if item.skip is None}


def write(folder: Path, *names: str, text: str = "words") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


SECRETS = (
    ".env",
    "prod.env",
    ".ssh/id_rsa",
    "keys/id_ed25519",
    ".aws/credentials",
    ".netrc",
    ".git-credentials",
    "server.pem",
    "TLS.KEY",
    "vault.kdbx",
    ".bash_history",
    "service-account-7.json",
)


async def test_keys_passwords_and_dot_folders_are_left_out_with_the_reason(
    connector: LocalConnector, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    write(home, *SECRETS, "notes.md", "keys/about.md", ".plan.md")
    assert await taken(connector, home) == {"notes.md", "keys/about.md", ".plan.md"}
    reasons = {item.skip for item in await listings(connector, home) if item.skip}
    assert reasons == {
        "a folder whose name begins with a dot",
        "its name is that of a file with keys or passwords",
    }
    assert len(await taken(connector, home, secrets="include")) == len(SECRETS) + 3


async def test_what_is_named_itself_is_read_whatever_it_is_called(connector: LocalConnector, tmp_path: Path) -> None:
    write(tmp_path / ".notes", "a.md", "prod.env")
    assert await taken(connector, tmp_path / ".notes") == {"a.md"}
    (file,) = await listings(connector, tmp_path / ".notes" / "prod.env")
    assert file.skip is None


async def test_ignore_files_hold_for_their_folder_and_below(connector: LocalConnector, tmp_path: Path) -> None:
    root = tmp_path / "r"
    write(root, "a.log", "keep.log", "sub/b.log", "sub/c.md", "build/x.md", "docs/build.md", "sub/draft.md", "top.md")
    (root / ".gitignore").write_text("*.log\n!keep.log\nbuild/\n/top.md\n\n# a comment\n[\n")
    (root / "sub" / ".romaignore").write_text("draft.*\n!b.log\n")
    assert await taken(connector, root) == {
        ".gitignore",
        "keep.log",
        "sub/.romaignore",
        "sub/b.log",
        "sub/c.md",
        "docs/build.md",
    }
    reasons = {item.uri.rpartition("/")[2]: item.skip for item in await listings(connector, root)}
    assert reasons["a.log"] == "ignored by .gitignore"
    assert reasons["draft.md"] == "ignored by .romaignore"
    assert reasons["build"] == "ignored by .gitignore"
    assert "top.md" in await taken(connector, root, ignore_files=False)


async def test_an_ignore_file_above_the_source_does_not_count(connector: LocalConnector, tmp_path: Path) -> None:
    write(tmp_path / "repo" / "data", "a.md")
    (tmp_path / "repo" / ".gitignore").write_text("data/\n")
    assert await taken(connector, tmp_path / "repo" / "data") == {"a.md"}


async def test_a_source_may_name_what_it_wants(connector: LocalConnector, tmp_path: Path) -> None:
    write(tmp_path / "r", "a.md", "b.txt", "sub/c.md", "sub/d.txt")
    assert await taken(connector, tmp_path / "r", include=("*.md",)) == {"a.md", "sub/c.md"}
    assert await taken(connector, tmp_path / "r", include=("sub/*",), ignore=("*.txt",)) == {"sub/c.md"}


async def test_an_edit_that_keeps_size_and_time_is_another_version(connector: LocalConnector, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one")
    before = file.stat()
    (first,) = await listings(connector, file)
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    (second,) = await listings(connector, file)
    assert first.version != second.version
    assert file.stat().st_mtime_ns == before.st_mtime_ns


async def gone(connector: LocalConnector, root: Path, listing: Listing) -> bool | AgentFailure:
    return await connector.is_gone(Source(uri=str(root), kind="local"), listing)


async def test_a_file_that_was_removed_from_its_folder_is_gone(connector: LocalConnector, tmp_path: Path) -> None:
    root = tmp_path / "r"
    write(root, "sub/a.txt", "b.txt")
    listed = {item.title: item for item in await listings(connector, root)}
    assert await gone(connector, root, listed["a.txt"]) is False
    (root / "sub" / "a.txt").unlink()
    assert await gone(connector, root, listed["a.txt"]) is True, "its folder is there, though empty"
    (root / "sub").rmdir()
    assert await gone(connector, root, listed["a.txt"]) is True, "what is left of the source is there"


async def test_a_disk_that_was_unmounted_is_no_evidence(connector: LocalConnector, tmp_path: Path) -> None:
    mount = tmp_path / "mnt"
    write(mount, "a.txt")
    (item,) = await listings(connector, mount)
    mount.rename(tmp_path / "away")
    assert await gone(connector, mount, item) is False, "the mount point is not there"
    mount.mkdir()
    assert await gone(connector, mount, item) is False, "the mount point is there, empty, and another folder"


async def test_a_single_file_is_gone_when_its_folder_is_there(connector: LocalConnector, tmp_path: Path) -> None:
    write(tmp_path / "r", "only.txt")
    (item,) = await listings(connector, tmp_path / "r" / "only.txt")
    (tmp_path / "r" / "only.txt").unlink()
    assert await gone(connector, tmp_path / "r" / "only.txt", item) is True


async def test_evidence_outside_of_the_confines_is_refused(connector: LocalConnector, tmp_path: Path) -> None:
    source = Source(uri=str(tmp_path), kind="local", options={"within": (str(tmp_path / "in"),)})
    failure = await connector.is_gone(source, Listing(uri=(tmp_path / "out.txt").as_uri()))
    assert isinstance(failure, AgentFailure)
    assert failure.code is ErrorCode.ACCESS_FORBIDDEN
