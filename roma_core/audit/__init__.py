"""The audit log: who asked, which documents were shown, who changed what; append-only and chained by hashes."""

from __future__ import annotations

from roma_core.audit.log import ACTIONS, Action, AuditEntry, AuditLog, ChainCheck, QuestionPolicy

__all__ = ["ACTIONS", "Action", "AuditEntry", "AuditLog", "ChainCheck", "QuestionPolicy"]
