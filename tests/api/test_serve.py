"""Starting to serve: what is loaded where, what is said meanwhile, and whose lines are whose."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from roma_core import app
from roma_core.api.serve import serve
from roma_core.app import Roma
from roma_core.errors import ConfigError
from roma_core.parts import Part
from roma_core.settings import Settings


async def test_health_answers_while_libraries_are_loaded_and_questions_wait(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, done = threading.Event(), threading.Event()

    def build_slowly(roma: Roma) -> None:
        loading.set()
        assert done.wait(120)

    slow = Part(build_slowly, is_quick_to_build=True)
    slow.__set_name__(Roma, "slow")
    monkeypatch.setattr(Roma, "slow", slow, raising=False)
    async with start(warm=False) as service:
        try:
            await asyncio.to_thread(loading.wait, 60)
            reply = await service.client.get("/health")
            assert (reply.status_code, reply.json()["state"]) == (200, "degraded")
            (part,) = reply.json()["components"]
            assert part["reason"].startswith("starting")
            assert (await service.client.get("/docs")).status_code == 200
            asked = asyncio.create_task(service.client.post("/query", json={"text": "When was the bridge built?"}))
            await asyncio.wait({asked}, timeout=0.2)
            assert not asked.done()
        finally:
            done.set()
        assert (await asked).status_code == 200
        report = (await service.client.get("/health")).json()
        assert report["state"] == "ok"
        assert {"store", "llm"} <= {part["name"] for part in report["components"]}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["query", "health", "ingest", "document"])
def test_nothing_that_takes_a_moment_is_imported_on_the_loop(tmp_path: Path, what: str) -> None:
    """A loop that imports LanceDB serves nobody for seconds; ``roma serve`` has others to serve."""
    (tmp_path / "a.md").write_text("# Bridge\n\nThe bridge was built in 1902.\n")
    script = """
        import asyncio, sys, threading
        from roma_core.app import build_roma
        from roma_core.settings import Settings

        on_loop = set()

        class Watch:
            def find_spec(self, name, path=None, target=None):
                if threading.current_thread() is threading.main_thread():
                    on_loop.add(name.partition(".")[0])

        async def main():
            async with build_roma(Settings(workspace="w")) as roma:
                sys.meta_path.insert(0, Watch())
                await {"query": lambda: roma.query("When was the bridge built?", session_id="s"),
                       "health": roma.health,
                       "ingest": lambda: roma.ingest("a.md"),
                       "document": lambda: roma.document("x")}[sys.argv[1]]()
                sys.meta_path.pop(0)

        asyncio.run(main())
        print(" ".join(sorted(on_loop)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), what], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    heavy = {
        "lancedb",
        "pyarrow",
        "numpy",
        "pandas",
        "sqlalchemy",
        "onnxruntime",
        "tokenizers",
        "openai",
        "googleapiclient",
    }
    assert heavy & set(done.stdout.split()) == set()


async def test_a_port_in_use_is_one_clear_sentence(workspace: Path) -> None:
    other = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with other:
        with pytest.raises(ConfigError, match=f"Port {port} of 127.0.0.1 is in use; .*--port"):
            await serve(Roma(Settings(workspace=workspace)), port=port)


@contextmanager
def server(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``roma serve`` as it is started by people, with its lines on a pipe."""
    environment = {**os.environ, "ROMA_LOG_LEVEL": "INFO", "ROMA_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "roma_core", "serve", "--workspace", str(folder), *options]
    root = str(Path(app.__file__).parents[1])
    process = subprocess.Popen(
        command, env={**environment, "PYTHONPATH": root}, cwd=folder.parent, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_server_says_where_it_is_when_it_is_there_and_its_own_lines_belong_to_no_request(workspace: Path) -> None:
    with server(workspace, "--port", "0") as process:
        assert process.stderr is not None
        said: list[str] = []
        while "ROMA on http://" not in (line := process.stderr.readline()):
            assert line, "".join(said)
            said.append(line)
        url = line.split()[2]
        assert httpx2.get(f"{url}/health", trust_env=False, timeout=30).status_code == 200
        assert httpx2.get(f"{url}/sources/x", headers={"X-Request-ID": "mine"}, trust_env=False, timeout=60)
        with server(workspace, "--port", url.rsplit(":", 1)[1]) as second:
            _, complaint = second.communicate(timeout=60)
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 0, "a server that is asked to end ends well"
    assert (second.returncode, complaint.count("\n")) == (1, 1)
    assert "is in use" in complaint
    lines = [json.loads(text) for text in [*said, *rest.splitlines()] if text.startswith("{")]
    served = [found for found in lines if found["event"] == "request"]
    assert [found["route"] for found in served] == ["/health", "/sources/{document_id}"]
    assert served[1]["request_id"] == "mine"
    own = [found for found in lines if found["agent"] == "uvicorn"]
    assert own
    assert {found["request_id"] for found in own} == {None}
