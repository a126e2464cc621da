"""Detectors of secrets: keys, tokens, passwords. Each takes a text and yields spans of the secret itself. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

Spans = Iterator[tuple[int, int]]

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,3}")
_COOKIE = re.compile(
    r"(?i:\b(?:set-)?cookie2?)[\"']?\s*[:=]\s*[\"']?"
    r"(?P<value>[\w.$-]{1,80}=[^\s;,\"'<>]+(?:;\s*[\w.$-]{1,80}(?:=[^\s;,\"'<>]*)?)*)"
)
_AUTH = re.compile(
    r"(?i:(?P<header>authorization[\"']?\s*[:=]\s*[\"']?)?\b(?P<scheme>bearer|basic|token)\s+)"
    r"(?P<value>[A-Za-z0-9._~+/=-]{8,})"
)
_ANY_KEY = re.compile(
    r"(?<![A-Za-z0-9_/.+-])"
    r"(?!(?:req|msg|resp|cmpl|chatcmpl|gen|run|step|thread|asst|call|toolu|file|batch|job|evt|trace|session|id)[_-])"
    r"[a-z]{2,10}(?:[_-][a-z0-9]{1,8}){0,2}[_-](?P<random>[A-Za-z0-9]{24,})(?![A-Za-z0-9])"
)
"""A word and a long run: the shape that vendors have agreed on for keys. Ids of requests and messages
have it too, and a support that is asked needs them."""
LONG_RUN = re.compile(r"[A-Za-z0-9_./+-]{18}")

# Prefixes as the vendors document them; lengths are lower bounds because vendors lengthen keys without notice.
_VENDOR_KEYS = (
    r"sk-ant-[A-Za-z0-9_-]{16,}",  # Anthropic
    r"sk-(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{16,}",  # OpenAI, OpenRouter
    r"sk-[A-Za-z0-9]{20,}",  # OpenAI before 2024, DeepSeek and others of its form
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])",  # AWS access key id
    r"AIza[A-Za-z0-9_-]{33,}",  # Google API
    r"ya29\.[A-Za-z0-9_-]{20,}",  # Google OAuth access token
    r"GOCSPX-[A-Za-z0-9_-]{20,}",  # Google OAuth client secret
    r"gh[pousr]_[A-Za-z0-9]{30,}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{16,}",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"xapp-\d-[A-Za-z0-9-]{10,}",
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{20,}",
    r"hf_[A-Za-z0-9]{20,}",  # Hugging Face
    r"gsk_[A-Za-z0-9]{20,}",  # Groq
    r"xai-[A-Za-z0-9]{20,}",  # xAI
    r"pplx-[A-Za-z0-9]{20,}",  # Perplexity
    r"r8_[A-Za-z0-9]{30,}",  # Replicate
    r"pypi-[A-Za-z0-9_-]{30,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",  # SendGrid
    r"key-[0-9a-f]{32}(?![A-Za-z0-9])",  # Mailgun
    r"(?:SK|AC)[0-9a-f]{32}(?![A-Za-z0-9])",  # Twilio
    r"do[opr]_v1_[0-9a-f]{40,}",  # DigitalOcean
    r"dapi[0-9a-f]{32}",  # Databricks
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{20,}",  # Shopify
    r"lin_api_[A-Za-z0-9]{20,}",  # Linear
    r"ntn_[A-Za-z0-9]{30,}",  # Notion
    r"NRAK-[A-Z0-9]{20,}",  # New Relic
    r"hv[sb]\.[A-Za-z0-9_-]{20,}",  # HashiCorp Vault
    r"\d{8,10}:AA[A-Za-z0-9_-]{32,}",  # Telegram bot
    r"roma_[A-Za-z0-9_-]{30,}",  # ROMA's own bearer tokens
    r"pcsk_[A-Za-z0-9_]{40,}",  # Pinecone
    r"tvly-(?:dev-|prod-)?[A-Za-z0-9_-]{16,}",  # Tavily
    r"lsv2_(?:pt|sk)_[0-9a-f]{32}(?:_[0-9a-f]{8,})?",  # LangSmith
    r"ls__[0-9a-f]{32}",
    r"[sp]k-lf-[0-9a-f]{8}-[0-9a-f-]{27}",  # Langfuse
    r"nvapi-[A-Za-z0-9_-]{40,}",  # NVIDIA
    r"pa-(?=[A-Za-z_-]*\d)(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{40,}",  # Voyage
    r"jina_[0-9a-f]{32}[A-Za-z0-9_-]{16,}",  # Jina
    r"fw_(?=[A-Za-z]*\d)[A-Za-z0-9]{20,}",  # Fireworks
    r"sbp_[0-9a-f]{40}",  # Supabase
    r"sb_(?:secret|publishable)_[A-Za-z0-9_-]{20,}",
    r"sntrys_[A-Za-z0-9+/=_.-]{30,}",  # Sentry
    r"sntryu_[0-9a-f]{64}",
    r"(?<=://)[0-9a-f]{32}(?=@[\w.-]*sentry)",
    r"AT(?:ATT|CTT)3[A-Za-z0-9_=-]{20,}",  # Atlassian
    r"ATBB[A-Za-z0-9]{28,}",
    r"fig[dour]_[A-Za-z0-9_-]{30,}",  # Figma
    r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",  # Postman
    r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}",
)
_API_KEY = re.compile(r"(?<![A-Za-z0-9_-])(?:" + "|".join(_VENDOR_KEYS) + ")")

_URL_PASSWORD = re.compile(r"://[^\s/:@\"'<>]{0,80}:(?P<value>[^\s/@\"'<>]{1,200})@")
_URL_SIGNATURE = re.compile(
    r"[?&](?i:x-[a-z]{2,6}-signature|signature|sig|hmac)=(?P<value>[^&#\s\"'<>\[\]]{16,})"  # S3, GCS, OSS; Azure's SAS
)
_NAMED = re.compile(
    r"(?i:(?P<name>pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_ -]?key|access[_ -]?key|account[_ -]?key"
    r"|private[_ -]?key|client[_ -]?secret|credentials?)(?:[_ -]?(?:id|key|value|hash))?)"
    r"(?P<close>[\"'`]?)(?P<sign>\s{0,3}(?::=|=>|[:=])\s{0,3}| is )(?P<open>[\"'`]?)"
    r"(?P<value>[^\s\"'`,;&<>(){}\[\]]{4,})"
)
NAMED_GATE = ("pass", "pwd", "secret", "token", "key", "credential")
_NO_SECRET = re.compile(
    r"(?i:none|null|true|false|required|optional|missing|invalid|expired|unset|empty|undefined|changeme|str|string"
    r"|secretstr|redacted|hidden|\*+|x{4,}|\.{3,}|\$\w*|%\w+%|%s)"
)
_CODE_REFERENCE = re.compile(r"[a-z_]+(?:\.[a-z_]+)+|[A-Z]+(?:_[A-Z]+)+")


def find_private_keys(text: str) -> Spans:
    """Yield PEM and PGP blocks of private keys, also those without an end."""
    return (m.span() for m in _PRIVATE_KEY.finditer(text))


def find_jwts(text: str) -> Spans:
    """Yield JSON web tokens, signed or encrypted."""
    return (m.span() for m in _JWT.finditer(text))


def find_api_keys(text: str) -> Spans:
    """Yield keys of known vendors, and runs of random characters behind a word that looks like a key's prefix."""
    yield from (m.span() for m in _API_KEY.finditer(text))
    yield from (m.span() for m in _ANY_KEY.finditer(text) if _is_random(m["random"]))


def _is_random(run: str) -> bool:
    """Return whether a run looks drawn from 62 characters: both cases and digits in no order.

    Hashes, ids and camelCase do not.
    """
    digits, upper = sum(map(str.isdigit, run)), sum(map(str.isupper, run))
    return digits >= 2 and 2 <= upper <= len(run) - digits - 2 and not _WORDY.search(run)


_WORDY = re.compile(r"[a-z]{9}|[A-Z]{9}|\d{9}")


def find_auth_headers(text: str) -> Spans:
    """Yield the values of Authorization and Cookie headers, and bearer, basic or token credentials in prose."""
    yield from (m.span("value") for m in _COOKIE.finditer(text))
    for m in _AUTH.finditer(text):
        value = m["value"]
        if m["header"] or _is_credential(m["scheme"].lower(), value):
            yield m.span("value")


def _is_credential(scheme: str, value: str) -> bool:
    """Return whether ``value`` is a credential: ``Bearer 8f2c...``, not "bearer certificates".

    Basic credentials are base64 of ``user:password``.
    """
    if scheme == "basic":
        try:
            return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except (binascii.Error, ValueError):
            return False
    return len(value) >= 16 and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def find_passwords(text: str) -> Spans:
    """Yield passwords and signatures in addresses, and values behind a name such as ``password`` or ``api_key``."""
    for m in _URL_PASSWORD.finditer(text):
        if not _NO_SECRET.fullmatch(m["value"]) and not m["value"].startswith("[redacted:"):
            yield m.span("value")
    for m in _URL_SIGNATURE.finditer(text):
        yield m.span("value")
    for m in _NAMED.finditer(text):
        if _is_secret_value(m):
            yield m.span("value")


def _is_secret_value(m: re.Match[str]) -> bool:
    """Return whether a named value is a secret, not a word of prose, a type, a number or a reference."""
    value = m["value"].rstrip(".")
    if len(value) < 4 or _NO_SECRET.fullmatch(value) or _CODE_REFERENCE.fullmatch(value):
        return False
    password = m["name"].lower().startswith(("pass", "pwd"))
    mixed = any(c.isdigit() for c in value) and any(not c.isdigit() for c in value)
    if not password:  # generated: long and mixed; token counts and key names are neither
        return len(value) >= 8 and mixed and not value.isdigit()
    quoted = bool(m["open"]) or "=" in m["sign"]
    return mixed or quoted or bool(re.search(r"[^\w.:/-]", value))
