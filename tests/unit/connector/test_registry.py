"""A connector is one spec, found by its entry point: ROMA's own and that of any package."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from roma_core.cli import roma as command_line
from roma_core.connectors.registry import connector_specs, describe_sources, make_connectors
from roma_core.connectors.sources import redact_uri, resolve_source
from roma_core.errors import InputError
from roma_core.settings import Settings

GROUP = "roma.connectors"
GOPHER = '''
"""The whole of a connector in one module of another package."""

from typing import ClassVar

from roma_core.connectors.base import ConnectorSpec, Listing
from roma_core.settings import SettingsSection, setting
from roma_core.types import RawDocument


class GopherSettings(SettingsSection):
    prefix: ClassVar[str] = "ROMA_GOPHER_"
    greeting: str = setting("Hello", "Word that each menu begins with.", decides_answers=False)


class GopherConnector:
    kind = "gopher"

    def __init__(self, settings):
        self.greeting = settings.section(GopherSettings).greeting

    def accepts(self, uri):
        return uri.startswith("gopher://")

    def normalise_source(self, source):
        return source

    async def list(self, source):
        yield Listing(uri=source.uri + "/menu.txt", version="1")

    async def fetch(self, source, listing):
        return RawDocument(uri=listing.uri, data=f"{self.greeting} from the burrow of Quellfeld.".encode())

    async def close(self):
        pass


SPEC = ConnectorSpec("gopher", make=GopherConnector, example="gopher://host", settings=GopherSettings)
'''
Install = Callable[..., None]


def test_the_name_of_each_entry_point_is_the_scheme_of_its_spec() -> None:
    for name, spec in connector_specs().items():
        assert name == spec.scheme


def test_the_connector_of_paths_is_asked_last(tmp_path: Path) -> None:
    connectors, broken = make_connectors(Settings(workspace=tmp_path))
    assert [connector.kind for connector in connectors][-1] == "local"
    assert broken == ()


def test_a_connector_of_another_package_is_ingested_from(
    install_plugin: Install, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(GROUP, "roma-gopher", "roma_gopher", GOPHER, gopher="roma_gopher:SPEC")
    monkeypatch.setenv("ROMA_GOPHER_GREETING", "Welcome")
    for name, value in (("ROMA_EMBEDDER", "fake"), ("ROMA_RERANKER", "none"), ("ROMA_PARSER_WORKERS", "1")):
        monkeypatch.setenv(name, value)
    ingested = CliRunner().invoke(command_line, ["ingest", "gopher://hole"])
    assert ingested.exit_code == 0, ingested.output
    listed = CliRunner().invoke(command_line, ["ledger", "--json"])
    assert "gopher://hole/menu.txt" in listed.output
    shown = CliRunner().invoke(command_line, ["settings", "--json"])
    assert '"ROMA_GOPHER_GREETING": "Welcome"' in shown.output


def test_help_and_errors_name_what_is_installed(install_plugin: Install, tmp_path: Path) -> None:
    install_plugin(GROUP, "roma-gopher", "roma_gopher", GOPHER, gopher="roma_gopher:SPEC")
    assert "gopher://host" in describe_sources()
    connectors, _ = make_connectors(Settings(workspace=tmp_path))
    with pytest.raises(InputError, match=r"\(carrier://\); use a path, .*gopher://host"):
        resolve_source("carrier://bucket/key", connectors)


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("https:///page", "https://example.org/page"),
        ("https://exa mple.org", "https://example.org/page"),
        ("https://example.org:99999/", "https://example.org/page"),
        ("https://[::1", "https://example.org/page"),
        ("https://drive.google.com/drive/folders/aB-1?usp=sharing", "gdrive://folder/aB-1"),
        ("https://drive.google.com/file/d/xyz/view", "gdrive://file/xyz"),
        ("feed+https:///atom.xml", "https://example.org/page"),
        ("s3:///key", "s3://bucket/folder"),
        ("github://owner", "github://owner:repository@branch/folder"),
        ("gdrive://folder/", "gdrive://folder/ID"),
        ("git+https://github.com", "git+https://host/path.git"),
        ("arxiv://not-an-id", "1706.03762"),
        ("arxiv://", "arxiv://ID"),
        ("openalex://abc", "W2741809807"),
        ("pubmed://abc", "31452104"),
        ("zotero://users/abc", "zotero://users/ID"),
        ("bibtex://", "the path of a BibTeX file"),
        ("mbox://", "the path of a mailbox"),
        ("warc://", "the path of a WARC file"),
        ("sql://shop", "sql://NAME/TABLE"),
        ("file://elsewhere/x", "only files of this one"),
        ("", "at least one character"),
    ],
)
def test_an_address_that_cannot_be_one_says_what_it_should_be(tmp_path: Path, address: str, advice: str) -> None:
    connectors, _ = make_connectors(Settings(workspace=tmp_path))
    with pytest.raises(InputError, match=re.escape(advice)):
        resolve_source(address, connectors)


def test_an_address_of_a_plugin_holds_no_password(install_plugin: Install, tmp_path: Path) -> None:
    install_plugin(GROUP, "roma-gopher", "roma_gopher", GOPHER, gopher="roma_gopher:SPEC")
    connectors, _ = make_connectors(Settings(workspace=tmp_path))
    for address in ("gopher://joe:secret@host", "gopher:/joe:secret@host", "gopher:joe:secret@host"):
        assert "secret" not in redact_uri(address)
        with pytest.raises(InputError, match="user name or password"):
            resolve_source(address, connectors)
    with pytest.raises(InputError, match="Nothing here can read"):
        resolve_source("gopher:host", connectors)


@pytest.mark.parametrize(
    "source",
    ["import a_package_that_nobody_has\n", GOPHER.replace("self.greeting = ", "self.greeting = 1 / 0 + ")],
    ids=["import", "make"],
)
def test_a_broken_connector_takes_no_other_with_it(install_plugin: Install, tmp_path: Path, source: str) -> None:
    install_plugin(GROUP, "roma-gopher", "roma_gopher", source, gopher="roma_gopher:SPEC")
    connectors, broken = make_connectors(Settings(workspace=tmp_path))
    assert {connector.kind for connector in connectors} >= {"local", "web", "gdrive"}
    assert [plugin.name for plugin in broken] == ["gopher"]


def test_an_address_of_a_broken_connector_says_why(install_plugin: Install, tmp_path: Path) -> None:
    install_plugin(GROUP, "roma-gopher", "roma_gopher", "import a_package_that_nobody_has\n", gopher="roma_gopher:SPEC")
    connectors, _ = make_connectors(Settings(workspace=tmp_path))
    with pytest.raises(InputError, match=r"gopher:// cannot be used.*a_package_that_nobody_has"):
        resolve_source("gopher://hole", connectors)
