from __future__ import annotations

import os
import socket
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Listing
from roma_core.connectors.local import connector as local
from roma_core.connectors.local.connector import LocalConnector
from roma_core.errors import AgentFailure, ErrorCode, RomaError
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def connector(**settings: object) -> LocalConnector:
    return LocalConnector(Settings(**settings))


async def listed(uri: str | Path, **options: object) -> list[Listing | AgentFailure]:
    source = Source(uri=str(uri), kind="local", options=options)
    return [item async for item in connector().list(source)]


async def names(uri: str | Path, **options: object) -> list[str]:
    items = await listed(uri, **options)
    return [str(i.title) for i in items if isinstance(i, Listing) and i.skip is None]


async def skips(uri: str | Path, **options: object) -> dict[str, str]:
    items = await listed(uri, **options)
    return {str(i.title): i.skip for i in items if isinstance(i, Listing) and i.skip}


async def fetch(path: Path, **settings: object) -> RawDocument | AgentFailure:
    source = Source(uri=str(path), kind="local")
    return await connector(**settings).fetch(source, Listing(uri=path.as_uri()))


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


@pytest.mark.parametrize(
    ("uri", "ours"),
    [
        ("notes.md", True),
        ("/srv/docs", True),
        ("~/docs", True),
        ("file:///srv/a%20b", True),
        ("FILE:///srv/a", True),
        ("file:/srv/a", True),
        ("https://example.org", False),
        ("gdrive://folder/x", False),
    ],
)
def test_accepts(uri: str, ours: bool) -> None:
    assert connector().accepts(uri) is ours


async def test_same_file_has_one_identity_however_it_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "a b.md")
    monkeypatch.chdir(root)
    (root.parent / "alias").symlink_to(root)
    spellings = ["a b.md", "./a b.md", "../root/a b.md", root / "a b.md", (root / "a b.md").as_uri()]
    spellings += [root, "*.md", root.parent / "alias", root.parent / "alias/a b.md", "file://localhost" + str(root)]
    spellings += [f"file:{root}", f"FILE://LocalHost{root}/a%20b.md", f"file:///{root}", f"/{root}/a b.md"]
    for spelling in spellings:
        (item,) = await listed(spelling)
        assert isinstance(item, Listing)
        assert item.uri == f"file://{root}/a%20b.md"


async def test_home_is_expanded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "a.md")
    monkeypatch.setenv("HOME", str(root))
    assert await names("~/a.md") == ["a.md"]


async def test_order_is_that_of_the_names(root: Path) -> None:
    write(root, "b/2", "b/1", "a", "c", "b/1.d/x")
    assert [i.uri.removeprefix(root.as_uri()) for i in await listed(root) if isinstance(i, Listing)] == [
        "/a",
        "/b/1",
        "/b/1.d/x",
        "/b/2",
        "/c",
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.md", ["a.md"]),
        ("**/*.md", ["a.md", "b.md", "c.md"]),
        ("sub/*.md", ["b.md"]),
        ("sub/**", ["b.md", "c.md", "n.txt"]),
        ("*/deep/*", ["c.md"]),
        ("[ab].md", ["a.md"]),
        ("?.txt", []),
    ],
)
async def test_globs(root: Path, pattern: str, expected: list[str]) -> None:
    write(root, "a.md", "sub/b.md", "sub/deep/c.md", "sub/n.txt")
    assert sorted(await names(root / pattern)) == expected


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**", "a", True),
        ("**", "a/b/c", True),
        ("**/a", "a", True),
        ("a/**", "a", False),
        ("a/**", "a/b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", False),
        ("**/x/**/x/*", "x/y/x/z", True),
        ("*", "a/b", False),
        ("/".join(["**"] * 400), "/".join("abcdefghijklmnop"), True),
        ("/".join(["**", "a"] * 200), "/".join("a" * 199), False),
        ("/".join(["**/*"] * 30), "/".join("a" * 40), True),
    ],
)
def test_no_pattern_takes_for_ever(pattern: str, path: str, matches: bool) -> None:
    assert local._matches(path.split("/"), tuple(pattern.split("/"))) is matches


async def test_a_source_has_one_spelling_from_everywhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "docs/a.md", "[x]/b.md")

    def spelt(uri: str) -> str:
        return connector().normalise_source(Source(uri=uri, kind="local")).uri

    monkeypatch.chdir(root)
    assert spelt("docs") == spelt("docs/") == spelt("./docs") == spelt(f"file:{root}/docs") == f"file://{root}/docs"
    assert spelt("~/x") == (Path.home() / "x").as_uri()
    assert spelt("*.md") == f"file://{root}/%2A.md"
    assert await names(spelt("docs/*.md")) == ["a.md"]
    (root / "now").symlink_to("docs")
    assert spelt("now") == f"file://{root}/now", "a link that will lead elsewhere stays the source that it is"
    monkeypatch.chdir(root / "[x]")
    assert await names(spelt("*.md")) == ["b.md"]


async def test_glob_without_match_is_not_found(root: Path) -> None:
    (item,) = await listed(root / "*.nothing")
    assert isinstance(item, AgentFailure)
    assert item.code == ErrorCode.CONNECTOR_NOT_FOUND


async def test_file_whose_name_looks_like_a_glob(root: Path) -> None:
    write(root, "[draft] a*.md", "d a.md")
    assert await names(root / "[draft] a*.md") == ["[draft] a*.md"]


async def test_ignored_names_are_listed_once_with_the_pattern(root: Path) -> None:
    write(root, ".git/config", ".git/objects/1", "keep.md", "~$keep.docx", "sub/node_modules/x/y.js")
    assert await names(root) == ["keep.md"]
    assert set(await skips(root)) == {".git", "~$keep.docx", "node_modules"}


async def test_source_adds_ignore_patterns_over_names_and_paths(root: Path) -> None:
    write(root, "a.tmp", "docs/old/x.md", "docs/x.md", "old/x.txt")
    assert await names(root, ignore=["*.tmp", "docs/old"]) == ["x.md", "x.txt"]


async def test_links_are_never_followed(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "secret/key", "root/real.md")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "out.md").symlink_to(tmp_path / "secret/key")
    (root / "loop").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "twin.md").symlink_to("real.md")
    (root / "dangling").symlink_to("nowhere")
    assert await names(root) == ["real.md"]
    reasons = await skips(root)
    assert set(reasons) == {"out", "out.md", "loop", "self", "twin.md", "dangling"}
    assert all("link" in reason for reason in reasons.values())


async def test_special_files_are_skipped_with_a_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # a socket's path must be short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        reasons = await skips(root)
    assert set(reasons) == {"pipe", "socket"}
    assert all("not a regular file" in reason for reason in reasons.values())


async def test_pipe_in_place_of_a_file_does_not_hang_the_fetch(root: Path) -> None:
    os.mkfifo(root / "pipe")
    failure = await fetch(root / "pipe")
    assert isinstance(failure, AgentFailure)
    assert failure.code == ErrorCode.CONNECTOR_UNSUPPORTED


async def test_link_put_in_place_after_the_listing_is_not_followed(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "secret/key", "root/sub/key")
    (root / "sub" / "key").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(tmp_path / "secret")
    failure = await fetch(root / "sub" / "key")
    assert isinstance(failure, AgentFailure)
    assert failure.code == ErrorCode.CONNECTOR_BLOCKED


async def test_missing_path_hints_at_the_nearest_name(root: Path) -> None:
    write(root, "reports/q1.md")
    (item,) = await listed(root / "report" / "q1.md")
    assert isinstance(item, AgentFailure)
    assert item.code == ErrorCode.CONNECTOR_NOT_FOUND
    assert f"did you mean {root / 'reports'}?" in item.message
    (other,) = await listed(root / "zzz")
    assert isinstance(other, AgentFailure)
    assert "there is no 'zzz'" in other.message


async def test_uri_of_another_machine_is_refused() -> None:
    (item,) = await listed("file://server/share/a.md")
    assert isinstance(item, AgentFailure)
    assert item.code == ErrorCode.INPUT_INVALID


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "file:",
        "file://",
        "file:///a%00b",
        "a\0b",
        "~nobody-has-this-name/x",
        "\ud800",
        "file://h%6Fst/x",
        "file://[",
    ],
)
async def test_what_names_no_path_is_said_to_be_wrong(uri: str) -> None:
    (item,) = await listed(uri)
    assert isinstance(item, AgentFailure)
    assert item.code == ErrorCode.INPUT_INVALID


class _Swap:
    """``os.open`` before whose first look at ``folder`` that is replaced by a link."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder, self.target, self.open = folder, target, os.open

    def __call__(self, path: str, *args: int, **options: int) -> int:
        if Path(path).name == self.folder.name and not self.folder.is_symlink():
            self.folder.rename(self.folder.with_name("away"))
            self.folder.symlink_to(self.target)
        return self.open(path, *args, **options)


async def test_a_folder_that_becomes_a_link_at_this_moment_is_not_entered(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "sub/own.md")
    write(tmp_path, "secret/key")
    monkeypatch.setattr(os, "open", _Swap(root / "sub", tmp_path / "secret"))
    (item,) = await listed(root)
    assert isinstance(item, AgentFailure)
    assert "key" not in item.message


@pytest.mark.parametrize("swapped", ["sub", "sub/deep"])
async def test_a_folder_that_becomes_a_link_at_this_moment_is_not_read_through(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    write(root, "sub/deep/key")
    write(tmp_path, "secret/key", "secret/deep/key")
    monkeypatch.setattr(os, "open", _Swap(root / swapped, tmp_path / "secret"))
    failure = await fetch(root / "sub/deep/key")
    assert isinstance(failure, AgentFailure)
    assert failure.code in {ErrorCode.CONNECTOR_BLOCKED, ErrorCode.CONNECTOR_NOT_FOUND}


async def test_the_workspace_below_a_source_is_left_out(root: Path) -> None:
    write(root, "a.md", "ws/inner.md")
    reader = connector(workspace=root / "ws")
    items = [i async for i in reader.list(Source(uri=str(root), kind="local"))]
    assert [(i.title, i.skip) for i in items if isinstance(i, Listing)] == [
        ("a.md", None),
        ("ws", "ROMA's own workspace"),
    ]
    own = [i async for i in reader.list(Source(uri=str(root / "ws"), kind="local"))]
    assert [i.title for i in own if isinstance(i, Listing)] == ["inner.md"], "who owns the machine may name it"


async def test_names_that_are_not_utf8(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_text("x")
    (item,) = await listed(root)
    assert isinstance(item, Listing)
    assert item.uri.endswith("/caf%E9.txt")
    assert item.title == "caf\ufffd.txt"
    raw = await connector().fetch(Source(uri=str(root), kind="local"), item)
    assert isinstance(raw, RawDocument)
    assert raw.data == b"x"


async def test_unreadable_folder_and_file_are_failures_of_their_own(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.md", "locked/x.md", "z.md")
    opened = os.open

    def refuse(path: str, *args: int, **options: int) -> int:  # the tests may run as root, whom no mode bit stops
        if path == "locked":
            raise PermissionError(13, "denied", path)
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    first, failure, last = await listed(root)
    assert isinstance(failure, AgentFailure)
    assert failure.code == ErrorCode.CONNECTOR_PERMISSION
    assert failure.details["uri"] == (root / "locked").as_uri()
    assert isinstance(first, Listing) and isinstance(last, Listing)

    def deny(*args: object, **kwargs: object) -> int:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(os, "open", deny)
    denied = await fetch(root / "a.md")
    assert isinstance(denied, AgentFailure)
    assert denied.code == ErrorCode.CONNECTOR_PERMISSION


async def test_other_disk_errors_name_the_file_not_its_content(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "a.md")

    def broken(*args: object, **kwargs: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", broken)
    failure = await fetch(root / "a.md")
    assert isinstance(failure, AgentFailure)
    assert failure.code == ErrorCode.CONNECTOR_UNAVAILABLE
    assert "a.md" in failure.message


async def test_file_that_is_gone(root: Path) -> None:
    failure = await fetch(root / "gone.md")
    assert isinstance(failure, AgentFailure)
    assert failure.code == ErrorCode.CONNECTOR_NOT_FOUND


async def test_large_file_is_refused_before_it_is_read(root: Path) -> None:
    with (root / "big.bin").open("wb") as file:
        file.truncate(2 * 1024 * 1024 + 1)
    failure = await fetch(root / "big.bin", parser_max_mb=1)
    assert isinstance(failure, AgentFailure)
    assert failure.code == ErrorCode.CONNECTOR_TOO_LARGE
    assert failure.details["size"] == 2 * 1024 * 1024 + 1


class _Moving:
    """``os.fstat`` that writes to the file for the first ``times`` reads."""

    def __init__(self, path: Path, times: int) -> None:
        self.path, self.left, self.fstat = path, times * 2, os.fstat

    def __call__(self, handle: int) -> os.stat_result:
        if self.left > 0:
            self.left -= 1
            with self.path.open("ab") as file:
                file.write(b"+")
        return self.fstat(handle)


async def test_file_that_keeps_changing_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "log.txt")
    monkeypatch.setattr(local.os, "fstat", _Moving(root / "log.txt", times=99))
    failure = await fetch(root / "log.txt")
    assert isinstance(failure, AgentFailure)
    assert failure.code == ErrorCode.CONNECTOR_CHANGED
    assert failure.recoverable


async def test_file_that_comes_to_rest_is_read_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "log.txt")
    monkeypatch.setattr(local.os, "fstat", _Moving(root / "log.txt", times=1))
    raw = await fetch(root / "log.txt")
    assert isinstance(raw, RawDocument)
    assert raw.data == b"log.txt++"


async def test_version_follows_size_and_time(root: Path) -> None:
    write(root, "a.md")

    async def version() -> str | None:
        (item,) = await listed(root)
        assert isinstance(item, Listing)
        return item.version

    before = await version()
    os.utime(root / "a.md", ns=(1, 1))
    touched = await version()
    (root / "a.md").write_text("other length")
    os.utime(root / "a.md", ns=(1, 1))
    assert len({before, touched, await version()}) == 3


async def test_raw_document_carries_type_title_and_time(root: Path) -> None:
    write(root, "a.pdf")
    os.utime(root / "a.pdf", (0, 0))
    raw = await fetch(root / "a.pdf")
    assert isinstance(raw, RawDocument)
    assert (raw.media_type, raw.title) == ("application/pdf", "a.pdf")
    assert raw.modified_at is not None and raw.modified_at.isoformat() == "1970-01-01T00:00:00+00:00"


async def test_deep_tree_needs_no_recursion(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    for _ in range(700):
        os.mkdir("d")
        os.chdir("d")
    Path("leaf.md").write_text("x")
    monkeypatch.chdir(root)
    assert await names(root) == ["leaf.md"]


async def test_listing_streams_and_may_be_left_early(root: Path) -> None:
    write(root, *(f"{n:03}.md" for n in range(300)))
    stream = connector().list(Source(uri=str(root), kind="local"))
    first = await anext(stream)
    assert isinstance(first, Listing) and first.title == "000.md"
    await stream.aclose()  # type: ignore[attr-defined]


# Accents in one character (NFC, as they are typed) and in two (NFD, as a Mac stores them)

TYPED, STORED = unicodedata.normalize("NFC", "Übersicht café.txt"), unicodedata.normalize("NFD", "Übersicht café.txt")


@pytest.mark.parametrize(("there", "typed"), [(STORED, TYPED), (TYPED, STORED)])
async def test_a_name_is_found_however_its_accents_are_written(root: Path, there: str, typed: str) -> None:
    write(root, f"Ordner ü/{there}", "Ordner ü/other.txt")
    folder = root / "Ordner ü"
    (item,) = await listed(folder / typed)
    assert isinstance(item, Listing) and item.uri == (folder / there).as_uri()
    assert await names(root / unicodedata.normalize("NFD", "Ordner ü") / typed) == [there]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_patterns_fit_names_however_their_accents_are_written(root: Path, form: Any) -> None:
    write(root, TYPED, f"below/{STORED}", "plain.txt")
    pattern = unicodedata.normalize(form, "*café*")
    assert await names(root, include=(pattern,)) == [STORED, TYPED]
    assert await names(root, ignore=(pattern,)) == ["plain.txt"]
    assert await names(root / "**" / pattern) == [STORED, TYPED]
    assert await names(root, include=(unicodedata.normalize(form, "below/Übersicht*"),)) == [STORED]
    (root / ".gitignore").write_text(f"{pattern}\n")
    assert TYPED not in await names(root) and STORED not in await names(root)


async def test_two_files_whose_names_differ_in_their_accents_alone_are_two_documents(root: Path) -> None:
    write(root, TYPED, STORED)
    assert sorted(await names(root)) == sorted([TYPED, STORED])
    (item,) = await listed(root / TYPED)
    assert isinstance(item, Listing) and item.title == TYPED


async def test_a_fence_holds_for_the_spelling_of_the_disk(root: Path) -> None:
    write(root, "Büro/a.txt", "other/b.txt")
    within = (str(root / unicodedata.normalize("NFD", "Büro")),)
    source = Source(uri=str(root / "other"), kind="local", options={"within": within})
    with pytest.raises(RomaError):
        connector().normalise_source(source)
