"""Recorded answers again: to the letter whatever became of the corpus, and with one change."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core.app import Roma, build_roma
from roma_core.cli import main
from roma_core.errors import InputError
from roma_core.llm.providers.fake import FakeLLM
from roma_core.replay import fork_answer
from roma_core.settings import Settings
from roma_core.types import Principal, TailorOutput

PLACES = ("Quellfeld", "Aspen", "Mirow", "Tarn", "Oberau")
THINGS = ("bridge", "mill", "tower", "barn", "well")
QUESTIONS = [
    f"{asked} the {thing} of {place}{'?' if asked.startswith('W') else '.'}"
    for asked in ("When was built", "Who restored", "What is the height of", "Describe")
    for place in PLACES
    for thing in THINGS
]


def write_corpus(folder: Path, year: int) -> None:
    folder.mkdir(exist_ok=True)
    for p, place in enumerate(PLACES):
        for t, thing in enumerate(THINGS):
            text = (
                f"# The {thing} of {place}\n\nThe {thing} of {place} was built in {year + 10 * p + t}. "
                f"It is {20 + p * t} metres high.\n\n## Upkeep\n\nThe village council restored the {thing} twice.\n"
            )
            (folder / f"{place}-{thing}.md").write_text(text, encoding="utf-8")


def make_roma(workspace: Path, **settings: object) -> Roma:
    chosen = {"embedder": "fake", "reranker": "fake", "planner": "off", **settings}
    return build_roma(Settings(workspace=workspace, **chosen), llm=FakeLLM())


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
async def roma(tmp_path: Path, workspace: Path) -> AsyncIterator[Roma]:
    write_corpus(tmp_path / "corpus", 1700)
    async with make_roma(workspace) as made:
        await made.ingest(tmp_path / "corpus")
        yield made


async def test_a_hundred_answers_are_the_same_bytes_after_reingest_and_reindex(
    roma: Roma, tmp_path: Path, workspace: Path
) -> None:
    given: dict[str, str] = {}
    for number, question in enumerate(QUESTIONS):
        output = await roma.query(question, record_id=f"answer{number}")
        assert isinstance(output, TailorOutput)
        given[f"answer{number}"] = output.model_dump_json()
    assert len(given) == 100
    assert sum('"verdict":"verbatim"' in output for output in given.values()) > 50
    await roma.close()

    write_corpus(tmp_path / "corpus", 1800)  # every document says something else now
    shutil.rmtree(workspace / "store")
    (workspace / "ledger.sqlite").unlink()
    async with make_roma(workspace, chunk_tokens=64, lexical_weight=1.0) as later:
        await later.ingest(tmp_path / "corpus")
        for record_id, output in given.items():
            record = await later.answers.get(Principal.local(), record_id)
            assert record.output is not None
            assert record.output.model_dump_json() == output


async def test_a_fork_behind_retrieval_goes_on_with_the_recorded_passages(roma: Roma, tmp_path: Path) -> None:
    await roma.query(QUESTIONS[0], record_id="it")
    record = await roma.answers.get(Principal.local(), "it")
    write_corpus(tmp_path / "corpus", 1800)
    await roma.ingest(tmp_path / "corpus")
    forked = await fork_answer(roma, record, {"rerank": "off"})
    assert (forked.from_stage, forked.on_todays_corpus) == ("rerank", False)
    assert forked.output is not None
    assert {passage.chunk.id for passage in forked.output.passages} <= {p.chunk.id for p in record.candidates}
    assert all("rerank" not in passage.scores for passage in forked.output.passages)
    assert "17" in forked.output.answer, "the year of the recorded text, not of today's"
    assert forked.output.citations[0].verdict == "verbatim"
    assert len(forked.changed) == 25


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({"top_k": "1"}, "select"),
        ({"persona": "executive"}, "write"),
        ({"citations": "off"}, "verify"),
        ({"rerank_weight": "0.0"}, "rerank"),
    ],
)
async def test_a_fork_begins_at_the_first_stage_that_its_change_decides(
    roma: Roma, change: dict[str, str], stage: str
) -> None:
    await roma.query(QUESTIONS[0], record_id="it")
    forked = await fork_answer(roma, await roma.answers.get(Principal.local(), "it"), change)
    assert (forked.from_stage, forked.on_todays_corpus) == (stage, False)
    assert forked.output is not None
    if stage == "select":
        assert len(forked.output.passages) == 1


@pytest.mark.parametrize("change", [{"lexical_weight": "1.0"}, {"retrieve_limit": "3"}, {"question": "What is Tarn?"}])
async def test_a_fork_before_retrieval_searches_todays_corpus_and_says_so(
    roma: Roma, tmp_path: Path, change: dict[str, str]
) -> None:
    await roma.query(QUESTIONS[0], record_id="it")
    (tmp_path / "corpus" / "Quellfeld-bridge.md").unlink()
    await roma.ingest(tmp_path / "corpus", prune=True)
    forked = await fork_answer(roma, await roma.answers.get(Principal.local(), "it"), change)
    assert forked.on_todays_corpus
    assert any("today's corpus" in note for note in forked.notes)
    assert forked.gone == ((tmp_path / "corpus" / "Quellfeld-bridge.md").as_uri(),)
    assert forked.output is not None
    assert all("Quellfeld-bridge" not in passage.chunk.uri for passage in forked.output.passages)


async def test_after_erasure_a_fork_says_which_source_is_gone(roma: Roma, tmp_path: Path) -> None:
    await roma.query(QUESTIONS[0], record_id="it")
    uri = (tmp_path / "corpus" / "Quellfeld-bridge.md").as_uri()
    await roma.forget(uri)
    forked = await fork_answer(roma, await roma.answers.get(Principal.local(), "it"), {"rerank": "off"})
    assert forked.forgotten == (uri,)
    assert forked.on_todays_corpus
    assert f"Forgotten on demand: {uri}" in forked.notes


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rerak": "off"}, "'rerank'"),
        ({"rerank": "maybe"}, "off or on"),
        ({"port": "8001"}, "no change 'port'"),
        ({"lexical_weight": "0.4"}, "decides no stage"),
    ],
)
async def test_a_change_that_there_is_not_is_refused(roma: Roma, change: dict[str, str], says: str) -> None:
    await roma.query(QUESTIONS[0], record_id="it")
    record = await roma.answers.get(Principal.local(), "it")
    with pytest.raises(InputError, match=says):
        await fork_answer(roma, record, change)


def test_the_command_prints_what_ask_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_corpus(tmp_path / "corpus", 1700)
    where = ["--workspace", str(tmp_path / "w")]
    assert main(["ingest", str(tmp_path / "corpus"), *where]) == 0
    capsys.readouterr()
    assert main(["ask", QUESTIONS[0], "--json", *where]) == 0
    asked = capsys.readouterr().out
    assert main(["replay", "last", "--json", *where]) == 0
    assert capsys.readouterr().out == asked
    assert main(["replay", "last", "--fork", "rerank=off", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["from_stage"] == "rerank"
    assert main(["answers", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)[0]["question"] == QUESTIONS[0]
    assert main(["replay", "last", "--record", *where]) == 0
    assert "Candidates" in capsys.readouterr().out
