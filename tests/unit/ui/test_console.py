"""The console without a browser: what a reply becomes, and what a click does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from html import escape
from types import SimpleNamespace
from typing import Any

import panel as pn
import panel_material_ui as pmui
import pytest

from roma_core.errors import AgentFailure, ErrorCode, StoreError
from roma_core.sessions.service import SessionSummary
from roma_core.settings import Settings
from roma_core.types import (
    VERDICT_WORDS,
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
from roma_core.ui import answer, sources
from roma_core.ui.console import HELLO, Console, compose_greeting, is_phone

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
        self.gate: asyncio.Event | None = None
        self.closed = 0

    async def stream_query(self, query: Query) -> AsyncIterator[StreamEvent]:
        self.queries.append(query)
        try:
            for event in self.events:
                yield event
                if self.gate:
                    await self.gate.wait()
        finally:
            self.closed += 1

    settings = Settings()

    @property
    def sessions(self) -> ScriptedRoma:
        return self

    async def list(self, tenant: str, limit: int, prefix: str) -> Sequence[SessionSummary]:
        return ()

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


async def until(true: Any) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  (Panel runs what it is handed some ticks later)
            await asyncio.sleep(0.01)


def shown(console: Console) -> list[Any]:
    """What each message of the conversation shows."""
    return [message.object for message in console.chat.objects]


def waits(message: Any) -> bool:
    return bool(every(message, pmui.LoadingSpinner))


async def reply(*events: StreamEvent) -> tuple[Console, pn.Column]:
    console = Console(ScriptedRoma(*events))  # type: ignore[arg-type]
    console.ask("Which switch?")
    message = shown(console)[-1]
    await until(lambda: not waits(message))
    return console, message


def every(view: Any, kind: type) -> list[Any]:
    return list(view.select(kind))


async def test_a_reply_streams_and_ends_with_badges_sources_and_follow_ups() -> None:
    console, message = await reply(
        StageEvent(stage="retrieved", elapsed_ms=3, detail={"n": 5}),
        TokenEvent(text="It is "),
        TokenEvent(text="QUIET [1]."),
        CompleteEvent(output=output()),
    )
    (text,) = every(message, answer.AnswerText)
    assert 'class="roma-badge"' in text.html and "<img" not in text.html
    (cards,) = every(message, pmui.Accordion)
    assert len(cards.objects) == 1 and cards.active == []
    assert [b.label for b in every(message, pmui.Button)] == [f"And then? {HOSTILE}"]
    assert console.roma.queries[0].session_id == console.session_id  # type: ignore[attr-defined]


TYPED = [
    "a < b & c",
    "&lt;b&gt; &amp;amp;",
    HOSTILE,
    "what is *x*, `y` and [z](http://z)?",
    "one\n two\n\n- three\t",
    " kept ",
]


@pytest.mark.parametrize("typed", TYPED)
async def test_what_is_asked_is_what_was_typed_and_shown_as_text(typed: str) -> None:
    console = Console(ScriptedRoma(CompleteEvent(output=output())))  # type: ignore[arg-type]
    console.chat.on_submit(SimpleNamespace(new=typed), console.chat)  # as Enter does in the browser
    question, _ = shown(console)
    assert question.object == f'<div class="roma-typed">{escape(typed)}</div>'
    await until(lambda: console.roma.queries)  # type: ignore[attr-defined]
    assert console.roma.queries[0].text == typed  # type: ignore[attr-defined]


async def test_nothing_is_not_asked() -> None:
    console = Console(ScriptedRoma())  # type: ignore[arg-type]
    console.ask(" \n")
    assert shown(console) == []


async def test_a_follow_up_is_asked_as_it_stands() -> None:
    console, message = await reply(CompleteEvent(output=output()))
    (pill,) = every(message, pmui.Button)
    pill.param.trigger("clicks")
    await until(lambda: len(console.roma.queries) == 2)  # type: ignore[attr-defined]
    assert console.roma.queries[1].text == f"And then? {HOSTILE}"  # type: ignore[attr-defined]
    assert len(shown(console)) == 4


@pytest.mark.parametrize("typed", TYPED)
async def test_try_again_asks_what_was_typed(typed: str) -> None:
    failure = AgentFailure(agent="tailor", code=ErrorCode.LLM_TIMEOUT, message="Too slow.", recoverable=True)
    console = Console(ScriptedRoma(ErrorEvent(failure=failure)))  # type: ignore[arg-type]
    console.ask(typed)
    message = shown(console)[-1]
    await until(lambda: not waits(message))
    (again,) = every(message, pmui.Button)
    again.param.trigger("clicks")
    await until(lambda: len(console.roma.queries) == 2)  # type: ignore[attr-defined]
    assert [q.text for q in console.roma.queries] == [typed, typed]  # type: ignore[attr-defined]
    assert shown(console)[2].object == shown(console)[0].object


async def test_a_question_waits_for_the_answer_before_it() -> None:
    roma = ScriptedRoma(TokenEvent(text="First words"), CompleteEvent(output=output()))
    roma.gate = asyncio.Event()
    console = Console(roma)  # type: ignore[arg-type]
    for question in ("first", "second", "third"):
        console.ask(question)
    first, second, third = shown(console)[1::2]
    await until(lambda: "First words" in every(first, answer.AnswerText)[0].html)
    await asyncio.sleep(0.05)
    assert [q.text for q in roma.queries] == ["first"] and waits(second) and waits(third)
    roma.gate.set()
    await until(lambda: not any(map(waits, (first, second, third))))
    assert [q.text for q in roma.queries] == ["first", "second", "third"]
    assert all("roma-badge" in every(m, answer.AnswerText)[0].html for m in (first, second, third))


async def test_stop_keeps_the_words_ends_the_stream_and_lets_the_next_question_go() -> None:
    roma = ScriptedRoma(TokenEvent(text="First words"), CompleteEvent(output=output()))
    roma.gate = asyncio.Event()
    console = Console(roma)  # type: ignore[arg-type]
    console.ask("first")
    console.ask("second")
    first, second = shown(console)[1::2]
    await until(lambda: "First words" in every(first, answer.AnswerText)[0].html)
    (stop,) = every(first, pmui.Button)
    stop.param.trigger("clicks")
    await until(lambda: not waits(first))
    assert roma.closed == 1, "the model is not left to write on"
    assert "First words" in every(first, answer.AnswerText)[0].html
    assert [b.label for b in every(first, pmui.Button)] == ["Ask again"]
    roma.gate.set()
    await until(lambda: not waits(second))
    assert [q.text for q in roma.queries] == ["first", "second"]


async def test_a_defect_is_an_alert_and_not_an_endless_wait() -> None:
    class Broken(ScriptedRoma):
        async def stream_query(self, query: Query) -> AsyncIterator[StreamEvent]:
            raise RuntimeError("no")
            yield TokenEvent(text="")

    console = Console(Broken())  # type: ignore[arg-type]
    console.ask("q")
    await until(lambda: not waits(shown(console)[1]))
    (alert,) = every(shown(console)[1], pmui.Alert)
    assert "ERR_INTERNAL" in alert.title


async def test_a_console_stays_with_its_tenant() -> None:
    roma = ScriptedRoma(CompleteEvent(output=output()))
    console = Console(roma, "acme")  # type: ignore[arg-type]
    console.ask("q")
    message = shown(console)[1]
    await until(lambda: not waits(message))
    (text,), (cards,) = every(message, answer.AnswerText), every(message, pmui.Accordion)
    text.picked = 1
    await until(lambda: cards.objects[0].html)
    assert roma.queries[0].tenant == "acme" and roma.tenants == ["acme"]
    assert Console(roma).tenant == roma.settings.tenant  # type: ignore[arg-type]


async def test_tokens_show_before_the_answer_is_complete() -> None:
    """And none is held back while citations are checked."""
    roma = ScriptedRoma(
        TokenEvent(text="First "), TokenEvent(text="words"), StageEvent(stage="verifying", elapsed_ms=1)
    )
    console = Console(roma)  # type: ignore[arg-type]
    console.ask("q")
    (text,) = every(shown(console)[1], answer.AnswerText)
    await until(lambda: "First words" in text.html)


async def test_a_click_on_a_badge_opens_its_source_with_the_words_marked() -> None:
    _, message = await reply(CompleteEvent(output=output()))
    (text,), (cards,) = every(message, answer.AnswerText), every(message, pmui.Accordion)
    text.picked = 1
    assert cards.active == [0]
    await until(lambda: cards.objects[0].html)
    assert f"<mark>{QUOTE}</mark>" in cards.objects[0].html
    text.picked = 9
    assert cards.active == [0] and cards.objects[0].asked == 1, "an unknown marker opens nothing"


async def test_a_span_that_is_cited_often_is_one_card() -> None:
    often = (
        citation(),
        citation(verdict="partial"),
        citation(answer_start=7, answer_end=9),
        citation(marker=2, start=0),
    )
    _, message = await reply(CompleteEvent(output=output(citations=often)))
    (cards,) = every(message, pmui.Accordion)
    first, second = sources.group_citations(often)
    assert len(cards.objects) == 2 and len(first) == 3 and second[0].marker == 2
    assert "word for word, partly supported: “" in sources.make_source_title(first)


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
    assert [pane.object.strip() for pane in alert.objects] == [
        '<div class="roma-text"><p>the reranker was away</p>\n</div>'
    ]


@pytest.mark.parametrize(
    ("model", "words"), [("extractive", "is quoted from"), ("openai:b", "was written by openai:b")]
)
async def test_an_answer_of_another_model_says_so_in_words(model: str, words: str) -> None:
    reasons = ("llm: fallback: openai:a ERR_LLM_UNAVAILABLE",)
    _, message = await reply(CompleteEvent(output=output(model=model, degraded=True, degraded_reasons=reasons)))
    (alert,) = every(message, pmui.Alert)
    assert words in alert.objects[0].object and "roma-small" in alert.objects[1].object


async def test_health_is_shown_without_markup_and_after_each_answer() -> None:
    console, _ = await reply(CompleteEvent(output=output()))
    assert console.page().title == "ROMA"
    await until(lambda: every(console.health, pmui.Chip))
    assert [c.label for c in every(console.health, pmui.Chip)] == ["ROMA: degraded", "llm: degraded"]
    assert all("<img" not in str(p.object) for p in every(console.health, pn.pane.HTML))


async def test_a_new_conversation_has_a_new_session_and_a_greeting_and_stops_what_was_being_written() -> None:
    roma = ScriptedRoma(TokenEvent(text="First words"))
    roma.gate = asyncio.Event()
    console = Console(roma)  # type: ignore[arg-type]
    before = console.session_id
    console.ask("q")
    await until(lambda: roma.queries)
    await console.start_anew()
    assert console.session_id != before
    (hello,) = shown(console)
    assert "1,234 documents" in hello[0].object
    await until(lambda: roma.closed)


async def test_the_greeting_stands_above_a_question_that_is_quicker_than_the_store() -> None:
    console = Console(ScriptedRoma())  # type: ignore[arg-type]
    hello = console._greet()
    console.ask("q")
    await console._count(hello)
    assert "1,234 documents" in shown(console)[0][0].object


async def test_the_greeting_says_what_is_wrong() -> None:
    roma = ScriptedRoma()
    console = Console(roma)  # type: ignore[arg-type]
    roma.failure = StoreError(f"The disk is away. {HOSTILE}")
    hello = console._greet()
    await console._count(hello)
    assert "cannot be reached" in hello.object and "The disk is away." in hello.object and "<img" not in hello.object
    assert "roma ingest" in compose_greeting((0, 0)) and compose_greeting((1, 2)).startswith(HELLO)


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
    assert is_phone(headers) is phone


async def test_on_a_phone_the_sidebar_gives_way_to_the_conversation_that_was_chosen_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for agent, stays in (("Android Mobile", False), ("X11", True)):
        monkeypatch.setattr("roma_core.ui.console.is_phone", lambda _, phone=not stays: phone)
        console = Console(ScriptedRoma())  # type: ignore[arg-type]
        page = console.page()
        page.sidebar_open = True  # by its button
        await console.start_anew()
        assert page.sidebar_open is stays, agent


def pdf(**fields: Any) -> Document:
    cited = Block(start=8, end=35, kind="paragraph", page=7, box=(0.1, 0.2, 0.9, 0.3))
    other = Block(start=36, end=42, kind="paragraph", page=8, box=(0, 0, 1, 1))
    base = {"id": "d", "uri": "a.pdf", "title": "M", "text": TEXT, "content_sha256": "0", "parser": "pdf/1"}
    return Document.model_validate({**base, "blocks": (cited, other), **fields})


async def test_a_citation_of_a_pdf_shows_its_page_with_the_cited_block_marked() -> None:
    roma = ScriptedRoma()
    html = await sources.render_cited_page(citation(), pdf(), roma.source_page)
    assert roma.drawn == [7] and html.count('class="area"') == 1 and "left:10.00%;top:20.00%" in html
    assert "data:image/png;base64," in html and "Page 7; the cited part is marked" in html


async def test_a_page_that_cannot_be_drawn_says_why() -> None:
    async def gone(document: Document, number: int) -> AgentFailure:
        return AgentFailure(
            agent="ingestion", code=ErrorCode.CONNECTOR_CHANGED, message=f"Changed. {HOSTILE}", recoverable=True
        )

    html = await sources.render_cited_page(citation(), pdf(), gone)
    assert "Page 7 cannot be shown: Changed." in html and "<img" not in html


@pytest.mark.parametrize("document", [pdf(blocks=()), pdf(text="Something else entirely, and it is long enough.")])
async def test_no_page_is_drawn_without_geometry_or_for_other_words(document: Document) -> None:
    roma = ScriptedRoma()
    assert await sources.render_cited_page(citation(), document, roma.source_page) == "" and roma.drawn == []


def test_titles_are_escaped_and_say_place_and_verdict() -> None:
    title = sources.make_source_title([citation()])
    assert "<" not in title and "page 7" in title and "word for word: “The switch is called QUIET.”" in title
    assert sources.make_source_title([citation(quote="word " * 40)]).endswith("word …”")
    assert sources.make_source_title([citation(quote="")]).endswith("word for word")


@pytest.mark.parametrize("verdict", list(VERDICT_WORDS))
def test_every_verdict_has_words(verdict: str) -> None:
    assert VERDICT_WORDS[verdict] in sources.make_source_title([citation(verdict=verdict)])


@pytest.mark.parametrize("stage", ["retrieved", "a_stage_of_ones_own"])
def test_a_stage_is_shown_by_its_words_and_else_by_its_name(stage: str) -> None:
    says = "Ranking 20 passages …"
    assert answer.describe_stage(StageEvent(stage=stage, elapsed_ms=1, says=says)) == says
    named = answer.describe_stage(StageEvent(stage=stage, elapsed_ms=1))
    assert named == f"{stage.replace('_', ' ').capitalize()} …"


def test_a_source_that_changed_shows_what_was_quoted() -> None:
    other = Document(
        id="d", uri="u", title="t", text="Something else entirely, much longer.", content_sha256="0", parser="p"
    )
    html = sources.render_source(citation(), other)
    assert "changed since" in html and QUOTE in html
    failure = AgentFailure(agent="store", code=ErrorCode.NOT_FOUND, message="It is gone.", recoverable=False)
    assert "It is gone." in sources.render_source(citation(), failure)


def test_the_footnote_says_who_wrote_how_long_and_at_what_price() -> None:
    paid = output(usage=Usage(calls=1, input_tokens=1210, output_tokens=2, cost_usd=0.01))
    assert "no language model was used · 1.5 s · 1,210 tokens read, 2 written, $0.0100" in footnote(paid, "1.5 s")
    assert "Written by openai:m" in footnote(output(model="openai:m"))
    assert footnote(output(answered=False, model="")).count("used") == 1, "nothing was quoted"
    unknown = output(usage=Usage(calls=1, input_tokens=10, output_tokens=2, cost_usd=None))
    assert "price unknown" in footnote(unknown)


def footnote(*args: Any) -> str:
    return str(answer.footnote(*args).object)
