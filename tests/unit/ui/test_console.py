"""The console without a browser: what a reply becomes, and what a click does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import panel as pn
import panel_material_ui as pmui
import pytest

from roma_core.errors import AgentFailure, ErrorCode, StoreError
from roma_core.settings import Settings
from roma_core.types import (
    Block,
    Citation,
    CompleteEvent,
    ComponentHealth,
    Document,
    ErrorEvent,
    HealthReport,
    Query,
    StageEvent,
    StreamEvent,
    TailorOutput,
    TokenEvent,
    Usage,
)
from roma_core.ui import answer
from roma_core.ui.console import Console, greeting, on_a_phone

TEXT = "Before. The switch is called QUIET. After."
QUOTE = "The switch is called QUIET."
HOSTILE = '<img src=x onerror="alert(1)">'


def citation(**fields: Any) -> Citation:
    start = TEXT.index(QUOTE)
    base = {
        "marker": 1,
        "chunk_id": "c",
        "document_id": "d",
        "uri": "file:///d.md",
        "title": f"Manual {HOSTILE}",
        "place": "page 7",
        "start": start,
        "end": start + len(QUOTE),
        "quote": QUOTE,
        "answer_start": 0,
        "answer_end": 5,
        "verdict": "verbatim",
    }
    return Citation.model_validate({**base, **fields})


def output(**fields: Any) -> TailorOutput:
    base = {
        "answer": f"It is QUIET [1]. {HOSTILE}",
        "citations": (citation(),),
        "follow_ups": (f"And then? {HOSTILE}",),
    }
    return TailorOutput.model_validate({**base, "model": "extractive", **fields})


class ScriptedRoma:
    """The part of ``Roma`` that the console uses."""

    def __init__(self, *events: StreamEvent) -> None:
        self.events = events
        self.queries: list[Query] = []
        self.drawn: list[int] = []
        self.tenants: list[str] = []
        self.size = (1234, 5678)
        self.failure: StoreError | None = None

    async def stream_query(self, query: Query) -> AsyncIterator[StreamEvent]:
        self.queries.append(query)
        for event in self.events:
            yield event

    settings = Settings()

    @property
    def store(self) -> ScriptedRoma:
        return self

    async def counts(self, tenant: str) -> tuple[int, int]:
        if self.failure:
            raise self.failure
        return self.size

    async def source_page(self, document: Document, number: int, tenant: str = "default") -> bytes | AgentFailure:
        self.drawn.append(number)
        return b"\x89PNG"

    async def document(self, document_id: str, tenant: str) -> Document | AgentFailure:
        self.tenants.append(tenant)
        return Document(id=document_id, uri="file:///d.md", title="M", text=TEXT, content_sha256="0", parser="text/1")

    async def health(self) -> HealthReport:
        part = ComponentHealth(name="llm", state="degraded", reason=f"no key {HOSTILE}")
        return HealthReport(state="degraded", version="1", components=(part,))


async def reply(*events: StreamEvent) -> tuple[Console, pn.Column]:
    console = Console(ScriptedRoma(*events))  # type: ignore[arg-type]
    messages = [m async for m in console._reply("Which switch?", "User", console.chat)]
    return console, messages[-1]


def every(view: Any, kind: type) -> list[Any]:
    return list(view.select(kind))


async def test_a_reply_streams_and_ends_with_badges_sources_and_follow_ups() -> None:
    console, message = await reply(
        StageEvent(stage="retrieved", elapsed_ms=3, detail={"passages": 5}),
        TokenEvent(text="It is "),
        TokenEvent(text="QUIET [1]."),
        CompleteEvent(output=output()),
    )
    (text,) = every(message, answer.AnswerText)
    assert 'class="roma-badge"' in text.html and "<img" not in text.html
    (sources,) = every(message, pmui.Accordion)
    assert len(sources.objects) == 1 and sources.active == []
    assert [b.label for b in every(message, pmui.Button)] == [f"And then? {HOSTILE}"]
    assert not every(message, pmui.LoadingSpinner)
    assert console.roma.queries[0].session_id == console.session_id  # type: ignore[attr-defined]


async def test_a_console_stays_with_its_tenant() -> None:
    roma = ScriptedRoma(CompleteEvent(output=output()))
    console = Console(roma, "acme")  # type: ignore[arg-type]
    [message] = [m async for m in console._reply("q", "User", console.chat)]
    (text,), (sources,) = every(message, answer.AnswerText), every(message, pmui.Accordion)
    text.picked = 1
    await answer_filled(sources)
    assert roma.queries[0].tenant == "acme" and roma.tenants == ["acme"]
    assert Console(roma).tenant == roma.settings.tenant  # type: ignore[arg-type]


async def test_tokens_show_before_the_answer_is_complete() -> None:
    console = Console(ScriptedRoma(TokenEvent(text="First words"), CompleteEvent(output=output())))  # type: ignore[arg-type]
    seen: list[str] = []
    async for message in console._reply("q", "User", console.chat):
        (text,) = every(message, answer.AnswerText)
        text.param.watch(lambda e: seen.append(e.new), "html")
    assert "First words" in seen[0] and "roma-badge" in seen[-1]


async def test_a_click_on_a_badge_opens_its_source_with_the_words_marked() -> None:
    _, message = await reply(CompleteEvent(output=output()))
    (text,), (sources,) = every(message, answer.AnswerText), every(message, pmui.Accordion)
    text.picked = 1
    assert sources.active == [0]
    await answer_filled(sources)
    assert f"<mark>{QUOTE}</mark>" in sources.objects[0].object
    text.picked = 9
    assert sources.active == [0], "an unknown marker opens nothing"


async def answer_filled(sources: pmui.Accordion) -> None:
    import asyncio

    for _ in range(50):
        if sources.objects[0].object:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the source was not filled")


@pytest.mark.parametrize(("recoverable", "buttons"), [(True, ["Try again"]), (False, [])])
async def test_a_failure_is_an_alert_and_only_a_recoverable_one_offers_another_try(
    recoverable: bool, buttons: list[str]
) -> None:
    failure = AgentFailure(
        agent="tailor",
        code=ErrorCode.LLM_TIMEOUT,
        message=f"Too slow. {HOSTILE}",
        recoverable=recoverable,
        retry_after_s=3,
    )
    _, message = await reply(ErrorEvent(failure=failure))
    (alert,) = every(message, pmui.Alert)
    assert alert.severity == ("warning" if recoverable else "error") and "ERR_LLM_TIMEOUT" in alert.title
    assert [b.label for b in every(message, pmui.Button)] == buttons
    assert all("<img" not in str(p.object) for p in every(message, pn.pane.HTML))


async def test_a_degraded_answer_says_what_was_missing() -> None:
    _, message = await reply(CompleteEvent(output=output(degraded=True, degraded_reasons=("the reranker was away",))))
    (alert,) = every(message, pmui.Alert)
    assert "the reranker was away" in alert.objects[0].object


def test_what_a_person_types_is_text() -> None:
    console = Console(ScriptedRoma())  # type: ignore[arg-type]
    console.chat.send(HOSTILE, user="User", respond=False)
    shown = console.chat.objects[-1]._object_panel
    assert isinstance(shown, pn.pane.HTML) and "<img" not in shown.object


async def test_page_shows_health_without_markup() -> None:
    console = Console(ScriptedRoma())  # type: ignore[arg-type]
    assert console.page().title == "ROMA"
    status = pn.Column()
    await console._fill_status(status)
    assert [c.label for c in every(status, pmui.Chip)] == ["ROMA: degraded", "llm: degraded"]
    assert all("<img" not in str(p.object) for p in every(status, pn.pane.HTML))


async def test_a_new_conversation_has_a_new_session_and_a_greeting() -> None:
    console = Console(ScriptedRoma())  # type: ignore[arg-type]
    before = console.session_id
    await console._start_anew()
    assert console.session_id != before
    assert "1,234 documents" in console.chat.objects[0].object.object


async def test_the_greeting_says_what_is_wrong() -> None:
    roma = ScriptedRoma()
    console = Console(roma)  # type: ignore[arg-type]
    roma.failure = StoreError(f"The disk is away. {HOSTILE}")
    await console.welcome()
    shown = console.chat.objects[-1].object.object
    assert "cannot be reached" in shown and "The disk is away." in shown and "<img" not in shown
    assert "roma ingest" in greeting((0, 0))


@pytest.mark.parametrize(
    ("headers", "phone"),
    [
        ({"User-Agent": "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36"}, True),
        ({"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Safari/537.36"}, False),
        ({"Referer": "Mobi"}, False),
        ({}, False),
    ],
)
def test_a_phone_is_known_by_its_agent(headers: dict[str, str], phone: bool) -> None:
    assert on_a_phone(headers) is phone


def pdf(**fields: Any) -> Document:
    cited = Block(start=8, end=35, kind="paragraph", page=7, box=(0.1, 0.2, 0.9, 0.3))
    other = Block(start=36, end=42, kind="paragraph", page=8, box=(0, 0, 1, 1))
    base = {"id": "d", "uri": "a.pdf", "title": "M", "text": TEXT, "content_sha256": "0", "parser": "pdf/1"}
    return Document.model_validate({**base, "blocks": (cited, other), **fields})


async def test_a_citation_of_a_pdf_shows_its_page_with_the_cited_block_marked() -> None:
    roma = ScriptedRoma()
    html = await answer.cited_page(citation(), pdf(), roma.source_page)
    assert roma.drawn == [7] and html.count('class="area"') == 1 and "left:10.00%;top:20.00%" in html
    assert "data:image/png;base64," in html and "Page 7; the cited part is marked" in html


async def test_a_page_that_cannot_be_drawn_says_why() -> None:
    async def gone(document: Document, number: int) -> AgentFailure:
        return AgentFailure(
            agent="ingestion", code=ErrorCode.CONNECTOR_CHANGED, message=f"Changed. {HOSTILE}", recoverable=True
        )

    html = await answer.cited_page(citation(), pdf(), gone)
    assert "Page 7 cannot be shown: Changed." in html and "<img" not in html


@pytest.mark.parametrize("document", [pdf(blocks=()), pdf(text="Something else entirely, and it is long enough.")])
async def test_no_page_is_drawn_without_geometry_or_for_other_words(document: Document) -> None:
    roma = ScriptedRoma()
    assert await answer.cited_page(citation(), document, roma.source_page) == "" and roma.drawn == []


def test_titles_are_escaped_and_say_place_and_verdict() -> None:
    title = answer.source_title(citation())
    assert "<" not in title and "page 7" in title and "word for word: “The switch is called QUIET.”" in title
    assert answer.source_title(citation(quote="word " * 40)).endswith("word …”")


@pytest.mark.parametrize("verdict", list(answer.VERDICTS))
def test_every_verdict_has_words(verdict: str) -> None:
    assert answer.VERDICTS[verdict][1] in answer.source_title(citation(verdict=verdict))


def test_a_source_that_changed_shows_what_was_quoted() -> None:
    other = Document(
        id="d", uri="u", title="t", text="Something else entirely, much longer.", content_sha256="0", parser="p"
    )
    html = answer.source_html(citation(), other)
    assert "changed since" in html and QUOTE in html
    failure = AgentFailure(agent="store", code=ErrorCode.NOT_FOUND, message="It is gone.", recoverable=False)
    assert "It is gone." in answer.source_html(citation(), failure)


def test_the_footnote_says_who_wrote_and_what_it_cost() -> None:
    paid = output(usage=Usage(calls=1, input_tokens=10, output_tokens=2, cost_usd=0.01), degraded_reasons=("x",))
    assert "no language model was used · 10 + 2 tokens, $0.0100 · degraded: x" in answer.footnote(paid)
    assert "written by openai:m" in answer.footnote(output(model="openai:m"))
    unknown = output(usage=Usage(calls=1, input_tokens=10, output_tokens=2, cost_usd=None))
    assert "price unknown" in answer.footnote(unknown)
