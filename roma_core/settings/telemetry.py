"""Settings of logs and traces."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr, field_validator

from roma_core.settings.base import SettingsSection, setting
from roma_core.settings.llm import check_address, read_headers


class TelemetrySettings(SettingsSection):
    """Settings of logs and traces."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "WARNING", "Least level shown.", decides_answers=False
    )
    log_format: Literal["console", "json"] = setting("console", "Shape of log lines on stderr.", decides_answers=False)
    log_days: int = setting(
        0,
        "Days of log lines that are kept in the workspace, as JSON in one file a day; 0 = stderr alone.",
        ge=0,
        decides_answers=False,
    )
    tracing: bool = setting(False, "Write MLflow spans of every stage.", decides_answers=False)
    mlflow_tracking_uri: str | None = setting(
        None, "MLflow server; none = SQLite in the workspace.", decides_answers=False
    )
    otlp_endpoint: str | None = setting(
        None,
        "OpenTelemetry collector (OTLP over HTTP, `http://host:4318`) for spans of queries and model calls.",
        decides_answers=False,
    )
    otlp_headers: SecretStr | None = setting(
        None, 'JSON object of headers for the collector: `{"Authorization": "..."}`.', decides_answers=False
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return check_address(value)

    @field_validator("otlp_headers")
    @classmethod
    def _check_headers(cls, value: SecretStr | None) -> SecretStr | None:
        read_headers(value)
        return value

    @property
    def otlp_sent_headers(self) -> dict[str, str]:
        """Return the headers for the collector by name."""
        return read_headers(self.otlp_headers)

    @property
    def writes_spans(self) -> bool:
        """Return whether spans go anywhere."""
        return self.tracing or self.otlp_endpoint is not None
