"""Settings of the model that grades answers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr, field_validator

from roma_core.settings.base import SettingsSection, setting
from roma_core.settings.llm import check_address


class JudgeSettings(SettingsSection):
    """The judge: a role of its own, with its own model, access, budget and number of votes."""

    prefix: ClassVar[str] = "ROMA_JUDGE_"

    model: str | None = setting(
        None,
        "provider:model that grades answers; none = the model that writes them, which then grades itself.",
        decides_answers=False,
    )
    api_key: SecretStr | None = setting(
        None, "Key of the judge's provider; none = the key that its vendor has anyway.", decides_answers=False
    )
    base_url: str | None = setting(None, "Address of the judge's server.", decides_answers=False)
    budget_usd: float | None = setting(
        None, "Most that the judge may cost in one run; none = the common budgets.", ge=0, decides_answers=False
    )
    cache: bool = setting(True, "Keep grades by all that decides them.", decides_answers=False)
    repeats: int = setting(
        1, "Grades asked for each answer; the middle one counts.", ge=1, le=15, decides_answers=False
    )

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return check_address(value)
