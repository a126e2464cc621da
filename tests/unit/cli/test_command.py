"""The command line as a user meets it: help, suggestions, wrong usage, interruption."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.cli import main, roma
from roma_core.cli.command import Invocation, command
from roma_core.errors import InputError, NotFoundError


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    return int(str(stopped.value.code))


@pytest.mark.parametrize(("word", "nearest"), [("ingst", "ingest"), ("helth", "health"), ("complete", "completion")])
def test_a_misspelt_command_is_answered_with_the_nearest(
    word: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(word) == 64
    assert nearest in capsys.readouterr().err


def test_a_misspelt_option_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ask", "--personna", "general", "why?") == 64
    assert "--persona" in capsys.readouterr().err


def test_every_command_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    import click

    context = click.Context(roma)
    for name in roma.list_commands(context):
        part = roma.get_command(context, name)
        leaves = [f"{name} {leaf}" for leaf in part.commands] if isinstance(part, click.Group) else [name]
        for leaf in leaves:
            assert main([*leaf.split(), "--help"]) == 0
            assert "Examples:" in capsys.readouterr().out, f"roma {leaf} --help shows no example"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_ROMA_COMPLETE" in capsys.readouterr().out


@command("probe", examples=("roma probe",), resumes=True)
async def probe(call: Invocation) -> int:
    """Stop as the workspace's name says."""
    match call.settings.workspace.name:
        case "interrupt":
            raise KeyboardInterrupt
        case "missing":
            raise NotFoundError("There is no such thing.")
        case "wrong":
            raise InputError("That is no input.")
    return 0


@pytest.mark.parametrize(
    ("workspace", "code", "said"),
    [
        ("interrupt", 130, "what was done is kept"),
        ("missing", 1, "ERR_NOT_FOUND: There is no such thing."),
        ("wrong", 64, "ERR_INPUT_INVALID: That is no input."),
        ("fine", 0, ""),
    ],
)
def test_how_a_command_ends_is_its_exit_code(
    workspace: str, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe.main(["--workspace", str(tmp_path / workspace)], standalone_mode=False) == code
    assert said in capsys.readouterr().err
