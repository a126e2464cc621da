"""Temporary folders end with their process, or are removed by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from roma_core.scratch import PREFIX, YOUNG_S, ScratchFolder, remove_orphans

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")


def make_old(folder: Path) -> None:
    """Date a folder before what may just have been made."""
    before = time.time() - 2 * YOUNG_S
    os.utime(folder, (before, before))


def test_a_scratch_folder_is_private_and_goes_with_all_that_is_in_it() -> None:
    with ScratchFolder("test") as scratch:
        assert scratch.path.name.startswith(f"{PREFIX}test-")
        assert scratch.path.stat().st_mode & 0o777 == 0o700
        (scratch.path / "below").mkdir()
        (scratch.path / "below" / "file").write_text("x", encoding="utf-8")
    assert not scratch.path.exists()
    scratch.remove()


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    program = """
        import sys
        from roma_core.scratch import ScratchFolder
        scratch = ScratchFolder("test")
        print(scratch.path, flush=True)
        sys.stdin.read()
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        make_old(folder)
        assert remove_orphans(tmp_path) == []
        assert folder.is_dir()
        process.kill()
    assert folder.is_dir()
    assert remove_orphans(tmp_path) == [folder]
    assert not folder.exists()


def test_a_folder_that_was_just_made_and_what_is_no_scratch_folder_stay(tmp_path: Path) -> None:
    young = tmp_path / f"{PREFIX}test-young"
    young.mkdir()
    other = tmp_path / "roma-parser-old"
    other.mkdir()
    file = tmp_path / f"{PREFIX}test-file"
    file.write_text("", encoding="utf-8")
    link = tmp_path / f"{PREFIX}test-link"
    link.symlink_to(other, target_is_directory=True)
    make_old(other)
    assert remove_orphans(tmp_path) == []
    assert all(path.exists() for path in (young, other, file, link))


def test_the_first_scratch_folder_of_a_process_removes_what_killed_ones_have_left(tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}parser-left"
    left.mkdir()
    (left / "page.pdf").write_bytes(b"x")
    make_old(left)
    program = 'from roma_core.scratch import ScratchFolder; ScratchFolder("test").remove()'
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
