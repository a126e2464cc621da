"""Repositories: branches, tags, folders, moves, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.git import GitConnector
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from tests.contracts.test_record_connectors import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    made.commit(readme=b"read me\n", docs__guide=b"a guide of its own\n")
    yield made
    made.repo.close()


@pytest.fixture
def connector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitConnector:
    monkeypatch.setattr("roma_core.connectors.git.connector.TRUSTED_S", 0.0)
    return GitConnector(Settings(workspace=tmp_path / "ws"))


async def look(connector: GitConnector, uri: str, **options: Any) -> list[Listing | AgentFailure | ListingEnd]:
    return [item async for item in connector.list(Source(uri=uri, kind="git", options=options))]


def names(items: list[Any]) -> list[str]:
    return [item.uri.partition("#")[2] for item in items if isinstance(item, Listing) and item.skip is None]


async def test_a_branch_a_tag_and_a_folder_can_be_named(repository: Repository, connector: GitConnector) -> None:
    from dulwich import porcelain

    porcelain.tag_create(repository.repo, "v1", annotated=True, message=b"one", author=b"a <a@b.c>")
    repository.commit(docs__later=b"later\n")
    address = f"git+file://{repository.folder}"
    assert names(await look(connector, f"{address}?path=docs")) == ["docs/guide", "docs/later"]
    at_tag = await look(connector, f"{address}?ref=v1&path=docs")
    assert names(at_tag) == ["docs/guide"]
    (failure,) = await look(connector, f"{address}?ref=nowhere")
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.CONNECTOR_NOT_FOUND


async def test_a_file_that_only_moved_tells_its_old_address(repository: Repository, connector: GitConnector) -> None:
    address = f"git+file://{repository.folder}"
    first = await look(connector, address)
    end = first[-1]
    assert isinstance(end, ListingEnd)
    repository.commit(docs__guide=None, manual__guide=b"a guide of its own\n", readme=b"read me, changed\n")
    again = await look(connector, address, state=end.state)
    moved = {item.uri: item.previous_uri for item in again if isinstance(item, Listing)}
    assert moved == {f"{address}#manual/guide": f"{address}#docs/guide", f"{address}#readme": None}


async def test_links_keys_and_dot_folders_are_left_out(repository: Repository, connector: GitConnector) -> None:
    (repository.folder / "link").symlink_to("/etc/passwd")
    (repository.folder / ".env").write_text("KEY=1")
    repository.repo.get_worktree().stage(["link", ".env"])
    repository.commit(_x=b"x\n")
    items = await look(connector, f"git+file://{repository.folder}")
    skipped = {item.uri.partition("#")[2]: item.skip for item in items if isinstance(item, Listing) and item.skip}
    assert set(skipped) == {"link", ".env"}
    link = Listing(uri=f"git+file://{repository.folder}#link")
    result = await connector.fetch(Source(uri=f"git+file://{repository.folder}", kind="git"), link)
    assert isinstance(result, AgentFailure)


async def test_a_submodule_is_left_out_with_what_to_do(repository: Repository, connector: GitConnector) -> None:
    tree_with_link(repository, b"vendor", b"inner")
    items = await look(connector, f"git+file://{repository.folder}")
    skipped = {item.uri.partition("#")[2]: item.skip for item in items if isinstance(item, Listing) and item.skip}
    assert "a source of its own" in str(skipped["vendor/inner"])
    assert names(items) == ["docs/guide", "readme"]
    listing = Listing(uri=f"git+file://{repository.folder}#vendor/inner")
    result = await connector.fetch(Source(uri=f"git+file://{repository.folder}", kind="git"), listing)
    assert isinstance(result, AgentFailure)
    assert result.code is ErrorCode.CONNECTOR_NOT_FOUND


def tree_with_link(repository: Repository, folder: bytes, name: bytes) -> None:
    """Commit the present tree with a link to a commit of another repository in one of its folders."""
    from dulwich.objects import S_IFGITLINK, Tree

    head = repository.repo[repository.repo.head()]
    tree = repository.repo[head.tree]
    below = Tree()
    below.add(name, S_IFGITLINK, b"1" * 40)
    tree.add(folder, 0o40000, below.id)
    commit_tree(repository, below, tree)


def commit_tree(repository: Repository, *trees: Any) -> None:
    """Store trees, and commit the last of them."""
    for tree in trees:
        repository.repo.object_store.add_object(tree)
    who = b"Ada <ada@example.org>"
    repository.repo.get_worktree().commit(message=b"tree", author=who, committer=who, tree=trees[-1].id)


async def test_a_file_whose_name_is_no_utf_8_is_read(repository: Repository, connector: GitConnector) -> None:
    from dulwich.objects import Blob

    blob = Blob.from_string(b"words\n")
    repository.repo.object_store.add_object(blob)
    tree = repository.repo[repository.repo[repository.repo.head()].tree]
    tree.add(b"caf\xe9.txt", 0o100644, blob.id)
    commit_tree(repository, tree)
    source = Source(uri=f"git+file://{repository.folder}", kind="git")
    items = await look(connector, source.uri)
    (odd,) = [item for item in items if isinstance(item, Listing) and item.title == "caf\ufffd.txt"]
    raw = await connector.fetch(source, odd)
    assert isinstance(raw, RawDocument)
    assert raw.data == b"words\n"
    end = items[-1]
    assert isinstance(end, ListingEnd)
    end.model_dump_json()


async def test_a_document_knows_its_commit_and_path(repository: Repository, connector: GitConnector) -> None:
    source = Source(uri=f"git+file://{repository.folder}", kind="git")
    raw = await connector.fetch(source, Listing(uri=f"{source.uri}#docs/guide"))
    assert isinstance(raw, RawDocument)
    assert raw.metadata["path"] == "docs/guide"
    assert len(raw.metadata["commit"]) == 40


@pytest.mark.parametrize(
    "uri", ["git+https://", "git+https://a.example/", "git+file://host/x", "git+https://a.example/r?x=1"]
)
async def test_an_address_that_means_nothing_is_refused(connector: GitConnector, uri: str) -> None:
    (failure,) = await look(connector, uri)
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.INPUT_INVALID


@pytest.mark.parametrize("uri", ["git+http://127.0.0.1:8000/r.git", "git+http://localhost/r.git"])
async def test_a_private_host_is_refused_before_it_is_asked(connector: GitConnector, uri: str) -> None:
    (failure,) = await look(connector, uri)
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.CONNECTOR_BLOCKED


async def test_a_public_name_that_leads_to_a_private_address_is_refused(tmp_path: Path) -> None:
    async def lie(host: str, port: int) -> list[str]:
        return ["10.0.0.1"]

    connector = GitConnector(Settings(workspace=tmp_path / "ws"), resolve=lie)
    (failure,) = await look(connector, "git+https://code.example.org/r.git")
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.CONNECTOR_BLOCKED
