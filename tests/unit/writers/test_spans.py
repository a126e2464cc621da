"""Quotes in languages on which the ranker was not measured."""

from __future__ import annotations

import pytest

from roma_core.chunking import chunk
from roma_core.llm.base import I_DONT_KNOW
from roma_core.types import Document, ScoredChunk
from roma_core.writers.extractive import ExtractiveWriter, QuotedAnswer


class EnglishRanker:
    """A ranker that was measured on English, and scores everything alike."""

    name = "ms-marco-MiniLM-L-12-v2"

    async def scores(self, question: str, texts: list[str]) -> list[float]:
        return [8.0] * len(texts)


def passages(*texts: str) -> list[ScoredChunk]:
    found: list[ScoredChunk] = []
    for number, text in enumerate(texts, start=1):
        uri = f"file:///{number}.txt"
        document = Document(
            id=Document.id_for(uri), uri=uri, title="", text=text, content_sha256=str(number), parser="text/1"
        )
        [whole] = chunk(document, lambda words: len(words) // 4, 1000)
        found.append(ScoredChunk(chunk=whole, score=1 / number, rank=number, retriever="hybrid"))
    return found


async def ask(question: str, *texts: str) -> QuotedAnswer:
    return await ExtractiveWriter(EnglishRanker()).answer(question, passages(*texts))


HANDBOOKS = {
    "German": (
        "Wie viele Urlaubstage stehen den Angestellten zu?",
        "Die Kantine öffnet um elf Uhr. Den Angestellten stehen dreißig Urlaubstage im Jahr zu. Parken kostet nichts.",
        "dreißig",
    ),
    "Chinese": ("员工每年有几天年假？", "食堂十一点开门。员工每年有二十天年假。停车是免费的。", "二十天年假"),
    "Japanese": (
        "年次有給休暇は何日ですか。",
        "食堂は十一時に開きます。年次有給休暇は二十日です。駐車は無料です。",
        "二十日",
    ),
    "Hindi": (
        "कर्मचारियों को साल में कितने दिन की छुट्टी मिलती है?",
        "कैंटीन ग्यारह बजे खुलती है। कर्मचारियों को साल में बीस दिन की छुट्टी मिलती है। पार्किंग मुफ़्त है।",
        "बीस",
    ),
    "Arabic": (
        "كم يوما إجازة سنوية يحصل عليها الموظف؟",
        "يفتح المطعم في الحادية عشرة. يحصل الموظف على عشرين يوما إجازة سنوية. وقوف السيارات مجاني.",
        "عشرين",
    ),
}


@pytest.mark.parametrize("language", HANDBOOKS)
async def test_the_sentence_that_answers_is_quoted_and_the_remark_says_how(language: str) -> None:
    question, text, answer = HANDBOOKS[language]
    quoted = await ask(question, text)
    assert answer in "".join(quoted.pieces)
    assert f"was not measured on {language}" in quoted.remark


async def test_small_words_of_a_question_are_not_missed() -> None:
    text = "Der Beitrag ist bis zum 31. März zu zahlen. Die Höhe der Hecken darf 1,25 Meter nicht überschreiten."
    assert (await ask("Wie hoch darf eine Hecke sein?", text)).pieces[0].startswith("Die Höhe der Hecken")
    quoted = await ask("Bis wann ist der Beitrag zu zahlen?", text)
    assert "".join(quoted.pieces).startswith("Der Beitrag ist bis zum 31. März zu zahlen. [1]")


async def test_a_refusal_names_no_small_word_as_missing() -> None:
    refused = "".join((await ask("Wer ist der Vorsitzende des Vereins?", "Die Kantine öffnet um elf Uhr.")).pieces)
    assert "“Vorsitzende”" in refused
    assert "“wer”" not in refused.casefold()


async def test_what_shares_too_little_is_refused() -> None:
    refused = await ask("Wer genehmigt Dienstreisen ins Ausland?", HANDBOOKS["German"][1])
    assert refused.pieces[0] == I_DONT_KNOW
    assert "below 30%" in refused.remark


async def test_a_passage_in_another_script_is_no_answer() -> None:
    refused = await ask("ลาพักร้อนได้กี่วันต่อปี", "연차 휴가는 이십일입니다. 식당은 열한 시에 엽니다.")
    assert refused.pieces[0] == I_DONT_KNOW


async def test_the_ranker_reads_no_passage_in_a_language_that_it_does_not_know() -> None:
    quoted = await ask("How long is the leave?", "The leave is thirty days long.", HANDBOOKS["German"][1])
    assert "".join(quoted.pieces) == "The leave is thirty days long. [1]"
    assert "not measured" not in quoted.remark


THAI = (
    "พนักงานประจำทุกคนที่ทำงานครบหนึ่งปีมีสิทธิลาพักร้อนโดยได้รับค่าจ้าง และต้องแจ้งหัวหน้างานก่อนลาอย่างน้อยเจ็ดวัน "
    "โดยสามารถลาได้ปีละยี่สิบวันทำการ ไม่รวมวันหยุดนักขัตฤกษ์ของบริษัท"
)


async def test_a_thai_question_is_answered_by_a_sentence_and_not_by_a_clause_of_it() -> None:
    answer = await ask("พนักงานมีสิทธิลาพักร้อนได้ปีละกี่วัน", THAI)
    assert "ยี่สิบวันทำการ" in "".join(answer.pieces)


async def test_letters_that_every_thai_text_has_do_not_answer() -> None:
    answer = await ask("ใครเป็นผู้ออกแบบสะพานข้ามแม่น้ำ", THAI)
    assert answer.pieces[0].startswith(I_DONT_KNOW)


async def test_a_compound_holds_its_last_word() -> None:
    text = "Die Kantine öffnet um elf Uhr. Je Haushalt werden zwei Ausweise ausgestellt."
    assert "zwei Ausweise" in "".join((await ask("Wie viele Parkausweise bekommt ein Haushalt?", text)).pieces)


async def test_an_english_passage_behind_a_foreign_one_answers_an_english_question() -> None:
    quoted = await ask("Who is the head of sales?", HANDBOOKS["German"][1], "Mia Holt is the head of sales.")
    assert "".join(quoted.pieces) == "Mia Holt is the head of sales. [2]"
    assert "not measured" not in quoted.remark


FAQ = (
    "**¿Se admiten perros?**\nNo.\n\n**¿Cuánto cuesta la matrícula?**\n40 euros, una sola vez.\n\n"
    "**¿Hay taquillas para la ropa?**\nSí. Traiga su propio candado."
)


async def test_a_word_is_quoted_behind_the_question_that_it_answers() -> None:
    answer = "".join((await ask("¿Puedo entrar con perros?", FAQ)).pieces)
    assert answer == "**¿Se admiten perros?** [1] No. [1]"


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        (
            "Was kostet der Eintritt?",
            "Vor dem Eintritt in das Becken ist zu duschen. Der Eintritt am Abend: 4 Euro für alle.",
            "Der Eintritt am Abend: 4 Euro",
        ),
        (
            "Wie hoch ist der Mitgliedsbeitrag?",
            "Jedes Mitglied hat eine Stimme. Der Jahresbeitrag beträgt 48 Euro.",
            "Der Jahresbeitrag beträgt 48 Euro.",
        ),
        (
            "puis-je annuler ?",
            "Le chien est accepté au gîte. Annulation gratuite jusqu'à trente jours avant la date.",
            "Annulation gratuite",
        ),
        (
            "a que hora puedo entrar el sabado",
            "Entre las doce y las ocho no se circula. Los sábados la entrada es a partir de las 14:00.",
            "Los sábados la entrada es a partir de las 14:00.",
        ),
    ],
    ids=["price", "compounds that end alike", "derived word", "no accents"],
)
async def test_the_sentence_with_the_value_that_is_asked_answers(question: str, text: str, answer: str) -> None:
    assert answer in "".join((await ask(question, text)).pieces).split(" [1]")[0]


async def test_a_number_that_no_sentence_states_is_refused() -> None:
    refused = await ask("Wie hoch ist die Miete?", "Bei Verlust zahlt der Mieter die Schlösser. Die Haustür ist zu.")
    assert refused.pieces[0] == I_DONT_KNOW


async def test_a_passage_of_names_behind_one_in_another_language_is_not_read() -> None:
    names = "Rams (NFL), Lakers (NBA), Dodgers (MLB), Kings (NHL), Galaxy (MLS)."
    quoted = await ask("How long is the leave?", HANDBOOKS["German"][1], names)
    assert quoted.pieces[0] == I_DONT_KNOW
    assert "not measured on German" in quoted.remark


SAUNA = "Preise der Sauna\n\nStand: 4.2.2025\n\nDer Eintritt in die Sauna kostet 11 €. Handtücher sind mitzubringen."
SAUNA_NEU = "Sauna: was sich ändert\n\nStand: 9. Januar 2026\n\nAb Februar kostet der Eintritt in die Sauna 13 €."
MUSEUM = "Das Moormuseum\n\nDer Eintritt kostet 6 €. Hunde müssen draußen bleiben."


async def test_sources_that_disagree_are_named_the_newest_first() -> None:
    answer = "".join((await ask("Was kostet der Eintritt in die Sauna?", SAUNA, SAUNA_NEU, MUSEUM)).pieces)
    assert answer.startswith("The sources disagree on the number, the newest first:")
    assert answer.index("13 €") < answer.index("11 €")
    assert "2026-01-09" in answer and "2025-02-04" in answer
    assert "6 €" not in answer


async def test_a_line_that_only_dates_a_text_answers_nothing() -> None:
    answer = "".join((await ask("Bis wann ist die Sauna offen?", SAUNA, "Die Sauna ist offen bis 22 Uhr.")).pieces)
    assert "22 Uhr" in answer and "Stand" not in answer


@pytest.mark.parametrize(
    ("question", "text", "answer", "reading"),
    [
        ("horaires d'arosage ?", "L'arrosage est permis avant 9 heures. Le bar ouvre à midi.", "9 heures", "arrosage"),
        ("¿Hay aparcamento?", "El aparcamiento está detrás. El bar abre a las diez.", "detrás", "aparcamiento"),
        ("Wo ist der Schlitenverlaih?", "Der Schlittenverleih steht am Hang. Die Bar ist zu.", "", ""),
    ],
)
async def test_a_word_that_is_one_letter_off_is_read_as_the_sources_spell_it(
    question: str, text: str, answer: str, reading: str
) -> None:
    given = await ask(question, text)
    assert answer in "".join(given.pieces)
    assert ("read as" in given.remark) is bool(reading) and reading in given.remark


async def test_a_title_alone_does_not_answer() -> None:
    uri = "file:///termine.md"
    text = "Am 7. März ist Tag der offenen Tür. Am 4. Juli ist Sommerfest im Park."
    document = Document(
        id=Document.id_for(uri), uri=uri, title="Termine der Klinik", text=text, content_sha256="1", parser="text/1"
    )
    [whole] = chunk(document, lambda words: len(words) // 4, 1000)
    found = [ScoredChunk(chunk=whole, score=1.0, rank=1, retriever="hybrid")]
    writer = ExtractiveWriter(EnglishRanker())
    assert (await writer.answer("Gibt es Fernseher in der Klinik?", found)).is_refusal
    assert not (await writer.answer("Wann ist das Sommerfest der Klinik?", found)).is_refusal


PRICES = """| Modell | Holz | Gewicht (kg) | Preis (€) |
|---|---|---|---|
| Tisch Alva | Eiche | 62 | {price} |
| Bett | Buche | 83 | 1280 |
"""


@pytest.mark.parametrize(("price", "disagree"), [("1490", True), ("1590", False)])
async def test_a_row_is_contradicted_by_a_sentence_that_has_all_words_of_the_question(
    price: str, *, disagree: bool
) -> None:
    texts = (PRICES.format(price=price), "Ab September kostet der Tisch Alva in Eiche 1.590 Euro. Das Bett bleibt.")
    found = passages(*texts)
    documents = [
        Document(id=held.chunk.document_id, uri=held.chunk.uri, title="", text=text, content_sha256="", parser="text/1")
        for held, text in zip(found, texts, strict=True)
    ]
    answer = await ExtractiveWriter(EnglishRanker()).answer("Was kostet der Tisch Alva in Eiche?", found, documents)
    text = "".join(answer.pieces)
    assert ("disagree" in text) is disagree
    assert ("1.590 Euro" in text) is disagree
    assert f"| Tisch Alva | Eiche | 62 | {price} [1] |" in text
