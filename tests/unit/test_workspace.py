"""What ROMA makes is private, what others made stays as it is, and what a server keeps is never made anew."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from roma_core.settings import Settings
from roma_core.workspace import (
    GoneError,
    Workspace,
    find_project,
    mark_required,
    private_file,
    private_folder,
    resolve_workspace,
)


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


# Finding


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a workspace and a folder of notebooks, in which one stands."""
    root = tmp_path / "project"
    (root / "notebooks" / "drafts").mkdir(parents=True)
    (root / ".roma").mkdir()
    monkeypatch.chdir(root / "notebooks")
    return root


def test_a_project_is_found_upwards(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_project() == find_project(project / "notebooks" / "drafts") == find_project(project) == project
    (project / ".roma").rmdir()
    assert find_project() is None
    (project / "roma.toml").touch()
    assert find_project() == project


def test_the_nearest_project_counts(project: Path) -> None:
    (project / "notebooks" / "roma.toml").touch()
    assert find_project() == project / "notebooks"


def test_a_project_of_somebody_else_does_not_choose_settings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, where everybody may put a folder above one's own."""
    owner = project.stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: owner + 1)
    assert find_project() == project, "where one stands and the project have one owner"
    if owner == 0:
        os.chown(project / "notebooks", 12345, -1)
        assert find_project() is None
        assert find_project(project) == project, "who stands there knows it"


def test_a_file_of_somebody_else_at_the_root_is_not_read(project: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    for path in (project, project / "notebooks", project / ".roma"):
        os.chown(path, 0, -1)
    (project / ".env").write_text("ROMA_TENANT=planted\n")
    os.chown(project / ".env", 12345, -1)
    assert Settings.load().tenant == "default"
    (project / ".roma").rmdir()
    (project / ".roma").symlink_to(project / "notebooks")
    os.chown(project / ".roma", 12345, -1, follow_symlinks=False)
    assert find_project() is None, "whoever made the link chose where it leads"


def test_the_default_workspace_is_that_of_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_workspace(Path(".roma")) == project / ".roma"
    monkeypatch.chdir(project)
    assert resolve_workspace(Path(".roma")) == Path(".roma")
    monkeypatch.chdir(project / "notebooks")
    (project / ".roma").rmdir()
    assert resolve_workspace(Path(".roma")) == Path(".roma"), "nothing says where the project is"
    (project / "roma.toml").touch()
    assert resolve_workspace(Path(".roma")) == project / ".roma"


def test_a_workspace_that_is_named_wins(project: Path) -> None:
    assert resolve_workspace(project / "other") == project / "other"
    assert resolve_workspace(Path("other")) == Path("other"), "a new one is made where one stands"
    (project / "other").mkdir()
    assert resolve_workspace(Path("other")) == project / "other"
    (project / "notebooks" / "other").mkdir()
    assert resolve_workspace(Path("other")) == Path("other")


def test_commands_and_notebooks_mean_the_same_workspace_and_settings(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env").write_text("ROMA_TENANT=team\nROMA_PORT=8001\n")
    seen = []
    for place in (project, project / "notebooks", project / "notebooks" / "drafts"):
        monkeypatch.chdir(place)
        for settings in (Settings.load(), Settings.load(workspace=".roma")):
            seen.append((settings.workspace.resolve(), settings.tenant, settings.serving.port))
    assert set(seen) == {(project / ".roma", "team", 8001)}


def test_an_env_file_where_one_stands_wins_and_the_environment_over_both(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env").write_text("ROMA_TENANT=team\nROMA_PORT=8001\n")
    (project / "notebooks" / ".env").write_text("ROMA_TENANT=mine\n")
    assert (Settings.load().tenant, Settings.load().serving.port) == ("mine", 8001)
    monkeypatch.setenv("ROMA_TENANT", "other")
    assert Settings.load().tenant == "other"


def test_a_workspace_that_an_env_file_names_lies_beside_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_text("ROMA_WORKSPACE=data/ws\n")
    assert Settings.load().workspace == project / "data" / "ws"
    monkeypatch.setenv("ROMA_WORKSPACE", str(project / "elsewhere"))
    assert Settings.load().workspace == project / "elsewhere"
    assert Settings.load(workspace=project / "given").workspace == project / "given"


def files_of(workspace: Workspace) -> list[tuple[str, Path]]:
    named = [(name, getattr(workspace, name)) for name, value in vars(Workspace).items() if isinstance(value, property)]
    return [(name, place) for name, place in named if isinstance(place, Path)]


def test_every_file_of_a_workspace_is_in_its_folder_and_has_its_own_name() -> None:
    workspace = Workspace(Path("w"))
    places = [place for _, place in files_of(workspace)]
    assert len(set(places)) == len(places)
    assert all(place.is_relative_to("w") for place in places)


def test_the_documentation_lists_every_file_of_a_workspace() -> None:
    page = (Path(__file__).parents[2] / "docs" / "workspace.md").read_text(encoding="utf-8")
    for name, place in files_of(Workspace(Path())):
        assert f"| `{place.as_posix()}" in page, name
