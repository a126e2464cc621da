"""Responses of models kept for next time: what identifies one, which may be kept, and how one is played back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationError

from roma_core.cache import Cache
from roma_core.llm.base import LLMDelta, LLMRequest
from roma_core.llm.structured import json_body
from roma_core.types import Usage, digest

KIND = "llm"
VERSION = "2"


class CachedResponse(BaseModel):
    """A whole response of a model as it was first given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    provider: str
    model: str
    usage: Usage
    reason: str = ""


def request_key(fingerprint: str, request: LLMRequest) -> str:
    """Hash of everything that decides the answer. Purpose, session and tenant do not."""
    asked = request.model_dump(mode="json", exclude={"model", "purpose", "session_id", "tenant"})
    return digest("llm", VERSION, fingerprint, json.dumps(asked, sort_keys=True, ensure_ascii=False))


class ResponseCache:
    """The part of the workspace's cache that holds responses of models. Blocking: call it from a thread."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    @property
    def reads(self) -> bool:
        return self._cache.reads

    @property
    def writes(self) -> bool:
        return self._cache.writes

    def close(self) -> None:
        self._cache.close()

    def get(self, key: str) -> CachedResponse | None:
        data = self._cache.get(KIND, key)
        if data is None:
            return None
        try:
            return CachedResponse.model_validate_json(data)
        except ValidationError:  # written by another version: asked again
            return None

    def put(self, key: str, answer: CachedResponse) -> None:
        self._cache.put(KIND, key, answer.model_dump_json().encode())


def may_be_kept(request: LLMRequest, text: str, finish_reason: str) -> bool:
    """Only whole answers: nothing truncated, refused or empty, and JSON only when it is JSON."""
    if finish_reason != "stop" or not text.strip():
        return False
    if request.json_schema is None:
        return True
    try:
        return isinstance(json.loads(json_body(text)), dict)
    except ValueError:
        return False


def replay(answer: CachedResponse) -> Iterator[LLMDelta]:
    """The answer word by word, as a live one would come; its cost is counted as saved."""
    for word in re.findall(r"\s*\S+(?:\s+$)?", answer.text):
        yield LLMDelta(text=word)
    yield LLMDelta(
        finish_reason="stop",
        usage=Usage(cache_hits=1, saved_usd=answer.usage.cost_usd),
        provider=answer.provider,
        model=answer.model,
        reason=answer.reason,
        cached=True,
    )
