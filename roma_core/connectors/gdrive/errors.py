"""Meanings of the Drive API's answers. Pure; reasons: developers.google.com/drive/api/guides/handle-errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from roma_core.errors import ConnectorError, ErrorCode
from roma_core.retry import TRANSIENT_STATUSES, retry_after_s

PACIFIC: Final = timezone(timedelta(hours=-8))
"""Daily quotas are given anew at midnight Pacific time (standard time is the later of the two)."""

_BY_REASON: Final = {
    **dict.fromkeys(
        ("rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded"), ErrorCode.CONNECTOR_RATE_LIMIT
    ),
    **dict.fromkeys(
        ("dailyLimitExceeded", "quotaExceeded", "downloadQuotaExceeded", "dailyLimitExceededUnreg"),
        ErrorCode.CONNECTOR_QUOTA,
    ),
    **dict.fromkeys(("exportSizeLimitExceeded", "fileNotDownloadableTooLarge"), ErrorCode.CONNECTOR_TOO_LARGE),
    **dict.fromkeys(("fileNotExportable", "fileNotDownloadable", "badRequest"), ErrorCode.CONNECTOR_UNSUPPORTED),
    **dict.fromkeys(
        ("accessNotConfigured", "insufficientPermissions", "authError", "insufficientScopes", "keyInvalid"),
        ErrorCode.CONNECTOR_AUTH,
    ),
    **dict.fromkeys(("backendError", "internalError", "transientError"), ErrorCode.CONNECTOR_UNAVAILABLE),
}
_BY_STATUS: Final = {
    401: ErrorCode.CONNECTOR_AUTH,
    403: ErrorCode.CONNECTOR_PERMISSION,
    404: ErrorCode.CONNECTOR_NOT_FOUND,
    410: ErrorCode.CONNECTOR_NOT_FOUND,
    429: ErrorCode.CONNECTOR_RATE_LIMIT,
}
_SAYS: Final = {
    ErrorCode.CONNECTOR_RATE_LIMIT: "Drive asks for fewer requests",
    ErrorCode.CONNECTOR_QUOTA: "A quota of Drive is used up; it is given anew at midnight Pacific time",
    ErrorCode.CONNECTOR_TOO_LARGE: "Drive exports no document of this size (10 MB at most)",
    ErrorCode.CONNECTOR_UNSUPPORTED: "Drive cannot give this file as a document",
    ErrorCode.CONNECTOR_AUTH: "Drive does not accept the credentials, or the Drive API is not enabled for them",
    ErrorCode.CONNECTOR_PERMISSION: "These credentials may not read the file; share it with them",
    ErrorCode.CONNECTOR_NOT_FOUND: "Drive has no such file, or it is not shared with these credentials",
    ErrorCode.CONNECTOR_UNAVAILABLE: "Drive does not answer properly now",
}


def drive_error(status: int, headers: Mapping[str, str], content: bytes) -> ConnectorError:
    """The error for an HTTP answer other than success."""
    reason = reason_of(content)
    code = _BY_REASON.get(reason) or _BY_STATUS.get(status)
    if code is None:
        transient = status in TRANSIENT_STATUSES or status >= 500
        code = ErrorCode.CONNECTOR_UNAVAILABLE if transient else ErrorCode.CONNECTOR_UNSUPPORTED
    wait_s = _until_midnight() if code == ErrorCode.CONNECTOR_QUOTA else retry_after_s(headers)
    details = {"status": status, "reason": reason}
    return ConnectorError(f"{_SAYS[code]} ({reason or status}).", code, retry_after_s=wait_s, details=details)


def reason_of(content: bytes) -> str:
    """``error.errors[0].reason`` of the answer, empty when it is not Drive's JSON."""
    try:
        reason = json.loads(content)["error"]["errors"][0]["reason"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return str(reason)[:80]


def is_worth_another_try(error: BaseException) -> bool:
    """Recoverable within minutes: a daily quota is not."""
    return isinstance(error, ConnectorError) and error.recoverable and error.code != ErrorCode.CONNECTOR_QUOTA


def _until_midnight(now: datetime | None = None) -> float:
    local = (now or datetime.now(UTC)).astimezone(PACIFIC)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - local).total_seconds()


def make_unreadable_error(what: str) -> ConnectorError:
    """An answer with status 200 that is not what was asked for."""
    return ConnectorError(f"Drive sent {what}.", ErrorCode.CONNECTOR_CORRUPT)


def as_object(answer: Any) -> dict[str, Any]:
    """A decoded JSON object. Raises ``ConnectorError`` (corrupt) for anything else, e.g. half a body."""
    if not isinstance(answer, dict):
        raise make_unreadable_error("an answer that is no JSON object")
    return answer


def says_refused(error: Exception) -> bool:
    """Return whether the token endpoint itself refused the credentials, by one of OAuth's codes (RFC 6749, 5.2).

    Anything else, as the HTML page of a gateway, says nothing about them.
    """
    text = " ".join(map(str, error.args)).lower()
    return any(code in text for code in _REFUSALS)


_REFUSALS: Final = (
    "invalid_grant",
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_request",
    "access_denied",
    "deleted_client",
    "disabled_client",
    "account_disabled",
    "necessary fields",  # google-auth's own words for credentials that cannot be refreshed
)
