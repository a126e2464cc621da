"""The command line as a user meets it: help, suggestions, wrong usage, interruption."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import click
import pytest

from roma_core.cli import COMMANDS, SECTIONS, main, roma
from roma_core.cli.command import Invocation, RomaCommand, command
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


def list_leaves() -> list[tuple[str, click.Command]]:
    """Return every command with its words, those of groups included."""
    context = click.Context(roma)
    leaves: list[tuple[str, click.Command]] = []
    for name in roma.list_commands(context):
        part = roma.get_command(context, name)
        assert part is not None
        if isinstance(part, click.Group):
            leaves += [(f"{name} {leaf}", command) for leaf, command in part.commands.items()]
        else:
            leaves.append((name, part))
    return leaves


def test_every_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    groups = {leaf.split()[0] for leaf, _ in list_leaves() if " " in leaf}
    for words in ["", *sorted(groups), *(leaf for leaf, _ in list_leaves())]:
        assert main([*words.split(), "--help"]) == 0
        assert "Examples:" in capsys.readouterr().out, f"roma {words} --help shows no example"


def test_every_option_says_what_it_does_and_what_it_takes() -> None:
    unexplained = []
    for words, leaf in list_leaves():
        for option in (part for part in leaf.params if isinstance(part, click.Option)):
            takes = option.is_flag or option.metavar or isinstance(option.type, click.Choice)
            if not (takes and option.help):
                unexplained.append(f"{words} {option.opts[0]}")
    assert unexplained == []


def test_a_list_of_commands_cuts_no_sentence_short(capsys: pytest.CaptureFixture[str]) -> None:
    groups = {leaf.split()[0] for leaf, _ in list_leaves() if " " in leaf}
    for words in ([], *([group] for group in sorted(groups))):
        assert main([*words, "--help"]) == 0
        shown = " ".join(capsys.readouterr().out.partition("Examples:")[0].split())
        assert "..." not in shown.replace("[ARGS]...", ""), f"roma {' '.join(words)} --help"


def test_the_help_lists_every_command_once_under_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for heading in SECTIONS:
        assert f"\n{heading}:\n" in shown
    listed = re.findall(r"^  ([a-z][\w-]*)  ", shown.partition("Examples:")[0], re.M)
    assert sorted(listed) == sorted(COMMANDS)


def list_calls(example: str) -> list[list[str]]:
    """Return the words behind each ``roma`` of a line for the shell."""
    lexer = shlex.shlex(re.sub(r'"\$\((.*)\)"', r"\1", example), posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    calls: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|<>"):
            calls.append([])
        else:
            calls[-1].append(word)
    return [call[call.index("roma") + 1 :] for call in calls if "roma" in call]


def parse_call(words: list[str]) -> click.Command:
    """Parse what stands behind ``roma`` without running it, and return its command."""
    context = roma.make_context("roma", list(words))
    part: click.Command = roma
    while isinstance(part, click.Group):
        _, chosen, rest = part.resolve_command(context, [*context._protected_args, *context.args])
        assert chosen is not None
        context, part = chosen.make_context(chosen.name, rest, parent=context), chosen
    return part


@pytest.mark.parametrize(("leaf", "part"), list_leaves(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_example_parses_as_its_command(leaf: str, part: click.Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("words of a pipe"))
    assert isinstance(part, RomaCommand)
    for example in part.examples:
        calls = list_calls(example)
        assert calls, f"{example} calls no roma"
        assert part in [parse_call(call) for call in calls], f"{example} does not run roma {leaf}"


def test_the_examples_of_roma_itself_parse() -> None:
    assert [parse_call(call).name for example in roma.examples for call in list_calls(example)] == [
        "ingest",
        "ask",
        "serve",
        "completion",
    ]


@pytest.mark.parametrize(
    ("words", "offered"),
    [("roma as", "ask"), ("roma ask --pers", "--persona"), ("roma ask --persona exe", "executive")],
)
def test_a_shell_completes_commands_options_and_values(
    words: str, offered: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_ROMA_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert run() == 0
    assert f"plain,{offered}" in capsys.readouterr().out.splitlines()


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
