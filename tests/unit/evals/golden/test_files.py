"""Broken files of items are refused with the line and what is wrong; nothing of them is read by half."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.golden.beir import load_beir, write_corpus
from roma_core.evals.golden.dataset import GoldenCase, add_cases, load_golden
from roma_core.evals.golden.foreign_sets import load_foreign_set

ITEM = {"id": "q", "question": "What?", "kind": "no_answer"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 100_000, "g.json is nested too deeply"),
        (b'[{"id": "q", "question": "\\ud800?", "kind": "no_answer"}]', "half of a surrogate pair"),
        ("[]".encode("utf-16"), "g.json is not UTF-8"),
        (b"", "g.json is not JSON"),
    ],
)
def test_a_file_that_is_no_set_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "g.json").write_bytes(data)
    with pytest.raises(EvalError, match=why) as raised:
        load_golden(tmp_path / "g.json")
    assert raised.value.code is ErrorCode.EVAL_DATASET


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "g.jsonl").write_text(json.dumps(ITEM) + "\n\n{bad\n")
    with pytest.raises(EvalError, match=r"g.jsonl, line 3 is not JSON"):
        load_golden(tmp_path / "g.jsonl")


def test_a_line_separator_in_a_question_ends_no_line(tmp_path: Path) -> None:
    case = GoldenCase.model_validate(ITEM | {"question": "What\u2028is \x85it?"})
    add_cases(tmp_path / "g.jsonl", [case])
    assert load_golden(tmp_path / "g.jsonl").cases == (case,)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": "  "}, "id: it is blank"),
        ({"id": "a\nb"}, "id: it holds a line end"),
        ({"id": "x" * 201}, "id: String should have at most 200 characters"),
        ({"question": " \t"}, "question: it is blank"),
        (
            {"kind": "single", "evidence": [{"uri": " "}], "nuggets": [{"fact": "x", "aliases": [" "]}]},
            "aliases.0: it is blank; evidence.0.uri: it is blank",
        ),
        ({"kind": "single", "evidence": [{"uri": "d", "grade": 10**400}]}, "less than or equal to 1000"),
        ({"kind": "single"}, "item: a single item needs at least 1 pieces of evidence"),
    ],
)
def test_an_item_that_no_table_could_show_is_refused(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    (tmp_path / "g.json").write_text(json.dumps([ITEM | changes]))
    with pytest.raises(EvalError, match=why):
        load_golden(tmp_path / "g.json")


def test_a_set_is_replaced_whole_and_its_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text(json.dumps([ITEM]))
    real.chmod(0o644)
    link.symlink_to(real)
    add_cases(link, [GoldenCase.model_validate(ITEM | {"id": "r"})])
    assert link.is_symlink() and len(load_golden(real).cases) == 2
    assert real.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "real.json"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("user_input,reference\na,b,c,d\n", "line 2: 4 cells under 2 columns"),
        ("user_input,reference\na\n", "line 2: 1 cells under 2 columns"),
        ('user_input,reference\n"a,b\n', "line 2: unexpected end of data"),
        ("", "holds no item"),
    ],
)
def test_a_broken_row_of_a_table_is_refused(tmp_path: Path, data: str, why: str) -> None:
    (tmp_path / "t.csv").write_text(data)
    with pytest.raises(EvalError, match=why):
        load_foreign_set(tmp_path / "t.csv", "ragas")


@pytest.mark.parametrize("contexts", [5, "[" * 5000, [1], {"a": 1}])
def test_contexts_that_are_no_list_of_texts_are_refused(tmp_path: Path, contexts: object) -> None:
    (tmp_path / "t.json").write_text(json.dumps([{"user_input": "a", "reference_contexts": contexts}]))
    with pytest.raises(EvalError, match="its contexts are no list of texts"):
        load_foreign_set(tmp_path / "t.json", "ragas")


def test_a_reference_answer_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps([{"input": "a", "expected_output": {"x": 1}}]))
    with pytest.raises(EvalError, match="item 1: its reference answer is no text"):
        load_foreign_set(tmp_path / "t.json", "deepeval")


# BEIR

FINE = {
    "corpus.jsonl": b'{"_id": "d1", "title": "t", "text": "hello"}\n\n',
    "queries.jsonl": b'{"_id": "q1", "text": "hello?"}\n',
    "qrels.tsv": b"\xef\xbb\xbfquery\tdoc\tgrade\r\nq1\td1\t1.0\r\n",
}


def write_beir(folder: Path, **files: bytes) -> None:
    folder.mkdir()
    for name, data in {**FINE, **{name.replace("__", "."): data for name, data in files.items()}}.items():
        (folder / name).write_bytes(data)
    if "corpus__jsonl__gz" in files:
        (folder / "corpus.jsonl").unlink()


def test_decimal_grades_marks_blank_lines_and_one_text_for_a_list_are_read(tmp_path: Path) -> None:
    write_beir(tmp_path / "b", qa__jsonl=b'{"id": "q1", "answers": "Paris"}\n')
    golden = load_beir(tmp_path / "b")
    assert golden.cases[0].evidence[0].grade == 1
    assert golden.cases[0].answer == "Paris"
    assert write_corpus(tmp_path / "b", tmp_path / "out") == 1


BROKEN = [
    ("queries__jsonl", b'{"text": "a"}\n', r"queries.jsonl, line 1: the field '_id' is missing or no text"),
    ("queries__jsonl", b'{"_id": "q1"}\n', r"queries.jsonl, line 1: the field 'text' is missing"),
    ("queries__jsonl", b'{"_id": "q1", "text": "a"}\n' * 2, r"line 2: the question q1 is there twice"),
    ("queries__jsonl", b'["_id", "q1"]\n', r"queries.jsonl, line 1 is no JSON object"),
    ("queries__jsonl", b'{"_id": "q1", "text": "\\ud800"}\n', r"queries.jsonl, line 1 holds half"),
    (
        "queries__jsonl",
        b'{"_id": "q\\n1", "text": "a"}\n',
        r"no question with a relevant document",
    ),
    ("corpus__jsonl", b'{"_id": "d1"}\n', r"corpus.jsonl, line 1: the field 'text' is missing"),
    ("corpus__jsonl", b'{"_id": "d1", "text": "x"}\n' * 2, r"line 2: the document d1 is there twice"),
    ("corpus__jsonl", b'{"_id": "d1", "text": "\xe9"}\n', r"corpus.jsonl cannot be read behind line 0"),
    ("corpus__jsonl__gz", b"nope", r"corpus.jsonl.gz cannot be read"),
    ("corpus__jsonl__gz", gzip.compress(FINE["corpus.jsonl"] * 1000, mtime=0)[:40], r"corpus.jsonl.gz cannot be read"),
    ("qrels__tsv", b"q1\td1\t1\nq1\td1\t--5\n", r"qrels.tsv, line 2: expected query"),
    ("qrels__tsv", "q1\td1\t1\nq1\td1\t²\n".encode(), r"qrels.tsv, line 2: expected query"),
    ("qrels__tsv", b"q1\td\xe9\t1\n", r"qrels.tsv is not UTF-8"),
    ("qa__jsonl", b'{"id": "z", "answerable": false}\n', r"qa.jsonl, line 1: the field 'question'"),
    ("qa__jsonl", b'{"id": "q1", "answers": {"a": 1}}\n', r"the field 'answers' is no list of texts"),
]


@pytest.mark.parametrize(("name", "data", "why"), BROKEN, ids=map(str, range(len(BROKEN))))
def test_a_broken_row_of_a_beir_set_is_named(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    write_beir(tmp_path / "b", **{name: data})
    with pytest.raises(EvalError, match=why) as raised:
        load_beir(tmp_path / "b")
        write_corpus(tmp_path / "b", tmp_path / "out")
    assert raised.value.code is ErrorCode.EVAL_DATASET
