"""Languages of texts and questions."""

from __future__ import annotations

import pytest

from roma_core.languages import count_words, detect_language, drop_accents, find_script, read_language

SENTENCES = {
    "ar": "ما هي مدة الإجازة السنوية للموظفين؟",
    "de": "Wie viele Urlaubstage stehen mir im Jahr zu?",
    "el": "Πόσες ημέρες άδειας δικαιούμαι;",
    "en": "How many days of leave may I take?",
    "es": "¿Cuántos días de vacaciones me corresponden al año?",
    "fr": "Combien de jours de congés puis-je prendre ?",
    "he": "כמה ימי חופשה מגיעים לי?",
    "hi": "मुझे साल में कितने दिन की छुट्टी मिलती है?",
    "it": "Quanti giorni di ferie mi spettano ogni anno?",
    "ja": "年に何日の休暇が取れますか。",
    "ko": "일 년에 휴가는 며칠입니까?",
    "nl": "Hoeveel vakantiedagen krijg ik per jaar?",
    "pl": "Ile dni urlopu przysługuje mi w ciągu roku?",
    "pt": "Quantos dias de férias posso tirar por ano?",
    "ro": "Câte zile de concediu am pe an?",
    "ru": "Сколько дней отпуска мне положено в год?",
    "th": "ฉันลาพักร้อนได้กี่วันต่อปี",
    "tr": "Yılda kaç gün izin kullanabilirim?",
    "uk": "Скільки днів відпустки мені належить?",
    "vi": "Mỗi năm tôi được nghỉ phép bao nhiêu ngày?",
    "zh": "我每年有几天年假？",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_shows_its_language(language: str) -> None:
    assert detect_language(SENTENCES[language]) == language


@pytest.mark.parametrize(
    "text", ["", "PPR-9087", "0x80070005", "12 + 7", "LanceDB licence", "Retry-After header", "🙂"]
)
def test_codes_and_names_show_none(text: str) -> None:
    assert detect_language(text) == ""


@pytest.mark.parametrize(
    "question",
    ["What was the amount?", "Who is Ludwig van Beethoven?", "What did Paul Baran develop?", "When did Otto die?"],
)
def test_names_of_other_languages_leave_a_question_english(question: str) -> None:
    assert detect_language(question) == "en"


def test_a_script_is_that_of_most_letters() -> None:
    assert find_script("PDF を読む方法") == "Hiragana"
    assert find_script("使用 API") == "Han"
    assert find_script("The word 年 means year") == "Latin"


def test_languages_are_read_by_code_tag_and_name() -> None:
    names = ("de", "German", "pt-BR", "nb", "zh_CN", "xx")
    assert [read_language(name) for name in names] == ["de", "de", "pt", "no", "zh", None]


def test_signs_count_as_half_a_word() -> None:
    assert count_words("我每年有十天年假") == 4
    assert count_words("three plain words") == 3
    assert count_words("") == 0


@pytest.mark.parametrize(
    ("text", "latin", "every"),
    [
        ("Łódź, naïve", "Łodz, naive", "Łodz, naive"),
        ("Афины́ й", "Афины́ й", "Афины и"),
        ("が", "が", "か"),
        ("e\u0301", "e", "e"),
        ("ﬁrst", "ﬁrst", "first"),
        ("김", "김", "김"),
    ],
    ids=["latin", "cyrillic", "kana", "decomposed", "ligature", "hangul"],
)
def test_accents_are_dropped_where_they_make_no_other_letter(text: str, latin: str, every: str) -> None:
    assert drop_accents(text) == latin
    assert drop_accents(text, every_script=True) == every
