"""Facts are found whatever the spelling, and only where they are stated."""

from __future__ import annotations

import pytest

from roma_core.evals.golden.dataset import Nugget
from roma_core.evals.measures.nuggets import mentions, states


@pytest.mark.parametrize(
    ("said", "fact", "holds"),
    [
        ("It is `MLFLOW_DISABLE_TELEMETRY`.", "MLFLOW_DISABLE_TELEMETRY", True),
        ("About 10,000 rows", "10000", True),
        ("About 10000 rows", "10,000", True),
        ("python3.9 or newer", "3.9", True),
        ("version 13.9", "3.9", False),
        ("RED cars", "red", True),
        ("bored", "red", False),
        ("ﬁle size", "file size", True),
        ("not **at all** there", "not at all", True),
        ("1.5 times", "1,5", True),
        ("", "red", False),
    ],
)
def test_facts_are_found_as_whole_words_whatever_the_markup(said: str, fact: str, holds: bool) -> None:
    assert states(said, Nugget(fact=fact)) is holds


@pytest.mark.parametrize(
    "answer",
    [
        "It is false that the door is red.",
        "The door is not red.",
        "The door isn't red.",
        "The door was never red.",
        "That the door is red is false.",
        "It is not true that the door is red.",
        "No door of the house is red.",
        "Die Tür ist nicht red.",
    ],
)
def test_a_fact_that_is_denied_is_not_stated(answer: str) -> None:
    assert not states(answer, Nugget(fact="red"))
    assert states(f"{answer} The roof is red.", Nugget(fact="red")), "it is stated elsewhere"


@pytest.mark.parametrize(
    "answer",
    [
        "The door is not blue but red.",
        "No, it is red.",
        "It is not only red.",
        "It does not rust and is red.",
        "It is never red unless painted; it is red.",
        "It is not blue. It is red.",
        "It costs no more than red paint.",
    ],
)
def test_a_negation_of_something_else_denies_nothing(answer: str) -> None:
    assert states(answer, Nugget(fact="red"))


def test_a_fact_that_is_a_denial_is_stated_by_it() -> None:
    assert states("It is not supported.", Nugget(fact="not supported"))
    assert not states("It is supported.", Nugget(fact="not supported"))


@pytest.mark.parametrize(
    ("answer", "fact"), [("首都は東京ではない", "東京"), ("首都不是北京", "北京"), ("수도는 서울이 아니다", "서울")]
)
def test_denials_are_read_in_other_scripts(answer: str, fact: str) -> None:
    assert not states(answer, Nugget(fact=fact))


@pytest.mark.parametrize(
    ("answer", "fact", "holds"),
    [
        ("It cannot be delivered before 20 June.", "20 June", True),
        ("It is not later than the 5 May.", "5 May", True),
        ("They may not exceed 3 metres.", "3 metres", True),
        ("Nicht vor dem 20. Juni.", "20. Juni", True),
        ("It was not 20 June.", "20 June", False),
        ("It is not under warranty.", "warranty", False),
        ("He is no longer the chair.", "the chair", False),
        ("It is false that it comes before 20 June.", "20 June", False),
    ],
)
def test_a_negated_bound_states_its_amount(answer: str, fact: str, holds: bool) -> None:
    assert states(answer, Nugget(fact=fact)) is holds


def test_a_fact_that_is_denied_is_mentioned_all_the_same() -> None:
    assert mentions("It was not 20 June.", Nugget(fact="20 June"))
    assert not mentions("It was in May.", Nugget(fact="20 June"))


PAIRS = {
    "numbers": """
The fee is 1,200.50 euros. | 1200.5 | yes
It costs 1200.00 euros. | 1200 | yes
It weighs .5 kg. | 0.5 kg | yes
Der Etat beträgt 4,75 Mio. Euro. | 4,750,000 € | yes
A budget of $5 million. | 5 million dollars | yes
Cuesta tres millones de euros. | 3,000,000 euros | yes
There are 25k users. | 25,000 users | yes
About 3 billion people. | 3 million | no
There are 3 million. | 3 | no
It has seventy-two members. | 72 | yes
Er hat zweiundsiebzig Mitglieder. | 72 | yes
It has three hundred seats. | 300 seats | yes
They need one copy. | 1 copy | yes
One should not. | 1 | no
It is on the first floor. | 1st floor | yes
It is the 2nd edition. | second edition | yes
It is room 101B. | 101 | no
It was in the 1990s. | 1990 | no
It runs Python 3.11+. | 3.11 | yes
It is minus 12 degrees. | -12 degrees | yes
Take 7 minus 5. | -5 | no
٥٠ يورو | 50 | yes
It is 12.5 percentage points. | 12.5 % | no
It is 12.5 per cent. | 12.5 % | yes
It is 41 per cent. | 41 | yes
""",
    "dates": """
It was on 5 March 2024. | March 2024 | yes
It was on 2024-03-05. | 5 March | yes
It was on 5 March 2024. | 2024 | yes
It was in March 2024. | 5 March 2024 | no
It was on 5 March. | 5 March 2024 | no
It was on March 5. | 5 March | yes
It was on 5 March 2024. | 6 March | no
It was in 2024-03. | March 2024 | yes
Le 1er mars 2021. | 2021-03-01 | yes
Am 05.03.24. | 2024-03-05 | yes
2021年1月3日です | 3 January 2021 | yes
2021년 1월 3일 | 3 January 2021 | yes
On the seventh of November. | 7 November | yes
Rule 3 may apply. | rule 3 | yes
""",
    "times": """
It opens at 5:30 pm. | 17:30 | yes
It opens at 5 p.m. | 17:00 | yes
Um 17.30 Uhr. | 5:30 pm | yes
Il ouvre à 8h30. | 8:30 | yes
It is open from 9 am. | 9 | yes
It opens at 2 am. | 14:00 | no
It opens at 14:05. | 14:50 | no
It leaves at 06:40 in summer. | 06:40 | yes
""",
    "units": """
It holds 250 MB. | 250 megabytes | yes
It holds 250 GB. | 250 megabytes | no
It needs 10 kW. | 10 kilowatts | yes
It needs 10 kWh. | 10 kW | no
It covers 100 m². | 100 square metres | yes
It covers 100 m³. | 100 m² | no
It drives 60 km/h. | 60 kilometres per hour | yes
It does 12 m/s. | 12 metres per second | yes
A 14-day period. | 14 days | yes
Nach 2 Jahren. | 2 years | yes
It is 12 degrees Celsius. | 12 °C | yes
It is 12 °F. | 12 °C | no
After a 30 second delay. | 30 seconds | yes
It costs 3.50 €. | 3.5 euros | yes
It is version 3.50. | 3.5 | no
It is 1.250 kg. | 1.25 kg | yes
""",
    "words": """
The Naïve approach | naive | yes
In Sao Paulo | São Paulo | yes
An e-mail address | email address | yes
It is non-refundable. | refundable | no
In the U.S. today | US | yes
""",
    "denials": """
Is it red? No. | red | no
Is it red? Yes. | red | yes
It is wrong to call it red. | red | no
It was rejected that the door is red. | red | no
The request for 5 days was rejected. | 5 days | yes
The claim that it is red is a myth. | red | no
There is no doubt that it is red. | red | yes
It is anything but red. | red | no
It used to be red but is now blue. | red | no
It is blue rather than red. | red | no
It has 3.3 volts instead of 3.1. | 3.1 | yes
Nobody knows whether it is red. | red | no
La porte n'est plus rouge. | rouge | no
Elle n'est pas rouge mais bleue. | bleue | yes
No es roja, sino azul. | azul | yes
Non è rosso. | rosso | no
Она не красная. | красная | no
A porta não é vermelha. | vermelha | no
De deur is niet rood. | rood | no
Kapı kırmızı değil. | kırmızı | no
ドアは赤くない | 赤 | no
문은 빨간색이 아닙니다 | 빨간색 | no
ประตูไม่ใช่สีแดง | สีแดง | no
不是青色而是红色 | 红色 | yes
الباب ليس أحمر | أحمر | no
""",
}


@pytest.mark.parametrize("kind", PAIRS)
def test_what_an_answer_states_is_read_by_value(kind: str) -> None:
    lines = [[part.strip() for part in line.split("|")] for line in PAIRS[kind].strip().splitlines()]
    assert [line for line in lines if states(line[0], Nugget(fact=line[1])) is not (line[2] == "yes")] == []
