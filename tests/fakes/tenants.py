"""A workspace as it was while all tenants shared its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from roma_core.app import Roma, build_roma
from roma_core.identity import Grantee, GrantTable, Resource
from roma_core.sessions.service import Feedback
from roma_core.settings import Settings
from roma_core.types import Principal, TailorOutput
from roma_core.workspace import Workspace

TENANTS = ("default", "lab", "Søn & Co")
"""A tenant of the first days, one with a plain name, and one whose name is no name of a folder."""
MARKS = {"default": "zqhomeqz", "lab": "zqlabqz", "Søn & Co": "zqcoqz"}
SHARED = ("store", "sessions", "answers", "grants", "audit", "budgets", "cache", "holds", "originals", "ingestion")


def make_settings(folder: Path, **given: Any) -> Settings:
    chosen = {"embedder": "fake", "reranker": "none", "parser_workers": 1, "llm_provider": "extractive"}
    limits = {"budget_tenant_usd": 100, "budget_session_usd": 100}
    return Settings(workspace=folder, **{**chosen, **limits, **given})


def write_papers(folder: Path, mark: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = f"# Bridge {mark}\n\nThe rope bridge of {mark} was built in 1902. It spans 48 metres.\n"
    (folder / f"{mark}.md").write_text(text)
    return folder


async def fill(roma: Roma, tenant: str, papers: Path) -> None:
    """Give a tenant a document, a conversation, an opinion, a grant, a hold, a charge and rows in the audit log."""
    mark = MARKS[tenant]
    report = await roma.ingest(write_papers(papers / mark, mark), tenant=tenant)
    assert report.counts()["added"] == 1, report
    who = Principal(subject=f"anna{mark}", tenant=tenant, roles=("admin",), signed_in_by="account")
    answer = await roma.query(f"When was the rope bridge of {mark} built?", session_id="first", principal=who)
    assert isinstance(answer, TailorOutput), answer
    await roma.sessions.rate(
        who, Feedback(answer_id=answer.answer_id, rating="up", comment=f"right {mark}", session_id="first")
    )
    roma.grants.grant(tenant, Resource("collection", mark), Grantee("user", who.subject), by="local")
    roma.holds.place(tenant, "collection", mark, reason=f"case {mark}", by="local")
    hold = roma.budgets.reserve(roma.budgets.accounts("first", tenant), 0.25, "fake")
    roma.budgets.settle(hold)


async def make_shared(folder: Path, papers: Path, tenants: tuple[str, ...]) -> None:
    """Make a workspace in which all tenants share the files at its root."""
    async with build_roma(make_settings(folder), grants=GrantTable(folder)) as host:
        shared: Any = {name: getattr(host, name) for name in SHARED}
        shared["orchestrator"] = host.orchestrator
        roma = build_roma(make_settings(folder), **shared)
        for tenant in tenants:
            await fill(roma, tenant, papers)
    Workspace(folder).layout.unlink(missing_ok=True)
    assert not Workspace(folder).tenants.exists()
