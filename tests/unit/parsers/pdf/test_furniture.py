"""Running headers, page numbers and stamps go; what only looks like them stays."""

from __future__ import annotations

import pytest

from roma_core.parsers.pdf.furniture import remove_furniture
from roma_core.parsers.pdf.page import PageContent, Word
from tests.fixtures.make_lines import PLAIN, grid_rules, page, sized, words

BODY = [(f"sentence {n} of a body that is long enough", 50.0, 200.0 + 14 * n) for n in range(12)]


def texts(content: PageContent) -> str:
    return " ".join(word.text for word in content.words)


def pages(count: int, *rows: tuple[str, float, float]) -> list[PageContent]:
    return [page(n, *((text.format(n=n), x, top) for text, x, top in rows), *BODY) for n in range(1, count + 1)]


def removed(found: list[PageContent]) -> list[str]:
    return [row.text for row in remove_furniture(found)]


def test_rows_that_repeat_at_the_edge_are_removed_and_named():
    found = pages(3, ("Harbour Office", 50, 30), ("Page {n} of 3", 280, 770))
    rows = remove_furniture(found)
    assert [(row.page, row.text) for row in rows[:3]] == [
        (1, "Harbour Office"),
        (1, "Page 1 of 3"),
        (2, "Harbour Office"),
    ]
    assert all("Harbour" not in texts(one) and "Page" not in texts(one) for one in found)


@pytest.mark.parametrize("number", ["{n}", "- {n} -", "Page {n}", "{n} / 4", "Seite {n} von 4"])
def test_page_numbers_are_removed_however_they_are_written(number):
    assert len(removed(pages(4, (number, 280, 770)))) == 4


def test_page_numbers_that_count_from_elsewhere_are_removed():
    found = [page(n, (f"Harbour Office | {n + 240}", 50, 770), *BODY) for n in (1, 2, 3)]
    assert removed(found) == ["Harbour Office | 241", "Harbour Office | 242", "Harbour Office | 243"]


def test_rows_on_two_pages_stay():
    assert removed(pages(2, ("Harbour Office", 50, 30), ("Page {n} of 2", 280, 770))) == []


def test_rows_on_pages_far_from_one_another_stay():
    found = [page(n, *([("Harbour Office", 50.0, 30.0)] if n in (1, 9, 18) else []), *BODY) for n in range(1, 20)]
    assert removed(found) == []


def test_headers_of_left_and_right_pages_are_removed():
    found = [page(n, (("Harbour Office", "Light Keepers")[n % 2], 50, 30), *BODY) for n in range(1, 7)]
    assert len(removed(found)) == 6


def test_lines_in_the_middle_of_the_page_stay():
    found = pages(3, ("Harbour Office", 50, 400))
    assert removed(found) == [] and "Harbour" in texts(found[0])


@pytest.mark.parametrize(
    "row", ["Certificate number 501{n}", "Lesson {n}", "Total 1{n}00.00", "Chapter {n} of the log"]
)
def test_rows_with_another_number_that_changes_stay(row):
    assert removed(pages(4, (row, 50, 30))) == []


def test_a_row_whose_other_pieces_change_stays_whole():
    found = [page(n, ("Paid", 50, 770), (f"{n * 17}.50", 300, 770), *BODY) for n in range(1, 6)]
    assert removed(found) == []


def test_a_sentence_right_above_the_text_stays():
    found = [
        page(
            n, ("The movie opens with a storm over the harbour and", 50, 60), (f"goes on as {n} told it", 50, 72), *BODY
        )
        for n in range(1, 5)
    ]
    assert removed(found) == []


def test_the_head_of_a_table_that_goes_on_stays():
    head = [("Route", 50.0, 40.0), ("Fare", 200.0, 40.0), ("Season", 300.0, 40.0)]
    found: list[PageContent] = []
    for n in range(1, 5):
        cells = [(text, x, 55.0) for text, x in ((f"Mill{n}", 50.0), (f"{n}.40", 200.0), ("Summer", 300.0))]
        found.append(page(n, *head, *cells, *BODY))
    assert removed(found) == []


def test_a_row_between_drawn_lines_of_a_table_stays():
    found = pages(4, ("Route", 50, 40), ("Fare", 200, 40))
    for one in found:
        one.rules = grid_rules([45.0, 150.0, 300.0], [38.0, 52.0, 300.0])
    assert removed(found) == []


def test_titles_with_numbers_of_their_own_stay():
    found = pages(4)
    for one in found:
        one.words += words(f"{one.number} Chapter title", 50, 30, sized(PLAIN, 16.0))
    assert removed(found) == [] and "title" in texts(found[3])


def test_a_page_of_nothing_but_furniture_is_kept():
    slides = [page(n, ("Harbour Office", 50, 30), ("All rights", 50, 770)) for n in (1, 2, 3)]
    assert removed(slides) == [] and texts(slides[0]) == "Harbour Office All rights"


def test_blank_pages_are_no_problem():
    assert remove_furniture([PageContent(1, 600, 800), PageContent(2, 600, 800)]) == []


def stamped(number: int, text: str) -> PageContent:
    one = page(number, *BODY)
    one.strays = [Word(part, 10, 10, 40, 20, PLAIN) for part in text.split()]
    return one


def test_stamps_on_many_pages_go_and_single_ones_stay():
    found = [stamped(n, "DRAFT COPY") for n in (1, 2, 3)] + [stamped(4, "Depth in metres"), page(5, *BODY)]
    assert removed(found) == ["DRAFT COPY"] * 3
    assert [len(one.strays) for one in found] == [0, 0, 0, 3, 0]
    alone = stamped(1, "DRAFT COPY")
    assert remove_furniture([alone]) == [] and len(alone.strays) == 2
