"""The documentation names every setting, error code and command, and its links lead somewhere."""

import ast
import json
import re
import shlex
from pathlib import Path

import click
import pytest

from roma_core.errors import RECOVERABLE, ErrorCode
from roma_core.settings import own_settings

ROOT = Path(__file__).resolve().parents[2]
TABLES = set(ROOT.glob("docs/benchmarks/*.md"))
"""Tables that ``bench`` writes; ``docs/benchmarks.md`` shows them all."""
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "datasets/README.md"])


def test_every_error_code_is_documented_with_its_recoverability() -> None:
    rows = dict(re.findall(r"^\| `(ERR_\w+)` \| (yes|no) \|", (ROOT / "docs/errors.md").read_text("utf-8"), re.M))
    assert rows == {code.value: "yes" if code in RECOVERABLE else "no" for code in ErrorCode}


def test_every_setting_is_documented_with_its_default() -> None:
    from roma_core.cli.service import settings_table

    page = (ROOT / "docs/07_CONFIGURATION.md").read_text("utf-8")
    assert settings_table() in page, "run: roma settings --markdown, and paste the table into docs/07_CONFIGURATION.md"
    assert all(f"`{setting.env}`" in page for setting in own_settings())


def test_every_command_is_documented() -> None:
    from roma_core.cli import collect_options

    page = (ROOT / "docs/cli.md").read_text("utf-8")
    for name, options in collect_options().items():
        section = re.search(rf"^## `roma {re.escape(name)}\b.*?(?=^## |\Z)", page, re.M | re.S)
        assert section, f"docs/cli.md has no section for `roma {name}`"
        for option in options:
            assert option in section.group(0), f"docs/cli.md does not say what `roma {name} {option}` does"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    prose = re.sub(r"`[^`\n]+`", "", page.read_text("utf-8"))  # a link shown as code is an example
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"


def _links(page: Path) -> set[Path]:
    prose = re.sub(r"`[^`\n]+`", "", page.read_text("utf-8"))
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose)
    return {(page.parent / target).resolve() for target in targets}


@pytest.mark.parametrize("page", sorted(set(PAGES) - TABLES), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_has_one_title(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    assert len(re.findall(r"^# ", text, re.M)) == 1


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), {(ROOT / "README.md").resolve()}
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting |= {link for link in _links(page) if link.suffix == ".md"} - reached
    assert set(PAGES) - TABLES - reached == {ROOT / "CHANGELOG.md"}


def test_the_security_page_shows_the_table_of_roles_and_permissions() -> None:
    from roma_core.types import PERMISSIONS, ROLE_PERMISSIONS

    text = (ROOT / "docs" / "11_SECURITY.md").read_text("utf-8")
    for permission, meaning in PERMISSIONS.items():
        assert f"| `{permission}` | {meaning} |" in text
    for role, permitted in ROLE_PERMISSIONS.items():
        names = ", ".join(f"`{permission}`" for permission in PERMISSIONS if permission in permitted)
        shown = "all" if len(permitted) == len(PERMISSIONS) else names
        assert f"| `{role}` | {shown} |" in text


def _list_parameters(notebook: Path) -> set[str]:
    """Return the names that the cell of parameters assigns."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    tagged = ["".join(cell["source"]) for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    targets = [node.targets for code in tagged for node in ast.parse(code).body if isinstance(node, ast.Assign)]
    return {target.id for group in targets for target in group if isinstance(target, ast.Name)}


def test_every_parameter_of_a_notebook_is_documented() -> None:
    page = (ROOT / "docs/06_DASHBOARD_PLAYBOOK.md").read_text("utf-8").partition("### Parameters of the notebooks")[2]
    cells = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    used = {name for notebook in (ROOT / "notebooks").glob("*.ipynb") for name in _list_parameters(notebook)}
    assert named == used


def test_every_stage_is_documented(tmp_path: Path) -> None:
    from roma_core.app import build_roma
    from roma_core.settings import Settings

    page = (ROOT / "docs/02_AGENT_SPECS.md").read_text("utf-8")
    roma = build_roma(Settings(workspace=tmp_path / ".roma", embedder="fake", reranker="fake"))
    missing = [stage.name for stage in roma.pipeline if f"`{stage.name}`" not in page]
    assert missing == []


def test_the_security_page_shows_every_action_of_the_audit_log() -> None:
    from roma_core.audit import ACTIONS

    text = (ROOT / "docs" / "11_SECURITY.md").read_text("utf-8")
    for action, meaning in ACTIONS.items():
        assert f"| `{action}` | {meaning} |" in text


def test_every_test_that_the_security_page_names_exists() -> None:
    page = (ROOT / "docs/11_SECURITY.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    defined = {
        name
        for path in ROOT.glob("tests/**/test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert len(named) > 20
    assert named <= defined, sorted(named - defined)


SITE_PAGES = [page for page in sorted(ROOT.glob("docs/**/*.md")) if page not in TABLES and page.parent.name != "adr"]


@pytest.mark.parametrize("page", SITE_PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_begins_with_what_one_can_do_after_it(page: Path) -> None:
    title, first = page.read_text("utf-8").split("\n\n")[:2]
    assert title.startswith("# ")
    assert first.startswith("After this page"), f"{page.name} does not say what its reader can do after it"


FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.M | re.S)
SHELLS = {"", "sh", "bash", "console"}
PROMPT = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:sudo )?(?:\S*/)?roma (?=[a-z])")


def _list_command_lines(page: Path) -> list[str]:
    """Return the lines of a page's blocks that call ``roma``, without what a shell does with their output."""
    blocks = [code for language, code in FENCE.findall(page.read_text("utf-8")) if language in SHELLS]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    calls = [PROMPT.sub("", line, count=1) for line in lines if PROMPT.match(line)]
    return [re.split(r"\s(?:[|;>]|&&|2>)", call, maxsplit=1)[0] for call in calls]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_line_of_a_page_is_understood(page: Path) -> None:
    """Commands and options exist; values are not looked at, as files of an example are not there."""
    from roma_core.cli import roma
    from roma_core.cli.command import DefaultGroup

    for line in _list_command_lines(page):
        arguments = shlex.split(line, comments=True)
        command, context, depth = roma, click.Context(roma, info_name="roma"), 0
        while isinstance(command, click.Group):
            if depth == len(arguments) and (command.invoke_without_command or isinstance(command, DefaultGroup)):
                break
            assert depth < len(arguments), f"{page.name}: `roma {line}` names no command"
            found = command.get_command(context, arguments[depth])
            assert found is not None, f"{page.name}: `roma {line}` calls {arguments[depth]!r}, which does not exist"
            command, depth = found, depth + 1
        context = click.Context(command, info_name=command.name)
        try:
            command.make_parser(context).parse_args(arguments[depth:])
        except click.UsageError as error:
            raise AssertionError(f"{page.name}: `roma {line}`: {error.format_message()}") from error


def test_command_lines_are_found_in_blocks() -> None:
    assert "init my-project" in _list_command_lines(ROOT / "docs/01_QUICKSTART.md")


def _rows(text: str) -> list[dict[str, str]]:
    """Return the rows of the first table of a page that names a system."""
    lines = [line.strip("|").split("|") for line in re.findall(r"^\|.*\|$", text, re.M)]
    cells = [[cell.strip() for cell in line] for line in lines]
    start = next(place for place, line in enumerate(cells) if "system" in line)
    body = [line for line in cells[start + 2 :] if len(line) == len(cells[start])]
    return [dict(zip(cells[start], line, strict=True)) for line in body]


def test_the_readme_shows_the_measured_peers() -> None:
    measured = {
        row["system"]: row
        for row in _rows((ROOT / "docs/benchmarks/peers.md").read_text("utf-8"))
        if row["notes"] == "1,000"
    }
    text = (ROOT / "README.md").read_text("utf-8")
    shown = _rows(text[text.index("Beside three frameworks") :])[: len(measured)]
    assert shown == [{name: measured[row["system"]][name] for name in row} for row in shown]
    assert {row["system"] for row in shown} == set(measured)
