"""Evidence is found whatever the script, the form of the letters, and the spelling of the file's name."""

from __future__ import annotations

import unicodedata

import pytest

from roma_core.evals.golden.dataset import Evidence
from roma_core.evals.golden.evidence import locate, names


@pytest.mark.parametrize(
    ("anchor", "text", "found"),
    [
        ("the door is red", "So **the door**\nis red.", "the door**\nis red"),
        ("東京です", "首都は東京です。", "東京です"),
        ("首都是北京", "中国的首都 是北京。", "首都 是北京"),
        ("서울은 수도", "서울은 수도이다", "서울은 수도"),
        ("file size", "the ﬁle size of", "ﬁle size"),
        ("ﬁle size", "the file size of", "file size"),
        ("café open", unicodedata.normalize("NFD", "the café open now"), unicodedata.normalize("NFD", "café open")),
        ("５ ｋｍ", "it is 5 km far", "5 km"),
    ],
)
def test_an_anchor_is_located_at_the_words_as_they_stand(anchor: str, text: str, found: str) -> None:
    assert [span.of(text) for span in locate(anchor, text)] == [found]


@pytest.mark.parametrize(("anchor", "text"), [("red", "bored"), ("door is", "door this"), ("→x", "y")])
def test_an_anchor_is_whole_words(anchor: str, text: str) -> None:
    assert locate(anchor, text) == ()


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("file:///x/gr%C3%B6%C3%9Fe%20neu.md", "größe neu.md"),
        ("file:///x/docs/a.md", "docs/a.md"),
        ("file:///x/" + unicodedata.normalize("NFD", "größe.md"), "größe.md"),
        ("a.md", "a.md"),
    ],
)
def test_a_file_is_named_as_people_write_it(uri: str, named: str) -> None:
    assert names(uri, Evidence(uri=named)) and not names(uri, Evidence(uri="x" + named))
