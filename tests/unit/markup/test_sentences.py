"""The splitter: exact offsets always, sensible units on prose and on Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.markup.sentences import split_sentences


def texts(text: str) -> list[str]:
    return [s.of(text) for s in split_sentences(text)]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(s.kind, s.of(text)) for s in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith met Mr. Jones. They spoke.", ["Dr. Smith met Mr. Jones.", "They spoke."]),
        ("J. R. Ada wrote it. It sold.", ["J. R. Ada wrote it.", "It sold."]),
        ("Use e.g. Redis. It works.", ["Use e.g. Redis.", "It works."]),
        ("It costs 3.50 now. Fine.", ["It costs 3.50 now.", "Fine."]),
        ("Read setup.py first. Then run it.", ["Read setup.py first.", "Then run it."]),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("See No. 5 and Fig. 2. Done.", ["See No. 5 and Fig. 2.", "Done."]),
        ("Known since 1990.[3] It grew.", ["Known since 1990.[3]", "It grew."]),
        ("Well ... maybe not. Yes.", ["Well ... maybe not.", "Yes."]),
        ("**Bold end.** Next one.", ["**Bold end.**", "Next one."]),
        ("東京は首都です。人口は多い。", ["東京は首都です。", "人口は多い。"]),
        ("Zu zahlen bis zum 31. März. Danach nicht.", ["Zu zahlen bis zum 31. März.", "Danach nicht."]),
        ("Im 19. Jahrhundert, am 3. Juni 1854. Später nie.", ["Im 19. Jahrhundert, am 3. Juni 1854.", "Später nie."]),
        ("Er fuhr um 12. Danach schlief er.", ["Er fuhr um 12.", "Danach schlief er."]),
        ("The answer is 7. Junior staff know it.", ["The answer is 7.", "Junior staff know it."]),
        ("1. not a new one", ["not a new one"]),
        ("A line\nthat wraps. And on.", ["A line\nthat wraps.", "And on."]),
        ("First para\n\nSecond para", ["First para", "Second para"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_prose_is_split_where_a_reader_would(text: str, wanted: list[str]) -> None:
    assert texts(text) == wanted


def test_markdown_lines_are_units_of_their_own_and_markup_stays_outside() -> None:
    text = (
        "# The Tool #\n\nIt runs. Fast.\n- first item\n  goes on. Next.\n- [x] done thing\n\n> quoted words.\n\n"
        "| Name | Default |\n|---|:--:|\n| TIMEOUT | 30 |\n\n```bash\nexport A=1\n\nrun it\n```\nAfter.\n\n"
        "[![ci](http://x/y.svg)](http://x)\n\n---\n<br>\n\nSetext\n======\n"
    )
    assert kinds(text) == [
        ("heading", "The Tool"),
        ("paragraph", "It runs."),
        ("paragraph", "Fast."),
        ("list", "first item\n  goes on."),
        ("list", "Next."),
        ("list", "done thing"),
        ("quote", "quoted words."),
        ("table", "Name | Default"),
        ("table", "TIMEOUT | 30"),
        ("code", "export A=1"),
        ("code", "run it"),
        ("paragraph", "After."),
        ("figure", "[![ci](http://x/y.svg)](http://x)"),
        ("figure", "<br>"),
        ("heading", "Setext"),
    ]


def test_an_indented_block_is_code_but_an_indented_continuation_is_not() -> None:
    assert kinds("Run:\n\n    pip install it\n") == [("paragraph", "Run:"), ("code", "pip install it")]
    assert kinds("Some words\n    go on here") == [("paragraph", "Some words\n    go on here")]


def test_a_fence_that_never_closes_is_code_to_the_end() -> None:
    assert kinds("~~~\nx = 1\n# no heading") == [("code", "x = 1"), ("code", "# no heading")]


@given(st.text(alphabet=st.sampled_from("aB 1.!?\n#|-`>*[]()e.g。:~\t"), max_size=120))
def test_sentences_are_ordered_trimmed_and_lose_no_word_of_prose(text: str) -> None:
    found = split_sentences(text)
    end = 0
    for sentence in found:
        quote = sentence.of(text)
        assert end <= sentence.start < sentence.end
        assert quote == quote.strip()
        end = sentence.end


@given(st.lists(st.sampled_from(["Cats sleep.", "It rains!", "Dr. Who left?", "Version 2.0 is out."]), max_size=8))
def test_plain_sentences_come_back_whatever_their_order(parts: list[str]) -> None:
    assert texts(" ".join(parts)) == parts


def test_a_footnote_is_words_without_its_mark_and_the_address_of_a_link_is_none() -> None:
    text = "It was sold.[^1]\n\n[^1]: The buyer was Tarn. He paid in wool.\n[^2]: See the annex.\n[site]: https://a.example"
    found = [(unit.kind, unit.of(text)) for unit in split_sentences(text)]
    assert found == [
        ("paragraph", "It was sold.[^1]"),
        ("list", "The buyer was Tarn."),
        ("list", "He paid in wool."),
        ("list", "See the annex."),
        ("figure", "[site]: https://a.example"),
    ]


def test_sentences_end_by_the_marks_of_their_script() -> None:
    texts = {
        "यह पहला वाक्य है। यह दूसरा है।": 2,
        "ما هذا؟ هذا كتاب.": 2,
        "یہ پہلا جملہ ہے۔ یہ دوسرا ہے۔": 2,
        "วันลาพักร้อนประจำปีคือยี่สิบวันสำหรับพนักงานทุกคน และยกไปปีหน้าได้ไม่เกินห้าวัน": 1,
        "วันลาพักร้อนประจำปีคือยี่สิบวันสำหรับพนักงานทุกคน และยกไปปีหน้าได้ไม่เกินห้าวัน " * 4: 2,
        "วันลา พักร้อน": 1,
    }
    for text, count in texts.items():
        assert len(split_sentences(text)) == count, text
