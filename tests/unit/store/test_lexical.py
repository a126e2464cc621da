"""Words of a lexical search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.store.lexical import add_word_parts, expand_versions, find_missing_words, is_within_one_edit


@pytest.mark.parametrize(
    ("question", "expanded"),
    [
        ("what is new in 2.4.0?", "what is new in 2.4.0? v2.4.0"),
        ("v1.2 or V1.2?", "v1.2 or V1.2? 1.2"),
        ("3 of 14", "3 of 14"),
        ("part X-200.1", "part X-200.1"),
    ],
)
def test_a_version_is_asked_for_in_both_spellings(question: str, expanded: str) -> None:
    assert expand_versions(question) == expanded


@pytest.mark.parametrize(
    ("question", "texts", "missing"),
    [
        ("anual leeve days", ["The annual leave is 20 days."], ["anual", "leeve"]),
        ("retries of calls", ["Each call is retried."], []),
        ("PPR-9087 is lost", ["nothing"], ["lost"]),
        ("what were they", ["nothing"], []),
        ("年假 是多少", [], []),
    ],
)
def test_words_that_nothing_holds_are_named(question: str, texts: list[str], missing: list[str]) -> None:
    assert find_missing_words(question, texts) == missing


@pytest.mark.parametrize("other", ["annual", "anal", "anuak", "aunal", "anual"])
def test_one_edit_is_near(other: str) -> None:
    assert is_within_one_edit("anual", other) and is_within_one_edit(other, "anual")


@pytest.mark.parametrize("other", ["annually", "manuals", "casual", "anuul ", "nu"])
def test_two_edits_are_not(other: str) -> None:
    assert not is_within_one_edit("anual", other)


@given(st.text(min_size=1), st.data())
def test_any_single_edit_is_within_one(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word)))
    letter = data.draw(st.characters())
    assert is_within_one_edit(word, word[:at] + letter + word[at:])
    assert is_within_one_edit(word, word[:at] + word[at + 1 :])
    assert is_within_one_edit(word, word[:at] + letter + word[at + 1 :])


@pytest.mark.parametrize(
    ("text", "searched"),
    [
        ("set user_name now", "set user_name now user name"),
        ("read file.txt, v2.4.0 and e.g. 3.14", "read file.txt, v2.4.0 and e.g. 3.14 file txt, e g "),
        ("plain words. And more", "plain words. And more"),
    ],
)
def test_a_joined_word_is_also_searched_by_its_parts(text: str, searched: str) -> None:
    assert add_word_parts(text) == searched
