"""Settings of the choice between a cheap and a strong model."""

from __future__ import annotations

from typing import ClassVar, Literal

from roma_core.settings.base import SettingsSection, setting

RouterMode = Literal["off", "difficulty", "cascade"]


class RoutingSettings(SettingsSection):
    """Which of two models answers a question. The strong one is ``LLM_PROVIDER`` and ``LLM_MODEL``."""

    prefix: ClassVar[str] = "ROMA_ROUTER_"

    mode: RouterMode = setting(
        "off",
        "difficulty: easy questions go to the cheap model; cascade: and to the strong one after it, where the "
        "citations do not hold.",
        env="ROMA_ROUTER",
    )
    model: str | None = setting(None, "provider:model of the cheap model.")
    threshold: float | None = setting(
        None,
        "Difficulty up to which a question goes to the cheap model; none = that of `roma calibrate router`.",
        ge=0,
        le=1,
    )
