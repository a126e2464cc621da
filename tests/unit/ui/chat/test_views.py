"""Answers as plain values for the page: badges by verdict, gaps, conflicts, what was taken out, what comes nearest."""

from __future__ import annotations

import json
from typing import Any

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.types import Answered, Chunk, Citation, ScoredChunk, Statement, TailorOutput, Usage
from roma_core.ui.chat.views import view_failure, view_output, web_address

HOSTILE = '<img src=x onerror="alert(1)">'


def citation(marker: int = 1, **fields: Any) -> Citation:
    base = {
        "marker": marker,
        "chunk_id": f"c{marker}",
        "document_id": f"d{marker}",
        "uri": "file:///d.md",
        "title": f"Manual {HOSTILE}",
        "place": "page 7",
        "start": 8,
        "end": 30,
        "quote": "The valve opens at 3 bar.",
        "answer_start": 0,
        "answer_end": 24,
        "verdict": "supported",
    }
    return Citation.model_validate({**base, **fields})


def view(**fields: Any) -> dict[str, Any]:
    base = {"answer": f"The valve opens at 3 bar [1]. {HOSTILE}", "citations": (citation(),), "model": "extractive"}
    return view_output(TailorOutput.model_validate({**base, **fields}))


def html(**fields: Any) -> str:
    return "".join(view(**fields)["blocks"])


def test_a_badge_carries_its_verdict_its_citation_and_the_address_of_its_words() -> None:
    shown = html(citations=(citation(verdict="partial"),))
    assert 'data-verdict="partial"' in shown and 'data-citation="0"' in shown
    assert 'href="/read/d1?start=8&amp;end=30"' in shown and "Source 1: partly supported" in shown


def test_words_of_the_model_stay_text() -> None:
    assert "<img" not in html() and "&lt;img" in html()


def test_signs_that_turn_the_direction_of_words_are_shown_wherever_words_stand() -> None:
    turned = "invoice\u202efdp.exe"
    removed = Statement(start=0, end=0, text=turned, verdict="unsupported")
    shown = view(
        answer=f"{turned} [1]",
        citations=(citation(title=turned, quote=turned),),
        removed=(removed,),
        follow_ups=(f"What is {turned}?",),
    )
    assert "\u202e" not in json.dumps({**shown, "markdown": ""}, ensure_ascii=False)
    assert shown["citations"][0]["title"] == "invoice[U+202E]fdp.exe"


def test_a_statement_without_a_source_is_marked_and_a_proven_one_is_not() -> None:
    text = "The sky is blue. It is."
    bare = Statement(start=0, end=16, verdict="unsupported")
    proven = Statement(start=17, end=23, verdict="supported")
    shown = html(answer=text, citations=(), statements=(bare, proven))
    assert shown.count("roma-gap") == 1
    assert shown.index("roma-gap") < shown.index("It is.")


def test_the_summary_counts_and_says_what_was_taken_out() -> None:
    kept = Statement(start=0, end=28, verdict="supported", markers=(1,))
    gone = Statement(start=0, end=0, verdict="unsupported", text=f"It is green. {HOSTILE}")
    shown = view(statements=(kept,), removed=(gone,))
    assert shown["proof"] == "1 of 2 statements proven, 1 not supported, 1 taken out"
    assert shown["removed"][0]["text"].startswith("It is green.")


def test_sources_that_contradict_each_other_are_named_once() -> None:
    one = citation(1, quote="The limit for hotels is 90 euros in every month of the year.")
    other = citation(2, quote="The limit for hotels is 120 euros in every month of the year.")
    again = citation(1, quote=one.quote, answer_start=40)
    (conflict,) = view(citations=(one, other, again))["conflicts"]
    assert (conflict["kind"], conflict["citations"]) == ("number", [0, 1])
    assert "90" in "".join(conflict["words"][0]) and "120" in "".join(conflict["words"][1])
    assert view(citations=(one, again))["conflicts"] == []


def test_short_statements_disagree_where_the_documents_are_about_one_thing() -> None:
    one = citation(1, title="Valve manual", quote="The valve opens at 3 bar.")
    older = citation(2, title="Valve manual of 1998", quote="The valve opens at 5 bar.")
    other = citation(3, title="Boiler manual", quote="The valve opens at 5 bar.")
    assert len(view(citations=(one, older))["conflicts"]) == 1
    assert view(citations=(one, other))["conflicts"] == [], "another valve"


def test_a_source_stands_once_with_its_places_in_it() -> None:
    first = citation(1, document_id="d", start=0, end=9)
    second = citation(2, document_id="d", start=20, end=30, place="page 9")
    sources = view(citations=(first, second, citation(3)))["sources"]
    assert [source["document"] for source in sources] == ["d", "d3"]
    assert [(place["marker"], place["place"]) for place in sources[0]["places"]] == [(1, "page 7"), (2, "page 9")]


def test_two_quotes_of_one_place_are_one_place_by_its_worst_verdict() -> None:
    quotes = (
        citation(1, start=0, end=9),
        citation(1, start=20, end=30, verdict="unsupported"),
        citation(1, start=0, end=9, verdict="verbatim", answer_start=40),
    )
    (source,) = view(citations=quotes)["sources"]
    (place,) = source["places"]
    assert place["citations"] == [0, 1, 2] and place["verdict"] == "unsupported"
    assert place["words"] == "2 quotes, not supported for 1 of 3 statements"
    assert view(citations=quotes[:1])["sources"][0]["places"][0]["words"] == ""


def test_where_roma_does_not_know_the_nearest_passages_of_several_documents_are_shown() -> None:
    passages = tuple(
        ScoredChunk(
            chunk=Chunk(
                id=str(n), document_id=name, uri=name, title=name, text=f"About {name}. {HOSTILE}", start=n, end=40
            ),
            score=1.0,
            rank=n + 1,
            retriever="t",
        )
        for n, name in enumerate(("one", "one", "two"))
    )
    shown = view(answer="I don't know.", citations=(), answered=Answered.UNKNOWN, passages=passages)
    assert [passage["title"] for passage in shown["nearest"]] == ["one", "two", "one"]
    assert "<img" not in shown["nearest"][0]["html"] and shown["proof"] == ""
    assert view(passages=passages)["nearest"] == []


def test_the_nearest_passage_does_not_say_its_title_twice() -> None:
    held = Chunk(id="c", document_id="d", uri="u", title="Valve", text="# Valve\n\nIt opens.", start=0, end=18)
    passage = ScoredChunk(chunk=held, score=1.0, rank=1, retriever="t")
    (nearest,) = view(answer="I don't know.", answered=Answered.UNKNOWN, citations=(), passages=(passage,))["nearest"]
    assert "Valve" not in nearest["html"] and "It opens." in nearest["html"]


def test_a_fallback_is_told_without_contradiction() -> None:
    away = {"degraded": True, "degraded_reasons": ("llm: fallback: unavailable",)}
    assert "quoted from the sources" in view(**away)["notice"]
    unknown = view(**away, answer="I don't know.", citations=(), answered=Answered.UNKNOWN)
    assert "quoted" not in unknown["notice"] and unknown["footnote"] == ""


def test_the_copy_has_a_line_for_each_source_with_its_words() -> None:
    copied = view(citations=(citation(), citation(2, place="")))["markdown"]
    assert "[1] Manual" in copied and "page 7 (supported): “The valve opens at 3 bar.”" in copied
    assert copied.index("[1] Manual") < copied.index("[2] Manual")


def test_costs_are_beside_the_words_and_not_among_them() -> None:
    shown = view(model="openai:x", usage=Usage(input_tokens=1200, output_tokens=3, cost_usd=None))
    assert shown["footnote"] == "Written by openai:x"
    assert shown["details"] == "1,200 tokens read, 3 written, price unknown"


def test_a_failure_has_its_sentence_and_keeps_its_code_apart() -> None:
    failure = AgentFailure(
        agent="llm", code=ErrorCode.LLM_TIMEOUT, message="It took too long; ask again.", recoverable=True
    )
    shown = view_failure(failure)
    assert shown["message"] == "It took too long; ask again." and shown["can_retry"]
    assert shown["code"] == "ERR_LLM_TIMEOUT"


def test_only_addresses_of_the_web_become_links() -> None:
    assert web_address("https://example.org/a") == "https://example.org/a"
    for uri in ("file:///etc/passwd", "javascript:alert(1)", "gdrive://x", "http://[", "data:text/html,x"):
        assert web_address(uri) == ""
