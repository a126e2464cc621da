"""``roma tenant`` in the terminal: made, listed, changed, exported, and removed with a certificate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from roma_core.api.accounts import AccountTable
from roma_core.api.jobqueue import JobQueue
from roma_core.api.tokens import TokenStore
from roma_core.cli import main
from roma_core.types import ErasureCertificate
from roma_core.workspace import Workspace
from tests.fakes.tenants import write_papers

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def lab(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown) -> Path:
    """A workspace with the tenants default and lab, each with a document, and an account and a token of each."""
    for name, value in {"EMBEDDER": "fake", "RERANKER": "none", "PARSER_WORKERS": "1"}.items():
        monkeypatch.setenv(f"ROMA_{name}", value)
    assert main(["tenant", "create", "lab", "ROMA_INGEST_ROOTS=/srv/lab"]) == 0
    for tenant, mark in (("default", "zqhomeqz"), ("lab", "zqlabqz")):
        monkeypatch.setenv("ROMA_TENANT", tenant)
        assert main(["ingest", str(write_papers(tmp_path / mark, mark))]) == 0
        assert main(["ask", f"When was the rope bridge of {mark} built?"]) == 0
        AccountTable(workspace).add(f"anna-{tenant}", roles=["reader"], tenant=tenant)
        TokenStore(workspace).create(f"laptop-{tenant}", ["query"], tenant=tenant)
    monkeypatch.delenv("ROMA_TENANT")
    capsys.readouterr()
    return workspace


def find_mark(folder: Path, mark: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and mark.encode() in path.read_bytes()]


def test_tenants_are_listed_with_their_folders_and_settings(lab: Path, capsys: Shown) -> None:
    assert main(["tenant", "list", "--json"]) == 0
    home, other = json.loads(capsys.readouterr().out)
    assert (home["name"], home["is_home"], home["settings"]) == ("default", True, {})
    assert (other["name"], other["settings"]) == ("lab", {"ingest_roots": "/srv/lab"})
    assert Path(other["folder"]).absolute() == Workspace(lab).of_tenant("lab").folder


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["create", "lab"], "There is a tenant 'lab' already"),
        (["create", "default"], "There is a tenant 'default' already"),
        (["create", ""], "A tenant's name has"),
        (["create", "beir-scifact"], "corpora that evaluations ingest"),
        (["create", "x" * 300], "A tenant's name has"),
        (["create", "co", "ROMA_EMBEDDER=fake"], "has no setting 'embedder' of its own"),
        (["create", "co", "ROMA_BUDGET_TENANT_USD=much"], "ROMA_BUDGET_TENANT_USD"),
        (["create", "co", "roots"], "Write settings as NAME=VALUE"),
        (["set", "co", "ROMA_INGEST_ROOTS=/srv"], "There is no tenant 'co'"),
        (["set", "default", "ROMA_INGEST_ROOTS=/srv"], "are those of the environment"),
        (["export", "co", "co.tar"], "There is no tenant 'co'"),
        (["delete", "co", "--yes"], "There is no tenant 'co'"),
        (["delete", "lab"], "say --yes"),
        (["delete", "default", "--yes"], "has the workspace itself"),
    ],
)
def test_bad_input_says_what_to_do(workspace: Path, capsys: Shown, call: list[str], said: str) -> None:
    if "lab" in call:
        assert main(["tenant", "create", "lab"]) == 0
    assert main(["tenant", *call]) != 0
    assert said in capsys.readouterr().err
    assert not (Workspace(workspace).tenants / "co").exists()


def test_a_tenant_is_exported_and_becomes_a_workspace_of_its_own(
    lab: Path, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, copy = tmp_path / "lab.tar", tmp_path / "copy"
    assert main(["tenant", "export", "lab", str(archive)]) == 0
    assert b"zqhomeqz" not in archive.read_bytes() and b"anna-lab" not in archive.read_bytes()
    assert main(["restore", "--backup", str(archive), "--workspace", str(copy)]) == 0
    monkeypatch.setenv("ROMA_TENANT", "lab")
    capsys.readouterr()
    assert main(["ask", "When was the rope bridge of zqlabqz built?", "--workspace", str(copy)]) == 0
    assert "1902" in capsys.readouterr().out
    assert Workspace(copy).home_tenant == "lab"


def test_the_export_of_the_home_tenant_holds_no_other_and_no_account(lab: Path, tmp_path: Path) -> None:
    archive = tmp_path / "home.tar"
    assert main(["tenant", "export", "default", str(archive)]) == 0
    data = archive.read_bytes()
    assert b"zqhomeqz" in data
    assert [mark for mark in (b"zqlabqz", b"anna-default", b"service.db") if mark in data] == []


def test_a_backup_holds_every_tenant(lab: Path, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, copy = tmp_path / "all.tar", tmp_path / "copy"
    assert main(["backup", str(archive)]) == 0
    assert main(["restore", "--backup", str(archive), "--workspace", str(copy)]) == 0
    for tenant, mark in (("default", "zqhomeqz"), ("lab", "zqlabqz")):
        monkeypatch.setenv("ROMA_TENANT", tenant)
        capsys.readouterr()
        assert main(["ask", f"When was the rope bridge of {mark} built?", "--workspace", str(copy)]) == 0
        assert mark in capsys.readouterr().out


def test_a_tenant_is_removed_for_good_with_a_certificate(lab: Path, tmp_path: Path, capsys: Shown) -> None:
    target = tmp_path / "proof.json"
    assert main(["tenant", "delete", "lab", "--yes", "--certificate", str(target), "--json"]) == 0
    certificate = ErasureCertificate.model_validate_json(capsys.readouterr().out)
    assert certificate == ErasureCertificate.model_validate_json(target.read_text())
    assert certificate.is_genuine and (certificate.what, certificate.tenant) == ("tenant", "lab")
    removed = {place.place: place.removed for place in certificate.places}
    assert (removed["documents"], removed["accounts and sign-ins"], removed["tokens"]) == (1, 1, 1)
    assert removed["files"] > 5
    assert not Workspace(lab).of_tenant("lab").folder.exists()
    assert find_mark(lab, "zqlabqz") == [] and find_mark(lab, "anna-lab") == []
    assert [token.tenant for token in TokenStore(lab).list()] == ["default"]
    assert [account.name for account in AccountTable(lab).list()] == ["anna-default"]
    assert (Workspace(lab).certificates / f"{certificate.id}.json").exists()
    assert main(["ask", "When was the rope bridge of zqhomeqz built?"]) == 0
    assert main(["tenant", "delete", "lab", "--yes"]) == 1


def test_a_removal_that_was_cut_short_is_finished_by_the_next(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    removal = shutil.rmtree
    fails = True

    def remove(path: Path, *, ignore_errors: bool = False) -> None:
        if fails and str(path).endswith(".leaving") and not ignore_errors:
            raise OSError(5, "Input/output error")
        removal(path, ignore_errors=ignore_errors)

    monkeypatch.setattr("roma_core.tenants.removal.shutil.rmtree", remove)
    assert main(["tenant", "delete", "lab", "--yes"]) == 1
    assert not Workspace(lab).of_tenant("lab").folder.exists(), "nothing opens it any more"
    fails = False
    capsys.readouterr()
    assert main(["tenant", "delete", "lab", "--yes", "--json"]) == 0
    removed = {place["place"]: place["removed"] for place in json.loads(capsys.readouterr().out)["places"]}
    assert removed["documents"] == 1 and removed["files"] > 5
    assert find_mark(lab, "zqlabqz") == []


def test_a_tenant_with_a_hold_or_a_waiting_job_stays(lab: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    JobQueue(lab).add(["papers"], "lab")
    assert main(["tenant", "delete", "lab", "--yes"]) == 64
    assert "1 ingest jobs of 'lab' wait or run" in capsys.readouterr().err
    job = JobQueue(lab).list("lab")[0]
    JobQueue(lab).cancel(job.id, "lab")
    monkeypatch.setenv("ROMA_TENANT", "lab")
    assert main(["retention", "hold", "--tenant", "--reason", "case 12"]) == 0
    monkeypatch.delenv("ROMA_TENANT")
    assert main(["tenant", "delete", "lab", "--yes"]) == 64
    assert "case 12" in capsys.readouterr().err
    assert Workspace(lab).of_tenant("lab").ledger.exists()


def test_changes_of_tenants_are_in_the_audit_log(lab: Path, capsys: Shown) -> None:
    assert main(["tenant", "set", "lab", "ROMA_BUDGET_TENANT_USD=3"]) == 0
    capsys.readouterr()
    assert main(["audit", "query", "--json"]) == 0
    rows = [(row["action"], row["details"].get("name")) for row in json.loads(capsys.readouterr().out)]
    assert ("tenant.set", "lab") in rows and ("tenant.create", "lab") in rows


def test_a_token_for_a_new_tenant_says_so(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "create", "ci"]) == 0
    assert "is new" not in capsys.readouterr().err
    monkeypatch.setenv("ROMA_TENANT", "lba")
    assert main(["token", "create", "ci"]) == 0
    assert "The tenant 'lba' is new; the others are default." in capsys.readouterr().err
    assert main(["token", "create", "ci"]) == 0
    assert "is new" not in capsys.readouterr().err
