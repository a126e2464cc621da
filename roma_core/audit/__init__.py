"""The audit log: who asked, which documents were shown, who changed what; append-only and chained by hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core.audit.log import ACTIONS, Action, AuditEntry, AuditLog, ChainCheck, QuestionPolicy
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.settings import Settings

__all__ = [
    "ACTIONS",
    "Action",
    "AuditEntry",
    "AuditLog",
    "ChainCheck",
    "QuestionPolicy",
    "open_audit",
]


def open_audit(settings: Settings) -> AuditLog:
    """Return the log of the tenant of ``settings``: in PostgreSQL where they name one, else in the tenant's folder.

    >>> from roma_core.settings import Settings
    >>> open_audit(Settings()).verify("default").is_whole
    True
    """
    folder, questions = Workspace.of(settings).folder, settings.serving.audit_questions
    server_url = settings.storage.server_url
    if server_url is None:
        return AuditLog(folder, questions=questions)
    from roma_core.audit.server import ServerAuditLog

    return ServerAuditLog(server_url, folder, questions=questions)
