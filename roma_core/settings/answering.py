"""Settings of answering a question."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from roma_core.settings.base import SettingsSection, setting

RuleMode = Literal["off", "flag", "block"]


class AnsweringSettings(SettingsSection):
    """Limits, planner, rules and history of a question."""

    query_timeout_s: float = setting(90.0, "Deadline of a whole query.", gt=0, decides_answers=False)
    max_question_chars: int = setting(4000, "Longer questions are refused.", ge=1)
    planner: Literal["auto", "off"] = setting("auto", "auto: plan by a generative model, or by a rule without one.")
    guardrails: dict[str, RuleMode] = setting({}, "Comma-separated rule=off|flag|block that override the defaults.")
    citations: Literal["strict", "mark", "off"] = setting(
        "mark", "Statements that no passage proves: strict takes them out, mark shows them, off checks nothing."
    )
    entailment: str = setting(
        "none",
        "none, a folder or a hub name: the NLI model that may confirm statements which the check of words leaves open.",
    )
    answer_risk: float = setting(
        0.05,
        "Share of wrong answers that quoted answers may reach, once `roma calibrate abstention` has found a threshold.",
        gt=0,
        lt=1,
    )
    prompts: dict[str, str] = setting(
        {},
        "Comma-separated prompt=version (or file) to use in place of ROMA's own: `answer=lazy`.",
        decides_answers=False,  # the hash of each prompt is part of an evaluation's identity
    )
    history_tokens: int = setting(2000, "Most tokens of history a follow-up sees.", ge=0)

    @field_validator("guardrails", "prompts", mode="before")
    @classmethod
    def _split_pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        return {name.strip(): choice.strip() for name, _, choice in pairs}
