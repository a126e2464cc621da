"""The chat in notebooks and in Panel: the whole component goes with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from roma_core.types import Principal
from roma_core.ui import Chat, ChatPane
from roma_core.ui.chat.assets import bundle, read_styles


def make_roma() -> Any:
    return SimpleNamespace(user=Principal.local())


def test_a_notebooks_widget_holds_the_whole_chat() -> None:
    chat = Chat(make_roma())
    assert chat._esm == bundle() and chat._css == read_styles()


def test_a_panel_app_gets_the_same_component() -> None:
    pane = ChatPane(make_roma())
    assert pane._esm == bundle() and pane.get_root() is not None
