"""What an API's errors mean: status, body and headers to one ``LLMError``. Shared by the adapters; no SDK here.

Vendors' sentences are not passed on, as they quote keys and prompts; their short codes are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from roma_core.errors import ErrorCode, LLMError, RomaError
from roma_core.retry import TRANSIENT_STATUSES, retry_after_s

_BY_STATUS: dict[int, ErrorCode] = {
    401: ErrorCode.LLM_AUTH,
    402: ErrorCode.LLM_QUOTA,
    403: ErrorCode.LLM_AUTH,
    404: ErrorCode.LLM_NOT_FOUND,
    408: ErrorCode.LLM_TIMEOUT,
    413: ErrorCode.LLM_CONTEXT_LENGTH,
    429: ErrorCode.LLM_RATE_LIMIT,
    504: ErrorCode.LLM_TIMEOUT,
}
_BY_WORD: dict[str, ErrorCode] = {
    "insufficient_quota": ErrorCode.LLM_QUOTA,
    "billing_error": ErrorCode.LLM_QUOTA,
    "billing_hard_limit_reached": ErrorCode.LLM_QUOTA,
    "context_length_exceeded": ErrorCode.LLM_CONTEXT_LENGTH,
    "exceed_context_size_error": ErrorCode.LLM_CONTEXT_LENGTH,
    "content_filter": ErrorCode.LLM_REFUSED,
    "content_policy_violation": ErrorCode.LLM_REFUSED,
    "invalid_api_key": ErrorCode.LLM_AUTH,
    "authentication_error": ErrorCode.LLM_AUTH,
    "permission_error": ErrorCode.LLM_AUTH,
    "not_found_error": ErrorCode.LLM_NOT_FOUND,
    "model_not_found": ErrorCode.LLM_NOT_FOUND,
    "request_too_large": ErrorCode.LLM_CONTEXT_LENGTH,
    "rate_limit_error": ErrorCode.LLM_RATE_LIMIT,
    "rate_limit_exceeded": ErrorCode.LLM_RATE_LIMIT,
    "timeout_error": ErrorCode.LLM_TIMEOUT,
    "overloaded_error": ErrorCode.LLM_UNAVAILABLE,
    "api_error": ErrorCode.LLM_UNAVAILABLE,
    "server_error": ErrorCode.LLM_UNAVAILABLE,
}
"""``error.code`` or ``error.type`` of OpenAI, Anthropic, Azure and llama.cpp."""
_FINAL = frozenset(
    {
        ErrorCode.LLM_QUOTA,
        ErrorCode.LLM_CONTEXT_LENGTH,
        ErrorCode.LLM_REFUSED,
        ErrorCode.LLM_AUTH,
        ErrorCode.LLM_NOT_FOUND,
    }
)
"""Meanings that a word tells better than a status: a 429 for an empty account, a 400 for a prompt that is too long."""
_TOO_LONG = re.compile(r"maximum context length|prompt is too long|context (?:window|size|length) exceeded", re.I)
_SHORT = re.compile(r"[\w.:/-]{1,60}")

_ADVICE: dict[ErrorCode, str] = {
    ErrorCode.LLM_AUTH: "{vendor} refused the key; set LLM_API_KEY to a valid one.",
    ErrorCode.LLM_BAD_REQUEST: "{vendor} did not accept the request.",
    ErrorCode.LLM_NOT_FOUND: "{vendor} does not know this model or address; check LLM_MODEL and LLM_BASE_URL "
    "(OpenAI-compatible addresses mostly end in /v1).",
    ErrorCode.LLM_CONTEXT_LENGTH: "The prompt is longer than the model reads; send fewer or shorter passages.",
    ErrorCode.LLM_RATE_LIMIT: "{vendor} asks for fewer requests; try later or lower ROMA_LLM_REQUESTS_PER_MINUTE.",
    ErrorCode.LLM_QUOTA: "{vendor} says that the account has no credit left.",
    ErrorCode.LLM_UNAVAILABLE: "{vendor} cannot answer at the moment.",
    ErrorCode.LLM_TIMEOUT: "{vendor} did not answer in time.",
    ErrorCode.LLM_TRUNCATED: "{vendor} broke off its answer.",
    ErrorCode.LLM_MALFORMED: "{vendor} sent something that is no answer; is LLM_BASE_URL the address of an API?",
    ErrorCode.LLM_REFUSED: "{vendor} declined the request by its content rules.",
}


def fault(vendor: str, code: ErrorCode, *, retry_after: float | None = None, **details: Any) -> LLMError:
    """The error for ``code``, in words that tell what to do."""
    kept = {name: value for name, value in details.items() if value is not None}
    return LLMError(_ADVICE[code].format(vendor=vendor), code, retry_after_s=retry_after, details=kept)


def from_response(vendor: str, status: int, body: object, headers: Mapping[str, str]) -> LLMError:
    """The error for a response, or for an error event inside a stream whose status was 200."""
    inner = _inner(body)
    words = [w for w in (inner.get("code"), inner.get("type")) if isinstance(w, str)]
    told = next((_BY_WORD[w] for w in words if w in _BY_WORD), None)
    too_long = bool(_TOO_LONG.search(str(inner.get("message", ""))))
    if too_long and status in {200, 400, 413, 422}:
        code = ErrorCode.LLM_CONTEXT_LENGTH
    elif told is not None and told in _FINAL:
        code = told
    elif status < 400:
        code = told or (ErrorCode.LLM_BAD_REQUEST if "invalid_request_error" in words else ErrorCode.LLM_UNAVAILABLE)
    elif status in _BY_STATUS:
        code = _BY_STATUS[status]
    else:
        code = ErrorCode.LLM_UNAVAILABLE if status in TRANSIENT_STATUSES else ErrorCode.LLM_BAD_REQUEST
    return fault(
        vendor,
        code,
        retry_after=retry_after_s(headers),
        status=status,
        type=_short(inner.get("type")),
        reason=_short(inner.get("code")),
        param=_short(inner.get("param")),
        request_id=_short(headers.get("x-request-id") or headers.get("request-id")),
    )


def _inner(body: object) -> Mapping[str, Any]:
    """The innermost ``error`` object of a body."""
    while isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        body = body["error"]
    return body if isinstance(body, Mapping) else {}


def _short(value: object) -> str | None:
    """A vendor's code word; anything longer could be a sentence that quotes a key or a prompt."""
    return value if isinstance(value, str) and _SHORT.fullmatch(value) else None


Fault = Callable[[Any], LLMError]
FaultTable = Sequence[tuple[type[Exception], Fault]]
"""Exception types of an SDK, the more special first, and what becomes of each."""


@contextmanager
def mapped(table: FaultTable) -> Iterator[None]:
    """Raise ``LLMError`` for every exception that ``table`` names."""
    try:
        yield
    except RomaError:
        raise
    except tuple(kind for kind, _ in table) as error:
        meaning = next(make for kind, make in table if isinstance(error, kind))
        # Without its cause: that quotes what was sent.
        raise meaning(error) from None


_REFUSED = re.compile(
    r"unsupported|not support|n't support|not permitted|not allowed|unrecognized|unknown|unexpected|deprecated|"
    r"only the default|may only be set",
    re.I,
)


def refused_parameter(body: object, names: Sequence[str]) -> str | None:
    """Which of the parameters ``names`` a 400 or 422 refuses as such (not for its value's size)."""
    inner = _inner(body)
    message = str(inner.get("message", body))
    if _TOO_LONG.search(message) or not (_REFUSED.search(message) or "unsupported" in str(inner.get("code"))):
        return None
    if inner.get("param") in names:
        return str(inner["param"])
    # The parameter that is refused is named first; the one that should be used instead, later.
    found = [(message.find(name), name) for name in names if name in message]
    return min(found)[1] if found else None
