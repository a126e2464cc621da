"""The dashboards in a real Chromium: they draw, their filters stand in the address, and nothing leaves."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from roma_core.identity.grants import Grantee, Resource
from tests.console import CHROMIUM, PHONE, WAIT_MS, Open, Service, find_strangers
from tests.integration.test_console_proofs import find_barriers
from tests.unit.exports.conftest import fill

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
PATHS = {"evals": "/console/evals", "usage": "/console/usage", "corpus": "/console/corpus"}
FIRST = {"evals": "Item by item", "usage": "Questions by day", "corpus": "Documents by type"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boards")
    with ThreadPoolExecutor(1) as pool:
        settings = pool.submit(asyncio.run, fill(folder)).result()
    return Path(settings.workspace)


@pytest.fixture(scope="module")
def service(workspace: Path) -> Iterator[Service]:
    with Service(workspace).running() as made:
        yield made


def choose(page: Any, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).select_option(label=option)


@pytest.mark.parametrize("name", sorted(PATHS))
def test_a_dashboard_draws_and_asks_no_other_host(name: str, open_page: Open, service: Service) -> None:
    page = open_page(service.address, PATHS[name])
    page.get_by_role("heading", name=FIRST[name]).wait_for()
    page.locator(".bk-Canvas").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert find_strangers(page, service.address) == []
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert links.all_inner_texts() == ["Console", "Evaluations", "Use", "Corpus", "Trials", "Sources"]


@pytest.mark.parametrize(
    ("name", "label", "option", "query", "shown"),
    [
        ("evals", "Items", "all", "items=all", "3 of 3 items"),
        ("usage", "Questions", "rated down", "questions=rated+down", "1 of 2 questions"),
        ("corpus", "Items", "added", "state=added", "2 of 2 items"),
    ],
    ids=["evals", "usage", "corpus"],
)
def test_a_filter_stands_in_the_address_and_survives_a_reload(
    name: str, label: str, option: str, query: str, shown: str, open_page: Open, service: Service
) -> None:
    page = open_page(service.address, PATHS[name])
    page.get_by_role("heading", name=FIRST[name]).wait_for()
    choose(page, label, option)
    page.wait_for_url(f"**{PATHS[name]}?{query}")
    page.get_by_text(shown).wait_for()
    page.reload()
    page.get_by_text(shown).wait_for()
    box = page.get_by_role("combobox", name=label, exact=True)
    assert box.evaluate("element => element.selectedOptions[0].label") == option


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(PATHS))
def test_axe_finds_nothing_serious_on_a_dashboard(name: str, scheme: str, open_page: Open, service: Service) -> None:
    pytest.importorskip("axe_playwright_python")
    page = open_page(service.address, f"{PATHS[name]}?items=all", color_scheme=scheme)
    page.get_by_role("heading", name=FIRST[name]).wait_for()
    page.wait_for_load_state("networkidle")
    assert find_barriers(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_review(scheme: str, open_page: Open, service: Service) -> None:
    pytest.importorskip("axe_playwright_python")
    page = open_page(service.address, PATHS["usage"], color_scheme=scheme)
    page.get_by_role("heading", name=FIRST["usage"]).wait_for()
    page.get_by_role("link", name="review").first.click()
    page.get_by_label("Reference answer").wait_for()
    assert find_barriers(page) == []


GROUNDS = {"light": "rgb(247, 247, 245)", "dark": "rgb(23, 24, 26)"}


def wait_for_ground(page: Any, scheme: str) -> None:
    """Wait until the page stands on the ground of a scheme, with the words of its body in the colour for it."""
    page.wait_for_function(
        "colour => getComputedStyle(document.body).backgroundColor === colour", arg=GROUNDS[scheme], timeout=WAIT_MS
    )


@pytest.mark.parametrize("scheme", sorted(GROUNDS))
def test_a_dashboard_is_light_or_dark_as_the_system_is_until_one_chooses(
    scheme: str, open_page: Open, service: Service
) -> None:
    page = open_page(service.address, PATHS["usage"], color_scheme=scheme)
    page.get_by_role("heading", name=FIRST["usage"]).wait_for()
    wait_for_ground(page, scheme)
    (other,) = GROUNDS.keys() - {scheme}
    page.get_by_role("button", name="Toggle theme").click()
    wait_for_ground(page, other)
    choose(page, "Questions", "rated down")
    page.get_by_text("1 of 2 questions").wait_for()
    wait_for_ground(page, other)
    page.reload()
    page.get_by_text("1 of 2 questions").wait_for()
    wait_for_ground(page, other)
    assert page.evaluate("localStorage.getItem('roma:theme')") == other, "the console follows as well"


@pytest.mark.parametrize("name", sorted(PATHS))
def test_a_dashboard_fits_a_phone(name: str, open_page: Open, service: Service) -> None:
    page = open_page(service.address, PATHS[name], **PHONE)
    page.get_by_role("heading", name=FIRST[name]).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
    last = page.get_by_role("navigation", name="Pages").get_by_role("link").last.bounding_box()
    toggle = page.get_by_role("button", name="Toggle theme").bounding_box()
    assert last["x"] + last["width"] <= toggle["x"], "the way to every page is in sight"


def test_a_bad_answer_becomes_a_golden_case_by_some_clicks(open_page: Open, workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(workspace, tmp_path / "ws")
    with Service(tmp_path / "ws").running() as service:
        page = open_page(service.address, PATHS["usage"])
        page.get_by_role("link", name="review").first.click()
        page.get_by_label("Reference answer").fill("It was built in 1902.")
        page.get_by_label("Facts that the answer states").fill("1902")
        page.get_by_role("button", name="Add to the golden set").click()
        page.get_by_text("is in the set").wait_for()
    assert "1902" in (tmp_path / "ws" / "evals" / "goldens" / "use.json").read_text()


def test_a_token_sees_the_dashboards_that_its_roles_permit(open_page: Open, workspace: Path, tmp_path: Path) -> None:
    from roma_core.api.tokens import TokenStore

    shutil.copytree(workspace, tmp_path / "ws")
    tokens = TokenStore(tmp_path / "ws")
    reader, admin = (tokens.create(name, [scope])[0] for name, scope in (("rita", "query"), ("root", "admin")))
    with Service(tmp_path / "ws").running() as service:
        service.roma.grants.grant("default", Resource("collection", "main"), Grantee("user", "bo"), by="local")

        def signed_in(token: str, path: str) -> Any:
            return open_page(service.address, path, http_credentials={"username": "me", "password": token})

        page = signed_in(admin, "/console")
        pages = page.get_by_role("navigation", name="Pages").get_by_role("link")
        pages.first.wait_for()
        assert pages.all_inner_texts() == ["Evaluations", "Use", "Corpus", "Trials", "Sources"]
        page = signed_in(reader, "/console")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Sources").wait_for()
        assert pages.count() == 5
        assert page.get_by_role("link", name="Evaluations").count() == 0
        page = signed_in(reader, "/console/sources")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Sources").wait_for()
        links = page.get_by_role("navigation", name="Pages").get_by_role("link")
        assert links.all_inner_texts() == ["Console", "Sources"]
        refused = page.request.get(f"{service.address}/console/evals")
        assert refused.status == 403
