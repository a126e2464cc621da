"""A whole ROMA whose passages lie on an object store: the same commands, hashes and answers as in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from roma_core.app import Roma, build_roma
from roma_core.backup import back_up_tenant, back_up_workspace, restore_workspace
from roma_core.cli import main
from roma_core.doctor import examine
from roma_core.errors import AgentFailure, ErrorCode, InputError
from roma_core.identity import Grantee, Resource
from roma_core.settings import Settings
from roma_core.store import locate_store
from roma_core.tenants.removal import delete_tenant
from roma_core.types import Principal, ReadScope, TailorOutput
from tests.s3 import SECRET, make_bucket

QUESTION = "When was the mill of Quellfeld sold?"


def write_sources(folder: Path) -> Path:
    folder.mkdir()
    for number, place in enumerate(("bridge", "mill", "tower", "harbour")):
        text = f"# The {place}\n\nThe {place} of Quellfeld was sold in {1840 + 10 * number}.\n"
        (folder / f"{place}.md").write_text(text, encoding="utf-8")
    return folder


def choose(
    workspace: Path, endpoint: str = "", bucket: str = "", prefix: str = "roma", tenant: str = "default"
) -> Settings:
    place = {"store_url": f"s3://{bucket}/{prefix}", "store_endpoint": endpoint} if bucket else {}
    chosen = {"embedder": "fake", "reranker": "none", "llm_provider": "extractive", "cache": "off", "tenant": tenant}
    return Settings(workspace=workspace, **chosen, **place)


async def describe(roma: Roma) -> tuple[str, str]:
    answer = await roma.query(QUESTION, keep=False)
    assert isinstance(answer, TailorOutput)
    return await roma.store.index_sha256("default"), answer.model_dump_json()


async def test_ingest_search_delete_reindex_and_backup_are_those_of_a_folder(s3: str, tmp_path: Path) -> None:
    bucket, sources = make_bucket(s3), write_sources(tmp_path / "sources")
    remote = choose(tmp_path / "remote", s3, bucket)
    async with build_roma(choose(tmp_path / "local")) as here, build_roma(remote) as there:
        for roma in (here, there):
            report = await roma.ingest(sources)
            assert [item.state for item in report.items] == ["added"] * 4
        assert await describe(here) == await describe(there)
        (sources / "tower.md").unlink()
        (sources / "mill.md").write_text("# The mill\n\nThe mill of Quellfeld was sold in 1911.\n", encoding="utf-8")
        for roma in (here, there):
            report = await roma.ingest(sources)
            assert not report.failures
            reindexed = await roma.reindex(chunks=True)
            assert not isinstance(reindexed, AgentFailure)
        before = await describe(there)
        assert await describe(here) == before
        assert (await examine(there)).is_well
    assert not (tmp_path / "remote" / "store").exists()
    archive = tmp_path / "backup.tar"
    await back_up_workspace(remote.workspace, archive, settings=remote)
    with pytest.raises(InputError, match="There is a store"):
        restore_workspace(archive, tmp_path / "again", settings=remote.replace(workspace=tmp_path / "again"))
    elsewhere = choose(tmp_path / "again", s3, bucket, "elsewhere")
    restore_workspace(archive, elsewhere.workspace, settings=elsewhere)
    restore_workspace(archive, tmp_path / "home", settings=choose(tmp_path / "home"))
    for restored in (elsewhere, choose(tmp_path / "home")):
        async with build_roma(restored) as roma:
            assert await describe(roma) == before
            assert (await examine(roma)).is_well


async def test_a_backup_of_a_folder_is_restored_to_a_bucket(s3: str, tmp_path: Path) -> None:
    local = choose(tmp_path / "local")
    async with build_roma(local) as roma:
        await roma.ingest(write_sources(tmp_path / "sources"))
        before = await describe(roma)
    await back_up_workspace(local.workspace, tmp_path / "backup.tar")
    shutil.rmtree(local.workspace)
    moved = choose(tmp_path / "moved", s3, make_bucket(s3))
    restore_workspace(tmp_path / "backup.tar", moved.workspace, settings=moved)
    assert not (moved.workspace / "store").exists()
    async with build_roma(moved) as roma:
        assert await describe(roma) == before


async def test_a_tenant_has_its_own_prefix_which_goes_with_it(s3: str, tmp_path: Path) -> None:
    settings = choose(tmp_path / "w", s3, make_bucket(s3))
    sources = write_sources(tmp_path / "sources")
    lab = settings.replace(tenant="lab")
    async with build_roma(settings) as roma:
        await roma.ingest(sources)
        await roma.of_tenant("lab").ingest(sources / "mill.md")
        assert locate_store(lab).uri.endswith("/roma/tenants/lab/store")
        assert locate_store(lab).exists()
        await back_up_tenant(settings.workspace, "lab", tmp_path / "lab.tar", settings=settings)
        certificate = await delete_tenant(roma, "lab")
        removed = {place.place: place.removed for place in certificate.places}
        assert removed["passages on the object store"] > 0
        assert not locate_store(lab).exists()
        assert (await roma.store.counts("default"))[0] == 4
    restore_workspace(tmp_path / "lab.tar", tmp_path / "lab", settings=choose(tmp_path / "lab"))
    async with build_roma(choose(tmp_path / "lab", tenant="lab")) as roma:
        assert (await roma.store.counts("lab"))[0] == 1


def test_no_key_is_in_health_logs_or_errors(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"EMBEDDER": "fake", "RERANKER": "none", "STORE_ENDPOINT": s3, "WORKSPACE": "w"}.items():
        monkeypatch.setenv(f"ROMA_{name}", value)
    write_sources(tmp_path / "sources")
    for bucket in (make_bucket(s3), "no-such-bucket"):
        monkeypatch.setenv("ROMA_STORE_URL", f"s3://{bucket}/roma")
        is_there = bucket != "no-such-bucket"
        monkeypatch.setenv("ROMA_WORKSPACE", bucket)
        assert (main(["ingest", "sources", "--json"]) == 0) is is_there
        assert (main(["health", "--json"]) == 0) is is_there
        shown = capsys.readouterr()
        assert SECRET not in shown.out + shown.err
        assert ("There is no bucket" in shown.out + shown.err) is not is_there
    written = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert written == []
    assert ErrorCode.CONFIG_INVALID == "ERR_CONFIG_INVALID"


async def test_two_replicas_with_workspaces_of_their_own_are_one_service(
    s3: str, tmp_path: Path, plain_url: str
) -> None:
    bucket = make_bucket(s3)
    first, second = (
        choose(tmp_path / name, s3, bucket).replace(database_url=plain_url) for name in ("first", "second")
    )
    anna = Principal(subject="anna", roles=("reader",))
    async with build_roma(first) as one, build_roma(second) as other:
        await one.ingest(write_sources(tmp_path / "sources"))
        assert await describe(one) == await describe(other)
        answer = await one.query(QUESTION, principal=anna, session_id="s")
        assert isinstance(answer, TailorOutput)
        (kept,) = await other.answers.list(anna, "s")
        record = await other.answers.get(anna, kept.id)
        assert record.output is not None
        assert record.output.answer == answer.answer
        assert await one.rate(answer.answer_id, "up", session_id="s", principal=anna) is None
        (opinion,) = await other.sessions.feedback(anna)
        assert (opinion.answer_id, opinion.rating) == (answer.answer_id, "up")
        one.grants.grant("default", Resource("tenant"), Grantee("user", "bert"), by="local")
        assert await other.grants.find_scope(anna) == ReadScope(collections=())
        assert await other.store.counts("default", await other.grants.find_scope(anna)) == (0, 0)
        bert = Principal(subject="bert", roles=("reader",))
        one.grants.revoke("default", Resource("tenant"), Grantee("user", "bert"))
        assert await other.grants.find_scope(bert) == ReadScope(collections=())
