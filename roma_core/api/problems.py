"""Errors over HTTP: ``application/problem+json`` (RFC 9457) that carries the ``AgentFailure`` whole."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from roma_core.errors import AgentFailure, ErrorCode, RomaError
from roma_core.telemetry import logs, metrics

MEDIA_TYPE = "application/problem+json"
_log = logs.get("api")

STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.INPUT_INVALID: 422,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.TIMEOUT: 504,
    ErrorCode.STOPPED: 503,
    ErrorCode.INTERRUPTED: 503,
    ErrorCode.CONNECTOR_UNSUPPORTED: 422,
    ErrorCode.CONNECTOR_BLOCKED: 403,
    ErrorCode.LLM_RATE_LIMIT: 503,
    ErrorCode.LLM_UNAVAILABLE: 503,
    ErrorCode.LLM_TIMEOUT: 504,
    ErrorCode.LLM_AUTH: 502,
    ErrorCode.LLM_BAD_REQUEST: 502,
    ErrorCode.LLM_NOT_FOUND: 502,
    ErrorCode.LLM_QUOTA: 503,
    ErrorCode.LLM_BUDGET: 402,
    ErrorCode.LLM_TRUNCATED: 502,
    ErrorCode.LLM_MALFORMED: 502,
    ErrorCode.LLM_EMPTY: 502,
    ErrorCode.LLM_REFUSED: 422,
    ErrorCode.LLM_CONTEXT_LENGTH: 422,
    ErrorCode.EMBEDDING_UNAVAILABLE: 503,
    ErrorCode.EMBEDDING_MODEL: 503,
    ErrorCode.STORAGE_UNAVAILABLE: 503,
    ErrorCode.STORAGE_LOCKED: 503,
    ErrorCode.STORAGE_FULL: 507,
    ErrorCode.STORAGE_MISMATCH: 503,
    ErrorCode.STORAGE_CORRUPT: 503,
    ErrorCode.STORAGE_NEWER: 503,
    ErrorCode.GUARDRAIL_EMPTY: 422,
    ErrorCode.GUARDRAIL_TOO_LONG: 422,
    ErrorCode.GUARDRAIL_BLOCKED: 422,
    ErrorCode.DEPENDENCY_MISSING: 503,
    ErrorCode.ENVIRONMENT: 503,
    ErrorCode.WORKER_UNAVAILABLE: 503,
    ErrorCode.WORKER_LOST: 503,
    ErrorCode.WORKER_MISMATCH: 503,
    ErrorCode.ACCESS_UNAUTHENTICATED: 401,
    ErrorCode.ACCESS_FORBIDDEN: 403,
    ErrorCode.ACCESS_RATE_LIMIT: 429,
}
"""Codes that are not here are defects or misconfigurations of the server: 500."""

_TITLES = {
    401: "Not authenticated", 402: "Budget used up", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
    413: "Body too large", 415: "Unsupported media type", 422: "Cannot be processed", 429: "Too many requests",
    500: "Internal error", 502: "Model failed", 503: "Unavailable", 504: "Timed out", 507: "No room",
}  # fmt: skip
OPENAI_PREFIX = "/v1/"
_OPENAI_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
_OF_STATUS = {
    401: ErrorCode.ACCESS_UNAUTHENTICATED, 403: ErrorCode.ACCESS_FORBIDDEN, 404: ErrorCode.NOT_FOUND,
    429: ErrorCode.ACCESS_RATE_LIMIT,
}  # fmt: skip


class Problem(BaseModel):
    """Body of every error response."""

    type: str = Field(examples=["urn:roma:error:ERR_INPUT_INVALID"])
    title: str = Field(examples=["Cannot be processed"])
    status: int = Field(examples=[422])
    detail: str = Field(description="One sentence that says what to do.")
    failure: AgentFailure


def describe_problem(failure: AgentFailure, status: int | None = None) -> Problem:
    """Return the body for ``failure``."""
    code = status or STATUS.get(failure.code, 500)
    return Problem(
        type=f"urn:roma:error:{failure.code}",
        title=_TITLES.get(code, "Error"),
        status=code,
        detail=failure.message,
        failure=failure,
    )


def make_problem(
    failure: AgentFailure,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    counted: bool = False,
    path: str = "",
) -> Response:
    """Return the response for ``failure``; counted unless ``counted``, and logged when the server is at fault.

    Below ``/v1`` it also holds an ``error`` as OpenAI's clients read it.
    """
    body = describe_problem(failure, status)
    if not counted:
        metrics.count_failure(failure)
    if body.status >= 500:
        where = failure.details if failure.code is ErrorCode.INTERNAL else {}
        _log.warning("failed", code=failure.code.value, failed_agent=failure.agent, status=body.status, **where)
    sent = dict(headers or {})
    if failure.retry_after_s is not None:
        sent["Retry-After"] = str(math.ceil(failure.retry_after_s))
    content = body.model_dump_json()
    if path.startswith(OPENAI_PREFIX):
        content = json.dumps({**body.model_dump(mode="json"), "error": describe_error(failure, body.status)})
    return Response(content, status_code=body.status, headers=sent, media_type=MEDIA_TYPE)


def describe_error(failure: AgentFailure, status: int) -> dict[str, Any]:
    """Return ``failure`` in the shape of OpenAI's errors."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"message": failure.message, "type": kind, "param": None, "code": failure.code.value}


def make_refusal(message: str, code: ErrorCode, *, retry_after_s: float | None = None, **details: Any) -> AgentFailure:
    """Return a failure of the service itself."""
    return AgentFailure.of("api", RomaError(message, code, retry_after_s=retry_after_s, details=details))


def install_handlers(app: FastAPI) -> None:
    """Register handlers that turn every error of ``app``, ours and the framework's, into a problem.

    The gate handles unexpected exceptions.
    """

    @app.exception_handler(RomaError)
    async def _ours(request: Request, error: RomaError) -> Response:
        return make_problem(AgentFailure.of("api", error), path=request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        # Places and rules, never the values: they may be secret, and they come back in logs.
        wrong = [{"where": ".".join(map(str, e["loc"]))[:200], "what": e["msg"]} for e in error.errors()[:20]]
        said = "; ".join(f"{w['where']}: {w['what']}" for w in wrong[:3]) or "The request cannot be read."
        return make_problem(make_refusal(said, ErrorCode.INPUT_INVALID, errors=wrong), path=request.url.path)

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        code = _OF_STATUS.get(error.status_code, ErrorCode.INPUT_INVALID)
        failure = make_refusal(str(error.detail), code)
        return make_problem(failure, error.status_code, error.headers, path=request.url.path)


def make_example(code: ErrorCode, message: str) -> dict[str, Any]:
    """Return an OpenAPI example of a problem."""
    failure = make_refusal(message, code).model_copy(update={"request_id": "5be0c4d1"})
    return describe_problem(failure).model_dump(mode="json")
