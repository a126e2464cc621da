"""Find and replace personal data and secrets in text. Pure; fast enough for every log line.

``find`` returns spans with kinds, ``redact`` replaces them by ``[redacted:<kind>]`` and is idempotent, and
``redact_value`` does so inside dicts, lists and tuples, where the value under a key such as ``api_key`` goes whole.

Each detector has a cheap gate (a character or a run that must be present) so that a line without anything to find
costs a few substring tests. Detectors read the output of ``normalise_text``, so none has to know that a blank may be a
no-break space, a hyphen a dash, and a digit Arabic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

from roma_core.redaction import personal, secrets
from roma_core.redaction.plain import normalise_text

Kind = Literal["private_key", "api_key", "jwt", "auth", "password", "email", "iban", "card", "ssn", "ip", "phone"]
"""In order of precedence where two overlap."""
KINDS: tuple[Kind, ...] = get_args(Kind)
SECRETS: frozenset[Kind] = frozenset({"private_key", "jwt", "auth", "api_key", "password"})
PERSONAL: frozenset[Kind] = frozenset(KINDS) - SECRETS
_MAX_PASSES = 8
_SHORTEST = len("a@b.cc")
Detector = Callable[[str], Iterator[tuple[int, int]]]


class SensitiveSpan(NamedTuple):
    """A finding: ``text[start:end]`` is of ``kind``; half-open code-point offsets."""

    kind: Kind
    start: int
    end: int


def _detectors(text: str, wanted: frozenset[Kind]) -> Iterator[tuple[Kind, Detector]]:
    """Yield the detectors whose gate is open for ``text``, in order of precedence."""
    lower = text.lower()
    digits = sum(map(text.count, "0123456789")) if wanted & PERSONAL else 0
    gates: tuple[tuple[Kind, bool, Detector], ...] = (
        ("private_key", "PRIVATE KEY" in text, secrets.find_private_keys),
        ("api_key", secrets.LONG_RUN.search(text) is not None, secrets.find_api_keys),
        ("jwt", "eyJ" in text, secrets.find_jwts),
        (
            "auth",
            "bearer" in lower or "basic" in lower or "token" in lower or "authorization" in lower or "cookie" in lower,
            secrets.find_auth_headers,
        ),
        ("password", "://" in text or any(word in lower for word in secrets.NAMED_GATE), secrets.find_passwords),
        ("email", "@" in text or "%" in text, personal.find_emails),
        ("iban", digits >= 8, personal.find_ibans),
        ("card", digits >= 14, personal.find_cards),
        ("ssn", digits >= 9, personal.find_ssns),
        ("ip", digits >= 1 and (text.count(".") >= 3 or text.count(":") >= 2), personal.find_ips),
        ("phone", digits >= 7, personal.find_phones),
    )
    return ((kind, detector) for kind, is_open, detector in gates if is_open and kind in wanted)


def find(text: str, kinds: Iterable[Kind] = KINDS) -> list[SensitiveSpan]:
    """Return the spans of ``kinds`` in ``text``: sorted, not overlapping; the kind listed first wins."""
    if len(text) < _SHORTEST:
        return []
    read, places = normalise_text(text)
    taken: list[SensitiveSpan] = []
    covered: bytearray | None = None
    for kind, detector in _detectors(read, frozenset(kinds)):
        for start, end in detector(read):
            covered = covered or bytearray(len(read))
            if not any(covered[start:end]):
                covered[start:end] = b"\1" * (end - start)
                taken.append(SensitiveSpan(kind, start, end))
    if places is not None:
        taken = [SensitiveSpan(kind, places[start], places[end - 1] + 1) for kind, start, end in taken]
    return sorted(taken, key=lambda f: f.start)


def redact(text: str, kinds: Iterable[Kind] = KINDS) -> str:
    """Replace every finding in ``text`` by ``[redacted:<kind>]``. Idempotent.

    >>> redact("mail ada@example.org")
    'mail [redacted:email]'
    """
    wanted = frozenset(kinds)
    # More than once: what stood against a secret may only be seen when that is gone.
    for _ in range(_MAX_PASSES):
        findings = find(text, wanted)
        if not findings:
            break
        text = _replace(text, findings)
    return text


def _replace(text: str, findings: list[SensitiveSpan]) -> str:
    parts: list[str] = []
    last = 0
    for kind, start, end in findings:
        parts += (text[last:start], f"[redacted:{kind}]")
        last = end
    return "".join((*parts, text[last:]))


_SECRET_NAME = re.compile(
    r"(?i:pass(?:word|wd|phrase)?|pwd|secret|.*(?:_|-|^)(?:secret|password|passwd|token|api_?key|private_?key|access_?key"
    r"|credentials?)|api[_-]?key|(?:proxy-)?authorization|(?:set-)?cookie|x-api-key)"
)
_MAX_DEPTH = 12


def redact_value(value: Any, kinds: Iterable[Kind] = KINDS, depth: int = 0) -> Any:
    """Redact a value that a log line or a trace may hold, see ``redact``; the shape is kept.

    Values under a key that names a secret are replaced whole. Objects are shown by ``str``; below 12 levels only their
    type.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact(value, kinds)
    if depth >= _MAX_DEPTH:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {redact(str(k), kinds): _redact_member(str(k), v, kinds, depth) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(item, kinds, depth + 1) for item in value]
    return redact(str(value), kinds)


def _redact_member(key: str, value: Any, kinds: Iterable[Kind], depth: int) -> Any:
    if _SECRET_NAME.fullmatch(key) and value is not None and not isinstance(value, bool):
        return "[redacted:secret]"
    return redact_value(value, kinds, depth + 1)
