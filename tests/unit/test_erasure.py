"""Erasure of users and documents: no byte of them is left in the workspace, and the certificate says what was done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roma_core.app import Roma, build_roma
from roma_core.audit import AuditLog
from roma_core.errors import AgentFailure, NotFoundError, StoreError
from roma_core.identity.grants import Grantee, Resource
from roma_core.settings import Settings
from roma_core.types import ErasureCertificate, Principal, TailorOutput
from tests.fakes.traces import find_traces

ANNA = Principal(subject="anna", roles=("reader",), signed_in_by="account")
BERT = Principal(subject="bert", roles=("reader",), signed_in_by="account")


def marker(number: int) -> str:
    """A word that nothing else holds."""
    return f"quagga{number:03}zebu"


@asynccontextmanager
async def opened(folder: Path, **settings: object) -> AsyncIterator[Roma]:
    given = {"embedder": "fake", "reranker": "none", "answer_cache": "on", "audit": "all", "audit_questions": "full"}
    async with build_roma(Settings(workspace=folder / "w", **given, **settings)) as roma:
        yield roma


async def ask(roma: Roma, who: Principal, question: str, session_id: str) -> str:
    answer = await roma.query(question, principal=who, session_id=session_id)
    assert isinstance(answer, TailorOutput), answer
    rated = await roma.rate(answer.answer_id, "down", session_id=session_id, comment=f"Of {question}", principal=who)
    assert rated is None
    return answer.answer_id


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "bridge.md").write_text("# The bridge\n\nThe bridge spans 120 metres over the river.\n")
    return folder


async def test_a_user_is_nowhere_afterwards(tmp_path: Path, source: Path) -> None:
    words = [marker(number) for number in range(4)]
    async with opened(tmp_path) as roma:
        await roma.ingest(source)
        for word in words:
            await ask(roma, ANNA, f"What does the bridge span, asks {word}?", f"session of {word}")
        kept = await ask(roma, BERT, "What does the bridge span, asks herrbert?", "b")
        roma.grants.grant("default", Resource("collection", "hr"), Grantee("user", "anna"), by="local")
    assert len(set().union(*find_traces(tmp_path / "w", words).values())) == len(words)
    async with opened(tmp_path) as roma:
        certificate = await roma.forget_user("anna")
        assert find_traces(tmp_path / "w", [*words, "anna"]) == {}
        assert [turn.answer_id for turn in await roma.turns("b", BERT)] == [kept]
        log = AuditLog(tmp_path / "w")
        check = log.verify("default")
        assert check.is_whole and check.erased == 4 * 2
        assert {row.who for row in log.query("default")} == {"local", "bert", "(erased)"}
    removed = {place.place: place.removed for place in certificate.places}
    assert removed["answers"] == 4
    assert removed["conversations and ratings"] == 8
    assert removed["grants"] == 1
    assert certificate.is_genuine
    written = ErasureCertificate.model_validate_json(
        (tmp_path / "w" / "certificates" / f"{certificate.id}.json").read_text()
    )
    assert written == certificate
    assert not written.model_copy(update={"places": ()}).is_genuine


async def test_a_user_that_is_forgotten_twice_leaves_a_chain_that_can_be_read(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path) as roma:
        await roma.ingest(source)
        for _ in range(2):
            await ask(roma, ANNA, "What does the bridge span?", "s")
            await roma.forget_user("anna")
        assert AuditLog(tmp_path / "w").verify("default").is_whole


async def test_a_row_that_was_blanked_without_an_erasure_is_found(tmp_path: Path, source: Path) -> None:
    import sqlite3

    async with opened(tmp_path) as roma:
        await roma.ingest(source)
        await ask(roma, ANNA, "What does the bridge span?", "s")
    (month,) = (tmp_path / "w" / "audit").glob("*.sqlite")
    with sqlite3.connect(month) as db:
        db.execute("UPDATE entries SET who = '(erased)', details = '{}' WHERE who = 'anna'")
    assert not AuditLog(tmp_path / "w").verify("default").is_whole


@pytest.mark.parametrize(
    "step",
    [
        "audit",
        pytest.param("answers", marks=pytest.mark.slow),
        pytest.param("sessions", marks=pytest.mark.slow),
        pytest.param("grants", marks=pytest.mark.slow),
    ],
)
async def test_an_erasure_that_was_killed_is_finished_by_the_next(
    tmp_path: Path, source: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = marker(1)
    async with opened(tmp_path) as roma:
        await roma.ingest(source)
        await ask(roma, ANNA, f"What does the bridge span, asks {word}?", "s")

    def fail(*_: object, **__: object) -> None:
        raise StoreError("The process was killed here.")

    async with opened(tmp_path) as roma:
        part = getattr(roma, step)
        monkeypatch.setattr(type(part), "erase_user" if step == "audit" else "forget_user", fail)
        with pytest.raises(StoreError):
            await roma.forget_user("anna")
        monkeypatch.undo()
    assert list((tmp_path / "w" / "certificates").glob("*.unfinished"))
    async with opened(tmp_path) as roma:
        certificate = await roma.forget_user("anna")
    assert find_traces(tmp_path / "w", [word, "anna"]) == {}
    assert {place.place: place.removed for place in certificate.places}["answers"] == 1
    assert not list((tmp_path / "w" / "certificates").glob("*.unfinished"))


async def test_a_document_is_nowhere_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    words = [marker(number) for number in range(5)]
    async with opened(tmp_path, pii_policy="email=mask") as roma:
        for number, word in enumerate(words):  # a commit each
            text = f"# Note {number}\n\nThe {word} lives by the river.\n\nWrite to {word}@example.org.\n"
            (folder / "note.md").write_text(
                text + "".join(f"\nThe {held} was seen before.\n" for held in words[:number])
            )
            await roma.ingest(folder)
        await ask(roma, ANNA, "Where does the animal live by the river?", "s")
        before = find_traces(tmp_path / "w", words)
        assert len(set().union(*before.values())) == len(words)
        (document,) = [document async for document in roma.store.documents("default")]
        report = await roma.forget(document_ids=[document.id])
        assert report.certificate is not None and report.certificate.is_genuine
        assert report.documents == 1 and report.answers == 1
        assert find_traces(tmp_path / "w", words) == {}
        gone = await roma.document(document.id)
        assert isinstance(gone, AgentFailure)
        with pytest.raises(NotFoundError):
            await roma.forget(document_ids=[document.id])


async def test_a_removal_of_documents_that_was_killed_is_finished_by_the_next(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as roma:
        await roma.ingest(source)
        await ask(roma, ANNA, "What does the bridge span?", "s")
        (document,) = [document async for document in roma.store.documents("default")]

        async def fail(*_: object) -> int:
            raise StoreError("The process was killed here.")

        monkeypatch.setattr(type(roma.sessions), "forget_documents", fail)
        with pytest.raises(StoreError):
            await roma.forget(document_ids=[document.id])
        monkeypatch.undo()
        report = await roma.forget(document_ids=[document.id])
        assert report.document_ids == (document.id,) and report.answers == 1
        assert "120 metres" not in json.dumps([turn.model_dump(mode="json") for turn in await roma.turns("s", ANNA)])
        assert find_traces(tmp_path / "w", ["120 metres"]) == {}


@pytest.mark.slow
async def test_two_hundred_markers_are_nowhere_afterwards(tmp_path: Path) -> None:
    """Twenty commits, caches, traces, conversations, evaluations, tombstones and masks; then no byte of any."""
    pytest.importorskip("mlflow")
    from roma_core.evals.checkpoint import SqliteCheckpoint
    from roma_core.telemetry import tracing

    written, asked = [marker(number) for number in range(100)], [marker(number) for number in range(100, 200)]
    folder, workspace = tmp_path / "papers", tmp_path / "w"
    folder.mkdir()
    async with opened(tmp_path, pii_policy="email=mask", tracing=True) as roma:
        tracing.configure(roma.settings)
        for commit in range(20):
            words = written[commit * 5 : commit * 5 + 5]
            mail = " Write to {0}@example.org." if commit % 2 else ""  # what is masked is in no cache
            lines = [f"The {word} lives by river {commit}.{mail.format(word)}" for word in words]
            front = f"---\nauthor: {words[0]}\n---\n"
            (folder / f"note{commit}.md").write_text(f"{front}# Note {words[1]}\n\n" + "\n\n".join(lines) + "\n")
            await roma.ingest(folder)
        for talk in range(20):
            words = asked[talk * 5 : talk * 5 + 5]
            await ask(roma, ANNA, f"Who lives by river {talk}, ask {' and '.join(words)}?", f"talk of {words[0]}")
        (folder / "note0.md").unlink()
        await roma.ingest(folder, prune=True)
        documents = [document async for document in roma.store.documents("default")]
        await SqliteCheckpoint(workspace / "evals" / "answers.db").put(
            "case", json.dumps({"document_id": documents[0].id, "answer": documents[0].text})
        )
        run = workspace / "evals" / "run"
        run.mkdir()
        (run / "report.json").write_text(json.dumps({"uri": documents[1].uri, "answer": documents[1].text}))
        await asyncio.to_thread(tracing.flush)
        before = find_traces(workspace, [*written, *asked])
        assert len(set().union(*before.values())) == 200
        assert {"originals.sqlite", "cache.sqlite", "ledger.sqlite", "answers.sqlite", "sessions.db"} <= set(before)
        user = await roma.forget_user("anna")
        (source,) = [record for record in await roma.sources.all("default") if record.uri.endswith("papers/")] or (
            await roma.sources.all("default")
        )
        gone = [stone.document_id for stone in await roma.ingestion.tombstones("default")]
        await roma.forget(document_ids=gone)
        report = await roma.forget(source=source.id)
    assert find_traces(workspace, [*written, *asked, "anna"]) == {}
    removed = {place.place: place.removed for place in user.places}
    assert removed["traces"] == 20 and removed["answers"] == 20
    assert report.certificate is not None
    assert {place.place: place.removed for place in report.certificate.places}["evaluations that quote them"] == 2
