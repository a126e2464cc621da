"""Files that people brought go with their document and with their tenant, also those from before it had a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.backup import back_up_tenant
from roma_core.tenants.removal import delete_tenant
from roma_core.tenants.uploads import find_upload, list_uploads_of_before
from roma_core.types import digest
from roma_core.workspace import Workspace
from tests.fakes.tenants import make_settings
from tests.fakes.traces import find_traces


def bring(root: Path, tenant: str, person: str, mark: str) -> Path:
    """Put a file where uploads of a person were kept while tenants shared them."""
    folder = root / "uploads" / digest(tenant, person)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memo.md").write_text(f"# Memo\n\nThe memo of {mark} is of 1907.\n")
    return folder / "memo.md"


async def test_uploads_of_before_go_with_their_tenant_and_stand_in_its_export(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    lab, home = bring(root, "lab", "anna", "zqlabmemoqz"), bring(root, "default", "bert", "zqhomememoqz")
    async with build_roma(make_settings(root)) as roma:
        await roma.ingest(lab, tenant="lab")
        await roma.ingest(home)
        assert list_uploads_of_before(Workspace(root), "lab") == (lab.parent,)
        assert list_uploads_of_before(Workspace(root), "default") == ()
        for tenant in ("lab", "default"):
            await back_up_tenant(root, tenant, tmp_path / f"{tenant}.tar")
        certificate = await delete_tenant(roma, "lab")
    exported = {tenant: (tmp_path / f"{tenant}.tar").read_bytes() for tenant in ("lab", "default")}
    assert b"zqlabmemoqz" in exported["lab"] and b"zqhomememoqz" not in exported["lab"]
    assert b"zqhomememoqz" in exported["default"] and b"zqlabmemoqz" not in exported["default"]
    assert {place.place: place.removed for place in certificate.places}["uploads of before"] == 1
    assert find_traces(root, ["zqlabmemoqz"]) == {}
    assert home.exists()


@pytest.mark.parametrize("tenant", ["default", "lab"])
async def test_an_upload_goes_with_its_document(tmp_path: Path, tenant: str) -> None:
    root = tmp_path / "ws"
    first, second = bring(root, tenant, "anna", "zqfirstqz"), bring(root, tenant, "bert", "zqsecondqz")
    papers = tmp_path / "paper.md"
    papers.write_text("# Paper\n\nThe paper is of 1908.\n")
    async with build_roma(make_settings(root)) as roma:
        await roma.ingest(first, second, papers, tenant=tenant)
        report = await roma.forget(first, papers, tenant=tenant)
        assert report.documents == 2
    assert (first.exists(), second.exists(), papers.exists()) == (False, True, True)
    assert find_traces(root, ["zqfirstqz"]) == {}


@pytest.mark.parametrize(
    "address",
    [
        "file:///srv/roma/uploads/../../../etc/passwd",
        "file:///srv/roma/uploads/memo.md",
        "file:///srv/roma/uploads",
        "file:///srv/papers/memo.md",
        "https://example.org/srv/roma/uploads/a/memo.md",
        "file://elsewhere/srv/roma/uploads/a/memo.md",
    ],
)
def test_what_nobody_brought_is_no_upload(address: str) -> None:
    assert find_upload([Workspace(Path("/srv/roma"))], address) is None


def test_an_upload_is_found_by_its_address() -> None:
    found = find_upload([Workspace(Path("/srv/roma"))], "file:///srv/roma/uploads/9b1d/my%20memo.md")
    assert found == Path("/srv/roma/uploads/9b1d/my memo.md")
