"""Properties of redaction: what is found goes, what is not stays, and twice is as good as once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_core.redaction.personal import has_valid_luhn
from roma_core.redaction.rules import KINDS, PERSONAL, SECRETS, find, redact, redact_value
from tests.sizes import examples

FRAGMENTS = st.sampled_from(
    [
        "bob@example.org", "4111 1111 1111 1111", "219-09-9999", "+44 20 7946 0958", "203.0.113.9",
        "2001:db8::8a2e:370",
        "DE89 3704 0044 0532 0130 00", "sk-ant-api03-abcdefgh12345678ABCDEFGH", "Bearer 8f2c9a77b1d04e55aa01",
        "password=hunter2!", "https://u:pa55word@host/x", "call me at 030 1234567", "my ssn 219099999",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    ]
)  # fmt: skip
TEXTS = st.lists(
    st.one_of(FRAGMENTS, st.text(max_size=12), st.sampled_from([" ", "\n", ",", '"', "'", "="])), max_size=12
).map("".join)


@given(TEXTS)
@settings(max_examples=examples(60, whole=400), deadline=None)
def test_redaction_is_idempotent_and_leaves_nothing_to_find(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(TEXTS)
@settings(max_examples=examples(60, whole=400), deadline=None)
def test_spans_are_sorted_disjoint_and_inside(text: str) -> None:
    last = 0
    for finding in find(text):
        assert last <= finding.start < finding.end <= len(text)
        last = finding.end


@given(st.lists(st.one_of(FRAGMENTS, st.text(alphabet="abc ,(", max_size=9)), max_size=9).map(" ; ".join))
@settings(max_examples=examples(60, whole=400), deadline=None)
def test_what_is_not_found_is_kept_word_for_word(text: str) -> None:
    kept = re.split(r"\[redacted:[a-z_]+\]", redact(text))
    assert "".join(kept) == "".join(text[a:b] for a, b in _gaps(text))


def _gaps(text: str) -> list[tuple[int, int]]:
    edges = [0, *(edge for f in find(text) for edge in (f.start, f.end)), len(text)]
    return list(zip(edges[::2], edges[1::2], strict=True))


@given(st.text(alphabet=st.characters(categories=["Ll", "Zs", "Po"], exclude_characters="@:/"), max_size=200))
def test_prose_without_digits_is_left_alone(text: str) -> None:
    assert redact(text) == text


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_luhn_accepts_exactly_one_check_digit(body: str) -> None:
    assert sum(has_valid_luhn(body + d) for d in "0123456789") == 1


@given(st.integers(0, 15), st.integers(1, 9))
def test_a_card_with_one_wrong_digit_is_no_card(place: int, by: int) -> None:
    digits = list("4532015112830366")
    digits[place] = str((int(digits[place]) + by) % 10)
    assert not any(f.kind == "card" for f in find("".join(digits)))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail bob@example.org now", "email"),
        ("card 4532-0151-1283-0366.", "card"),
        ("amex 378282246310005", "card"),
        ("ssn: 219-09-9999", "ssn"),
        ("social security number 219099999", "ssn"),
        ("from 203.0.113.9:443", "ip"),
        ("http://10.1.2.3/x", "ip"),
        ("peer [2001:db8::8a2e:370:7334]", "ip"),
        ("IBAN GB29 NWBK 6016 1331 9268 19 due", "iban"),
        ("+1 (415) 555-2671", "phone"),
        ("tel. 030/901820", "phone"),
        ("Authorization: Token abcdefghijkl", "auth"),
        ("basic dXNlcjpwYXNzd29yZA==", "auth"),
        ('{"password": "letmein"}', "password"),
        ("postgresql://roma:s3cret@db/x", "password"),
        ("https://b.example/k?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0", "password"),
        ("https://a.example/c/f.pdf?sv=2020&sig=abcDEF%2B123abcDEF%3D&se=2030", "password"),
        ("AccountKey=abcdEFGH1234567890==", "password"),
        ("AKIAIOSFODNN7EXAMPLE", "api_key"),
        ("https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop", "api_key"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB", "private_key"),
    ],
)
def test_each_kind(text: str, kind: str) -> None:
    assert [f.kind for f in find(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "", "v1.2.3.4", "roma==1.2.3.4", "127.0.0.1", "::1", "12:30:45", "00:1b:44:11:3a:b7",
        "00:11:22:33:44:55:66:77",
        "password: None", "token=settings.api_token", "max_tokens=2048", "git@github.com:a/b.git", "logo@2x.png",
        "bearer certificates", "4111 1111 1111 1112", "123456789", "GB00 NWBK 6016 1331 9268 19",
        "XX29 NWBK 6016 1331 9268 19",
        "999-12-3456", "1.3.6.1.4.1.311", "GB29NWBK60161331926819X", "basic training", "api_key: required",
    ],
)  # fmt: skip
def test_harmless(text: str) -> None:
    assert find(text) == []


def test_only_the_wanted_kinds() -> None:
    text = "bob@example.org password=hunter2!"
    assert redact(text, SECRETS) == "bob@example.org password=[redacted:password]"
    assert redact(text, PERSONAL) == "[redacted:email] password=hunter2!"
    assert set(KINDS) == SECRETS | PERSONAL


def test_values_are_redacted_in_depth_and_keep_their_shape() -> None:
    value = {
        "n": 3, "ok": True, "none": None, "who": ["bob@example.org", ("10.1.2.3",)],
        "headers": {"Authorization": "opaque", "X-Api-Key": "opaque", "accept": "text/html"},
        "password": 12345, "access_token": ["a"], "input_tokens": 17, "error": ValueError("bob@example.org"),
        "bob@example.org": 1,
    }  # fmt: skip
    assert redact_value(value) == {
        "n": 3, "ok": True, "none": None, "who": ["[redacted:email]", ["[redacted:ip]"]],
        "headers": {"Authorization": "[redacted:secret]", "X-Api-Key": "[redacted:secret]", "accept": "text/html"},
        "password": "[redacted:secret]", "access_token": "[redacted:secret]", "input_tokens": 17,
        "error": "[redacted:email]", "[redacted:email]": 1,
    }  # fmt: skip


def test_depth_is_bounded_even_in_a_circle() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert "<list>" in str(redact_value(circle))
