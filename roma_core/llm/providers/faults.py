"""From an error of an API to one ``LLMError``: what it means, what to do, and what the vendor said.

``meanings.py`` is the table. This module finds the error in a body, whatever its shape, and puts the message together.
A vendor's own sentence is kept, since it often names the cause; keys, addresses and the prompt are taken out of it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from roma_core.errors import ErrorCode, LLMError, RomaError
from roma_core.llm.providers.foreign import with_usual_names
from roma_core.llm.providers.meanings import ADVICE, BY_STATUS, DEFAULT_ADVICE, Advice, meaning_of
from roma_core.redaction import rules as redaction
from roma_core.retry import TRANSIENT_STATUSES, retry_after_s

LONGEST_SENTENCE = 200
"""Characters of a vendor's sentence that are kept."""

Private = Sequence[str]
"""The key, and then the texts of the prompt: none of it may come back in a quoted sentence."""

_NOT_IMPLEMENTED = 501
_SHORT = re.compile(r"[\w.:/-]{1,60}")
_ADDRESS = re.compile(r"\b(?:https?|wss?|tcp)://\S+|\b[\w-]+(?:\.[\w-]+)*:\d{2,5}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b")
_TAG = re.compile(r"<[^>]{0,300}>")
_STYLE = re.compile(r"<(style|script)\b.*?</\1>", re.IGNORECASE | re.DOTALL)
_SHARED_CHARS = 24
"""A run of this length that also stands in the prompt is a quotation of it."""
_KEY_CHARS = 6
"""A run of this length that also stands in the key gives it away."""


class ErrorBody(NamedTuple):
    """The error that a body reports."""

    words: frozenset[str]
    """Short codes, as they stand."""
    sentence: str
    status: int | None
    """A status that stands in the body: gateways send errors with status 200."""
    kind: str | None
    code: str | None
    param: str | None


def fault(
    server: str,
    code: ErrorCode,
    *,
    advice: Advice | None = None,
    sentence: str = "",
    private: Private = (),
    retry_after: float | None = None,
    **details: Any,
) -> LLMError:
    """Return the error for ``code`` with a sentence that says what to do, and the vendor's own behind it."""
    message = ADVICE[advice or DEFAULT_ADVICE[code]].format(server=server)
    quoted = quotable(sentence, private)
    if quoted:
        message = f'{message} {server} said: "{quoted}"'
    kept = {name: value for name, value in details.items() if value is not None}
    return LLMError(message, code, retry_after_s=retry_after, details=kept)


def from_response(
    server: str, status: int, body: object, headers: Mapping[str, str], private: Private = ()
) -> LLMError:
    """Return the error for a response, or for an error inside a stream whose status was 200."""
    error = read_error(body)
    known_status = error.status if status < 400 and error.status else status
    meaning = meaning_of(known_status, error.words, error.sentence)
    if meaning is not None and not _is_overruled(meaning.code, known_status):
        code, advice = meaning.code, meaning.advice
    else:
        code, advice = _code_of_status(known_status), None
    return fault(
        server,
        code,
        advice=advice,
        sentence=error.sentence,
        private=private,
        retry_after=retry_after_s(headers),
        status=status,
        type=error.kind,
        reason=error.code,
        param=error.param,
        request_id=_short(headers.get("x-request-id") or headers.get("request-id")),
    )


def _is_overruled(code: ErrorCode, status: int) -> bool:
    """Return whether the status says it better: a word for "later" beside a final status, or the other way round."""
    if status not in BY_STATUS or code not in {ErrorCode.LLM_BAD_REQUEST, ErrorCode.LLM_UNAVAILABLE}:
        return False
    return status != 429 or code is ErrorCode.LLM_BAD_REQUEST


def _code_of_status(status: int) -> ErrorCode:
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status < 400 or status in TRANSIENT_STATUSES or (status > 500 and status != _NOT_IMPLEMENTED):
        return ErrorCode.LLM_UNAVAILABLE
    return ErrorCode.LLM_BAD_REQUEST


def read_error(body: object) -> ErrorBody:
    """Return the error inside ``body``: objects in any depth, arrays, bare sentences, JSON inside a string."""
    inner = _innermost(with_usual_names(body) if isinstance(body, dict) else body)
    if isinstance(inner, str):
        return ErrorBody(frozenset(), _plain(inner), None, None, None, None)
    if not isinstance(inner, Mapping):
        return ErrorBody(frozenset(), "", None, None, None, None)
    code = _first(inner, "code", "error_code", "statusCode", "status_code")
    kind = _first(inner, "type", "error_type", "__type")
    state = _first(inner, "status")
    words = [_short(str(value)) for value in (code, kind, state, *_reasons(inner)) if value is not None]
    numbers = (_status_in(value) for value in (code, state, inner.get("http_status"), kind))
    return ErrorBody(
        words=frozenset(word for word in words if word),
        sentence=_plain(_sentence(inner)),
        status=next((number for number in numbers if number), None),
        kind=_short(kind),
        code=_short(code) or (str(code) if isinstance(code, int) else None),
        param=_short(inner.get("param")) or _short(_place(inner)),
    )


_INNER_NAMES = ("error", "errors", "detail", "fault", "Error", "base_resp")


def _innermost(body: object, depth: int = 0) -> object:
    """Return the object or sentence that says most: below ``error``, in a list, or in JSON inside of a string."""
    if depth > 8:
        return body
    if isinstance(body, list):
        return _innermost(body[0], depth + 1) if body else ""
    if isinstance(body, str):
        return _parse_error(body, depth)
    if not isinstance(body, Mapping):
        return body
    for name in _INNER_NAMES:
        inner = body.get(name)
        if isinstance(inner, Mapping | list) and inner:
            found = _innermost(inner, depth + 1)
            return {**_scalars(body), **found} if isinstance(found, Mapping) else found
        if isinstance(inner, str) and inner:
            found = _parse_error(inner, depth)
            if isinstance(found, Mapping):
                return {**_scalars(body), **found}
            return {**_scalars(body), "message": body.get("message") or inner}
    message = body.get("message")
    if isinstance(message, str) and isinstance(found := _parse_error(message, depth), Mapping):
        return {**_scalars(body), **found}
    return body


def _parse_error(text: str, depth: int) -> object:
    """Return the error in the JSON that ``text`` is or ends with; ``text`` itself when there is none."""
    start = text.find("{")
    if start < 0 or not text.rstrip().endswith(("}", "]", "'", '"')):
        return text
    try:
        body = json.loads(text[start : text.rfind("}") + 1])
    except ValueError:
        return text
    is_error = isinstance(body, Mapping) and {"error", "message", "detail", "code"} & body.keys()
    return _innermost(body, depth + 1) if is_error else text


def _scalars(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if isinstance(value, str | int) and name != "error"}


_SENTENCE_NAMES = ("message", "msg", "error", "detail", "Message", "error_message", "error_msg", "status_msg", "title")


def _sentence(inner: Mapping[str, Any]) -> str:
    upstream = inner.get("metadata")
    said = upstream.get("raw") if isinstance(upstream, Mapping) else None
    for value in (
        said,
        *(inner.get(name) for name in _SENTENCE_NAMES),
    ):
        if isinstance(value, str) and value.strip():
            found = _innermost(value) if "{" in value else value
            deeper = found.get("message") if isinstance(found, Mapping) else None
            return deeper if isinstance(deeper, str) and deeper else value
    return ""


def _place(inner: Mapping[str, Any]) -> object:
    """Return the field of the body that a FastAPI server complains about."""
    place = inner.get("loc")
    names = [part for part in place if isinstance(part, str) and part != "body"] if isinstance(place, list) else []
    return names[0] if names else None


def _reasons(inner: Mapping[str, Any]) -> Iterator[object]:
    """Yield code words beside the code, or deeper: Azure's ``innererror``, Google's ``details``."""
    yield inner.get("reason")
    deeper = inner.get("innererror")
    if isinstance(deeper, Mapping):
        yield deeper.get("code")
    details = inner.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping):
            yield detail.get("reason")


def _first(inner: Mapping[str, Any], *names: str) -> object:
    return next((inner[name] for name in names if isinstance(inner.get(name), str | int) and inner[name] != ""), None)


def _status_in(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and 400 <= value < 600 else None


def _short(value: object) -> str | None:
    """Return a vendor's code word; anything longer is a sentence and belongs to the message alone."""
    return value if isinstance(value, str) and _SHORT.fullmatch(value) else None


def _plain(sentence: str) -> str:
    """Return ``sentence`` on one line and without markup."""
    return " ".join(_TAG.sub(" ", _STYLE.sub(" ", sentence[:20_000])).split())


def quotable(sentence: str, private: Private = ()) -> str:
    """Return a vendor's sentence as it may be shown: without keys, personal data, addresses and the prompt, and cut."""
    text = _plain(sentence)[: 4 * LONGEST_SENTENCE]
    for place, secret in enumerate(private):
        text = _without(text, secret, _KEY_CHARS if place == 0 else _SHARED_CHARS)
    text = _ADDRESS.sub("[address]", redaction.redact(text))
    text = text.replace('"', "'").strip()
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1].rstrip() + "…"


def _without(text: str, private: str, shared: int) -> str:
    """Return ``text`` with every run of at least ``shared`` characters that also stands in ``private`` taken out."""
    if len(private) < shared:
        return text
    parts: list[str] = []
    place = 0
    while place < len(text):
        size = shared
        if text[place : place + size] not in private or place + size > len(text):
            parts.append(text[place])
            place += 1
            continue
        while place + size < len(text) and text[place : place + size + 1] in private:
            size += 1
        parts.append("…")
        place += size
    return "".join(parts)


Fault = Callable[[Any], LLMError]
FaultTable = Sequence[tuple[type[Exception], Fault]]
"""Exception types of an SDK, the more special first, and what becomes of each."""


@contextmanager
def map_faults(table: FaultTable) -> Iterator[None]:
    """Raise ``LLMError`` for every exception that ``table`` names."""
    try:
        yield
    except RomaError:
        raise
    except tuple(kind for kind, _ in table) as error:
        meaning = next(make for kind, make in table if isinstance(error, kind))
        # Without its cause: that quotes what was sent.
        raise meaning(error) from None


_REFUSES = re.compile(
    r"unsupported|not support|n't support|not permitted|not allowed|unrecognized|unknown|unexpected|deprecated|"
    r"only the default|may only be set|invalid (?:field|argument|parameter)|extra (?:inputs|fields)|not implemented|"
    r"not available|unavailable|cannot be (?:used|set)|can(?:no|')t set|must be 1\b|should be 1\b|not (?:a )?valid|"
    r"disallowed|only \S+ is (?:allowed|supported)|no longer|not recognized|no such (?:field|parameter)|"
    r"can only be (?:set|used|defined)|supported values are|parameter is invalid|match any of the expected",
    re.IGNORECASE,
)


_NO_SYSTEM = re.compile(
    r"\brole\W.{0,40}\bsystem\b|\bsystem['\"`]? (?:role|message|prompt|instruction)s?\b.{0,40}(?:not|n't|un)"
    r"|does not support ['\"]?system['\"]?"
    r"|only [\w, ]{1,40}roles? (?:are|is) supported.{0,30}\bsystem\b|developer instruction is not enabled",
    re.IGNORECASE,
)


def rejected_parameter(body: object, names: Sequence[str]) -> str | None:
    """Return which of the parameters ``names`` a refusal rejects as such, and not for the size of its value."""
    error = read_error(body)
    sentence = error.sentence or str(body)
    meaning = meaning_of(400, error.words, error.sentence)
    if meaning is not None and meaning.code is ErrorCode.LLM_CONTEXT_LENGTH:
        return None
    if "system_role" in names and _NO_SYSTEM.search(sentence):
        return "system_role"
    param = re.split(r"[.\[]", error.param or "")[0]
    is_refusal = _REFUSES.search(sentence) is not None or "unsupported" in str(error.code)
    if not is_refusal:
        return None
    if param in names:
        return param
    # The parameter that is refused is named first; the one that should be used instead, later.
    places = [(match.start(), -len(name), name) for name in names if (match := _make_pattern(name).search(sentence))]
    return min(places)[2] if places else None


_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "reasoning_effort": ("think", "thinking", "reasoning"),
    "stop": ("stop_?sequences?",),
    "stream": ("streaming", "streamed"),
}
"""Other names by which servers call parameters."""


@functools.cache
def _make_pattern(name: str) -> re.Pattern[str]:
    """Return a pattern for a parameter, in its name, in camel case or in words: servers name their own fields."""
    spellings = "|".join([name.replace("_", "[_ ]?"), *_OTHER_NAMES.get(name, ())])
    return re.compile(rf"(?<![\w-])(?:{spellings})(?![\w-])", re.IGNORECASE)
