"""Settings of what may be spent."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from roma_core.settings.base import SettingsSection, setting


class BudgetSettings(SettingsSection):
    """Hard limits in US dollars, and the prices that they are counted by."""

    prefix: ClassVar[str] = "ROMA_BUDGET_"

    run_usd: float | None = setting(None, "Hard limit of one run; none = no limit.", ge=0, decides_answers=False)
    session_usd: float | None = setting(None, "Hard limit of one session.", ge=0, decides_answers=False)
    tenant_usd: float | None = setting(None, "Hard limit of one tenant, all time.", ge=0, decides_answers=False)
    tenant_month_usd: float | None = setting(
        None, "Hard limit of one tenant in a month (UTC).", ge=0, decides_answers=False
    )
    tenant_day_usd: float | None = setting(
        None, "Hard limit of one tenant in a day (UTC).", ge=0, decides_answers=False
    )
    token_usd: float | None = setting(None, "Hard limit of one API token, all time.", ge=0, decides_answers=False)
    token_month_usd: float | None = setting(
        None, "Hard limit of one API token in a month (UTC).", ge=0, decides_answers=False
    )
    token_day_usd: float | None = setting(
        None, "Hard limit of one API token in a day (UTC).", ge=0, decides_answers=False
    )
    prices_file: Path | None = setting(
        None, "JSON that overrides prices per model.", env="ROMA_PRICES_FILE", decides_answers=False
    )
