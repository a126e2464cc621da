"""Mailboxes in files: mbox and Maildir."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import Settings

if TYPE_CHECKING:
    from roma_core.connectors.mailbox.connector import MailboxConnector as MailboxConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("MailboxConnector",)})

__all__ = ["SPEC", "MailboxConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.mailbox.connector import MailboxConnector

    return MailboxConnector(settings)


SPEC = ConnectorSpec("mbox", make=_make, example="mbox:///path/archive.mbox")
