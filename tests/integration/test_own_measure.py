"""A measure is added from outside with one file: by the command line, in the folder where its module lies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

MODULE = """
from roma_core.evals import Score, measure

@measure(source="our style guide", applies=lambda case: case.kind != "no_answer")
def brief(case, outcome):
    return Score(float(len(outcome.answer.split()) <= 60), f"{len(outcome.answer.split())} words")
"""


def roma(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "fake"}
    command = [sys.executable, "-c", "from roma_core.cli import main; raise SystemExit(main())", *arguments]
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_module_beside_the_workspace_is_all_it_takes(tmp_path: Path) -> None:
    (tmp_path / "style.py").write_text(MODULE)
    (tmp_path / "paint.md").write_text("# Paint\n\nThe colour of the door is red.\n")
    case = {
        "id": "door", "question": "Which colour has the door?", "kind": "single", "nuggets": [{"fact": "red"}],
        "evidence": [{"uri": "paint.md", "anchor": "door is red"}],
    }  # fmt: skip
    (tmp_path / "golden.json").write_text(json.dumps([case]))
    assert roma(tmp_path, "ingest", "paint.md").returncode == 0
    done = roma(tmp_path, "eval", "golden.json", "--measure", "style:brief", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"][0]["scores"]["brief"] == 1.0 and "words" in report["rows"][0]["reasons"]["brief"]
    assert {m["name"]: m["source"] for m in report["measures"]}["brief"] == "our style guide"
    wrong = roma(tmp_path, "eval", "golden.json", "--measure", "brevity")
    assert wrong.returncode == 1 and "There is no measure 'brevity'" in wrong.stderr
