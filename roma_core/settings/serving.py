"""Settings of the HTTP service."""

from __future__ import annotations

from typing import Literal

from roma_core.settings.base import SettingsSection, setting

AuditMode = Literal["all", "service", "off"]
AuditQuestions = Literal["full", "redacted", "hash"]


class ServingSettings(SettingsSection):
    """Settings of the service: its address, its users and its limits."""

    host: str = setting("127.0.0.1", "Address to bind; other than loopback needs a token.", decides_answers=False)
    port: int = setting(8000, "Port to bind.", ge=0, le=65535, decides_answers=False)
    public_url: str | None = setting(
        None,
        "Address by which browsers reach the service (https://roma.example.org); sign-in by a provider needs it.",
        decides_answers=False,
    )
    url: str | None = setting(
        None,
        "Address of a running service whose conversations `dashboards/chat.py` shows, with the token of `ROMA_TOKEN`; "
        "none: those of the workspace.",
        decides_answers=False,
    )
    password_sign_in: bool = setting(
        True,
        "Let accounts of ROMA's own sign in with a password beside an identity provider.",
        decides_answers=False,
    )
    require_token: bool = setting(
        False,
        "Serve nobody without a token, also while there is none: a workspace may be missing.",
        decides_answers=False,
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        "Origins of other sites whose pages may use the API (CORS) and open the console.",
        decides_answers=False,
    )
    ingest_roots: tuple[str, ...] = setting(
        (),
        "Comma-separated folders and addresses (`gdrive://...`) that tokens may ingest over HTTP; none = none.",
        decides_answers=False,
    )
    ingest_jobs: int = setting(
        2,
        "Ingest jobs that run side by side; 0 leaves them to other servers of the same queue.",
        ge=0,
        le=64,
        decides_answers=False,
    )
    queue_url: str | None = setting(
        None,
        "Redis that keeps ingest jobs for several hosts (redis://host:6379/0); none = where accounts lie.",
        decides_answers=False,
    )
    audit: AuditMode = setting(
        "service",
        "Which asking and reading is logged: all, that of signed-in callers (service), or none; changes always are.",
        decides_answers=False,
    )
    audit_questions: AuditQuestions = setting(
        "redacted", "How the audit log keeps questions: full, redacted, or as a hash.", decides_answers=False
    )
    console_models: tuple[str, ...] = setting(
        (),
        "Comma-separated models that the console offers beside `LLM_MODEL`, to ask and to compare.",
        decides_answers=False,
    )
    max_body_mb: float = setting(10.0, "Largest request body.", gt=0, decides_answers=False)
    rate_limit_per_minute: int = setting(120, "Requests a minute per token or address.", ge=1, decides_answers=False)
    connections_per_address: int = setting(
        1024,
        "Connections that one address may hold; a proxy in front is one address.",
        ge=1,
        decides_answers=False,
    )
