"""Personal data and secrets: found as spans, or replaced by ``[redacted:kind]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.redaction.rules import KINDS as KINDS
    from roma_core.redaction.rules import SECRETS as SECRETS
    from roma_core.redaction.rules import SensitiveSpan as SensitiveSpan
    from roma_core.redaction.rules import find as find
    from roma_core.redaction.rules import redact as redact
    from roma_core.redaction.rules import redact_value as redact_value
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "rules": (
                "KINDS",
                "SECRETS",
                "SensitiveSpan",
                "find",
                "redact",
                "redact_value",
            ),
        },
    )

__all__ = [
    "KINDS",
    "SECRETS",
    "SensitiveSpan",
    "find",
    "redact",
    "redact_value",
]
