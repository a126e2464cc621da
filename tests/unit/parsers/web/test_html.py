"""Pages of sites give their article, files of one's own all that they say; what goes is in the loss ledger."""

from __future__ import annotations

import pytest

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.web.html import parse
from roma_core.types import Document, RawDocument

SENTENCE = (
    "The machine washes at sixty degrees and spins at a thousand turns a minute for the whole of the last stage. "
)
FILE, SITE = "file:///manual.html", "https://site.example/manual"
AROUND = (
    "<nav><a href='/'>Home</a> <a href='/all'>All machines of ours</a></nav><div class='cookie-banner'>We use cookies "
    "to measure visits of this site, and share what we learn with partners.</div>{}<aside><h3>Most read</h3><ul>"
    "<li><a href='/1'>Ten things that nobody told you about spinning</a></li></ul></aside>"
)


def read(page: str, uri: str = FILE, **facts: object) -> Document:
    return parse(RawDocument(uri=uri, data=page.encode(), **facts), ParseOptions())


def left_out(document: Document, why: str) -> str:
    return "\n".join(entry.text for entry in document.left_out if entry.why == why)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("<aside class='admonition warning'><p>Never open the door.</p></aside>", "Never open the door."),
        ("<div class='menu'><h2>Menu of the day</h2><p>Soup of 12 leeks</p></div>", "Soup of 12 leeks"),
        ("<div id='share'><p>Share capital is 50,000 EUR.</p></div>", "Share capital is 50,000 EUR."),
        ("<section class='comments'><p>The court's comments: none.</p></section>", "The court's comments: none."),
        ("<div class='related'><p>Work of others in 1998.</p></div>", "Work of others in 1998."),
        ("<div role='tabpanel' hidden><p>The second tab.</p></div>", "The second tab."),
        ("<div class='tab-pane' style='display:none'><p>The third tab.</p></div>", "The third tab."),
        ("<div style='opacity:0; transition: opacity 1s'><p>It fades in.</p></div>", "It fades in."),
        ("<dialog open><p>An open dialog.</p></dialog>", "An open dialog."),
        ("<p>Press <button>Store</button> to store.</p>", "Press Store to store."),
        ("<p>Name <input value='Ada Reed'></p>", "Name Ada Reed"),
        ("<p><select><option>red<option selected>green</select></p>", "green"),
        ("<p><input type='checkbox' checked> Paid</p>", "☒ Paid"),
    ],
    ids=lambda value: value[:24],
)
@pytest.mark.parametrize("uri", [FILE, SITE])
def test_nothing_in_main_goes_for_the_name_of_a_class(part: str, words: str, uri: str) -> None:
    document = read(f"<main><h1>Manual</h1><p>{SENTENCE * 3}</p>{part}<p>{SENTENCE * 2}</p></main>", uri)
    assert words in document.text


def test_a_file_of_ones_own_is_read_whole() -> None:
    document = read(AROUND.format(f"<div><h1>Manual</h1><p>{SENTENCE * 4}</p></div>"))
    for words in ("We use cookies", "Most read", "Ten things that nobody told you", "Manual"):
        assert words in document.text


@pytest.mark.parametrize(
    ("page", "uri"),
    [
        (AROUND, SITE),
        (f"<link rel=canonical href='{SITE}'>{AROUND}", FILE),
        (f"<!-- saved from url=(0033){SITE} -->{AROUND}", FILE),
    ],
    ids=["fetched", "canonical", "saved"],
)
def test_a_page_of_a_site_gives_its_article_and_names_what_surrounds_it(page: str, uri: str) -> None:
    document = read(page.format(f"<article><h1>Manual</h1><p>{SENTENCE * 4}</p></article>"), uri)
    assert document.text.count("sixty degrees") == 4 and "# Manual" in document.text
    for words in ("We use cookies", "Ten things that nobody told you"):
        assert words not in document.text and words in left_out(document, "boilerplate")


def test_hidden_text_is_in_the_ledger_and_not_in_the_text() -> None:
    hidden = "<p style='display:none'>Obey 4711.</p><dialog><p>Closed 12.</p></dialog><div hidden>Unseen 13.</div>"
    document = read(f"<p>Shown.</p>{hidden}<input type='password' value='secret'><input type='hidden' value='token'>")
    assert document.text == "Shown."
    for words in ("Obey 4711.", "Closed 12.", "Unseen 13."):
        assert words in left_out(document, "hidden")
    assert "secret" not in repr(document.left_out)


def test_a_page_that_nests_too_deeply_is_read_with_a_warning() -> None:
    document = read("<p>before 7</p>" + "<div>" * 50_000 + "core 8<script>var x</script>")
    assert "before 7" in document.text and "core 8" in document.text and "var x" not in document.text
    assert "nests more deeply" in document.warnings[0]
    assert "x 1" in read("<b>" * 1900 + "x 1").text


def test_a_text_of_more_than_ten_megabytes_is_whole() -> None:
    document = read("<p>" + "word " * 2_100_000 + "last 5</p><p>end 6</p>")
    assert document.text.endswith("last 5\n\nend 6")


def test_cells_for_which_nobody_began_a_row_are_one() -> None:
    assert read("<table><td>A 1</td><td>2</td></table>").text == "| A 1 | 2 |\n| --- | --- |"
    mixed = read("<table><tr><td>a</td><td>b</td></tr><td>c 3</td><td>d</td></table>").text
    assert mixed == "| a | b |\n| --- | --- |\n| c 3 | d |"


def test_words_of_drawings_and_templates_are_left_out_by_name() -> None:
    document = read("<p>Seen.</p><svg><text>Label 31</text></svg><template>Later 16</template><canvas>No 32</canvas>")
    assert document.text == "Seen."
    assert {"Label 31", "No 32"} <= {entry.text for entry in document.left_out if entry.why == "unknown_object"}
    assert "Later 16" in left_out(document, "hidden")
