"""The meanings of refusals: one table, row by row by vendor, with advice for each meaning.

Gateways hand on the errors of others, so every row is tried for every server, in order. A row matches by a code word
(``error.code``, ``error.type``, ``error.status``) or by a pattern over the sentence. Patterns are written after public
bug reports and the vendors' documentation of their errors; ``tests/contracts/wire`` holds an example of each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from roma_core.errors import ErrorCode

Advice = Literal[
    "key",
    "country",
    "access",
    "request",
    "model",
    "pull",
    "retired",
    "load",
    "context",
    "rate",
    "quota",
    "busy",
    "loading",
    "memory",
    "late",
    "cut",
    "odd",
    "page",
    "rules",
]

ADVICE: dict[Advice, str] = {
    "key": "{server} refused the key; set LLM_API_KEY to a valid one.",
    "country": "{server} does not serve the place that the call comes from; use another provider or a gateway.",
    "access": "{server} lets this key do less than was asked; use another key or LLM_MODEL, or ask its owner.",
    "request": "{server} did not accept the request; check that LLM_MODEL is a chat model, and ROMA_LLM_EXTRA_BODY.",
    "model": "{server} does not know this model or address; check LLM_MODEL and LLM_BASE_URL (OpenAI-compatible "
    "addresses mostly end in /v1).",
    "pull": "{server} does not have this model; pull it there (`ollama pull`) or set LLM_MODEL to one of its list.",
    "retired": "{server} has retired this model; set LLM_MODEL to its successor.",
    "load": "{server} has no model loaded; load one there.",
    "context": "The prompt is longer than {server} reads; lower top_k, ask a shorter question, or give the server a "
    "longer context.",
    "rate": "{server} asks for fewer requests; try again later, or set ROMA_LLM_REQUESTS_PER_MINUTE to what it grants.",
    "quota": "The account at {server} has no credit left; add some, raise its limit, or use another key or provider.",
    "busy": "{server} cannot answer at the moment; try again in a minute, or name another in ROMA_LLM_FALLBACKS.",
    "loading": "{server} is still loading its model; try again in a minute.",
    "memory": "{server} ran out of memory; use a smaller model or a shorter context there.",
    "late": "{server} did not answer in time; try again, or raise ROMA_LLM_FIRST_TOKEN_S.",
    "cut": "{server} broke off its answer; ask again.",
    "odd": "{server} sent something that is no answer; check that LLM_BASE_URL is the address of a chat API.",
    "page": "{server} answered with a web page; check that LLM_BASE_URL is the address of a chat API, with its /v1.",
    "rules": "{server} declined the request by its content rules; put the question in other words.",
}
"""One sentence each that says what to do. ``{server}`` is who was asked."""

DEFAULT_ADVICE: dict[ErrorCode, Advice] = {
    ErrorCode.LLM_AUTH: "key",
    ErrorCode.LLM_BAD_REQUEST: "request",
    ErrorCode.LLM_NOT_FOUND: "model",
    ErrorCode.LLM_CONTEXT_LENGTH: "context",
    ErrorCode.LLM_RATE_LIMIT: "rate",
    ErrorCode.LLM_QUOTA: "quota",
    ErrorCode.LLM_UNAVAILABLE: "busy",
    ErrorCode.LLM_TIMEOUT: "late",
    ErrorCode.LLM_TRUNCATED: "cut",
    ErrorCode.LLM_MALFORMED: "odd",
    ErrorCode.LLM_REFUSED: "rules",
}

BY_STATUS: dict[int, ErrorCode] = {
    401: ErrorCode.LLM_AUTH,
    402: ErrorCode.LLM_QUOTA,
    403: ErrorCode.LLM_AUTH,
    404: ErrorCode.LLM_NOT_FOUND,
    408: ErrorCode.LLM_TIMEOUT,
    413: ErrorCode.LLM_CONTEXT_LENGTH,
    429: ErrorCode.LLM_RATE_LIMIT,
    498: ErrorCode.LLM_RATE_LIMIT,  # Groq: the capacity of its flex tier
    504: ErrorCode.LLM_TIMEOUT,
}


@dataclass(frozen=True)
class Meaning:
    """One row: whose words these are, how they are known, and what they mean."""

    vendor: str
    code: ErrorCode
    words: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    statuses: frozenset[int] = frozenset()
    """The row holds for these statuses alone; empty = for all."""
    advice: Advice | None = None
    """None = that of the code."""

    def fits(self, status: int, words: frozenset[str], sentence: str) -> bool:
        """Return whether an error with these properties means this."""
        if self.statuses and status not in self.statuses:
            return False
        return bool(self.words & words) or (self.pattern is not None and self.pattern.search(sentence) is not None)


def _row(
    vendor: str, code: ErrorCode, words: str = "", pattern: str = "", statuses: str = "", advice: Advice | None = None
) -> Meaning:
    return Meaning(
        vendor=vendor,
        code=code,
        words=frozenset(word.lower() for word in words.split()),
        pattern=re.compile(pattern, re.IGNORECASE) if pattern else None,
        statuses=frozenset(int(status) for status in statuses.split()),
        advice=advice,
    )


_NOT_BUSY = "200 400 404 409 413 422 500"
_E = ErrorCode

MEANINGS: tuple[Meaning, ...] = (
    # --- the prompt is too long ---
    _row("OpenAI", _E.LLM_CONTEXT_LENGTH, "context_length_exceeded string_above_max_length"),
    _row("llama.cpp", _E.LLM_CONTEXT_LENGTH, "exceed_context_size_error"),
    _row("LiteLLM", _E.LLM_CONTEXT_LENGTH, "ContextWindowExceededError", r"ContextWindowExceeded"),
    _row("Anthropic", _E.LLM_CONTEXT_LENGTH, "request_too_large"),
    _row("Zhipu", _E.LLM_CONTEXT_LENGTH, "1261", r"prompt\s*超长|输入.{0,6}(?:超长|过长)|长度超过"),
    _row("OpenAI", _E.LLM_CONTEXT_LENGTH, "", r"maximum context length|exceeds? the context window", _NOT_BUSY),
    _row(
        "Anthropic", _E.LLM_CONTEXT_LENGTH, "", r"prompt is too long|exceed(?:s|ed)? (?:the )?context limit", _NOT_BUSY
    ),
    _row(
        "vLLM, SGLang",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"longer than the (?:maximum model length|model's context)|model's context length is only"
        r"|exceeds the model's maximum context",
        _NOT_BUSY,
    ),
    _row(
        "llama.cpp",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"exceeds? the (?:available )?context size|context (?:window|size|length) (?:has been )?exceeded"
        r"|exceeds? (?:the )?(?:max(?:imum)? )?context (?:length|window|size)",
        _NOT_BUSY,
    ),
    _row(
        "LM Studio",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"context the overflows|context overflow|tokens to keep from the initial prompt is greater"
        r"|loaded with (?:a )?context length of only",
        _NOT_BUSY,
    ),
    _row(
        "Gemini",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"input token count.{0,40}exceeds the maximum|token count.{0,30}exceeds the (?:limit|maximum)",
        _NOT_BUSY,
    ),
    _row(
        "TGI, Together",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"`?inputs`? (?:tokens \+ `?max_new_tokens`? must be <=|must have less than)",
        _NOT_BUSY,
    ),
    _row("Bedrock", _E.LLM_CONTEXT_LENGTH, "", r"input (?:text )?is too long|too many input tokens", _NOT_BUSY),
    _row(
        "Cohere",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"too many tokens\b|number of tokens in the prompt (?:cannot|must not) exceed|size limit exceeded",
        _NOT_BUSY,
    ),
    _row("xAI", _E.LLM_CONTEXT_LENGTH, "", r"maximum prompt length is", _NOT_BUSY),
    _row(
        "Groq",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"reduce (?:the length of|your) (?:the |your )?(?:messages?|prompt)|request too large for model",
        "200 400 413",
    ),
    _row("Mistral", _E.LLM_CONTEXT_LENGTH, "", r"too large for model with \d+ maximum context", _NOT_BUSY),
    _row(
        "Ollama",
        _E.LLM_CONTEXT_LENGTH,
        "",
        r"prompt too long|(?:input|prompt) length exceeds|exceeded max context length",
        _NOT_BUSY,
    ),
    _row("Qwen", _E.LLM_CONTEXT_LENGTH, "", r"range of input length should be|input length.{0,20}exceed", _NOT_BUSY),
    _row("Moonshot", _E.LLM_CONTEXT_LENGTH, "", r"exceeded model token limit", _NOT_BUSY),
    _row("MiniMax", _E.LLM_CONTEXT_LENGTH, "", r"context window exceeds limit", _NOT_BUSY),
    _row("SiliconFlow", _E.LLM_CONTEXT_LENGTH, "", r"prompt_tokens.{0,30}must be less than|max_seq_len", _NOT_BUSY),
    _row("GitHub Models", _E.LLM_CONTEXT_LENGTH, "tokens_limit_reached"),
    _row("Cerebras", _E.LLM_CONTEXT_LENGTH, "", r"current length is \d+ while limit is", _NOT_BUSY),
    # --- the account ---
    _row("Gemini", _E.LLM_RATE_LIMIT, "", r"exceeded your current quota.{0,600}(?:retry in|per ?minute)", "200 429"),
    _row(
        "OpenAI",
        _E.LLM_QUOTA,
        "insufficient_quota billing_hard_limit_reached billing_not_active account_deactivated budget_limit_reached "
        "project_budget_exceeded insufficient_credits",
        r"exceeded your current quota|billing hard limit|check your billing|exceeded its (?:\w+ )?budget",
    ),
    _row(
        "Anthropic",
        _E.LLM_QUOTA,
        "billing_error",
        r"credit balance is too low|reached your (?:specified )?(?:workspace )?(?:api )?usage limits?\. you will",
    ),
    _row(
        "DeepSeek, SiliconFlow, Novita",
        _E.LLM_QUOTA,
        "NOT_ENOUGH_BALANCE",
        r"insufficient balance|balance (?:is )?(?:insufficient|too low|not enough)|not enough (?:balance|credits?)"
        r"|余额不足|欠费",
    ),
    _row("Ark", _E.LLM_QUOTA, "AccountOverdueError", r"overdue (?:balance|payment|invoice)|in arrears"),
    _row("OpenRouter", _E.LLM_QUOTA, "", r"insufficient credits|requires more credits|can only afford"),
    _row(
        "xAI",
        _E.LLM_QUOTA,
        "",
        r"used all available credits|monthly spending limit|spend(?:ing)? limit (?:reached|exceeded)",
    ),
    _row("Together", _E.LLM_QUOTA, "", r"credit limit exceeded|payment required|add (?:a )?payment method"),
    _row("Qwen", _E.LLM_QUOTA, "Arrearage AllocationQuota.FreeTierOnly", r"account is in good standing"),
    _row("Moonshot", _E.LLM_QUOTA, "exceeded_current_quota_error"),
    _row("Zhipu", _E.LLM_QUOTA, "1113"),
    _row("LiteLLM", _E.LLM_QUOTA, "budget_exceeded", r"budget has been exceeded|ExceededBudget"),
    _row("one-api", _E.LLM_QUOTA, "insufficient_user_quota quota_not_enough"),
    # --- the place ---
    _row(
        "OpenAI",
        _E.LLM_AUTH,
        "unsupported_country_region_territory",
        r"country, region, or territory not supported",
        advice="country",
    ),
    _row("Gemini", _E.LLM_AUTH, "", r"user location is not supported", advice="country"),
    _row("Groq", _E.LLM_AUTH, "", r"check your network settings", "403", "country"),
    _row("Anthropic", _E.LLM_AUTH, "", r"^request not allowed", "403", "country"),
    # --- content rules ---
    _row(
        "Azure",
        _E.LLM_REFUSED,
        "content_filter ResponsibleAIPolicyViolation",
        r"content management policy|responsible ?ai ?policy",
    ),
    _row("OpenAI", _E.LLM_REFUSED, "content_policy_violation", r"violat\w+ (?:our|the) usage (?:policy|guidelines)"),
    _row("Anthropic", _E.LLM_REFUSED, "", r"blocked by content filtering policy"),
    _row("xAI", _E.LLM_REFUSED, "", r"violates usage guidelines"),
    _row("DeepSeek", _E.LLM_REFUSED, "", r"content exists risk"),
    _row("Qwen", _E.LLM_REFUSED, "data_inspection_failed DataInspectionFailed", r"inappropriate content"),
    _row("Zhipu", _E.LLM_REFUSED, "1301", r"不安全或敏感内容"),
    _row("OpenRouter", _E.LLM_REFUSED, "", r"flagged (?:for|as)|requires moderation"),
    _row("Bedrock", _E.LLM_REFUSED, "guardrail_intervened", r"guardrail (?:has )?intervened"),
    # --- the model ---
    _row(
        "Groq",
        _E.LLM_NOT_FOUND,
        "model_decommissioned",
        r"has been (?:decommissioned|retired|deprecated|shut ?down)|reached its end of life"
        r"|no longer (?:available|supported)",
        "400 404 410 422",
        "retired",
    ),
    _row("Ollama", _E.LLM_NOT_FOUND, "", r"try pulling it first|model '[^']*' not found", advice="pull"),
    _row(
        "LM Studio",
        _E.LLM_NOT_FOUND,
        "",
        r"no models? (?:is |are )?loaded|please load a model|^model (?:was |is )?unloaded",
        advice="load",
    ),
    _row(
        "OpenAI",
        _E.LLM_NOT_FOUND,
        "model_not_found",
        r"model [`'\"]?[\w.:/@-]+[`'\"]? does not exist",
        "200 400 403 404 422",
    ),
    _row("Anthropic", _E.LLM_NOT_FOUND, "not_found_error", "", "200 400 404"),
    _row("Azure", _E.LLM_NOT_FOUND, "DeploymentNotFound OperationNotSupported unknown_model"),
    _row("OpenRouter", _E.LLM_NOT_FOUND, "", r"is not a valid model|no endpoints found for"),
    _row(
        "Mistral, DeepSeek, LiteLLM, Bedrock",
        _E.LLM_NOT_FOUND,
        "invalid_model unavailable_model model_not_supported ModelNotOpen",
        r"\binvalid model\b|model (?:does )?not exist|model identifier is invalid|inference profile"
        r"|(?:unknown|unsupported|unavailable) model"
        r"|requested model .{1,80} is not supported",
        "200 400 404 422",
    ),
    _row("Gemini", _E.LLM_NOT_FOUND, "", r"is not found for api version"),
    _row("Together", _E.LLM_NOT_FOUND, "model_not_available", r"unable to access (?:the )?model"),
    _row("Bedrock", _E.LLM_AUTH, "", r"don't have access to the model|access to the model is denied", advice="access"),
    _row("Bedrock", _E.LLM_NOT_FOUND, "ResourceNotFoundException"),
    # --- the key ---
    _row(
        "OpenAI",
        _E.LLM_AUTH,
        "invalid_api_key missing_api_key authentication_error invalid_authentication_error token_not_found_in_db",
        r"(?:incorrect|invalid|missing|no) api[ _-]?key|api[ _-]?key (?:not valid|is (?:not valid|invalid|missing))",
        "200 400 401 403",
    ),
    _row("Gemini", _E.LLM_AUTH, "API_KEY_INVALID UNAUTHENTICATED"),
    _row(
        "OpenRouter, xAI",
        _E.LLM_AUTH,
        "",
        r"no auth credentials|invalid (?:or expired )?(?:token|credentials)|token (?:has |is )?(?:expired|invalid)\b",
        "200 400 401 403",
    ),
    _row("DeepSeek", _E.LLM_AUTH, "", r"authentication fail"),
    _row("Bedrock", _E.LLM_AUTH, "UnrecognizedClientException ExpiredTokenException InvalidSignatureException"),
    _row("Tencent", _E.LLM_AUTH, "AuthFailure AuthFailure.SecretIdNotFound AuthFailure.SignatureFailure"),
    _row(
        "Bedrock, Gemini, Azure",
        _E.LLM_AUTH,
        "AccessDeniedException PERMISSION_DENIED permission_error AccessDenied PermissionDenied",
        advice="access",
    ),
    _row(
        "LiteLLM",
        _E.LLM_AUTH,
        "key_model_access_denied team_model_access_denied user_model_access_denied",
        r"not allowed to access model",
        advice="access",
    ),
    _row(
        "Groq", _E.LLM_AUTH, "organization_restricted", r"(?:organization|account) has been restricted", advice="access"
    ),
    _row(
        "OpenAI", _E.LLM_AUTH, "insufficient_permissions", r"insufficient permissions|missing scopes", advice="access"
    ),
    # --- too much at once ---
    _row(
        "OpenAI, Anthropic",
        _E.LLM_RATE_LIMIT,
        "rate_limit_error rate_limit_exceeded rate_limit_reached_error requests tokens too_many_requests",
        "",
        "200 400 413 429",
    ),
    _row("Gemini", _E.LLM_RATE_LIMIT, "RESOURCE_EXHAUSTED"),
    _row("Bedrock", _E.LLM_RATE_LIMIT, "ThrottlingException TooManyRequestsException ServiceQuotaExceededException"),
    _row("Mistral", _E.LLM_RATE_LIMIT, "service_tier_capacity_exceeded 3505", r"service tier capacity exceeded"),
    _row("Zhipu", _E.LLM_RATE_LIMIT, "1302 1303 1305"),
    _row("Qwen", _E.LLM_RATE_LIMIT, "Throttling Throttling.RateQuota Throttling.AllocationQuota LimitRequests"),
    _row(
        "any",
        _E.LLM_RATE_LIMIT,
        "",
        r"(?:rate|request)[ -]?limit(?:ed| reached| exceeded)|too many requests",
        "200 429",
    ),
    # --- later ---
    _row(
        "Ollama",
        _E.LLM_UNAVAILABLE,
        "",
        r"out of memory|more system memory|model runner has unexpectedly stopped|runner process (?:has )?terminated",
        advice="memory",
    ),
    _row(
        "llama.cpp, Hugging Face",
        _E.LLM_UNAVAILABLE,
        "ModelNotReadyException",
        r"loading model|is (?:currently |still )?loading",
        "200 202 425 429 500 503",
        "loading",
    ),
    _row("Anthropic", _E.LLM_UNAVAILABLE, "overloaded_error api_error"),
    _row("OpenAI", _E.LLM_UNAVAILABLE, "server_error internal_server_error engine_overloaded service_unavailable"),
    _row("Moonshot", _E.LLM_UNAVAILABLE, "engine_overloaded_error"),
    _row("Gemini", _E.LLM_UNAVAILABLE, "UNAVAILABLE INTERNAL ABORTED"),
    _row(
        "Bedrock",
        _E.LLM_UNAVAILABLE,
        "ServiceUnavailableException InternalServerException ModelErrorException ModelStreamErrorException",
    ),
    _row(
        "any",
        _E.LLM_TIMEOUT,
        "timeout_error timeout ModelTimeoutException DEADLINE_EXCEEDED",
        r"timed? ?out",
        "200 408 504 524",
    ),
    # --- the request ---
    _row(
        "any",
        _E.LLM_BAD_REQUEST,
        "invalid_request_error invalid_request INVALID_ARGUMENT FAILED_PRECONDITION ValidationException "
        "BadRequestError unsupported_parameter unsupported_value invalid_value",
        "",
        "200 400 422",
    ),
)
"""Read from the top: the first row that fits is meant."""


def meaning_of(status: int, words: frozenset[str], sentence: str) -> Meaning | None:
    """Return the first row that fits an error; None when no row knows it, so that its status decides.

    ::

        meaning_of(400, frozenset(), "Your credit balance is too low.").code  # ErrorCode.LLM_QUOTA
    """
    lower = frozenset(word.lower() for word in words)
    return next((meaning for meaning in MEANINGS if meaning.fits(status, lower, sentence)), None)
