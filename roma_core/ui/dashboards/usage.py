"""Use: what is asked and what became of it, topics, what people say, how fast it is, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from roma_core.errors import AgentFailure, count_noun, guarded
from roma_core.evals.golden.candidates import GoldenCandidate
from roma_core.insights.promotion import make_golden, may_review, open_candidate
from roma_core.insights.usage import DAYS, SELECTIONS, AskedQuestion, TopicFigures, UsageFigures, read_usage
from roma_core.types import VERDICT_WORDS, Principal
from roma_core.ui.dashboards import frame, plots, tables

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.llm.control.spending import SpendReport

NO_QUESTION: Final = (
    "Nobody has asked anything in this period. Ask in the console or with `roma ask`; answers are kept as long as "
    "ROMA_ANSWER_DAYS says."
)
MOST_TOPICS: Final = 15
MOST_COMMENTS: Final = 50
ALL: Final = "all"
VERDICT_TONES: Final = {
    "verbatim": "accent",
    "supported": "accent",
    "partial": "warning",
    "contradicted": "bad",
    "unsupported": "bad",
    "unchecked": "muted",
}


class UsageDashboard:
    """The questions of a period and what became of them. ``view`` is the body; ``page`` the whole page.

    >>> UsageDashboard(roma).page().servable()  # doctest: +SKIP
    """

    def __init__(self, roma: Roma, who: Principal | None = None, *, places: Mapping[str, str] | None = None) -> None:
        """``places`` are the pages of the service that ``who`` may open; None: the dashboard is served by itself."""
        self._roma = roma
        self._who = who or roma.user
        self._places = places
        self._drawn = 0
        self._figures: UsageFigures | None = None
        self._topics: Sequence[TopicFigures] = ()
        self._chosen: Sequence[AskedQuestion] = ()
        self.widgets = {
            "period": frame.make_select("Period", 130),
            "questions": frame.make_select("Questions", 150),
            "model": frame.make_select("Model"),
            "topic": frame.make_select("Topic"),
            "words": frame.make_words("Words", "in the question"),
        }
        self.filters = frame.Filters(self.widgets, self.refresh)
        self.filters.offer("period", list(DAYS), "30 days")
        self.filters.offer("questions", SELECTIONS, "all")
        self._pager = frame.Pager(self._draw_questions)
        self._review = pn.Column(sizing_mode="stretch_width", margin=0)
        self.view = pn.Column(frame.make_waiting(), sizing_mode="stretch_width", margin=0)

    def page(self) -> Any:
        """Return the whole page; its body is read when it has been drawn."""
        pn.state.onload(self.refresh)
        return frame.make_page("Use", list(self.widgets.values()), self.view, places=self._places)

    async def refresh(self) -> None:
        """Read the figures of the period, and show what the filters choose."""
        self._drawn += 1
        turn = self._drawn
        days = DAYS[self.filters["period"]]
        figures = await guarded("console", read_usage(self._roma, self._who, days=days))
        if turn != self._drawn:
            return
        if isinstance(figures, AgentFailure):
            self.view.objects = [frame.make_problem(figures)]
            return
        self._figures = figures
        if not figures.questions:
            self.view.objects = [frame.make_hint(NO_QUESTION), *self._draw_spend(figures)]
            return
        self._topics = await asyncio.to_thread(lambda: figures.topics)
        if turn != self._drawn:
            return
        self._offer(figures)
        self._chosen = figures.choose(
            self.filters["questions"],
            self.filters["words"],
            _or_empty(self.filters["model"]),
            _or_empty(self.filters["topic"]),
        )
        await self._draw_review(figures)
        self.view.objects = [
            frame.make_pane(render_head(figures)),
            *self._draw_overview(figures),
            *self._draw_topics(),
            *self._draw_question_list(figures),
            self._review,
            *self._draw_comments(figures),
            *self._draw_models(figures),
            *self._draw_spend(figures),
        ]

    def _offer(self, figures: UsageFigures) -> None:
        self.filters.offer("model", [ALL, *(found.model for found in figures.models)], ALL)
        self.filters.offer("topic", [ALL, *(found.topic.name for found in self._topics)], ALL)

    # --- parts of the page ---

    def _draw_overview(self, figures: UsageFigures) -> list[Any]:
        verdicts = figures.verdicts
        named = {VERDICT_WORDS[verdict]: count for verdict, count in verdicts.most_common()}
        tones = {VERDICT_WORDS[verdict]: VERDICT_TONES[verdict] for verdict in verdicts}
        times = {name: count for name, count in count_times(figures).items() if count or figures.questions}
        total = sum(verdicts.values())
        proven = verdicts["verbatim"] + verdicts["supported"]
        proof = f"{proven} of {total} statements are proven." if total else "No statement was checked."
        return [
            frame.make_cell(tables.heading("Questions by day"), plots.draw_days(figures.outcomes_by_day)),
            frame.make_row(
                frame.make_cell(
                    tables.heading("Statements by verdict") + tables.paragraph(proof, muted=True),
                    plots.draw_bars(named, tones=tones),
                ),
                frame.make_cell(
                    tables.heading("Time to an answer")
                    + tables.paragraph("Answers from the cache are not counted.", muted=True),
                    plots.draw_bars(times),
                ),
            ),
        ]

    def _draw_topics(self) -> list[Any]:
        rows = []
        for found in self._topics[:MOST_TOPICS]:
            name = tables.link(found.topic.name, {**self.filters.given, "topic": found.topic.name})
            rows.append(
                (name, found.questions, _count_of(found.unanswered, found.questions), found.down, found.topic.example)
            )
        note = (
            "Questions that share words, found on this machine without a model."
            if rows
            else "No two questions share their words yet."
        )
        if len(self._topics) > MOST_TOPICS:
            note += f" The {MOST_TOPICS} largest of {len(self._topics)}."
        parts = tables.heading("Topics") + tables.paragraph(note, muted=True)
        table = tables.render_table(
            ("Topic", "#Questions", "#Not answered", "#Rated down", "For example"), rows, "Topics"
        )
        return [frame.make_pane(parts + (table if rows else ""))]

    def _draw_question_list(self, figures: UsageFigures) -> list[Any]:
        note = f"{len(self._chosen):,} of {len(figures.questions):,} questions of the last {self.filters['period']}."
        withheld = sum(question.is_withheld for question in figures.questions)
        if withheld:
            note += f" {withheld} are about documents that you may not read: they are counted, and not shown."
        if figures.is_cut:
            note += " There are more; the newest are counted."
        self._pager.show(len(self._chosen))
        return [frame.make_pane(tables.heading("Questions") + tables.paragraph(note, muted=True)), self._pager.view]

    def _draw_questions(self, start: int) -> Any:
        rows = []
        for question in self._chosen[start : start + frame.PAGE_SIZE]:
            outcome = f"{question.outcome} ({question.code})" if question.code else question.outcome
            rows.append(
                (
                    tables.write_time(question.asked_at),
                    tables.shorten(question.question, 400),
                    outcome,
                    _write_ratings(question),
                    question.model or None,
                    "cache" if question.is_reused else tables.write_seconds(question.seconds),
                    question.owner,
                    self._link_review(question),
                )
            )
        columns = ("!Asked", "Question", "Outcome", "!Ratings", "Model", "#Time", "User", "Golden case")
        if not rows:
            return frame.make_hint("No question is chosen by these filters.")
        return frame.make_pane(tables.render_table(columns, rows, "Questions"))

    def _link_review(self, question: AskedQuestion) -> Any:
        """Return the way from a question that went wrong to a golden case."""
        went_wrong = question.down > 0 or question.outcome in {"not answered", "failed"}
        if question.is_withheld or not went_wrong:
            return None
        return tables.link("review", {**self.filters.given, "review": question.id})

    def _draw_comments(self, figures: UsageFigures) -> list[Any]:
        said = [question for question in figures.questions if question.comments or question.down][:MOST_COMMENTS]
        rows = [
            (
                tables.write_time(question.asked_at),
                _write_ratings(question),
                " / ".join(question.comments) or None,
                tables.shorten(question.question, 300),
                self._link_review(question),
            )
            for question in said
        ]
        columns = ("!Asked", "!Ratings", "Comment", "Question", "Golden case")
        body = (
            tables.render_table(columns, rows, "What people say")
            if rows
            else tables.paragraph("Nobody has said anything yet.", muted=True)
        )
        return [frame.make_pane(tables.heading("What people say") + body)]

    def _draw_models(self, figures: UsageFigures) -> list[Any]:
        rows = [
            (
                found.model,
                found.answers,
                _count_of(found.unanswered, found.answers),
                found.down,
                tables.write_seconds(found.median_s),
                tables.write_cost(found.cost_usd),
            )
            for found in figures.models
        ]
        columns = ("Model", "#Answers", "#Not answered", "#Rated down", "#Median", "#Cost of these answers")
        return [frame.make_pane(tables.heading("Models") + tables.render_table(columns, rows, "Models"))]

    def _draw_spend(self, figures: UsageFigures) -> list[Any]:
        spend = figures.spend_by_day
        if spend is None or not spend.rows or figures.month is None:
            return []
        spent, projected = figures.month
        sentence = (
            f"{tables.write_cost(spent)} since the first of the month; {tables.write_cost(projected)} at its end, if "
            "it goes on like this."
        )
        if spend.unpriced_calls:
            sentence += f" {spend.unpriced_calls:,} calls of models without a known price are not in it."
        days = {date.fromisoformat(row.name): row.cost_usd for row in spend.rows}
        budgets = [
            (budget.scope, budget.period, f"${budget.limit_usd:,.2f}", tables.write_cost(budget.taken_usd))
            for budget in spend.budgets
        ]
        limits = tables.render_table(("Limit", "Period", "#At most", "#Taken"), budgets, "Limits") if budgets else ""
        head = tables.heading("Spending of this month") + tables.paragraph(sentence) + limits
        return [
            frame.make_pane(head),
            frame.make_row(
                frame.make_cell(
                    tables.paragraph("Dollars by day", muted=True),
                    plots.draw_dollars(days),
                ),
                frame.make_cell(
                    _render_spend("Model", figures.spend_by_model) + _render_spend("Purpose", figures.spend_by_purpose)
                ),
            ),
        ]

    # --- from a question to a golden case ---

    async def _draw_review(self, figures: UsageFigures) -> None:
        chosen = self.filters.address.get("review", "")
        if not chosen:
            self._review.objects = []
            return
        head = frame.make_pane(tables.heading("From a question to a golden case"))
        if not may_review(self._who):
            asked = next((each for each in figures.questions if each.id == chosen), None)
            words = "" if asked is None or asked.is_withheld else asked.question
            said = (
                f"Whoever manages the workspace makes it: `roma golden candidates` lists “{words}”, and "
                "`roma golden accept` adds it to a set."
            )
            self._review.objects = [head, frame.make_hint(said)]
            return
        candidate = await guarded("console", open_candidate(self._roma, self._who, figures.questions, chosen))
        if isinstance(candidate, AgentFailure):
            self._review.objects = [head, frame.make_problem(candidate)]
            return
        self._review.objects = [head, *self._draw_form(candidate)]

    def _draw_form(self, candidate: GoldenCandidate) -> list[Any]:
        passages = [
            (passage.rank, passage.chunk.title, passage.chunk.place, tables.shorten(passage.chunk.text, 400))
            for passage in candidate.passages[:5]
        ]
        facts = [", ".join(candidate.reasons), f"asked {candidate.times} times", *candidate.comments]
        html: str = tables.paragraph(" · ".join(facts), muted=True)
        if candidate.answer:
            html += tables.paragraph(f"Last answer: {tables.shorten(candidate.answer, 800)}")
        if passages:
            html += tables.render_table(("#Rank", "Document", "Place", "Passage that was found"), passages, "Passages")
        question = pmui.TextInput(label="Question", value=candidate.question, sizing_mode="stretch_width")
        answer = pmui.TextAreaInput(label="Reference answer", rows=3, sizing_mode="stretch_width")
        nuggets = pmui.TextAreaInput(
            label="Facts that the answer states, one a line", rows=3, sizing_mode="stretch_width"
        )
        name = pmui.TextInput(label="Golden set of the workspace", value="use", width=260)
        result = pn.Column(sizing_mode="stretch_width")

        async def write(*, is_answered: bool) -> None:
            lines = [line.strip() for line in nuggets.value_input.splitlines() if line.strip()] if is_answered else []
            text = answer.value_input.strip() if is_answered else ""
            if is_answered and not (text and lines):
                result.objects = [frame.make_hint("Write the reference answer and at least one fact first.")]
                return
            made = await guarded(
                "console",
                make_golden(
                    self._roma, self._who, candidate, name.value, question=question.value, answer=text, facts=lines
                ),
            )
            if isinstance(made, AgentFailure):
                result.objects = [frame.make_problem(made)]
                return
            case, path = made
            result.objects = [frame.make_hint(f"{case.id} is in the set. `roma eval {path}` scores it.")]

        async def accept(_: object) -> None:
            await write(is_answered=True)

        async def refuse(_: object) -> None:
            await write(is_answered=False)

        buttons = pn.FlexBox(
            pmui.Button(label="Add to the golden set", variant="contained", on_click=accept),
            pmui.Button(label="The corpus does not answer it", variant="outlined", on_click=refuse),
            gap="8px",
        )
        return [frame.make_pane(html), question, answer, nuggets, name, buttons, result]


def render_head(figures: UsageFigures) -> str:
    """Return the figures of the period as cards."""
    outcomes = figures.outcomes
    up = sum(question.up for question in figures.questions)
    down = sum(question.down for question in figures.questions)
    people = len({question.owner for question in figures.questions})
    cards = [
        (f"{len(figures.questions):,}", "questions", f"by {count_noun(people, 'user')}"),
        (
            tables.write_share(figures.answered_share),
            "answered",
            f"{outcomes['not answered']:,} not, {outcomes['failed']:,} failed",
        ),
        (f"{up:,} / {down:,}", "thumbs up / down", ""),
        (
            tables.write_seconds(figures.quantile(0.5)),
            "half are faster",
            f"95 %: {tables.write_seconds(figures.quantile(0.95))}",
        ),
    ]
    if figures.month is not None:
        spent, projected = figures.month
        cards.append((tables.write_cost(spent), "this month", f"{tables.write_cost(projected)} at its end"))
    return tables.render_cards(cards)


def count_times(figures: UsageFigures) -> dict[str, int]:
    """Return the number of answers by how long they took, the fastest first."""
    limits = ((1, "under 1 s"), (2, "1 to 2 s"), (5, "2 to 5 s"), (10, "5 to 10 s"), (30, "10 to 30 s"))
    counts = dict.fromkeys([*(name for _, name in limits), "over 30 s"], 0)
    for question in figures.questions:
        if (
            question.seconds is not None
            and not question.is_reused
            and question.outcome in {"answered", "partly", "not answered"}
        ):
            name = next((name for limit, name in limits if question.seconds < limit), "over 30 s")
            counts[name] += 1
    return counts


def _render_spend(name: str, report: SpendReport | None) -> str:
    rows = [
        (
            row.name or "other",
            row.calls,
            f"{row.input_tokens:,}",
            f"{row.output_tokens:,}",
            tables.write_cost(row.cost_usd),
        )
        for row in ([] if report is None else report.rows[:MOST_TOPICS])
    ]
    columns = (name, "#Calls", "#Tokens in", "#Tokens out", "#Cost")
    return tables.render_table(columns, rows, f"Spending by {name.lower()}") if rows else ""


def _write_ratings(question: AskedQuestion) -> str | None:
    words = [f"{count} {name}" for name, count in (("up", question.up), ("down", question.down)) if count]
    return ", ".join(words) or None


def _count_of(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if part else "0"


def _or_empty(value: str) -> str:
    return "" if value == ALL else value
