"""Golden sets: what is wrong is named, what is right is located."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.golden.beir import file_name, load_beir, write_corpus
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, load_golden
from roma_core.evals.golden.evidence import find, locate, names
from roma_core.types import Document

SINGLE: dict[str, Any] = {
    "id": "q1",
    "question": "Which colour?",
    "kind": "single",
    "answer": "Red.",
    "nuggets": [{"fact": "red", "aliases": ["crimson"]}],
    "evidence": [{"uri": "a.md", "anchor": "the colour is red"}],
}


def write(folder: Path, data: Any) -> Path:
    path = folder / "set.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def test_a_list_and_an_object_with_items_are_the_same_set(tmp_path: Path) -> None:
    first = load_golden(write(tmp_path, [SINGLE]))
    assert load_golden(write(tmp_path, {"about": "x", "items": [SINGLE]})) == first
    (case,) = first.cases
    assert case.nuggets[0].spellings == ("red", "crimson")
    assert case.group == "a.md" and case.persona == "general"
    assert case.query(7, "me").top_k == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "riddle"}, "kind"),
        ({"question": ""}, "question"),
        ({"evidence": []}, "needs at least 1"),
        ({"kind": "multi_hop"}, "needs at least 2"),
        ({"kind": "no_answer"}, "neither evidence nor nuggets"),
        ({"persona": "pirate"}, "persona"),
        ({"colour": "red"}, "colour"),
        ({"nuggets": [{"fact": ""}]}, "nuggets.0.fact"),
    ],
)
def test_what_is_wrong_is_named_with_its_item(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(EvalError, match=said) as caught:
        load_golden(write(tmp_path, [SINGLE | {"id": "good"}, SINGLE | change]))
    assert "item 2 (q1)" in caught.value.message
    assert caught.value.code is ErrorCode.EVAL_DATASET


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", "not JSON"),
        ("{}", "list of items"),
        ("[]", "no item"),
        ("[1]", "no id"),
        ([SINGLE, SINGLE], "used twice: q1"),
    ],
)
def test_files_that_are_no_golden_set(tmp_path: Path, data: Any, said: str) -> None:
    with pytest.raises(EvalError, match=said):
        load_golden(write(tmp_path, data))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="cannot be read"):
        load_golden(tmp_path / "absent.json")


def test_the_hash_is_of_what_is_said_not_of_the_layout(tmp_path: Path) -> None:
    first = load_golden(write(tmp_path, json.dumps([SINGLE], indent=4))).sha256
    assert load_golden(write(tmp_path, json.dumps([SINGLE]))).sha256 == first
    assert load_golden(write(tmp_path, [SINGLE | {"answer": "Blue."}])).sha256 != first


def test_a_sample_is_the_same_each_time_and_keeps_the_order() -> None:
    cases = tuple(GoldenCase(id=f"q{i}", question="?", kind="no_answer") for i in range(40))
    golden = Golden(name="g", cases=cases)
    drawn = golden.sample(10)
    assert drawn == golden.sample(10) and len(drawn.cases) == 10
    assert list(drawn.cases) == [c for c in cases if c in drawn.cases]
    assert {c.id for c in golden.sample(5).cases} < {c.id for c in drawn.cases}
    assert drawn.cases != cases[:10]
    assert golden.sample(None) is golden and golden.sample(99) is golden


TEXT = "# Title\n\nSet `MLFLOW_DISABLE_TELEMETRY` to **true**,\nthen start. Set it twice. Über-Maß reset."


@pytest.mark.parametrize(
    ("anchor", "found"),
    [
        ("MLFLOW_DISABLE_TELEMETRY to true", ["MLFLOW_DISABLE_TELEMETRY` to **true"]),
        ("true then start", ["true**,\nthen start"]),
        ("SET", ["Set", "Set"]),
        ("über maß", ["Über-Maß"]),
        ("elemetry", []),
        ("absent words", []),
        ("", [TEXT]),
        ("***", [TEXT]),
    ],
)
def test_anchors_are_found_across_markup_case_and_lines(anchor: str, found: list[str]) -> None:
    assert [span.of(TEXT) for span in locate(anchor, TEXT)] == found


@given(st.text(), st.text(min_size=1))
def test_a_located_span_holds_the_words_of_the_anchor(before: str, anchor: str) -> None:
    text = f"{before} {anchor} end"
    spans = locate(anchor, text)
    assert spans
    assert all(0 <= s.start <= s.end <= len(text) for s in spans)


@pytest.mark.parametrize(
    ("uri", "wanted", "same"),
    [
        ("file:///x/a.md", "a.md", True),
        ("file:///x/docs/a.md", "docs/a.md", True),
        ("a.md", "a.md", True),
        ("file:///x/aa.md", "a.md", False),
        ("file:///x/other/a.md", "docs/a.md", False),
    ],
)
def test_evidence_names_documents_by_the_end_of_their_uri(uri: str, wanted: str, same: bool) -> None:
    assert names(uri, Evidence(uri=wanted)) is same


def document(uri: str, text: str) -> Document:
    return Document(
        id=Document.id_for(uri), uri=uri, title=uri, text=text, content_sha256=str(hash(text)), parser="t/1"
    )


async def stream(*documents: Document) -> AsyncIterator[Document]:
    for d in documents:
        yield d


async def test_evidence_is_found_and_what_is_missing_is_told() -> None:
    here = document("file:///x/a.md", "Well, the colour is red. Yes: the colour is red.")
    case = GoldenCase.model_validate(SINGLE)
    lost = GoldenCase.model_validate(SINGLE | {"id": "q2", "evidence": [{"uri": "b.md", "anchor": "x"}]})
    corpus = await find([case, lost], stream(here, document("file:///x/c.md", "other")))
    (places,) = corpus.places["q1"]
    assert [p.of(here.text) for p in places] == ["the colour is red"] * 2
    assert places[0].holds(here.id, 0, 7) and not places[0].holds(here.id, 0, 6) and not places[0].holds("x", 0, 99)
    assert corpus.missing == (("q2", 0),) and corpus.documents == 2


async def test_the_corpus_hash_does_not_depend_on_order_but_on_content() -> None:
    a, b = document("a", "1"), document("b", "2")
    first = await find([], stream(a, b))
    assert (await find([], stream(b, a))).sha256 == first.sha256
    assert (await find([], stream(a, document("b", "3")))).sha256 != first.sha256


def beir(folder: Path, *, packed: bool = False) -> Path:
    corpus = [{"_id": "d/1#0", "title": "T", "text": "red is a colour"}, {"_id": "d2", "text": "blue"}]
    lines = "\n".join(json.dumps(c) for c in corpus)
    if packed:
        (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    else:
        (folder / "corpus.jsonl").write_text(lines)
    queries = [{"_id": "1", "text": "red?"}, {"_id": "2", "text": "both?"}, {"_id": "3", "text": "unjudged?"}]
    (folder / "queries.jsonl").write_text("\n".join(json.dumps(q) for q in queries))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\td/1#0\t2\n2\td/1#0\t1\n2\td2\t1\n3\td2\t0\n")
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_beir_folders_are_read_in_place(tmp_path: Path, packed: bool) -> None:
    golden = load_beir(beir(tmp_path, packed=packed))
    first, second = golden.cases
    assert (first.id, first.kind, first.question) == ("1", "single", "red?")
    assert first.evidence == (Evidence(uri="d=2F1=230.txt", grade=2),)
    assert second.kind == "multi_hop" and len(second.evidence) == 2
    target = tmp_path / "out"
    assert write_corpus(tmp_path, target) == 2
    assert (target / first.evidence[0].uri).read_text() == "T\n\nred is a colour\n"
    stamp = (target / "d2.txt").stat().st_mtime_ns
    write_corpus(tmp_path, target)
    assert (target / "d2.txt").stat().st_mtime_ns == stamp


def test_answers_beside_a_beir_set_become_nuggets_and_traps(tmp_path: Path) -> None:
    answers = [
        {"id": "1", "question": "red?", "answers": ["a colour", "colour"], "answerable": True},
        {"id": "2", "question": "both?", "answers": ["long " * 20], "answerable": True},
        {"id": "9", "question": "green?", "answers": [], "answerable": False},
    ]
    beir(tmp_path)
    (tmp_path / "qa.jsonl").write_text("\n".join(json.dumps(a) for a in answers))
    first, second, trap = load_beir(tmp_path).cases
    assert first.nuggets[0].spellings == ("a colour", "colour") and first.answer == "a colour"
    assert second.nuggets == () and second.answer.startswith("long")
    assert trap.kind == "no_answer" and trap.id == "9"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("qrels.tsv", None, "no qrels"),
        ("qrels.tsv", "1 d 1", "line 1"),
        ("qrels.tsv", "1\td\t1\n2\td\tx", "line 2"),
        ("qrels.tsv", "1\td\t0", "no question with a relevant"),
        ("queries.jsonl", None, "no queries.jsonl"),
        ("queries.jsonl", "{", "line 1"),
        ("queries.jsonl", "[1]", "line 1"),
    ],
)
def test_broken_beir_folders_are_named(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    beir(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(EvalError, match=said):
        load_beir(tmp_path)


@example(a=".hidden", b="=2Ehidden")
@example(a="ü" * 90 + "a", b="ü" * 90 + "b")
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_file_names_are_safe_and_tell_ids_apart(a: str, b: str) -> None:
    name = file_name(a.encode("utf-8", "replace").decode())
    assert "/" not in name and "%" not in name and name.isascii()
    assert not name.startswith(".") and len(name) < 255
    if a.encode("utf-8", "replace") != b.encode("utf-8", "replace"):
        assert name != file_name(b.encode("utf-8", "replace").decode())


@pytest.mark.parametrize("folder", ["clapnq", "squad2_dev", "multihop", "pubmedqa"])
def test_published_sets_load(shared_dir: Any, folder: str) -> None:
    golden = load_beir(shared_dir("data") / folder)
    assert len(golden.cases) >= 200
    assert all(case.evidence or case.kind == "no_answer" for case in golden.cases)
