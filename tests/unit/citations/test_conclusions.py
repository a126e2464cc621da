"""What follows from a sentence in other words, and what does not."""

from __future__ import annotations

import pytest

from roma_core.citations.conclusions import conclude_list, draw_conclusions, list_borders
from roma_core.citations.phrases import read_phrases
from roma_core.citations.words import read_words


def conclusions_of(sentence: str) -> list[str]:
    return [" ".join(word.text for word in words) for words in draw_conclusions(read_phrases(read_words(sentence)))]


@pytest.mark.parametrize(
    ("sentence", "conclusion"),
    [
        ("Ann sold the mill to Tom in May.", "Tom bought from Ann the mill in May"),
        ("Ann bought the mill from Tom in May.", "Tom sold the mill to Ann in May"),
        ("The mill was sold to Tom by Ann.", "Tom bought The mill"),
        ("Orr lent Lund a boat.", "Lund received a loan of a boat from Orr"),
        ("Orr defeated Lund on Sunday.", "Lund lost to Orr on Sunday"),
        ("Orr lost 2 to Lund.", "Lund beat Orr 2"),
        ("Ann preceded Tom as mayor.", "Tom was the successor of Ann as mayor"),
        ("Tom owns the mill.", "the mill belong to Tom"),
        ("The mill belongs to Tom.", "Tom own The mill"),
        ("Ann married Tom in Graz.", "Tom married Ann in Graz"),
        ("Ann is the mother of the painter Tom.", "Tom is the child of Ann"),
        ("Ann's approval of the plan came in May.", "the plan was approved by Ann's in May"),
        ("Of the 90 seats, 30 are sold.", "30 Of the 90 seats are sold"),
        ("The fee rose from 4 in 2019 to 8 in 2022.", "The fee rose from 4 to 8 2019 to 2022"),
        ("Do not enter if it rains or is dark.", "Do not enter if it is dark"),
        ("Do not take more than 6 pills a day.", "You can take at most 6 pills a day".replace("You", "you")),
        ("Fishing eel is forbidden here.", "you may not Fishing eel here"),
        ("Parking is permitted here.", "you can Parking here"),
        ("The bar closes at six.", "The bar is open until six"),
        ("The chapel seats 120.", "The chapel has 120 seats"),
        ("Side effects are pain and fever.", "Side effects include pain and fever"),
        ("Unless Tom pays, the door will not open.", "the door will open only if Tom pays"),
        ("The door does not open unless it is paid.", "The door does not open if it is not paid"),
    ],
)
def test_a_sentence_says_it_in_other_words(sentence: str, conclusion: str) -> None:
    assert conclusion in conclusions_of(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Ann did not sell the mill to Tom.",
        "Ann planned to sell the mill to Tom.",
        "Kern said Ann sold the mill to Tom.",
        "Ann, who sold the mill to Tom.",
        "Ann sold the mill.",
        "Ann taught chemistry in Graz.",
        "The sale of the mill was averted in May.",
        "The approval of the plan is expected in May.",
        "Unless it is not paid, it is sent.",
        "Unless paid.",
        "Of the 90 seats some are sold.",
    ],
)
def test_of_what_is_denied_planned_or_reported_nothing_follows(sentence: str) -> None:
    assert conclusions_of(sentence) == []


def test_a_list_is_counted_once_and_whole() -> None:
    assert len(list_borders(read_words("a map, a pen and a cup"))) == 3
    assert list_borders(read_words("a map and a pen")) == ()
    assert list_borders(read_words("a map, a pen and a cup and a hat")) == ()
    assert "The bag holds #3 items" in conclusions_of("The bag holds a map, a pen and a cup.")
    assert not any("#3" in told for told in conclusions_of("The bag does not hold a map, a pen and a cup."))


@pytest.mark.parametrize(
    ("intro", "conclusion"),
    [
        ("The jury has the following members", "The jury has #2 members"),
        ("Members of the jury", "Ann Lee is the chair of the jury"),
        ("The bag holds", "The bag holds #2 items"),
    ],
)
def test_a_list_says_what_its_introduction_says_of_it(intro: str, conclusion: str) -> None:
    items = [read_words("Ann Lee (chair)"), read_words("Tom Orr")]
    assert conclusion in [" ".join(word.text for word in told) for told in conclude_list(read_words(intro), items)]


def test_a_list_without_an_introduction_of_it_says_nothing() -> None:
    assert list(conclude_list(read_words("Nobody of the jury"), [read_words("Ann")])) == []
    assert list(conclude_list(read_words("Note"), [read_words("Ann")])) == []
    assert list(conclude_list(read_words("The jury met"), ())) == []
    assert list(conclude_list((), [read_words("Ann")])) == []
