"""What ROMA makes is private, what others made stays as it is, and what a server keeps is never made anew."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from roma_core.workspace import GoneError, mark_required, private_file, private_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    private_file(tmp_path / "a" / "b" / "x.db")
    assert [mode(tmp_path / p) for p in ("a", "a/b", "a/b/x.db")] == [0o700, 0o700, 0o600]


def test_what_was_there_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o750)
    (folder / "x.db").touch(mode=0o640)
    private_folder(folder)
    private_file(folder / "x.db")
    assert (mode(folder), mode(folder / "x.db")) == (0o750, 0o640)


def test_what_is_kept_is_not_made_anew(tmp_path: Path) -> None:
    kept, other = tmp_path / "ws" / "x.db", tmp_path / "ws" / "store"
    private_file(kept)
    private_folder(other)
    mark_required(kept)
    private_file(kept)
    private_file(tmp_path / "ws" / "y.db")
    for loss in ("file", "folder"):
        if loss == "file":  # as when a volume was unmounted: the folder is there, and empty
            kept.rename(tmp_path / "x.db")
        else:
            (tmp_path / "ws").rename(tmp_path / "away")
        for path in (kept, tmp_path / "ws" / "new.db", tmp_path / "ws" / "new" / "x.db"):
            for make in (private_folder, private_file):
                with pytest.raises(GoneError):
                    make(path)
    assert not (tmp_path / "ws").exists()
    private_file(tmp_path / "elsewhere" / "x.db")


def test_a_file_in_the_way_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        private_file(tmp_path / "file" / "x.db")
    with pytest.raises(OSError):
        private_folder(tmp_path / "file" / "x")
