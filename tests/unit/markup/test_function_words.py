"""Small words of questions, by language."""

from __future__ import annotations

import pytest

from roma_core.languages import LANGUAGE_NAMES
from roma_core.markup.function_words import FUNCTION_WORDS, drop_function_words


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("Wie viele Urlaubstage stehen den Angestellten zu?", "Urlaubstage stehen Angestellten"),
        ("¿Cuándo abre la biblioteca?", "abre biblioteca"),
        ("Когда был построен мост?", "построен мост"),
        ("年假是几天？", "年假 天？"),
        ("What is the rule?", "rule"),
        ("Was ist das?", "Was ist das"),
    ],
)
def test_what_a_question_is_about_is_left(question: str, kept: str) -> None:
    assert drop_function_words(question).rstrip("?") == kept.rstrip("?")


def test_a_question_of_small_words_alone_stays_whole() -> None:
    assert drop_function_words("Wo wird das von wem und wann und wie?") == "Wo wird das von wem und wann und wie?"


def test_each_language_is_known() -> None:
    assert FUNCTION_WORDS.keys() <= LANGUAGE_NAMES.keys()
    assert all(word == word.casefold() for words in FUNCTION_WORDS.values() for word in words)
