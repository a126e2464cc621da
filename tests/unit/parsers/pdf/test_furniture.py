"""Running headers, page numbers and stamps go; what only looks like them stays."""

from __future__ import annotations

from roma_core.parsers.pdf.furniture import remove_furniture
from roma_core.parsers.pdf.page import PageContent, Word
from tests.fixtures.make_lines import PLAIN, page, sized, words

BODY = [(f"sentence {n} of a body that is long enough", 50.0, 200.0 + 14 * n) for n in range(12)]


def texts(content: PageContent) -> str:
    return " ".join(word.text for word in content.words)


def pages(count: int, *rows: tuple[str, float, float]) -> list[PageContent]:
    return [page(n, *((text.format(n=n), x, top) for text, x, top in rows), *BODY) for n in range(1, count + 1)]


def test_lines_that_repeat_at_the_edge_are_named_once():
    found = pages(3, ("Harbour Office", 50, 30), ("Page {n} of 3", 280, 770))
    assert remove_furniture(found) == ["Harbour Office", "Page 1 of 3", "Page 2 of 3", "Page 3 of 3"]
    assert all("Harbour" not in texts(one) and "Page" not in texts(one) for one in found)


def test_lines_in_the_middle_of_the_page_stay():
    found = pages(3, ("Harbour Office", 50, 400))
    assert remove_furniture(found) == [] and "Harbour" in texts(found[0])


def test_titles_with_numbers_of_their_own_stay():
    found = pages(4)
    for one in found:
        one.words += words(f"{one.number} Chapter title", 50, 30, sized(PLAIN, 16.0))
    assert remove_furniture(found) == [] and "title" in texts(found[3])


def test_a_single_page_loses_a_header_beside_its_number():
    found = pages(1, ("Harbour Office", 50, 30), ("12", 540, 30))
    assert remove_furniture(found) == ["Harbour Office", "12"]


def test_a_single_page_loses_a_footer_beside_its_number():
    found = pages(1, ("Harbour Office", 50, 770), ("12", 540, 770))
    assert remove_furniture(found) == ["Harbour Office", "12"]


def test_a_header_without_a_number_or_right_above_the_text_stays():
    assert remove_furniture(pages(1, ("Harbour Office", 50, 30))) == []
    close = page(1, ("Harbour Office", 50, 30), ("12", 540, 30), ("text goes on", 50, 43), *BODY)
    assert remove_furniture([close]) == []


def test_large_type_beside_a_number_is_a_title():
    one = page(1, ("12", 540, 30), *BODY)
    one.words += words("Harbour", 50, 28, sized(PLAIN, 14.0))
    assert "Harbour" not in remove_furniture([one]) and "Harbour" in texts(one)


def test_a_row_of_many_cells_is_no_header():
    row = [(text, 50.0 + 120 * n, 30.0) for n, text in enumerate(["Mill", "Pier", "7", "Quay"])]
    assert remove_furniture([page(1, *row, *BODY)]) == []


def test_a_page_of_nothing_but_furniture_is_kept():
    slides = [page(n, ("Harbour Office", 50, 30), ("All rights", 50, 770)) for n in (1, 2)]
    assert remove_furniture(slides) == [] and texts(slides[0]) == "Harbour Office All rights"
    alone = [page(1, ("Harbour Office", 50, 30), ("12", 540, 30))]
    assert remove_furniture(alone) == [] and texts(alone[0]) == "Harbour Office 12"


def test_blank_pages_are_no_problem():
    assert remove_furniture([PageContent(1, 600, 800), PageContent(2, 600, 800)]) == []


def stamped(number: int, text: str) -> PageContent:
    one = page(number, *BODY)
    one.strays = [Word(part, 10, 10, 40, 20, PLAIN) for part in text.split()]
    return one


def test_stamps_on_many_pages_go_and_single_ones_stay():
    found = [stamped(1, "DRAFT COPY"), stamped(2, "DRAFT COPY"), stamped(3, "Depth in metres"), page(4, *BODY)]
    assert remove_furniture(found) == ["DRAFT COPY"]
    assert [len(one.strays) for one in found] == [0, 0, 3, 0]
    alone = stamped(1, "DRAFT COPY")
    assert remove_furniture([alone]) == [] and len(alone.strays) == 2
