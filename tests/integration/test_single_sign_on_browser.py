"""From the console's page to an identity provider, to an answer, and out again, in a real Chromium."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.console import CHROMIUM, Open, Service, ask, box_of, wait_for_answer
from tests.ports import find_port

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
PERSON = {"email": "anna@example.org", "email_verified": True, "groups": ["staff"]}
WEB = Path(__file__).parents[1] / "web"


@contextmanager
def mock_provider(public_url: str) -> Iterator[str]:
    """A provider in Python that keeps claims in the ID token."""
    mock = pytest.importorskip("oidc_provider_mock")
    with mock.run_server_in_thread(port=0) as server:
        issuer = f"http://localhost:{server.server_port}"
        httpx2.put(f"{issuer}/users/anna", json=PERSON, trust_env=False).raise_for_status()
        yield issuer


def sign_in_at_the_mock(page: Any) -> None:
    page.locator("input[name=sub]").fill("anna")
    page.locator("button[type=submit], button").first.click()


@contextmanager
def certified_provider(public_url: str) -> Iterator[str]:
    """The provider of npm that the OpenID Foundation has certified; claims come from its userinfo endpoint."""
    if shutil.which("node") is None or not (WEB / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("oidc-provider is not installed (make check installs it with npm)")
    addresses = [f"{public_url}/sign-in/oidc/callback", f"{public_url}/sign-in"]
    process = subprocess.Popen(["node", "provider.mjs", *addresses], cwd=WEB, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def sign_in_at_the_certified_one(page: Any) -> None:
    page.locator("input[name=login]").fill("anna")
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Continue").click()


SignIn = Callable[[Any], None]


@pytest.fixture(
    params=[(mock_provider, sign_in_at_the_mock), (certified_provider, sign_in_at_the_certified_one)],
    ids=["mock", "certified"],
)
def signing(
    request: pytest.FixtureRequest, console_corpus: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[Service, str, SignIn]]:
    """The console behind a provider, both on ports of this machine, and what a person does at the provider."""
    provider, sign_in = request.param
    workspace = tmp_path / ".roma"
    shutil.copytree(console_corpus, workspace)
    port = find_port()
    public_url = f"http://127.0.0.1:{port}"
    with provider(public_url) as issuer:
        for name, value in {
            "ROMA_PUBLIC_URL": public_url,
            "ROMA_OIDC_ISSUER": issuer,
            "ROMA_OIDC_CLIENT_ID": "roma",
            "ROMA_OIDC_CLIENT_SECRET": "secret",
            "ROMA_OIDC_ALLOWED_PRIVATE_HOSTS": "localhost",
            "ROMA_OIDC_ROLES": "staff=reader,staff=auditor",
            "ROMA_OIDC_LABEL": "Sign in at Example",
        }.items():
            monkeypatch.setenv(name, value)
        with Service(workspace, port).running() as service:
            yield service, issuer, sign_in


def test_a_person_signs_in_asks_looks_at_the_log_and_signs_out(
    signing: tuple[Service, str, SignIn], open_page: Open
) -> None:
    service, issuer, sign_in = signing
    page = open_page(service.address)
    page.wait_for_url(lambda url: url.endswith("/sign-in?next=/console"))
    page.get_by_role("link", name="Sign in at Example").click()
    page.wait_for_url(f"{issuer}/**")
    sign_in(page)
    page.wait_for_url("**/console")
    box_of(page).wait_for()
    ask(page, "When does the valve open?")
    assert "The valve" in wait_for_answer(page).inner_text()
    page.locator(".roma-user", has_text="anna@example.org").wait_for()

    page.get_by_role("link", name="Audit log").click()
    page.wait_for_url("**/audit-log")
    assert page.get_by_role("cell", name="show", exact=True).count() >= 1
    page.get_by_role("button", name="Verify the chain").click()
    page.get_by_text("rows are as they were written").wait_for()
    page.get_by_label("Action").select_option("sign_in")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(lambda url: "action=sign_in" in url)
    assert page.locator("tbody tr").count() == 1

    page.get_by_role("link", name="Console").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{issuer}/**")
    page.goto(f"{service.address}/console")
    page.wait_for_url(lambda url: url.endswith("/sign-in?next=/console"))
    own = [said for said in page.complaints if "Failed to load resource" not in said]
    assert own == []
    page.complaints.clear()  # the provider's page asks for styles of a network that is not there
