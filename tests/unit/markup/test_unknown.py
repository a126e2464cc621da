"""Answers that say that they do not know, in any language."""

from __future__ import annotations

import pytest

from roma_core.markup import says_unknown


@pytest.mark.parametrize(
    "answer",
    [
        "I do not know.",
        "Das weiß ich nicht.",
        "Es tut mir leid, ich weiß es nicht.",
        "Je ne sais pas.",
        "Lo siento, no lo sé.",
        "Non lo so.",
        "Não sei.",
        "Ik weet het niet.",
        "Nie wiem.",
        "Bilmiyorum.",
        "К сожалению, я не знаю.",
        "Δεν γνωρίζω.",
        "عذرًا، لا أعرف.",
        "मुझे नहीं पता।",
        "抱歉，我不知道。",
        "申し訳ありませんが、わかりません。",
        "죄송하지만 잘 모르겠습니다.",
        "ขออภัย ไม่ทราบ",
        "Tôi không biết.",
    ],
)
def test_not_knowing_is_recognised(answer: str) -> None:
    assert says_unknown(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Non solo il ponte, anche la torre.",
        "No separate rule exists.",
        "Der Urlaub beträgt 30 Tage. Mehr weiß ich nicht.",
        "年假为二十天。",
        "Не знаменитый мост, а тоннель.",
        "Je ne sais pas. " + "Mais la note dit que " * 20,
        "",
    ],
)
def test_an_answer_is_not_taken_for_it(answer: str) -> None:
    assert not says_unknown(answer)
