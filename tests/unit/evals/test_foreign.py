"""Rankings and functions of other systems are scored as ROMA's own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import ir_measures
import pytest

from roma_core.app import Roma, build_roma
from roma_core.errors import AgentFailure, ErrorCode, EvalError
from roma_core.evals import evaluate
from roma_core.evals.evaluation import DocumentIterator
from roma_core.evals.foreign import ForeignSystem, import_task, read_run, score_run
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase
from roma_core.settings import Settings
from roma_core.types import Document, Query

BRIDGE = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n"


def make_document(name: str, text: str = "words") -> Document:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Document(
        id=f"id-{name}", uri=f"file:///corpus/{name}", title=name, text=text, content_sha256=sha256, parser="t/1"
    )


def corpus(*names: str) -> DocumentIterator:
    async def iterate() -> AsyncIterator[Document]:
        for name in names:
            yield make_document(name)

    return iterate


def make_golden(**relevant: dict[str, int]) -> Golden:
    cases = []
    for name, grades in relevant.items():
        evidence = tuple(Evidence(uri=document, grade=grade) for document, grade in grades.items())
        kind = "multi_hop" if len(evidence) > 1 else "single"
        cases.append(GoldenCase(id=name, question=f"What is {name}?", kind=kind, evidence=evidence))
    return Golden(name="set", cases=tuple(cases))


def write_run(folder: Path, *lines: str) -> Path:
    (folder / "run.trec").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return folder / "run.trec"


async def test_a_ranking_scores_as_trec_eval_scores_it(tmp_path: Path) -> None:
    golden = make_golden(q1={"a.md": 2, "c.md": 1}, q2={"b.md": 1}, q3={"d.md": 3})
    lines = ["q1 Q0 b.md 1 9 t", "q1 Q0 a.md 2 8.5 t", "q1 Q0 c.md 3 8.5 t", "q2 Q0 d.md 1 3 t", "q2 Q0 b.md 9 2 t"]
    path = write_run(tmp_path, *lines, "q3 Q0 a.md 1 1 t")
    ranked = await score_run(golden, read_run(path), corpus("a.md", "b.md", "c.md", "d.md"))
    qrels = {case.id: {piece.uri: piece.grade for piece in case.evidence} for case in golden.cases}
    wanted = [ir_measures.R @ 5, ir_measures.RR @ 5, ir_measures.nDCG @ 5]
    run = list(ir_measures.read_trec_run(str(path)))
    for measure, mean in ir_measures.calc_aggregate(wanted, qrels, run).items():
        assert ranked.report.mean(str(measure)) == pytest.approx(mean, abs=1e-9)


async def test_documents_are_named_by_id_address_or_its_end(tmp_path: Path) -> None:
    golden = make_golden(q1={"a.md": 1}, q2={"b.md": 1}, q3={"c.md": 1})
    names = ["q1 Q0 id-a.md 1 1 t", "q2 Q0 file:///corpus/b.md 1 1 t", "q3 Q0 corpus/c.md 1 1 t"]
    ranked = await score_run(golden, read_run(write_run(tmp_path, *names)), corpus("a.md", "b.md", "c.md"))
    assert ranked.report.mean("R@5") == 1.0
    assert ranked.notes == ()


async def test_what_cannot_be_scored_as_it_stands_is_noted(tmp_path: Path) -> None:
    golden = make_golden(q1={"a.md": 1}, q2={"b.md": 1})
    lines = ["q1 Q0 gone.md 1 2 t", "q1 Q0 a.md 2 1 t", "q9 Q0 a.md 1 1 t"]
    ranked = await score_run(golden, read_run(write_run(tmp_path, *lines)), corpus("a.md", "b.md"))
    assert ranked.report.mean("RR@5") == 0.25
    assert ranked.notes == (
        "1 of 2 names are not in the corpus and count as not relevant: gone.md",
        "1 questions are not in the run and count as empty rankings: q2",
        "1 questions of the run are not in the set: q9",
    )


async def test_a_name_of_several_documents_is_refused(tmp_path: Path) -> None:
    golden = make_golden(q1={"x/a.md": 1})
    with pytest.raises(EvalError, match="names 2 documents"):
        await score_run(golden, read_run(write_run(tmp_path, "q1 Q0 a.md 1 1 t")), corpus("x/a.md", "y/a.md"))


async def test_a_run_of_another_set_is_refused(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, "17 Q0 a.md 1 1 t"))
    with pytest.raises(EvalError, match="No question of the run"):
        await score_run(make_golden(q1={"a.md": 1}), run, corpus("a.md"))


async def test_a_run_over_another_corpus_is_refused(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, "q1 Q0 other.md 1 1 t"))
    with pytest.raises(EvalError, match="None of the 1 documents"):
        await score_run(make_golden(q1={"a.md": 1}), run, corpus("a.md"))


def test_ties_are_ordered_as_trec_eval_orders_them(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, "q Q0 a 1 2 t", "q Q0 c 2 2 t", "q Q0 b 3 2 t"))
    assert [name for name, _ in run.rankings["q"]] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("q1 Q0 a.md 1 high t", "line 2: the score 'high' is not a number"),
        ("q1 Q0 a.md 1 nan t", "line 2: the score 'nan' is not finite"),
        ("q1 a.md 1 0.5", "line 2: expected 6 columns"),
        ("q1 Q0 first 9 0.5 t", "line 2: first is ranked twice"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(EvalError, match=why):
        read_run(write_run(tmp_path, "q1 Q0 first 1 1 t", line))


# Functions

GOLDEN = Golden(
    name="own",
    cases=(
        GoldenCase(
            id="bridge",
            question="When was the bridge built?",
            kind="single",
            answer="1902.",
            nuggets=({"fact": "1902"},),
            evidence=(Evidence(uri="bridge.md", anchor="was built in 1902"),),
        ),
    ),
)


@pytest.fixture
async def roma(workspace: Path, tmp_path: Path) -> AsyncIterator[Roma]:
    (tmp_path / "bridge.md").write_text(BRIDGE)
    settings = Settings(workspace=workspace, embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as made:
        await made.ingest(tmp_path / "bridge.md")
        yield made


async def test_a_function_is_scored_by_answer_and_by_what_it_found(roma: Roma) -> None:
    def rival(query: Query) -> dict[str, object]:
        context = {"document": "bridge.md", "text": "The rope bridge of Quellfeld was built in 1902."}
        return {"answer": "In 1902.", "contexts": [{"document": "gone.md", "text": "No."}, context]}

    system = ForeignSystem(roma, rival, "rival")
    report = await evaluate(GOLDEN, system, name="rival", resume=False)
    assert report.mean("nugget_recall") == 1.0
    assert report.mean("RR@5") == 0.5
    assert system.unplaced == 1
    assert report.rows[0].model == "other"


@pytest.mark.slow
async def test_a_text_is_found_whatever_the_white_space_in_it(roma: Roma) -> None:
    async def rival(query: Query) -> dict[str, object]:
        return {
            "answer": "1902",
            "contexts": [{"document": "bridge.md", "text": "rope bridge\nof  Quellfeld was built in 1902"}],
        }

    report = await evaluate(GOLDEN, ForeignSystem(roma, rival, "rival"), resume=False)
    assert report.mean("R@5") == 1.0


async def test_a_text_alone_is_an_answer(roma: Roma) -> None:
    report = await evaluate(GOLDEN, ForeignSystem(roma, lambda query: "It was 1902.", "rival"), resume=False)
    assert report.mean("nugget_recall") == 1.0


async def test_a_function_that_raises_fails_its_item_by_its_own_name(roma: Roma) -> None:
    def rival(query: Query) -> str:
        raise ZeroDivisionError

    report = await evaluate(GOLDEN, ForeignSystem(roma, rival, "my:rival"), resume=False)
    assert report.states == {"failed": 1}
    assert report.rows[0].error == "ERR_EVAL_PARAMETERS"


async def test_a_function_that_hangs_fails_its_item_and_does_not_keep_the_process(workspace: Path) -> None:
    release = threading.Event()

    def rival(query: Query) -> str:
        release.wait(60)
        return "too late"

    settings = Settings(workspace=workspace, embedder="fake", reranker="none", query_timeout_s=0.05)
    async with build_roma(settings) as roma:
        failure = await ForeignSystem(roma, rival, "my:rival").query(GOLDEN.cases[0].query(5))
    hanging = [thread for thread in threading.enumerate() if thread.name == "roma-system"]
    release.set()
    assert isinstance(failure, AgentFailure) and failure.code == ErrorCode.TIMEOUT
    assert failure.message == "my:rival did not answer within 0.05 s: raise ROMA_QUERY_TIMEOUT_S where it needs longer."
    assert hanging and all(thread.daemon for thread in hanging)


@pytest.mark.parametrize("given", [7, {"text": "1902"}, {"answer": "1902", "contexts": [{"text": ""}]}])
async def test_what_is_no_answer_fails_its_item(roma: Roma, given: object) -> None:
    report = await evaluate(GOLDEN, ForeignSystem(roma, lambda query: given, "rival"), resume=False)
    assert report.rows[0].error == "ERR_EVAL_PARAMETERS"


@pytest.mark.slow
async def test_two_versions_of_a_function_are_two_runs(roma: Roma) -> None:
    first = await evaluate(GOLDEN, ForeignSystem(roma, lambda query: "1902", "rival", version="a"), resume=False)
    second = await evaluate(GOLDEN, ForeignSystem(roma, lambda query: "1902", "rival", version="b"), resume=False)
    assert first.run_id != second.run_id


@pytest.mark.parametrize("spec", ["rival", "no_such_module_here:answer", "json:nothing", "json:JSONDecodeError"])
def test_a_system_that_is_not_there_is_refused(spec: str) -> None:
    with pytest.raises(EvalError):
        import_task(spec)


def test_a_ranking_is_scored_by_the_command_without_a_model(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from roma_core.cli import roma as command_line
    from roma_core.evals.runs import RunStore

    monkeypatch.setenv("ROMA_EMBEDDER", "no-such-model")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text('{"_id": "d 1", "text": "one"}\n{"_id": "d2", "text": "two"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "first?"}\n')
    (folder / "qrels.tsv").write_text("q1\td2\t1\n")
    (tmp_path / "run.trec").write_text("q1 Q0 d2 1 3.5 bm25\n")
    words = ["eval", "beir:set", "--run", "run.trec", "--name", "bm25"]
    done = CliRunner().invoke(command_line, words, standalone_mode=False)
    assert done.return_value == 0, done.output
    assert RunStore(workspace / "evals").read("bm25").mean("nDCG@5") == 1.0
    both = CliRunner().invoke(command_line, ["eval", "beir:set", "--run", "run.trec", "--task", "a:b"])
    assert "leave out --task" in both.output
