"""The dashboards over a workspace: what they show, what an empty one says, and whose words they keep."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import panel as pn
import pytest

from roma_core.app import build_roma
from roma_core.errors import StoreError
from roma_core.evals import evaluate
from roma_core.identity.grants import Grantee, Resource
from roma_core.settings import Settings
from roma_core.types import Principal
from roma_core.ui import CorpusDashboard, EvalsDashboard, UsageDashboard
from tests.unit.exports.conftest import copy_workspace, fill

BOARDS = [EvalsDashboard, UsageDashboard, CorpusDashboard]


def text_of(board: Any) -> str:
    """Return the HTML of a board's panes."""
    return "\n".join(str(pane.object) for pane in board.view.select(pn.pane.HTML))


def figures_of(board: Any) -> list[Any]:
    return [pane.object for pane in board.view.select(pn.pane.Bokeh)]


async def choose(board: Any, name: str, value: str, expected: str) -> str:
    """Change a filter as a person does, and return the HTML once it has ``expected``."""
    board.widgets[name].value = value
    for _ in range(600):
        if expected in text_of(board):
            return text_of(board)
        await asyncio.sleep(0.05)
    raise AssertionError(f"{expected!r} is not in {text_of(board)}")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return asyncio.run(fill(tmp_path_factory.mktemp("boards")))


@pytest.mark.parametrize(
    ("kind", "hint"),
    [(EvalsDashboard, "roma eval golden.json"), (UsageDashboard, "roma ask"), (CorpusDashboard, "roma ingest PATH")],
    ids=["evals", "usage", "corpus"],
)
async def test_an_empty_workspace_says_what_to_do(kind: Any, hint: str, workspace: Path) -> None:
    async with build_roma(Settings(workspace=workspace, embedder="fake", reranker="none")) as roma:
        board = kind(roma)
        await board.refresh()
        assert hint in text_of(board)


async def test_evaluations_show_runs_the_failures_and_each_item(filled: Settings) -> None:
    async with build_roma(filled) as roma:
        board = EvalsDashboard(roma)
        await board.refresh()
        html = text_of(board)
        assert "nugget_recall over 1 run" in html
        assert "Item by item" in html
        assert "base" in html
        assert len(figures_of(board)) >= 4
        html = await choose(board, "items", "all", "3 of 3 items")
        assert "What does a ferry pay for a landing?" in html
        assert 'data-verdict="' in html, "citations stand with their verdicts"
        html = await choose(board, "words", "ferry", "2 of 3 items")
        assert html.count('<article class="item"') == 2


async def test_evaluations_name_the_stage_that_lost_each_failed_item(filled: Settings, tmp_path: Path) -> None:
    settings = copy_workspace(filled, tmp_path)
    async with build_roma(settings) as roma:
        items = [
            {
                "id": "lost",
                "question": "When was the rope bridge of Quellfeld built?",
                "kind": "single",
                "answer": "In 1802.",
                "nuggets": [{"fact": "1802"}],
                "evidence": [{"uri": "notes/atlantis.md", "anchor": "built in 1802"}],
            }
        ]
        (tmp_path / "lost.json").write_text(json.dumps(items), encoding="utf-8")
        await evaluate(tmp_path / "lost.json", roma, name="lost")
        board = EvalsDashboard(roma)
        await board.refresh()
        html = text_of(board)
        assert "1 of 1 item failed" in html
        assert "mend the item" in html, "each stage has what to do about it"
        assert "there is no document &#x27;notes/atlantis.md&#x27;" in html


async def test_use_shows_questions_topics_ratings_and_the_way_to_a_golden_case(filled: Settings) -> None:
    async with build_roma(filled) as roma:
        board = UsageDashboard(roma)
        await board.refresh()
        html = text_of(board)
        assert "When was the rope bridge of Quellfeld built?" in html
        assert "no year of repair" in html
        assert "review=" in html
        await choose(board, "questions", "rated down", "1 of 2 questions")


async def test_the_corpus_shows_documents_items_and_sources(filled: Settings) -> None:
    async with build_roma(filled) as roma:
        board = CorpusDashboard(roma)
        await board.refresh()
        html = text_of(board)
        assert "bridge.md" in html and "2 of 2 items" in html
        assert "Sources" in html
        await choose(board, "words", "bridge", "1 of 2 items")


@pytest.mark.parametrize("kind", BOARDS, ids=lambda kind: kind.__name__)
async def test_who_lacks_the_permission_is_told_so(kind: Any, filled: Settings) -> None:
    async with build_roma(filled) as roma:
        board = kind(roma, Principal(subject="rita", roles=("reader",)))
        await board.refresh()
        alerts = [alert.title for alert in board.view.select(lambda part: hasattr(part, "severity"))]
        assert any("ERR_ACCESS_FORBIDDEN" in title for title in alerts)
        assert "Quellfeld" not in text_of(board)


async def test_withheld_documents_are_named_on_no_board(filled: Settings, tmp_path: Path) -> None:
    settings = copy_workspace(filled, tmp_path)
    analyst = Principal(subject="ada", roles=("analyst",))
    async with build_roma(settings) as roma:
        roma.grants.grant("default", Resource("collection", "main"), Grantee("user", "bo"), by="local")
        for kind in BOARDS:
            board = kind(roma, analyst)
            await board.refresh()
            html = text_of(board)
            if kind is EvalsDashboard:
                html += await choose(board, "items", "all", "3 of 3 items")
            for secret in ("Quellfeld", "bridge.md", "in 1902", "no year of repair", "ferry"):
                assert secret not in html, (kind, secret)


async def test_a_workspace_that_fails_shows_an_alert(filled: Settings) -> None:
    async with build_roma(filled) as roma:

        class Broken:
            async def facts(self, *_: object) -> None:
                raise StoreError("The store is gone.")

        roma.__dict__["store"] = Broken()
        board = CorpusDashboard(roma)
        await board.refresh()
        assert any("ERR_" in str(alert.title) for alert in board.view.select(lambda part: hasattr(part, "severity")))
        del roma.__dict__["store"]
