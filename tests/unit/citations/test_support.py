"""The lexical check: what is verbatim, supported, partial and not, and which words are quoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.citations.support import support, words

PASSAGE = (
    "The observatory at Hollin opened in 1931. Its telescope has a mirror of 1,200 mm and weighs 3.5 tonnes.\n\n"
    "It is not open on Mondays. Visitors pay 12 euros, children half."
)


@pytest.mark.parametrize(
    ("claim", "verdict", "quote"),
    [
        ("The observatory at Hollin opened in 1931", "verbatim", "The observatory at Hollin opened in 1931."),
        ("the  *observatory*\nat Hollin opened in 1931!", "verbatim", "The observatory at Hollin opened in 1931."),
        ("opened in 1931", "verbatim", "opened in 1931."),
        ("Hollin's observatory was opened in 1931", "supported", "The observatory at Hollin opened in 1931."),
        ("The telescope weighs 3.5 tonnes", "supported", None),
        ("The mirror of the telescope has 1200 mm", "supported", None),
        ("Visitors pay 12 €", "supported", None),
        ("Visitors pay twelve euros", "supported", None),
        ("The observatory at Hollin opened in 1932", "unsupported", None),
        ("The observatory opened in 1931 with 40 guests from Prague", "partial", None),
        ("It is open on Mondays", "unsupported", None),
        ("It is not open on Mondays", "verbatim", "It is not open on Mondays."),
        ("Hollin observatory did not open in 1931", "unsupported", None),
        ("Whales sing at night", "unsupported", None),
        ("It is that.", "unverified", PASSAGE),
    ],
)
def test_verdicts(claim: str, verdict: str, quote: str | None) -> None:
    found = support(claim, PASSAGE)
    assert found.verdict == verdict
    if quote is not None:
        assert PASSAGE[found.start : found.end] == quote


def test_what_the_passage_is_about_counts_as_known_but_is_not_quoted() -> None:
    claim = "The Hollin telescope weighs 3.5 tonnes"
    passage = "It weighs 3.5 tonnes."
    assert support(claim, passage).verdict == "partial"
    known = support(claim, passage, context="Hollin telescope")
    assert (known.verdict, passage[known.start : known.end]) == ("supported", passage)


def test_in_a_long_claim_a_wrong_number_takes_away_a_part() -> None:
    claim = (
        "The observatory at Hollin opened in 1931, its telescope has a mirror of 1,200 mm, weighs 9 tonnes and "
        "visitors pay 12 euros"
    )
    passage = (
        "The observatory at Hollin opened in 1931. Its telescope has a mirror of 1,200 mm and weighs 3.5 tonnes. "
        "Visitors pay 12 euros."
    )
    assert support(claim, passage).verdict == "partial"
    assert support(claim.replace("9 tonnes", "3.5 tonnes"), passage).verdict == "supported"


def test_a_foreign_name_is_never_supported() -> None:
    claim = (
        "The observatory at Hollin with its telescope and mirror of 1,200 mm, which weighs 3.5 tonnes, opened for Brno "
        "in 1931"
    )
    found = support(claim, PASSAGE)
    assert found.score > 0.8
    assert found.verdict == "partial"
    assert support(claim.replace("Brno", "Hollin"), PASSAGE).verdict == "supported"
    assert support(claim, PASSAGE, context="Brno").verdict == "supported"


def test_not_only_denies_nothing() -> None:
    assert support("The mill grinds rye", "The mill grinds not only rye but wheat.").verdict == "supported"


def test_the_quote_is_no_longer_than_it_needs_to_be() -> None:
    passage = "Alpha beta gamma. Delta epsilon zeta. Eta theta iota."
    one = support("gamma alpha beta", passage)
    assert passage[one.start : one.end] == "Alpha beta gamma."
    two = support("epsilon zeta theta delta iota", passage)
    assert passage[two.start : two.end] == "Delta epsilon zeta. Eta theta iota."


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("1,200 and 3.5 and -4", ["1,200", "and", "3.5", "and", "-4"]),
        ("1990-1995", ["1990", "1995"]),
        ("as in [3] and [1, 2]", ["as", "in", "and"]),
        ("don’t", ["don't"]),
        ("5 percent", ["5", "percent"]),
        ("the [guide](docs/a(b).md) says", ["the", "guide", "says"]),
        ("[3](page 3)", ["3", "page", "3"]),
        ("日本 語", ["日", "本", "語"]),
        ("MLFLOW_TRACKING", ["mlflow", "tracking"]),
    ],
)
def test_words(text: str, forms: list[str]) -> None:
    assert [w.form for w in words(text)] == forms


def test_a_whole_sentence_is_quoted_with_its_signs() -> None:
    passage = "Set it so. (`ROMA_PORT` is **8000**.) Done."
    found = support("ROMA_PORT is 8000", passage)
    assert passage[found.start : found.end] == "(`ROMA_PORT` is **8000**.)"
    part = support("is 8000", passage)
    assert passage[part.start : part.end].startswith("is **8000")


def test_one_number_has_one_stem() -> None:
    assert [w.stem for w in words("1,200 twelve 5 percent 3 euros")] == ["1200", "12", "5", "%", "3", "€"]


def test_names_weigh_more() -> None:
    name, other = words("went Prague")[1], words("went prague")[1]
    assert (name.weight, other.weight) == (2.0, 1.0)
    assert words("Prague lies")[0].weight == 1.0, "a sentence's first word is capital anyway"


@given(st.text(), st.text(), st.text(max_size=20))
def test_any_claim_and_passage(claim: str, passage: str, context: str) -> None:
    found = support(claim, passage, context)
    assert 0 <= found.start <= found.end <= len(passage)
    assert 0.0 <= found.score <= 1.0


@given(
    st.lists(st.sampled_from("alpha beta 12 gamma not delta 3.5 epsilon".split()), min_size=2, max_size=12), st.data()
)
def test_a_cut_of_the_passage_is_verbatim(tokens: list[str], data: st.DataObject) -> None:
    passage = " ".join(tokens) + "."
    i = data.draw(st.integers(0, len(tokens) - 1))
    j = data.draw(st.integers(i + 1, len(tokens)))
    claim = "  ".join(tokens[i:j])
    found = support(claim, passage)
    if set(tokens[i:j]) - {"not"}:
        assert found.verdict == "verbatim"
        assert passage[found.start : found.end].rstrip(".").split() == tokens[i:j]
