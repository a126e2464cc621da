"""Every command on a real terminal: colours and streamed words, and no byte of a document that a terminal obeys."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from roma_core.cli import COMMANDS

pty = pytest.importorskip("pty")

HOSTILE = (
    "\x1b]0;owned\x07 \x1b[2J \x1b]52;c;aGk=\x07 \x1b]8;;https://evil.example\x1b\\link \x9b31m \u202egnp.exe\u202c"
)
OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[0-9]*[ABCDGK]|\x1b\[\?25[hl]")
"""Sequences that ROMA itself may write: colours, moves within a line or up, and the cursor's visibility."""
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WAIT_S = 120.0
GOLDEN = {
    "about": "A question with what a terminal obeys.",
    "items": [
        {
            "id": "valve-1",
            "question": f"At what pressure does the zebra valve open? {HOSTILE}",
            "persona": "general",
            "kind": "single",
            "answer": f"At 7 bar. {HOSTILE}",
            "nuggets": [{"fact": "7 bar"}],
            "evidence": [{"uri": "papers/*.md", "anchor": "opens at a pressure of"}],
        }
    ],
}
CALLS: Mapping[str, list[str]] = {
    "init": ["init", "project"],
    "ingest": ["ingest", "papers"],
    "source": ["source", "add", "papers", "--name", "papers"],
    "sync": ["sync", "--dry-run"],
    "forget": ["forget", f"nothing{HOSTILE}"],
    "restore": ["restore", "--list"],
    "reindex": ["reindex"],
    "ledger": ["ledger"],
    "show": ["show", "{id}"],
    "parse": ["parse", "{file}"],
    "ask": ["ask", "At what pressure does the zebra valve open?"],
    "search": ["search", "zebra valve", "--explain"],
    "answers": ["answers"],
    "replay": ["replay", "last", "--record"],
    "verify": ["verify", "answer.json"],
    "transcript": ["transcript", "last"],
    "documents": ["documents", "zebra"],
    "open": ["open", "last", "--print"],
    "feedback": ["feedback"],
    "eval": ["eval", "golden.json", "--name", "base"],
    "compare": ["compare", "base", "base"],
    "why": ["why", "base", "golden.json"],
    "experiment": ["experiment", f"nothing{HOSTILE}.toml"],
    "ab": ["ab", "show", f"nothing{HOSTILE}"],
    "runs": ["runs"],
    "rerun": ["rerun", f"nothing{HOSTILE}"],
    "gate": ["gate", "check", f"nothing{HOSTILE}"],
    "golden": ["golden", "validate", "golden.json"],
    "prompt": ["prompt", "show", "answer"],
    "judge": ["judge", "label", f"nothing{HOSTILE}"],
    "calibrate": ["calibrate", "judge", f"nothing{HOSTILE}"],
    "tenant": ["tenant", "list"],
    "acl": ["acl", "--help"],
    "audit": ["audit", "--help"],
    "pii": ["pii", "report"],
    "retention": ["retention", "hold"],
    "backup": ["backup", "--help"],
    "cache": ["cache", "--help"],
    "smoke": ["smoke", "--help"],
    "login": ["login", "--help"],
    "user": ["user", "--help"],
    "report": ["report", "--help"],
    "export": ["export", "--help"],
    "serve": ["serve", "--help"],
    "mcp": ["mcp", "--help"],
    "health": ["health"],
    "spend": ["spend"],
    "doctor": ["doctor"],
    "plugins": ["plugins"],
    "settings": ["settings"],
    "token": ["token", "create", f"ci{HOSTILE}"],
    "auth": ["auth", f"nothing{HOSTILE}", "--client", "none.json"],
    "demo": ["demo", "--help"],
    "demo-corpus": ["demo-corpus", "--help"],
    "notebook": ["notebook", "--help"],
    "completion": ["completion", "bash"],
}
"""A call of each command; the parts that would serve or build for long show their help."""

PROGRAM = """
import json, sys
from pathlib import Path
from roma_core.cli import main
from roma_core.ingestion.ledger import Ledger
from roma_core.workspace import Workspace
for name, words in json.loads(Path("calls.json").read_text()).items():
    items = Ledger(Workspace(Path(".roma")).ledger).items("default") if "{id}" in words else []
    values = {"id": items[0].document_id if items else "", "file": str(next(Path("papers").iterdir()))}
    print(f"@@begin {name}", flush=True)
    try:
        code = main([values.get(word.strip("{}"), word) if word.startswith("{") else word for word in words])
    except SystemExit as stopped:
        code = stopped.code
    print(f"@@end {code}", flush=True)
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROMA_", "LLM_", "COV_"))}
    own = {
        "ROMA_WORKSPACE": str(folder / ".roma"),
        "ROMA_EMBEDDER": "fake",
        "ROMA_RERANKER": "none",
        "ROMA_PARSER_WORKERS": "1",
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "LINES": "40",
    }
    kept.pop("NO_COLOR", None)
    return {**kept, **own, **more}


def hear_interrupts() -> None:
    """Let a child be interrupted as on a terminal: a shell starts what runs in the background deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_in_terminal(words: list[str], folder: Path, *, interrupt_at: str = "", **variables: str) -> tuple[int, str]:
    """Return the exit code and what a terminal got of a program; ``interrupt_at`` is answered with Ctrl-C."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=environment(folder, **variables),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    os.close(follower)
    parts: list[bytes] = []
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        ready, _, _ = select.select([leader], [], [], 0.2)
        if ready:
            try:
                piece = os.read(leader, 1 << 16)
            except OSError:  # the last program on the terminal has ended
                break
            if not piece:
                break
            parts.append(piece)
            if interrupt_at and interrupt_at.encode() in b"".join(parts):
                interrupt_at = ""
                process.send_signal(signal.SIGINT)
    process.kill() if process.poll() is None and time.monotonic() >= end else None
    code = process.wait(WAIT_S)
    os.close(leader)
    return code, b"".join(parts).decode("utf-8", "replace")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a document whose name, title and text hold what a terminal obeys."""
    folder = tmp_path_factory.mktemp("desk")
    papers = folder / "papers"
    papers.mkdir()
    name = "zebra\x1b]0;owned\x07\u202e valve.md"
    text = f"# Zebra valve {HOSTILE}\n\nThe zebra valve {HOSTILE} opens at a pressure of **7 bar**.\n"
    (papers / name).write_text(text, encoding="utf-8")
    (folder / "golden.json").write_text(json.dumps(GOLDEN))
    (folder / "answer.json").write_text(json.dumps({"answer": HOSTILE, "citations": []}))
    (folder / "calls.json").write_text(json.dumps(CALLS))
    return folder


@pytest.fixture(scope="module")
def screens(desk: Path) -> Mapping[str, tuple[str, str]]:
    """Exit code and screen of each command."""
    _, text = run_in_terminal([sys.executable, "-c", PROGRAM], desk)
    found = re.findall(r"@@begin (\S+)\r?\n(.*?)@@end (\S+)", text, re.S)
    return {name: (code, screen) for name, screen, code in found}


def test_every_command_is_tried() -> None:
    assert set(CALLS) == set(COMMANDS)


@pytest.mark.parametrize("name", CALLS)
def test_no_control_character_of_a_document_reaches_the_terminal(
    name: str, screens: Mapping[str, tuple[str, str]]
) -> None:
    code, screen = screens[name]
    assert screen.strip(), f"roma {name} shows nothing"
    left = OWN.sub("", screen).replace("\r", "")
    assert not FORBIDDEN.search(left), f"roma {name} (exit code {code}) writes {FORBIDDEN.findall(left)}"
    assert "\x1b[2J" not in screen and "ERR_INTERNAL" not in screen


def test_an_answer_is_rendered_and_its_source_named(screens: Mapping[str, tuple[str, str]]) -> None:
    code, screen = screens["ask"]
    assert code == "0"
    assert "7 bar" in screen and "**7 bar**" not in screen.rpartition("[1]")[0]
    assert "written by" in screen


def test_states_are_coloured_on_a_terminal(screens: Mapping[str, tuple[str, str]]) -> None:
    assert re.search(r"\x1b\[[0-9;]*32[0-9;]*m *added", screens["ledger"][1])


@pytest.fixture
def roma(desk: Path, screens: Mapping[str, tuple[str, str]]) -> Iterator[list[str]]:
    """The words that start ``roma``, in a folder where documents are."""
    assert screens["ingest"][0] == "0"
    yield [sys.executable, "-m", "roma_core"]


def test_no_color_takes_colours_away(roma: list[str], desk: Path) -> None:
    code, screen = run_in_terminal([*roma, "ledger"], desk, NO_COLOR="1")
    assert code == 0 and "added" in screen
    assert not re.search(r"\x1b\[[0-9;]*3[0-7][0-9;]*m", screen)


def test_ctrl_c_tells_what_is_kept_and_paid(roma: list[str], desk: Path) -> None:
    waiting = (
        "import asyncio, roma_core.app, roma_core.cli;"
        "from roma_core.agents.orchestrator import ROMAOrchestrator as O;"
        "stream = O.stream_query\n"
        "async def slow(self, *args, **named):\n"
        "    async for event in stream(self, *args, **named):\n"
        "        yield event\n"
        "        await asyncio.sleep(60)\n"
        "O.stream_query = slow\n"
        "raise SystemExit(roma_core.cli.main(['ask', 'At what pressure does the valve open?']))"
    )
    code, screen = run_in_terminal([sys.executable, "-c", waiting], desk, interrupt_at="…")
    assert code == 130
    kept = re.search(r"kept: roma replay (\w+)\. No model was paid\.", " ".join(OWN.sub("", screen).split()))
    assert kept, screen
    done = subprocess.run(
        [*roma, "replay", kept.group(1)], cwd=desk, env=environment(desk), capture_output=True, text=True, check=False
    )
    assert "This answer is stopped." in done.stderr


def test_a_pipe_gets_plain_lines_and_may_be_closed_early(roma: list[str], desk: Path) -> None:
    command = " ".join([*roma, "settings"])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
        cwd=desk,
        env=environment(desk),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.splitlines(), done.stderr) == (["setting\tvalue\tmeaning", "0"], "")


def test_a_piped_row_is_one_line_however_narrow_the_terminal(roma: list[str], desk: Path) -> None:
    done = subprocess.run(
        [*roma, "ledger"], cwd=desk, env=environment(desk, COLUMNS="20"), capture_output=True, text=True, check=False
    )
    rows = done.stdout.splitlines()
    assert len(rows) == 2 and rows[1].startswith("added\tfile:///")
    assert "\x1b" not in done.stdout
