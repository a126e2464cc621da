"""Earlier conversations and thumbs, over a real Roma: kept, shown again, renamed, deleted, apart by person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
import pytest

from roma_core import Settings, build_roma
from roma_core.app import Roma
from roma_core.llm.base import LLMRequest
from roma_core.llm.providers.fake import FakeLLM
from roma_core.llm.service import LLMService
from roma_core.ui import console, reply
from roma_core.ui.answer import AnswerText
from roma_core.ui.console import RECALLED, Console

TYPED = "When does the valve < 3 & *open*?"


def answer_alike(request: LLMRequest) -> str:
    """Answer every question alike, and leave a follow-up as it is."""
    if request.purpose == "rewrite":
        return request.messages[-1].content.rpartition("New question: ")[2]
    return "The valve opens at 3 bar [1]."


@pytest.fixture
async def roma(workspace: Path, tmp_path: Path) -> AsyncIterator[Roma]:
    (tmp_path / "manual.md").write_text("# Manual\n\nThe valve opens at 3 bar.\n")
    settings = Settings(workspace=workspace, embedder="fake", reranker="fake", parser_workers=1, planner="off")
    llm = LLMService([FakeLLM(rule=answer_alike)])
    async with build_roma(settings, llm=llm) as made:
        await made.ingest(tmp_path / "manual.md")
        yield made


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  (Panel runs what it is handed some ticks later)
            await asyncio.sleep(0.01)


async def asked(view: Console, question: str) -> pn.Column:
    view.ask(question)
    message: pn.Column = view.chat.objects[-1].object
    await until(lambda: not every(message, pmui.LoadingSpinner) and not view._answering)
    await view.earlier.refresh()
    return message


def every(view: Any, kind: type) -> list[Any]:
    return list(view.select(kind))


def titles(view: Console) -> list[str]:
    return [item["label"] for item in view.earlier.list.items]


def press(button: Any) -> None:
    button.param.trigger("clicks")


async def opened(view: Console, title: str) -> None:
    await view.open_conversation(next(i["id"] for i in view.earlier.list.items if i["label"] == title))


async def test_a_conversation_is_shown_again_and_goes_on(roma: Roma) -> None:
    view = Console(roma)
    await asked(view, TYPED)
    assert titles(view) == [TYPED] and view.earlier.view.visible
    first = view.session_id
    await view.start_anew()
    assert view.earlier.list.value is None, "the new one is not listed yet"
    await opened(view, TYPED)
    assert view.session_id == first and view.earlier.list.value["id"] == first
    question, answer = (message.object for message in view.chat.objects)
    assert "valve &lt; 3 &amp; *open*?" in question.object
    (text,), (cards,) = every(answer, AnswerText), every(answer, pmui.Accordion)
    assert "roma-badge" in text.html
    assert any(RECALLED in str(pane.object) for pane in every(answer, pn.pane.HTML))
    text.picked = 1
    await until(lambda: cards.objects[0].html)
    assert "<mark>The valve opens at 3 bar.</mark>" in cards.objects[0].html
    await asked(view, "And when does it close?")
    assert len(await roma.sessions.turns("default", first)) == 2 and titles(view) == [TYPED]


async def test_a_long_conversation_is_shown_from_its_end(roma: Roma) -> None:
    for i in range(console.PAST + 2):
        await roma.query(f"question {i}", session_id="local:long")
    view = Console(roma)
    await view.open_conversation("local:long")
    more, *messages = view.chat.objects
    assert len(messages) == 2 * console.PAST and "question 2<" in messages[0].object.object
    press(more.object)
    await until(lambda: len(view.chat.objects) == 2 * (console.PAST + 2))
    assert "question 0<" in view.chat.objects[0].object.object


@pytest.mark.parametrize("meanwhile", ["ask", "start anew", "open another"])
async def test_what_is_chosen_last_is_shown(roma: Roma, meanwhile: str) -> None:
    view = Console(roma)
    for session_id in ("local:a", "local:b"):
        await roma.query(f"of {session_id}", session_id=session_id)
    opening = asyncio.ensure_future(view.open_conversation("local:a"))
    await asyncio.sleep(0)
    if meanwhile == "ask":
        await asked(view, "typed at once")
        shown = "typed at once"
    elif meanwhile == "start anew":
        await view.start_anew()
        shown = "Ask a question below"
    else:
        await view.open_conversation("local:b")
        shown = "of local:b"
    await opening
    first = view.chat.objects[0].object
    assert shown in str(first[0].object if isinstance(first, pn.Column) else first.object)


async def test_a_source_that_is_gone_is_said_in_its_card(roma: Roma) -> None:
    view = Console(roma)
    await asked(view, TYPED)
    (turn,) = await roma.sessions.turns("default", view.session_id)
    await roma.store.delete("default", [turn.references[0].document_id])
    await opened(view, TYPED)
    answer = view.chat.objects[-1].object
    every(answer, AnswerText)[0].picked = 1
    (cards,) = every(answer, pmui.Accordion)
    await until(lambda: cards.objects[0].html)
    assert "There is no document" in cards.objects[0].html


async def test_nobody_sees_what_others_asked(roma: Roma) -> None:
    await asked(Console(roma, "acme", "token:1"), "of one")
    for tenant, person in (("acme", "token:2"), ("acme", "token:11"), ("acme", "token%"), ("other", "token:1")):
        other = Console(roma, tenant, person)
        await other.earlier.refresh()
        assert titles(other) == [] and not other.earlier.view.visible, (tenant, person)
    same = Console(roma, "acme", "token:1")
    await same.earlier.refresh()
    assert titles(same) == ["of one"]


async def test_a_conversation_is_renamed(roma: Roma) -> None:
    view = Console(roma)
    await asked(view, TYPED)
    earlier = view.earlier
    earlier._ask_title(earlier.list.items[0])
    assert earlier._dialog.open and earlier._title.value == TYPED
    earlier._title.value = "  A better <b>name</b> "
    press(earlier._done)
    await until(lambda: titles(view) == ["A better <b>name</b>"])
    assert not earlier._dialog.open and earlier.list.value, "it is still shown as the open one"
    earlier._ask_title(earlier.list.items[0])
    earlier._title.value = " "
    await earlier._do(None)
    assert titles(view) == ["A better <b>name</b>"], "a title cannot be nothing"


async def test_the_open_conversation_is_deleted_with_all_that_belongs_to_it(roma: Roma) -> None:
    view = Console(roma)
    await asked(view, TYPED)
    gone = view.session_id
    await view.start_anew()
    await asked(view, "another")
    await opened(view, TYPED)
    view.earlier._ask_whether(view.earlier.list.value)
    assert TYPED in view.earlier._dialog.title and not view.earlier._title.visible
    await view.earlier._do(None)
    assert titles(view) == ["another"] and await roma.sessions.turns("default", gone) == []
    assert view.session_id != gone and len(view.chat.objects) == 1, "a new conversation with its greeting"
    view.earlier._chosen = "local:nothing"
    await view.earlier._do(None)
    assert "There is no such session." in every(view.earlier.view, pn.pane.HTML)[0].object


async def test_a_thumb_is_kept_as_the_api_keeps_it_and_shown_again(roma: Roma) -> None:
    view = Console(roma)
    message = await asked(view, TYPED)
    up, down = every(message, pmui.IconButton)
    press(up)
    await until(lambda: up.sx == reply.CHOSEN)
    press(down)
    await until(lambda: down.sx == reply.CHOSEN)
    assert up.sx == reply.PALE
    (opinion,) = await roma.sessions.feedback("default")
    (turn,) = await roma.sessions.turns("default", view.session_id)
    assert (opinion.rating, opinion.answer_id, opinion.session_id) == ("down", turn.answer_id, view.session_id)
    await opened(view, TYPED)
    up, down = every(view.chat.objects[-1].object, pmui.IconButton)
    assert (up.sx, down.sx) == (reply.PALE, reply.CHOSEN)


async def test_without_the_database_answers_are_given_and_the_trouble_is_said(roma: Roma, tmp_path: Path) -> None:
    view = Console(roma)
    message = await asked(view, TYPED)
    await roma.sessions.close()
    (tmp_path / "block").write_text("")
    roma.sessions._url = f"sqlite:///{tmp_path / 'block' / 'sessions.db'}"
    up, _ = every(message, pmui.IconButton)
    press(up)
    await until(lambda: up.sx == reply.FAILED)
    await view.earlier.refresh()
    assert every(view.earlier.view, pmui.Alert) and view.earlier.view.visible
    await opened(view, TYPED)
    assert every(view.chat.objects[-1].object, pmui.Alert)
    late = await asked(view, "still?")
    assert every(late, AnswerText)[0].html
