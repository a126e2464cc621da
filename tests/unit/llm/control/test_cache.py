"""Kept answers are played back exactly, and what cannot be read is asked again."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roma_core.cache import Cache
from roma_core.llm.base import LLMRequest, Message, Picture
from roma_core.llm.control.cache import KIND, CachedResponse, ResponseCache, replay, request_key
from roma_core.llm.providers.schemas import strict_schema
from roma_core.types import Usage


@given(st.text(min_size=1).filter(str.strip))
def test_a_replay_is_the_same_text_in_pieces(text: str) -> None:
    deltas = list(replay(CachedResponse(text=text, provider="p", model="m", usage=Usage(cost_usd=0.5))))
    assert "".join(d.text for d in deltas) == text
    assert deltas[-1].usage == Usage(cache_hits=1, saved_usd=0.5)


def test_words_and_pictures_decide_the_key() -> None:
    def key(*pictures: bytes, words: str = "Say it.", **fields: Any) -> str:
        shown = tuple(Picture.of(p) for p in pictures)
        message = Message(role="user", content=words, pictures=shown)
        return request_key("f", LLMRequest(messages=(message,), **fields))

    assert len({key(), key(b"a"), key(b"b"), key(b"a", b"b"), key(words="Say that.")}) == 5
    assert key() == key(purpose="judge", session_id="s", tenant="t")


def test_entries_of_another_version_are_asked_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    cache.put(KIND, "k", b'{"old": 1}')
    assert ResponseCache(cache).get("k") is None


def test_strict_schemas_close_every_object_and_keep_names_that_look_like_keywords() -> None:
    inner = {"type": "object", "properties": {"title": {"type": "string", "title": "Title", "default": "x"}}}
    schema = {
        "type": "object",
        "title": "T",
        "$defs": {"default": inner},
        "properties": {"a": {"anyOf": [inner, {"type": "null"}]}},
    }
    closed = strict_schema(schema)
    want = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    assert closed["$defs"]["default"] == want
    assert closed["properties"]["a"] == {"anyOf": [want, {"type": "null"}]}
    assert (closed["required"], closed["additionalProperties"], "title" in closed) == (["a"], False, False)
