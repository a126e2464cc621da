"""Settings of logs and traces."""

from __future__ import annotations

from typing import Literal

from roma_core.settings.base import SettingsSection, setting


class TelemetrySettings(SettingsSection):
    """Settings of logs and traces."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "WARNING", "Least level shown.", decides_answers=False
    )
    log_format: Literal["console", "json"] = setting("console", "Shape of log lines on stderr.", decides_answers=False)
    tracing: bool = setting(False, "Write MLflow spans of every stage.", decides_answers=False)
    mlflow_tracking_uri: str | None = setting(
        None, "MLflow server; none = SQLite in the workspace.", decides_answers=False
    )
