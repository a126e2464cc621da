"""Backups: of one moment, while others write; restored whole or not at all, to the letter."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_core import backup
from roma_core.app import Roma, build_roma
from roma_core.backup import MANIFEST, back_up_workspace, restore_workspace
from roma_core.cli import main
from roma_core.doctor import examine
from roma_core.errors import ErrorCode, InputError, NotFoundError, RomaError
from roma_core.settings import Settings
from roma_core.types import Principal, TailorOutput
from tests.sizes import examples

PLACES = ["bridge", "mill", "tower", "harbour", "chapel", "quarry", "library", "bakery", "school", "station"]
KINDS = ["built", "repaired", "closed", "opened", "sold", "painted", "measured", "flooded", "moved", "named"]


def write_sources(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for number, place in enumerate(PLACES):
        lines = [f"The {place} of Quellfeld was {kind} in {1800 + 10 * number + k}." for k, kind in enumerate(KINDS)]
        (folder / f"{place}.md").write_text(f"# The {place}\n\n" + "\n\n".join(lines) + "\n", encoding="utf-8")
    return folder


def open_roma(workspace: Path) -> Roma:
    # Without the cache, which is no part of a backup: an answer says whether its parts came from there.
    chosen = {"embedder": "fake", "reranker": "none", "llm_provider": "extractive", "cache": "off"}
    return build_roma(Settings(workspace=workspace, **chosen))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sources, a workspace of them, and its backup."""
    folder = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with open_roma(folder / "w") as roma:
            await roma.ingest(write_sources(folder / "sources"))
            await roma.query("When was the mill sold?", session_id="s")
        await back_up_workspace(folder / "w", folder / "backup.tar")

    asyncio.run(make())
    return folder


async def answer_all(workspace: Path) -> list[str]:
    async with open_roma(workspace) as roma:
        outputs = [await roma.query(f"When was the {place} {kind}?", keep=False) for place in PLACES for kind in KINDS]
        assert all(isinstance(output, TailorOutput) for output in outputs)
        return [output.model_dump_json() for output in outputs]


@pytest.mark.slow
async def test_a_restored_workspace_gives_byte_identical_answers_to_100_questions(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "w", tmp_path / "w")
    before = await answer_all(tmp_path / "w")
    await back_up_workspace(tmp_path / "w", tmp_path / "backup.tar")
    shutil.rmtree(tmp_path / "w")
    restore_workspace(tmp_path / "backup.tar", tmp_path / "w")
    after = await answer_all(tmp_path / "w")
    assert len(before) == 100
    assert after == before
    async with open_roma(tmp_path / "w") as roma:
        turns = await roma.sessions.turns(Principal.local(), "s")
        assert [turn.question for turn in turns] == ["When was the mill sold?"]
        assert len(await roma.answers.list(Principal.local())) == 1
        report = await roma.ingest(made / "sources")
        assert report.counts()["unchanged"] == len(PLACES)


@pytest.mark.slow
async def test_a_backup_during_an_ingest_is_of_one_moment_from_which_the_ingest_goes_on(tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "sources")
    async with open_roma(tmp_path / "w") as roma:
        await roma.ingest(sources / "bridge.md")
        (sources / "bridge.md").unlink()
        ingest = asyncio.create_task(roma.ingest(sources, prune=True))
        archives = []
        while not ingest.done() and len(archives) < 3:
            archives.append(tmp_path / f"{len(archives)}.tar")
            await back_up_workspace(tmp_path / "w", archives[-1])
        await ingest
        whole = await roma.store.contents("default")
    for archive in archives:
        restored = tmp_path / f"of-{archive.stem}"
        restore_workspace(archive, restored)
        async with open_roma(restored) as roma:
            await roma.ingest(sources, prune=True)
            contents = await roma.store.contents("default")
            assert {id: contents[id] for id in whole} == whole
            assert (await examine(roma)).is_well


async def test_caches_sign_ins_and_temporary_files_stay_behind(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "w", tmp_path / "w")
    for name in ("gdrive-token.json", "tmp/half", "cache/web.db", "backups/old", "store/.writer.lock", "cache.sqlite"):
        (tmp_path / "w" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "w" / name).write_text("x", encoding="utf-8")
    (tmp_path / "w" / "prompts" / "answer").mkdir(parents=True)
    (tmp_path / "w" / "prompts" / "answer" / "brief.md").write_text("Be brief.", encoding="utf-8")
    report = await back_up_workspace(tmp_path / "w", tmp_path / "b.tar")
    restore_workspace(tmp_path / "b.tar", tmp_path / "again")
    there = {path.relative_to(tmp_path / "again").as_posix() for path in (tmp_path / "again").rglob("*")}
    assert {"ledger.sqlite", "store", "sessions.db", "answers.sqlite", "prompts/answer/brief.md"} <= there
    assert not there & {"gdrive-token.json", "tmp", "cache", "backups", "cache.sqlite", "store/.writer.lock"}
    assert {"cache.sqlite", "gdrive-token.json"} <= set(report.left_out)
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0
    assert not list((tmp_path / "w" / "tmp").glob("backup-*"))


def restore(made: Path, data: bytes, tmp_path: Path) -> RomaError | None:
    """Restore an archive of these bytes; return the error. Without one the workspace is as it was backed up."""
    archive, target = tmp_path / "x.tar", tmp_path / "restored"
    archive.write_bytes(data)
    try:
        restore_workspace(archive, target)
    except RomaError as error:
        assert not target.exists()
        return error
    finally:
        left = [path.name for path in tmp_path.iterdir() if ".restoring-" in path.name]
        assert left == []
    for path in [path for path in target.rglob("*") if path.is_file()]:
        with tarfile.open(made / "backup.tar") as tar:
            member = tar.extractfile(path.relative_to(target).as_posix())
            assert member is not None
            assert path.read_bytes() == member.read()
    shutil.rmtree(target)
    return None


@settings(
    max_examples=examples(6, whole=12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_a_damaged_or_shortened_archive_restores_nothing(
    made: Path, tmp_path_factory: pytest.TempPathFactory, share: float, bit: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("damaged")
    whole = (made / "backup.tar").read_bytes()
    end = whole.rindex(b"}") + 1
    at = int(end * share)
    cut = restore(made, whole[:at], tmp_path)
    assert cut is not None
    assert cut.code is ErrorCode.STORAGE_CORRUPT
    flipped = bytearray(whole)
    flipped[at] ^= 1 << bit
    error = restore(made, bytes(flipped), tmp_path)
    assert error is None or error.code is ErrorCode.STORAGE_CORRUPT  # a flip in the padding changes no file


def rewrite(made: Path, change: Callable[[dict[str, object]], object], extra: tuple[str, ...] = ()) -> bytes:
    """Return the archive with another manifest, and with members of these names."""
    stream = io.BytesIO()
    with tarfile.open(made / "backup.tar") as source, tarfile.open(fileobj=stream, mode="w") as target:
        for name in extra:
            target.addfile(tarfile.TarInfo(name), io.BytesIO())
        for member in source:
            file = source.extractfile(member)
            assert file is not None
            data = file.read()
            if member.name == MANIFEST:
                values = json.loads(data)
                change(values)
                data = json.dumps(values).encode()
                member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize("change", [{"format": 99}, {"roma": "999.0"}], ids=str)
def test_a_backup_of_a_newer_roma_says_which_one_it_needs(
    made: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    error = restore(made, rewrite(made, lambda values: values.update(change)), tmp_path)
    assert error is not None
    assert error.code is ErrorCode.STORAGE_NEWER


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "ledger.sqlite", "added.txt"])
def test_an_archive_with_other_members_than_its_manifest_names_is_refused(
    made: Path, tmp_path: Path, name: str
) -> None:
    error = restore(made, rewrite(made, lambda values: None, (name,)), tmp_path)
    assert error is not None
    assert error.code is ErrorCode.STORAGE_CORRUPT
    assert not list(tmp_path.parent.glob("evil"))


def test_a_workspace_that_holds_something_is_never_touched(made: Path, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    restore_workspace(made / "backup.tar", tmp_path / "w")  # an empty folder will do
    before = sorted(path.name for path in (tmp_path / "w").iterdir())
    with pytest.raises(InputError, match="not empty"):
        restore_workspace(made / "backup.tar", tmp_path / "w")
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == before


async def test_an_archive_is_never_overwritten_nor_put_into_the_workspace(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there already"):
        await back_up_workspace(made / "w", made / "backup.tar")
    with pytest.raises(InputError, match="inside of the workspace"):
        await back_up_workspace(made / "w", made / "w" / "b.tar")
    with pytest.raises(NotFoundError):
        await back_up_workspace(tmp_path / "none", tmp_path / "b.tar")
    with pytest.raises(NotFoundError):
        restore_workspace(tmp_path / "none.tar", tmp_path / "w")


async def test_a_full_disk_leaves_no_archive_and_no_workspace(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(backup.shutil, "copyfile", fail)
        full.setattr(backup.os, "link", fail)
        with pytest.raises(RomaError) as caught:
            await back_up_workspace(made / "w", tmp_path / "b.tar")
    assert caught.value.code is ErrorCode.STORAGE_FULL
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as full:
        full.setattr(backup, "private_file", fail)
        with pytest.raises(RomaError) as caught:
            restore_workspace(made / "backup.tar", tmp_path / "w")
    assert caught.value.code is ErrorCode.STORAGE_FULL
    assert list(tmp_path.iterdir()) == []


def test_the_commands_back_up_and_restore(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "b.tar"
    assert main(["backup", str(archive), "--workspace", str(made / "w"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert main(["restore", "--backup", str(archive), "--workspace", str(tmp_path / "w"), "--json"]) == 0
    restored = json.loads(capsys.readouterr().out)
    assert (restored["files"], restored["size_bytes"]) == (shown["files"], shown["size_bytes"])
    assert main(["restore", "--backup", str(archive), "--workspace", str(tmp_path / "w"), "--json"]) == 64
    assert main(["restore", "--backup", str(archive), "--list", "--workspace", str(tmp_path / "w"), "--json"]) == 64
