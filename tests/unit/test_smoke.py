"""The smoke test of a service: it passes where the work is done, names the step that fails, and leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from roma_core.cli import main
from roma_core.errors import InputError
from roma_core.smoke import run_smoke

ROOT = Path(__file__).parents[2]
STEPS = ["health", "ingest", "ask", "open a citation", "clean up"]


@contextmanager
def serving(workspace: Path, *before: str, **environment: str) -> Iterator[str]:
    """Start ``roma serve`` and yield its address; ``before`` are the words of a command that starts it."""
    chosen = {"ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "none", "LLM_PROVIDER": "extractive", **environment}
    command = [*before, sys.executable, "-m", "roma_core", "serve", "--workspace", str(workspace), "--port", "0"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **chosen},
        cwd=workspace.parent,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said: list[str] = []
        while "ROMA on http://" not in (line := process.stderr.readline()):
            assert line, "".join(said)
            said.append(line)
        yield next(word for word in line.split() if word.startswith("http://"))
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.slow
def test_a_real_server_passes_and_is_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path / "w") as url:
        assert main(["smoke", url, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert [step["name"] for step in report["steps"]] == STEPS
        assert all(step["took_ms"] > 0 and not step["reason"] for step in report["steps"])
        assert report["steps"][3]["detail"].startswith("verbatim: ")
        sources = httpx2.get(f"{url}/ingest/sources", trust_env=False, timeout=30).json()
        assert sources == []
        found = httpx2.get(f"{url}/search", params={"q": "lighthouse"}, trust_env=False, timeout=30).json()
        assert found["hits"] == []


async def test_a_service_that_is_not_there_fails_at_the_first_step() -> None:
    report = await run_smoke("http://127.0.0.1:9", timeout_s=5)
    assert [(step.name, step.has_passed) for step in report.steps] == [("health", False)]
    assert not report.has_passed


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", ""])
async def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    with pytest.raises(InputError, match="no address"):
        await run_smoke(url)


def can_confine() -> bool:
    """Return whether this machine lets a process have a root that it cannot write to."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None or os.geteuid() != 0:
        return False
    if any(not folder.stat().st_mode & 0o001 for folder in ROOT.parents):
        return False  # the checkout is hidden from everybody else
    script = "mount --bind / / && mount -o remount,bind,ro /"
    return subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, check=False).returncode == 0


def open_interpreter() -> str:
    """Return shell commands that let everybody run this interpreter where only its owner may look into its folder."""
    base = Path(sys.base_prefix).resolve()
    closed = next((folder for folder in reversed(base.parents) if not folder.stat().st_mode & 0o001), None)
    if closed is None:
        return ""
    return (
        f"mount -t tmpfs tmpfs /mnt && mkdir /mnt/python && mount --bind {base} /mnt/python && "
        f"mount -t tmpfs -o mode=755 tmpfs {closed} && mkdir -p {base} && mount --bind /mnt/python {base} && "
    )


@pytest.mark.slow
@pytest.mark.skipif(not can_confine(), reason="needs root and its own mounts")
def test_the_process_of_the_image_works_under_a_foreign_uid_on_a_read_only_root(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # One folder that user 10001 owns, for the volume's data and for temporary files; everything else is read-only.
    data = Path("/var/tmp") / f"roma-{os.getpid()}"
    for place in (data, data / "papers", data / "tmp"):
        place.mkdir()
        os.chown(place, 10001, 10001)
    script = (
        f"{open_interpreter()}mount --bind / / && mount --bind {data} {data} && "
        "mount -o remount,bind,ro / && "
        'exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs "$@"'
    )
    places = {"HOME": str(data), "TMPDIR": str(data / "tmp")}
    try:
        with serving(data / "w", "unshare", "--mount", "sh", "-c", script, "sh", **places) as url:
            assert main(["smoke", url, "--folder", str(data / "papers"), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert [step["name"] for step in report["steps"]] == STEPS
        assert {path.stat().st_uid for path in (data / "w").rglob("*")} == {10001}
    finally:
        shutil.rmtree(data)
