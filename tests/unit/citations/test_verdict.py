"""The check of claims: what is verbatim, supported, partial, contradicted and not, and which words decided."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.citations import verdict, verify_claim

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
        ("The telescope weighs 3.5 tonnes", "supported", None),
        ("The telescope weighs 3,500 kg", "supported", None),
        ("Its telescope has a mirror of 1200 mm", "verbatim", None),
        ("The mirror weighs 1,200 mm", "partial", None),
        ("Visitors pay 12 €", "supported", None),
        ("Visitors pay twelve euros", "supported", None),
        ("Visitors pay 12 dollars", "contradicted", None),
        ("The observatory at Hollin opened in 1932", "contradicted", None),
        ("The observatory opened in 1931 with 40 guests from Prague", "partial", None),
        ("The observatory at Hollin has a mirror of 1,200 mm and weighs 3.5 tonnes", "partial", None),
        ("It is open on Mondays", "contradicted", None),
        ("It is not open on Mondays", "verbatim", "It is not open on Mondays."),
        ("Hollin observatory did not open in 1931", "contradicted", None),
        ("Whales sing at night", "unsupported", None),
        ("It is that.", "unchecked", PASSAGE),
    ],
)
def test_verdicts(claim: str, verdict: str, quote: str | None) -> None:
    found = verify_claim(claim, PASSAGE)
    assert found.verdict == verdict
    if quote is not None:
        assert PASSAGE[found.start : found.end] == quote


def verdict_of(claim: str, passage: str, context: str = "") -> str:
    return verify_claim(claim, passage, context).verdict


SOURCE = (
    "The Treaty of Brenn was signed on 12 May 1902 by Ada Kern, who led the council. "
    "The council may raise the toll by at most 5 percent per year if the bridge is repaired. "
    "Nearly 3.2 million travellers crossed the bridge before the war. "
    "According to the mayor, the colour of the ropes never changed. "
    "Kern defeated Lund in the election of 1904. "
    "The World Road Office (WRO) said that the bridge was unsafe."
)


@pytest.mark.parametrize(
    "claim",
    [
        "The Treaty of Brenn was signed on May 12, 1902 by Ada Kern, who led the council.",
        "The Treaty of Brenn was signed on 1902-05-12 by Ada Kern.",
        "The Treaty of Brenn was signed in May 1902 by Kern.".replace("in May", "on 12 May"),
        "Nearly 3,200,000 travelers crossed the bridge before the war.",
        "The council may raise the toll by at most 5 % per year if the bridge is repaired.",
        "The council may raise the toll by at most five per cent per year if the bridge is repaired.",
        "According to the mayor, the color of the ropes never changed.",
        "The WRO said that the bridge was unsafe.",
        "Kern defeated Lund in the election of 1904; according to the mayor, the color of the ropes never changed.",
    ],
)
def test_what_is_no_change_is_supported(claim: str) -> None:
    assert verdict_of(claim, SOURCE) in {"verbatim", "supported"}, verify_claim(claim, SOURCE).reasons


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        ("The Treaty of Brenn was signed on 12 June 1902 by Ada Kern.", "number"),
        ("The Treaty of Brenn was signed on 12 May 1902 by Eva Kern.", "name"),
        ("The council may raise the toll by at most 6 percent per year if the bridge is repaired.", "number"),
        ("The council may raise the toll by at most 5 percentage points per year if the bridge is repaired.", "unit"),
        ("The council may raise the toll by at least 5 percent per year if the bridge is repaired.", "direction"),
        ("The council may raise the toll by at most 5 percent per month if the bridge is repaired.", "word"),
        ("The council will raise the toll by at most 5 percent per year if the bridge is repaired.", "hedge"),
        ("The council may raise the toll by at most 5 percent per year.", "condition"),
        ("The council may lower the toll by at most 5 percent per year if the bridge is repaired.", "direction"),
        ("3.2 million travellers crossed the bridge before the war.", "quantifier"),
        ("Nearly 3.2 billion travellers crossed the bridge before the war.", "number"),
        ("Nearly 3.2 million travellers crossed the bridge after the war.", "direction"),
        ("Nearly 3.2 million travellers rarely crossed the bridge before the war.", "negation"),
        ("The colour of the ropes never changed.", "attribution"),
        ("According to the mayor, the colour of the ropes changed.", "negation"),
        ("Lund defeated Kern in the election of 1904.", "order"),
        ("Kern defeated Lund in the election of 1904, which ended the war.", "word"),
        ("Kern defeated Lund before the war.", "word"),
        ("The Treaty was signed on 12 May 1902 by Ada Kern, who led the council.", "left out"),
        ("The bridge was unsafe.", "attribution"),
        ("The mayor wrote “the colour of the ropes often changed”.", "quotation"),
    ],
)
def test_a_changed_word_decides_and_is_named(claim: str, kind: str) -> None:
    found = verify_claim(claim, SOURCE)
    assert found.verdict not in {"verbatim", "supported"}
    assert kind in {reason.kind for reason in found.reasons}, found.reasons


def test_a_hyphen_at_the_end_of_a_line_is_no_change() -> None:
    assert (
        verdict_of("The observatory opened in three months.", "The observa-\ntory opened in three mon-\nths.")
        == "verbatim"
    )
    assert verdict_of("The observatory opened.", "The obser\u00advatory opened.") == "verbatim"
    assert verdict_of("The office is fine.", "The oﬃce is ﬁne.") == "verbatim"


def test_a_wrong_conversion_is_a_contradiction() -> None:
    assert verdict_of("The road is 5,000 m long.", "The road is 5 km long.") == "supported"
    assert verdict_of("The road is 3.1 miles long.", "The road is 5 km long.") == "supported"
    assert verdict_of("The road is 500 m long.", "The road is 5 km long.") == "contradicted"


def test_a_splice_of_two_sentences_is_not_supported_and_two_whole_ones_are() -> None:
    assert (
        verdict_of("The mill grinds rye and spans 48 metres.", "The mill grinds rye. The bridge spans 48 metres.")
        == "partial"
    )
    assert (
        verdict_of(
            "The mill grinds rye, and the bridge spans 48 metres.", "The mill grinds rye. The bridge spans 48 metres."
        )
        == "supported"
    )


def test_words_that_run_over_the_end_of_a_sentence_are_a_splice() -> None:
    found = verify_claim("grinds rye the bridge spans", "The mill grinds rye. The bridge spans 48 metres.")
    assert found.verdict == "partial"
    assert [reason.kind for reason in found.reasons] == ["left out", "splice"]


def test_quoted_words_are_verbatim_or_refused() -> None:
    passage = "He was sure. The old bridge would stand for a hundred years."
    assert verdict_of("He wrote “the old bridge would stand”.", passage) != "unsupported"
    assert verdict_of('"The old bridge would stand for a hundred years"', passage) == "verbatim"
    assert verdict_of('"The old bridge should stand for a hundred years"', passage) == "unsupported"


def test_a_title_in_quotation_marks_names_what_is_spoken_of() -> None:
    passage = "The film won two prizes in 1990."
    claim = "The film “Rope and River” won two prizes in 1990."
    assert verify_claim(claim, passage, context="Rope and River").verdict != "unsupported"


def test_another_script_is_not_checked() -> None:
    assert verdict_of("The bridge spans 48 metres.", "桥长四十八米。这是一座老桥。") == "unchecked"


def test_no_model_may_overrule_a_number_or_a_quotation() -> None:
    assert not verify_claim("The road is 6 km long.", "The road is 5 km long.").is_open
    assert not verify_claim("He said “it is new”.", "He said that it was old.").is_open
    assert verify_claim("The road runs along a pretty river.", "The road is 5 km long and follows a stream.").is_open


def test_what_the_passage_is_about_counts_as_known_but_is_not_quoted() -> None:
    claim = "The Hollin telescope weighs 3.5 tonnes"
    passage = "It weighs 3.5 tonnes."
    assert verify_claim(claim, passage).verdict == "partial"
    known = verify_claim(claim, passage, context="Hollin telescope")
    assert (known.verdict, passage[known.start : known.end]) == ("supported", passage)


def test_not_only_denies_nothing() -> None:
    assert verify_claim("The mill grinds rye", "The mill grinds not only rye but wheat.").verdict == "supported"


def test_the_quote_is_no_longer_than_it_needs_to_be() -> None:
    passage = "Alpha beta gamma. Delta epsilon zeta. Eta theta iota."
    one = verify_claim("gamma alpha beta", passage)
    assert passage[one.start : one.end] == "Alpha beta gamma."
    two = verify_claim("epsilon zeta theta delta iota", passage)
    assert passage[two.start : two.end] == "Delta epsilon zeta. Eta theta iota."


def test_a_whole_sentence_is_quoted_with_its_signs() -> None:
    passage = "Set it so. (`ROMA_PORT` is **8000**.) Done."
    found = verify_claim("ROMA_PORT is 8000", passage)
    assert passage[found.start : found.end] == "(`ROMA_PORT` is **8000**.)"
    part = verify_claim("is 8000", passage)
    assert passage[part.start : part.end].startswith("is **8000")


@given(st.text(), st.text(), st.text(max_size=20))
def test_any_claim_and_passage(claim: str, passage: str, context: str) -> None:
    found = verify_claim(claim, passage, context)
    assert 0 <= found.start <= found.end <= len(passage)
    assert 0.0 <= found.score <= 1.0


@given(st.lists(st.sampled_from("alpha beta 12 gamma delta 3.5 epsilon".split()), min_size=2, max_size=12), st.data())
def test_a_cut_of_the_passage_is_verbatim(tokens: list[str], data: st.DataObject) -> None:
    passage = " ".join(tokens) + "."
    i = data.draw(st.integers(0, len(tokens) - 1))
    j = data.draw(st.integers(i + 1, len(tokens)))
    claim = "  ".join(tokens[i:j])
    found = verify_claim(claim, passage)
    assert found.verdict == "verbatim"
    assert passage[found.start : found.end].rstrip(".").split() == tokens[i:j]


def test_a_long_enumeration_is_read_in_bounded_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = " and ".join(f"{n} percent in the harbor of Port {name}" for n, name in enumerate("ABCDEFGHIJ", 11))
    passage = f"Among those who came by boat, shares have risen to {shares} respectively, and about 30 percent by rail."
    claim = f"Among those who came by ship, shares have risen to 12{passage.partition('11')[2]}"
    tried = 0
    says = verdict._says_from_beginning

    def count(*args: Any) -> bool:
        nonlocal tried
        tried += 1
        return says(*args)

    monkeypatch.setattr(verdict, "_says_from_beginning", count)
    assert verify_claim(claim, passage).verdict not in {"verbatim", "supported"}
    assert tried == verdict.MOST_READINGS


@pytest.mark.parametrize(
    ("claim", "passage", "is_said"),
    [
        ("The rash was the most frequent sign.", "The rash (n = 16; 17.2%) was the most frequent sign.", True),
        ("Boats pay 5 euros.", "Boats (only those over 6 m; others pay 2) pay 5 euros.", False),
        ("Members may swim.", "Members (if they have a card; guests never) may swim.", False),
        (
            "Directed by Jon Moe and written by Ida and Carl Lind, it stars Kay Bell, Jo Tarn.",
            "Directed by Jon Moe and written by Ida and Carl Lind, it stars Kay Bell, Jo Tarn, and Mary Voss.",
            True,
        ),
    ],
    ids=["figures", "a limit", "a case", "one of those who star"],
)
def test_an_aside_or_one_of_a_list_may_be_left_out_where_it_limits_nothing(
    claim: str, passage: str, is_said: bool
) -> None:
    assert (verify_claim(claim, passage).verdict in {"verbatim", "supported"}) == is_said
