"""What notebooks show: complete, and nothing from outside gets through as HTML."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from roma_core import display
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.types import (
    Answered,
    Citation,
    ComponentHealth,
    HealthReport,
    IngestionReport,
    IngestItem,
    Statement,
    TailorOutput,
)

EVIL = '<img src=x onerror="alert(1)"><script>x</script>'


def citation(text: str = "quote") -> Citation:
    return Citation(
        marker=1, chunk_id="c", document_id="d", uri=text, title=text, place=text, start=0, end=5, quote=text,
        answer_start=0, answer_end=3,
    )  # fmt: skip


def evil_values() -> list[object]:
    failure = AgentFailure(agent=EVIL, code=ErrorCode.CONNECTOR_AUTH, message=EVIL, recoverable=False)
    item = IngestItem(uri=EVIL, state="failed", reason=EVIL, code=EVIL)
    return [
        TailorOutput(answer=EVIL, citations=(citation(EVIL),), degraded=True, degraded_reasons=(EVIL,), model=EVIL),
        IngestionReport(run_id="r", sources=(EVIL,), items=(item,), failures=(failure,)),
        HealthReport(
            state="down", version=EVIL, components=(ComponentHealth(name=EVIL, state="degraded", reason=EVIL),)
        ),
    ]


def test_hostile_text_is_escaped_everywhere() -> None:
    for value in evil_values():
        html = value._repr_html_()
        assert "<img" not in html and "<script" not in html
        assert "&lt;script&gt;" in html


@given(st.text())
def test_a_cell_holds_no_markup_and_loses_no_text(text: str) -> None:
    import html

    shown = display.cell(text)
    assert "<" not in shown
    assert html.unescape(shown) == text


def test_cells_of_numbers_and_nothing() -> None:
    assert display.cell(1 / 3) == "0.333"
    assert display.cell(7) == "7"
    assert display.cell(None) == display.cell(math.nan) == "–"


def test_counts_leave_zeros_out() -> None:
    assert display.counts({"added": 0}) == "nothing"
    html = display.counts({"added": 2, "failed": 1, "deleted": 0})
    assert "2 " in html and "deleted" not in html and display.COLOURS["failed"] in html


def test_answer_shows_its_citations_and_their_frame() -> None:
    output = TailorOutput(answer="Yes [1].", citations=(citation(),), model="extractive")
    html = output._repr_html_()
    assert "quote" in html and "not checked" in html and "extractive" in html
    assert output.to_frame()["marker"].tolist() == [1]
    assert "<table" not in TailorOutput(answer="I don't know.", answered=False)._repr_html_()


def test_reports_have_frames_with_columns_even_when_empty() -> None:
    report = IngestionReport(run_id="r", sources=("a",), items=(IngestItem(uri="a/b", state="added", chunks=3),))
    assert report.to_frame()[["uri", "state", "chunks"]].values.tolist() == [["a/b", "added", 3]]
    assert "1 " in report._repr_html_() and "<table" not in report._repr_html_()
    many = IngestionReport(run_id="r", sources=tuple("abcdef"))
    assert "Ingested a, b, c and 3 more" in many._repr_html_()
    health = HealthReport(state="ok", version="1")
    assert list(health.to_frame().columns) == ["name", "state", "reason", "latency_ms"]
    assert len(TailorOutput(answer="").to_frame()) == 0


def test_an_answer_says_how_many_of_its_statements_are_proven() -> None:
    statements = (
        Statement(start=0, end=3, verdict="verbatim"),
        Statement(start=4, end=6, verdict="supported"),
        Statement(start=7, end=9, verdict="unsupported"),
    )
    output = TailorOutput(answer="Yes it is", statements=statements, answered=Answered.PARTLY)
    assert output.proof == "2 of 3 statements proven, 1 not supported"
    assert output.verdicts == {"verbatim": 1, "supported": 1, "unsupported": 1}
    assert output.proof in output._repr_html_()
    assert TailorOutput(answer="Hm").proof == ""


def test_only_unknown_is_false() -> None:
    assert [bool(answered) for answered in Answered] == [True, True, False]
    assert TailorOutput(answer="", answered=False).model_dump(mode="json")["answered"] == "unknown"
