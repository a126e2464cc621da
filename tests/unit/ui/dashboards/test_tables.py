"""HTML of the dashboards holds words of others as text."""

from __future__ import annotations

from roma_core.types import Citation
from roma_core.ui.dashboards import tables

ATTACK = "<img src=x onerror=alert(1)>"


def make_citation(**fields: object) -> Citation:
    given: dict[str, object] = {
        "marker": 1, "chunk_id": "c", "document_id": "d\"'1", "uri": "u", "title": ATTACK, "place": ATTACK,
        "start": 3, "end": 9, "quote": ATTACK, "answer_start": 0, "answer_end": 1, "verdict": "contradicted",
        **fields,
    }  # fmt: skip
    return Citation(**given)  # type: ignore[arg-type]


def test_words_of_others_are_text_everywhere() -> None:
    parts = [
        tables.render_cards([(ATTACK, ATTACK, ATTACK)]),
        tables.render_table((ATTACK, "#n"), [(ATTACK, 1)], ATTACK),
        tables.heading(ATTACK),
        tables.paragraph(ATTACK),
        tables.hint(f"{ATTACK} `{ATTACK}`"),
        tables.link(ATTACK, {"a": ATTACK}),
        tables.render_citations([make_citation()], "/read/"),
    ]
    html = "".join(parts)
    assert "<img" not in html
    assert html.count("&lt;img") >= 12


def test_a_table_scrolls_within_itself_and_marks_numbers() -> None:
    html = tables.render_table(("Name", "#Cases", "!Made"), [("a", 3, "now")], "Runs")
    assert 'role="region" tabindex="0" aria-label="Runs"' in html
    assert '<th scope="col" class="number">Cases</th>' in html
    assert '<td class="number">3</td><td class="short">now</td>' in html


def test_a_link_keeps_the_filters_that_have_a_value() -> None:
    assert tables.link("x", {"a": "1 2", "b": ""}) == '<a href="?a=1+2">x</a>'


def test_citations_lead_to_the_reader_where_there_is_one() -> None:
    assert "<a" not in tables.render_citations([make_citation()])
    html = tables.render_citations([make_citation(document_id="d1")], "/read/")
    assert 'href="/read/d1?start=3&end=9"' in html.replace("&amp;", "&")
    assert 'data-verdict="contradicted"' in html and "\u2717" in html
