"""``/ingest`` over real uvicorn, first with the real ingestion: connectors, sandboxed parsers and ledger."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

import roma_core
from roma_core.api.storage import open_service
from roma_core.app import Roma
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import ErrorCode, StoreError
from roma_core.ingestion import Ledger
from roma_core.settings import Settings
from roma_core.store.inmemory import InMemoryStore
from roma_core.store.lance import LanceStore
from roma_core.types import IngestionReport, IngestItem
from tests.fakes.ingest import table
from tests.ports import find_port

SIGNED = "https://b.example/k.pdf?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0"


class Turnstile(FakeEmbedder):
    """Lets one text batch through for each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = asyncio.Semaphore(0)

    async def embed(self, texts: Sequence[str]) -> Any:
        if texts:
            await self.turns.acquire()
        return await super().embed(texts)


class GoneStore(InMemoryStore):
    async def contents(self, tenant: str) -> dict[str, str]:
        raise StoreError("The store is away.")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(4):
        (folder / f"{n}.md").write_text(f"# Harbour {n}\n\nHarbour {n} was dredged in the year {1900 + n}.\n")
    return folder


@pytest.fixture
async def real(start: Any) -> AsyncIterator[Any]:
    async with start(real=True, parser_workers=1) as service:
        yield service


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks, beats and commits follow each other closely."""
    monkeypatch.setattr("roma_core.api.ingest.LOOK_S", 0.01)
    monkeypatch.setattr("roma_core.api.worker.BEAT_S", 0.01)
    monkeypatch.setattr("roma_core.ingestion.run.WRITE_LINGER_S", 0.0)


async def posted(service: Any, *sources: object, **body: Any) -> str:
    made = await service.client.post("/ingest", json={"sources": [str(s) for s in sources], **body})
    assert made.status_code == 202, made.text
    return str(made.json()["id"])


@asynccontextmanager
async def watching(service: Any, job: str) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
    """Name and data of each event, as it comes."""

    async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        name = ""
        async for line in lines:
            name = line.removeprefix("event: ") if line.startswith("event: ") else name
            if line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))

    headers = {"Accept": "text/event-stream"}
    async with service.client.stream("GET", f"/ingest/{job}", headers=headers) as reply:
        yield events(reply.aiter_lines())


async def ended(service: Any, *sources: object, **body: Any) -> dict[str, Any]:
    """The job's last event."""
    async with watching(service, await posted(service, *sources, **body)) as events:
        return [data async for _, data in events][-1]


def states(job: dict[str, Any]) -> dict[str, str]:
    return {Path(item["uri"]).name: item["state"] for item in job["report"]["items"]}


# With the real ingestion


async def test_a_folder_is_ingested_and_a_second_time_unchanged(real: Any, docs: Path) -> None:
    job = await ended(real, docs)
    assert (job["state"], job["failure"]) == ("done", None), job
    assert states(job) == {f"{n}.md": "added" for n in range(4)}
    assert (job["progress"]["counts"], job["progress"]["done"]) == ({"added": 4}, 4)
    assert all(item["document_id"] and item["chunks"] for item in job["report"]["items"])
    found = await real.roma.document(job["report"]["items"][2]["document_id"])
    assert "Harbour 2 was dredged" in found.text
    again = await ended(real, docs)
    assert (again["state"], again["progress"]["counts"]) == ("done", {"unchanged": 4})
    (docs / "0.md").write_text("# Harbour 0\n\nIt was filled in.\n")
    (docs / "1.md").unlink()
    third = await ended(real, docs)
    assert states(third) == {"0.md": "updated", "1.md": "deleted", "2.md": "unchanged", "3.md": "unchanged"}
    assert [item["state"] for item in third["report"]["items"]] == ["updated", "deleted", "unchanged", "unchanged"]


@pytest.mark.usefixtures("quick")
async def test_progress_is_streamed_with_counts_by_state(start: Any, docs: Path) -> None:
    embedder = Turnstile()
    (docs / "bad.pdf").write_bytes(b"%PDF-1.7 but no more of it")
    async with start(real=True, parser_workers=1, embedder=embedder) as service:
        seen, turns = [], 0
        async with watching(service, await posted(service, docs)) as events:
            async for name, data in events:
                seen.append(data)
                assert name == "job"
                if (
                    data["state"] == "running"
                    and (data["progress"] or {"counts": {}})["counts"].get("added", 0) == turns
                ):
                    turns += 1  # the next document goes on when this one was told of
                    embedder.turns.release()
    counts = [data["progress"]["counts"] for data in seen if data["progress"]]
    added = [count.get("added", 0) for count in counts]
    assert added == sorted(added)
    assert set(added) >= {1, 2, 3, 4}, "each document was told of"
    assert seen[0]["state"] in {"queued", "running"}
    assert seen[-1]["state"] == "done"
    assert counts[-1] == {"added": 4, "failed": 1}
    assert [data["report"] is None for data in seen] == [True] * (len(seen) - 1) + [False]


@pytest.mark.usefixtures("quick")
async def test_an_ingest_is_cancelled_in_the_middle_and_made_good(start: Any, docs: Path) -> None:
    embedder, store = Turnstile(), InMemoryStore()
    async with start(real=True, parser_workers=1, embedder=embedder, store=store) as service:
        job = await posted(service, docs)
        async with watching(service, job) as events:
            embedder.turns.release()
            async for _, data in events:
                if data["state"] == "running" and data["progress"]:
                    assert (await service.client.delete(f"/ingest/{job}")).json()["state"] == "running"
                last = data
        assert (last["state"], last["report"], last["failure"]) == ("cancelled", None, None)
        assert last["progress"]["counts"] == {"added": 1}
        assert (await store.counts("default"))[0] == 1, "what was ingested stays"
        for _ in range(3):
            embedder.turns.release()
        assert (await ended(service, docs))["progress"]["counts"] == {"unchanged": 1, "added": 3}
        assert await store.counts("default") == (4, 4)


async def test_one_bad_file_is_one_failed_row(real: Any, docs: Path) -> None:
    (docs / "bad.pdf").write_bytes(b"%PDF-1.7 but no more of it")
    job = await ended(real, docs)
    assert job["state"] == "done", "a part that failed is in the rows"
    first = job["report"]["items"][0]
    assert (first["uri"].rpartition("/")[2], first["state"], first["code"]) == (
        "bad.pdf",
        "failed",
        "ERR_PARSER_MALFORMED",
    )
    assert job["progress"]["counts"] == {"added": 4, "failed": 1}
    alone = await ended(real, docs / "bad.pdf")
    assert (alone["state"], alone["failure"]["code"]) == ("failed", "ERR_PARSER_MALFORMED")
    assert states(alone) == {"bad.pdf": "failed"}


async def test_an_ingest_in_which_nothing_worked_is_a_failed_job(real: Any, tmp_path: Path) -> None:
    for source, code in (
        ("http://127.0.0.1:9/", "ERR_CONNECTOR_BLOCKED"),
        (tmp_path / "absent", "ERR_CONNECTOR_NOT_FOUND"),
    ):
        job = await ended(real, source)
        assert (job["state"], job["failure"]["code"], job["report"]["items"]) == ("failed", code, [])
        assert [f["code"] for f in job["report"]["failures"]] == [code]


async def test_a_store_that_is_gone_fails_the_job(start: Any, docs: Path) -> None:
    async with start(real=True, parser_workers=1, store=GoneStore()) as service:
        job = await ended(service, docs)
        assert (job["state"], job["failure"]["code"]) == ("failed", "ERR_STORAGE_UNAVAILABLE")
        assert job["failure"]["recoverable"] is True
        assert 'roma_jobs{state="failed"} 1.0' in (await service.client.get("/metrics")).text


async def test_what_failed_is_tried_again_alone(real: Any, docs: Path) -> None:
    (docs / "bad.md").write_bytes(b"%PDF-1.7 but no more of it")
    await ended(real, docs)
    (docs / "4.md").write_text("# Harbour 4\n")
    job = await ended(real, docs, retry_failed=True)
    assert states(job) == {"bad.md": "failed"}


# Addresses


@pytest.mark.parametrize(
    "source",
    [
        "https://bob:hunter2@host.example/x",
        "https://hunter2@host.example/x",
        "HTTPS://bob:hunter2@host.example",
        "https://@host.example/hunter2",
        "https://bob:hunter2\\@host.example/",
        "https:/bob:hunter2@host.example/",
        "https:bob:hunter2@host.example",
        " https://bob:hunter2@host.example/",
        "gdrive://bob:hunter2@folder/x",
        "file://bob:hunter2@localhost/etc/hostname",
        "ftp://bob:hunter2@host.example/",
        "gopher://hunter2/",
        "gdrive://nothing/hunter2",
    ],
)
async def test_an_address_with_a_password_or_without_a_reader_is_refused(service: Any, source: str) -> None:
    reply = await service.client.post("/ingest", json={"sources": ["docs", source]})
    assert (reply.status_code, reply.json()["failure"]["code"]) == (422, "ERR_INPUT_INVALID")
    assert "hunter2" not in reply.text
    assert (await service.client.get("/ingest")).json() == [], "nothing of the request was stored"


async def test_an_at_sign_elsewhere_is_no_password(service: Any) -> None:
    for source in ("https://host.example/@team/x", "https://host.example/?mail=a@b.example", "/srv/a@b:c/x", "a@b"):
        await posted(service, source)


async def test_a_signed_address_is_used_whole_and_shown_without_its_secret(service: Any) -> None:
    service.ingestion.step_s = 0.2
    made = await service.client.post("/ingest", json={"sources": [SIGNED]})
    async with watching(service, made.json()["id"]) as events:
        seen = [data async for _, data in events]
    listed, one = await service.client.get("/ingest"), await service.client.get(made.headers["location"])
    assert service.ingestion.effects == [(SIGNED,)]
    for told in (made.text, listed.text, one.text, json.dumps(seen)):
        assert "https://b.example/k.pdf?X-Amz-Signature=" in told
        assert "fe5f80f77d5fa3beca" not in told


# Bounds


async def test_the_list_has_no_reports_and_a_report_has_pages(service: Any) -> None:
    rows = tuple(IngestItem(uri=f"file:///d/{n:04}.md", state="unchanged") for n in range(3000))
    report = IngestionReport(run_id="r", sources=("s",), items=(*rows, IngestItem(uri="z", state="failed", code="x")))
    queue = service.app.state.jobs
    for _ in range(100):
        queue.add(["docs"], "default", key="k")

    async def ingest(*_: Any, **__: Any) -> IngestionReport:
        return report

    service.ingestion.ingest = ingest
    jobs = [await posted(service, "docs") for _ in range(5)]
    async with watching(service, jobs[-1]) as events:
        last = [data async for _, data in events][-1]
    assert len(last["report"]["items"]) == 100
    listed = await service.client.get("/ingest")
    assert len(listed.json()) == 6
    assert len(listed.content) < 6 * 1000
    assert all("report" not in job for job in listed.json())
    assert listed.json()[0]["progress"]["counts"] == {"failed": 1, "unchanged": 3000}
    uris: list[str] = []
    while len(uris) < 3001:
        page = (
            await service.client.get(f"/ingest/{jobs[-1]}", params={"items_from": len(uris), "items_limit": 1000})
        ).json()["report"]
        assert (page["items_from"], page["items_total"]) == (len(uris), 3001)
        uris += [item["uri"] for item in page["items"]]
    assert uris == ["z", *sorted(item.uri for item in rows)]
    for wrong in ({"items_from": -1}, {"items_limit": 0}, {"items_limit": 1001}):
        assert (await service.client.get(f"/ingest/{jobs[0]}", params=wrong)).status_code == 422


async def test_a_full_queue_says_when_to_come_again(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.api.jobqueue.MOST_WAITING", 2)
    service.ingestion.step_s = 30
    replies = [await service.client.post("/ingest", json={"sources": ["docs"]}) for _ in range(5)]
    assert [r.status_code for r in replies][:2] == [202, 202]
    last = replies[-1]
    assert (last.status_code, last.headers["retry-after"], last.json()["failure"]["code"]) == (
        429,
        "60",
        "ERR_ACCESS_RATE_LIMIT",
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sources": []},
        {"sources": [""]},
        {"sources": ["a\nb"]},
        {"sources": ["a\0b"]},
        {"sources": "a"},
        {"sources": ["a"] * 101},
        {"sources": ["a" * 4097]},
        {"sources": [1]},
        {"sources": ["file:///a%00b"]},
        {"sources": ["~nobody-has-this-name/x"]},
        {"sources": ["a"], "within": ["/"]},
        {"sources": ["a"], "confined": False},
    ],
)
async def test_wrong_ingests(service: Any, body: dict[str, Any]) -> None:
    assert (await service.client.post("/ingest", json=body)).status_code == 422


async def test_half_of_a_surrogate_pair_is_no_path(service: Any) -> None:
    for raw in (b'{"sources": ["\\ud800"]}', b'{"sources": ["file:///\\udfff"]}'):
        reply = await service.client.post("/ingest", content=raw, headers={"Content-Type": "application/json"})
        assert reply.status_code == 422


# Watching and cancelling


async def test_ingest_over_http(service: Any, events_of: Any) -> None:
    client = service.client
    service.ingestion.step_s = 0.1
    made = await client.post("/ingest", json={"sources": ["docs"]}, headers={"Idempotency-Key": "k1"})
    again = await client.post("/ingest", json={"sources": ["docs"]}, headers={"Idempotency-Key": "k1"})
    job = made.json()
    assert (made.status_code, made.headers["location"]) == (202, f"/ingest/{job['id']}")
    assert again.json()["id"] == job["id"]
    watched = await client.get(f"/ingest/{job['id']}", headers={"Accept": "text/event-stream"})
    events = events_of(watched.text)
    assert events[-1]["data"]["state"] == "done"
    assert events[-1]["data"]["report"]["items"][0]["state"] == "added"
    assert [e["event"] for e in events] == ["job"] * len(events)
    assert service.ingestion.effects == [("docs",)]
    assert [j["id"] for j in (await client.get("/ingest")).json()] == [job["id"]]
    assert 'roma_jobs{state="done"} 1.0' in (await client.get("/metrics")).text


@pytest.mark.parametrize(("how", "code"), [("job", ErrorCode.NOT_FOUND), ("database", ErrorCode.STORAGE_UNAVAILABLE)])
async def test_a_watched_job_that_vanishes_ends_its_stream_with_an_error(
    service: Any, workspace: Path, how: str, code: ErrorCode
) -> None:
    service.ingestion.step_s = 30
    job = await posted(service, "docs")
    async with watching(service, job) as events:
        assert (await anext(events))[0] == "job"
        if how == "job":
            with open_service(workspace).transaction() as db:
                db.execute("DELETE FROM ingest_jobs")
        else:
            workspace.rename(workspace.with_name("away"))
            workspace.write_text("in the way")
        told = [event async for event in events]
    if how == "database":
        workspace.unlink()
        workspace.with_name("away").rename(workspace)
    assert [name for name, _ in told][-1] == "error"
    assert [name for name, _ in told].count("error") == 1
    last = told[-1][1]
    assert (last["type"], last["failure"]["code"]) == ("error", code.value)


async def test_the_end_of_the_service_is_told_to_who_watches(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.api.serve.ANSWERS_S", 0.1)
    service.ingestion.step_s = 30
    job = await posted(service, "docs")
    async with watching(service, job) as events:
        await anext(events)
        service.server.should_exit = True
        told = [event async for event in events]
    assert told[-1][0] == "error" and told[-1][1]["failure"]["code"] == "ERR_STOPPED"
    assert service.app.state.jobs.get(job, "default").state in {"running", "queued"}, "the next server goes on with it"


async def test_one_caller_watches_so_many_jobs_and_no_more(
    service: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roma_core.api.ingest.MOST_WATCHED", 2)
    service.ingestion.step_s = 30
    job = await posted(service, "docs")
    asked = {"Accept": "text/event-stream"}
    async with watching(service, job) as one, watching(service, job) as two:
        await anext(one), await anext(two)
        refused = await service.client.get(f"/ingest/{job}", headers=asked)
        assert (refused.status_code, refused.json()["failure"]["code"]) == (429, "ERR_ACCESS_RATE_LIMIT")
        assert (await service.client.get(f"/ingest/{job}")).status_code == 200
    await until(lambda: not service.app.state.watched.total())
    async with watching(service, job) as again:
        assert (await anext(again))[0] == "job"


async def test_a_running_ingest_is_cancelled(service: Any, until: Any) -> None:
    service.ingestion.step_s = 30
    client = service.client
    job = await posted(service, "docs")
    await until(lambda: service.app.state.jobs.get(job, "default").state == "running")
    assert (await client.delete(f"/ingest/{job}")).json()["state"] == "running"
    await until(lambda: service.app.state.jobs.get(job, "default").state == "cancelled")
    assert service.ingestion.effects == []
    assert (await client.delete("/ingest/unknown")).status_code == 404


# kill -9


def _serve(workspace: Path, port: int) -> subprocess.Popen[bytes]:
    chosen = {"ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "none", "LLM_PROVIDER": "fake", "ROMA_PARSER_WORKERS": "1"}
    path = str(Path(roma_core.__file__).parents[1])
    command = [sys.executable, "-m", "roma_core", "serve", "--port", str(port), "--workspace", str(workspace)]
    return subprocess.Popen(command, env={**os.environ, **chosen, "PYTHONPATH": path}, cwd=workspace.parent)


def _wait(true: Any, process: subprocess.Popen[bytes], seconds: float = 120.0, pause_s: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, "the server ended by itself"
        assert time.monotonic() < deadline
        time.sleep(pause_s)


@pytest.mark.slow
def test_jobs_survive_kill_9_with_one_effect_each(workspace: Path, tmp_path: Path) -> None:
    """A real server is killed twice in the middle of a real ingest: no passage is doubled and no document lost."""
    docs, port, count = tmp_path / "docs", find_port(), 90
    docs.mkdir()
    for n in range(count):
        parts = (f"## Part {p}\n\n" + f"Harbour {n} keeps ships of part {p} in its basin. " * 20 for p in range(8))
        (docs / f"{n:03}.md").write_text(f"# Harbour {n}\n\n" + "\n\n".join(parts))
    ledger = Ledger(workspace / "ledger.sqlite")
    base = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return httpx2.get(f"{base}/openapi.json", trust_env=False, timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    def recorded() -> int:
        return len(ledger.items("default")) if (workspace / "ledger.sqlite").exists() else 0

    job, seen = "", 0
    for _ in range(2):
        process = _serve(workspace, port)
        _wait(up, process)
        job = (
            job
            or httpx2.post(f"{base}/ingest", json={"sources": [str(docs)]}, trust_env=False, timeout=60).json()["id"]
        )
        _wait(lambda before=seen: recorded() > before, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seen = recorded()
        assert 0 < seen < count, "it was killed in the middle"
    process = _serve(workspace, port)
    try:
        _wait(up, process)

        def held() -> dict[str, Any]:
            reply = httpx2.get(f"{base}/ingest/{job}", trust_env=False, timeout=30)
            found: dict[str, Any] = reply.json()
            return found

        # Seldom enough for the limit of requests a minute, while the lease of the killed server runs out.
        _wait(lambda: held()["state"] not in {"queued", "running"}, process, pause_s=1.0)
        last = held()
        listed = httpx2.get(f"{base}/ingest", trust_env=False, timeout=30).json()
    finally:
        process.terminate()
        process.wait()
    assert (last["state"], last["attempts"], last["failure"]) == ("done", 3, None)
    assert [j["id"] for j in listed] == [job]
    counts = last["progress"]["counts"]
    assert sum(counts.values()) == count
    assert counts["unchanged"] >= seen, "what was acknowledged was not done again"
    asyncio.run(_same_as_undisturbed(workspace, docs, count))


async def _same_as_undisturbed(workspace: Path, docs: Path, count: int) -> None:
    embedder = FakeEmbedder()
    settings = Settings(workspace=workspace.with_name("clean"), parser_workers=1)
    async with Roma(settings, embedder=embedder, store=InMemoryStore()) as clean:
        assert (await clean.ingest(docs)).counts()["added"] == count
        store = LanceStore(workspace / "store", fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)
        await store.optimize()  # raises if a key is there twice
        assert await table(store) == await table(clean.store)
        assert await store.counts("default") == await clean.store.counts("default")
        await store.close()
