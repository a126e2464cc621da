"""Evaluations: runs over time with intervals, cost and time, and two runs item by item with their proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from roma_core.display import Html, escape_text
from roma_core.errors import AgentFailure, count_noun, guarded
from roma_core.evals.report.comparison import Comparison, Decision
from roma_core.evals.runs import RunSummary
from roma_core.insights.losses import RunLosses, explain_run
from roma_core.insights.runs import (
    ITEM_SELECTIONS,
    ComparedRuns,
    ItemPair,
    ItemSide,
    RunBoard,
    compare_runs,
    read_runs,
)
from roma_core.types import Principal
from roma_core.ui.dashboards import frame, plots, tables
from roma_core.ui.render import to_html

if TYPE_CHECKING:
    from roma_core.app import Roma

ITEMS_PER_PAGE: Final = 10
MOST_TREND_RUNS: Final = 100
NO_RUN: Final = (
    "There is no run yet. `roma eval golden.json` makes one, and `roma golden new` helps to write a golden set."
)
OUTCOME_TONES: Final = {
    "right": "accent",
    "in part": "second",
    "wrong": "bad",
    "failed": "bad",
    "degraded": "warning",
    "fallback": "warning",
    "unscored": "muted",
    "not asked of it": "muted",
}


class EvalsDashboard:
    """Runs over time, and two of them item by item. ``view`` is the body; ``page`` the whole page.

    >>> EvalsDashboard(roma).page().servable()  # doctest: +SKIP
    """

    def __init__(self, roma: Roma, who: Principal | None = None, *, places: Mapping[str, str] | None = None) -> None:
        """``places`` are the pages of the service that ``who`` may open; None: the dashboard is served by itself."""
        self._roma = roma
        self._who = who or roma.user
        self._places = places
        self._board = RunBoard()
        self._compared: ComparedRuns | None = None
        self._shown_items: Sequence[ItemPair] = ()
        self._sides = ("", "")
        self._explained: dict[tuple[str, str], RunLosses | AgentFailure] = {}
        self._stages = pn.Column(sizing_mode="stretch_width", margin=0)
        self._item_head = frame.make_pane("")
        self._drawn = 0
        self.widgets = {
            "dataset": frame.make_select("Golden set"),
            "measure": frame.make_select("Measure"),
            "a": frame.make_select("A: run before"),
            "b": frame.make_select("B: run after"),
            "items": frame.make_select("Items", 170),
            "words": frame.make_words("Words", "in questions and answers"),
        }
        self.filters = frame.Filters(self.widgets, self.refresh)
        self._pager = frame.Pager(self._draw_items, ITEMS_PER_PAGE)
        self.view = pn.Column(frame.make_waiting(), sizing_mode="stretch_width", margin=0)

    def page(self) -> Any:
        """Return the whole page; its body is read when it has been drawn."""
        pn.state.onload(self.refresh)
        return frame.make_page("Evaluations", list(self.widgets.values()), self.view, places=self._places)

    async def refresh(self) -> None:
        """Read the runs, and show what the filters choose."""
        self._drawn += 1
        turn = self._drawn
        board = await guarded("console", read_runs(self._roma, self._who))
        if isinstance(board, AgentFailure):
            self.view.objects = [frame.make_problem(board)]
            return
        if not board.runs:
            self.view.objects = [frame.make_hint(NO_RUN)]
            return
        self._board = board
        runs = self._offer()
        shown = runs[-MOST_TREND_RUNS:]
        over_time = self._draw_over_time(shown)
        if turn == self._drawn:
            self.view.objects = [*over_time, frame.make_waiting()]
        compared = await guarded("console", self._compare())
        if turn != self._drawn:
            return
        below = [frame.make_problem(compared)] if isinstance(compared, AgentFailure) else self._draw_compared(compared)
        self.view.objects = [*over_time, *below, *self._draw_runs(shown)]
        if not isinstance(compared, AgentFailure):
            await self._explain(compared, turn)

    def _offer(self) -> tuple[RunSummary, ...]:
        """Offer the sets, the measures and the runs that there are; return the runs of the chosen set."""
        self.filters.offer("dataset", self._board.datasets)
        dataset = self.filters["dataset"]
        runs = self._board.of(dataset)
        self.filters.offer("measure", self._board.measures(dataset))
        options = {describe_run(run): run.card.run_id for run in reversed(runs)}
        ids = [run.card.run_id for run in runs]
        self.filters.offer("a", options, ids[-2] if len(ids) > 1 else ids[-1])
        self.filters.offer("b", options, ids[-1])
        self.filters.offer("items", ITEM_SELECTIONS, "changed most" if len(ids) > 1 else "wrong in B")
        return runs

    async def _compare(self) -> ComparedRuns:
        return await compare_runs(self._roma, self._who, self.filters["a"], self.filters["b"], self.filters["measure"])

    async def _explain(self, compared: ComparedRuns, turn: int) -> None:
        """Show which stage lost the failed items of B, once the rest of the page is there."""
        key = (compared.b, compared.measure)
        if key not in self._explained:
            self._explained[key] = await guarded("console", explain_run(self._roma, self._who, *key))
        losses = self._explained[key]
        if turn != self._drawn:
            return
        if isinstance(losses, AgentFailure):
            del self._explained[key]  # it is tried again
            self._stages.objects = [frame.make_problem(losses)]
            return
        self._stages.objects = self._draw_stages(losses)
        self._compared = compared.explain(losses.by_case)
        self._show_items()

    # --- parts of the page ---

    def _draw_stages(self, losses: RunLosses) -> list[Any]:
        head = tables.heading("Which stage lost the failed items")
        if losses.refusal:
            return [frame.make_cell(head, frame.make_hint(losses.refusal))]
        if not losses.stages:
            return [frame.make_pane(head + tables.paragraph("No item failed.", muted=True))]
        note = (
            f"{losses.failed} of {count_noun(losses.items, 'item')} failed, over the corpus as it is now; found "
            "without a model. Type a stage into Words to see its items."
        )
        if losses.unanswered:
            note += f" {losses.unanswered} have no answer of the system itself; no stage is blamed for them."
        counts = {stage.stage: float(stage.items) for stage in losses.stages}
        rows = [(stage.stage, stage.items, f"{stage.points:+.3f}", stage.advice) for stage in losses.stages]
        columns = ("!Stage", "#Items", f"#Points of {losses.measure}", "What to do")
        table = tables.render_table(columns, rows, "Stages that lost items")
        return [
            frame.make_pane(head + tables.paragraph(note, muted=True)),
            frame.make_row(
                frame.make_cell("", plots.draw_bars(counts, tones=dict.fromkeys(counts, "bad"))),
                frame.make_pane(table),
            ),
        ]

    def _draw_over_time(self, runs: Sequence[RunSummary]) -> list[Any]:
        measure = self.filters["measure"]
        info = next((info for run in reversed(runs) for info in run.measures if info.name == measure), None)
        better = {True: "higher is better", False: "lower is better"}.get(None if info is None else info.higher, "")  # type: ignore[arg-type]
        versions = len({run.dataset_sha256 for run in runs})
        note = f"Mean with its 95 % interval; {better}." if better else "Mean with its 95 % interval."
        if versions > 1:
            note += f" {versions} versions of the set, each in a colour of its own: they ask other questions."
        trend = plots.draw_trend(runs, measure, (self.filters["a"], self.filters["b"]))
        head = tables.heading(f"{measure} over {count_noun(len(runs), 'run')}") + tables.paragraph(note, muted=True)
        seconds = {"median": [run.median_s for run in runs], "95 % are faster than": [run.p95_s for run in runs]}
        costs = {"cost of 1,000 questions": [cost_per_thousand(run) for run in runs]}
        return [
            frame.make_cell(head, trend),
            frame.make_row(
                self._draw_figures("Seconds to an answer", "times", runs, seconds, "s"),
                self._draw_figures("Cost in dollars", "prices", runs, costs, "USD for 1,000 questions"),
            ),
        ]

    def _draw_figures(
        self, title: str, what: str, runs: Sequence[RunSummary], lines: Mapping[str, Sequence[float | None]], unit: str
    ) -> Any:
        """Return a heading with its plot; without the plot where no run has a value."""
        head = tables.heading(title) + self._describe_missing(runs, what)
        has_values = any(value is not None for values in lines.values() for value in values)
        return frame.make_cell(head, *([plots.draw_run_figures(runs, lines, unit)] if has_values else []))

    def _describe_missing(self, runs: Sequence[RunSummary], what: str) -> Html:
        """Return for how many runs there is nothing to draw, and why."""
        missing = sum((run.median_s if what == "times" else cost_per_thousand(run)) is None for run in runs)
        if not missing:
            return tables.paragraph(f"Over {count_noun(len(runs), 'run')}.", muted=True)
        why = "no times are kept" if what == "times" else "no question was asked, or a price is unknown"
        if missing == len(runs):
            return tables.paragraph(f"Of no run: {why}.", muted=True)
        return tables.paragraph(f"Over {count_noun(len(runs), 'run')}, of which {missing} without: {why}.", muted=True)

    def _draw_runs(self, runs: Sequence[RunSummary]) -> list[Any]:
        self._listed = list(reversed(runs))
        pager = frame.Pager(self._draw_run_table)
        pager.show(len(self._listed))
        return [frame.make_pane(tables.heading("All runs of this set")), pager.view]

    def _draw_run_table(self, start: int) -> Any:
        measure = self.filters["measure"]
        rows = []
        for run in self._listed[start : start + frame.PAGE_SIZE]:
            summary = run.find(measure)
            name = tables.link(run.card.name, {**self.filters.given, "b": run.card.run_id})
            mean = None if summary is None else summary.interval.mean
            interval = None if summary is None else f"{summary.interval.low:.3f} to {summary.interval.high:.3f}"
            states = ", ".join(f"{n} {state}" for state, n in sorted(run.card.states.items()) if state != "ok")
            rows.append(
                (
                    name,
                    tables.write_time(run.card.created_at),
                    run.card.cases,
                    states or "all",
                    mean,
                    interval,
                    tables.write_seconds(run.median_s),
                    tables.write_cost(run.cost_usd),
                    ", ".join(run.card.labels),
                )
            )
        columns = ("Run", "!Made", "#Items", "Answered", f"#{measure}", "!95 % interval", "#Median", "#Cost", "Labels")
        return frame.make_pane(tables.render_table(columns, rows, "Runs"))

    def _draw_compared(self, compared: ComparedRuns) -> list[Any]:
        self._compared = compared
        parts: list[Any] = []
        names = {run.card.run_id: run.card.name for run in self._board.runs}
        b = names.get(compared.b, compared.b)
        if compared.comparison is not None:
            head = tables.heading(f"{b} (B) against {names.get(compared.a, compared.a)} (A)")
            decided = render_decision(compared.comparison)
            parts.append(frame.make_cell(head + decided, plots.draw_forest(compared.comparison)))
        elif compared.refusal:
            parts.append(
                frame.make_cell(tables.heading("The two runs cannot be compared"), frame.make_hint(compared.refusal))
            )
        kinds = {f"{kind} ({count})": mean for kind, (mean, count) in compared.by_kind.items()}
        breakdown = frame.make_cell(
            tables.heading(f"What became of the items of {b}"), plots.draw_bars(compared.failures, tones=OUTCOME_TONES)
        )
        by_kind = frame.make_cell(
            tables.heading(f"{compared.measure} by kind of question"), plots.draw_bars(kinds, form="0.00")
        )
        parts.append(frame.make_row(breakdown, by_kind) if kinds else breakdown)
        waiting = '<p role="status" class="muted">Looking for the stages that lost the failed items …</p>'
        self._stages.objects = [frame.make_pane(waiting)]
        self._sides = (names.get(compared.a, compared.a), names.get(compared.b, compared.b))
        self._show_items()
        return [*parts, self._stages, self._item_head, self._pager.view]

    def _show_items(self) -> None:
        """Show the items that the filters choose."""
        compared = self._compared
        if compared is None:
            return
        self._shown_items = compared.choose(self.filters["items"], self.filters["words"])
        withheld = sum(item.is_withheld for item in compared.items)
        note = f"{len(self._shown_items)} of {len(compared.items)} items: {self.filters['items']}."
        if withheld:
            note += f" {withheld} are about documents that you may not read; their words are not shown."
        if not self._shown_items:
            note += " Choose another selection above to see more."
        head = tables.heading("Item by item") + tables.paragraph(note, muted=True)
        self._item_head.object = head
        self._pager.show(len(self._shown_items))

    def _draw_items(self, start: int) -> Any:
        compared = self._compared
        if compared is None:
            return frame.make_pane("")
        shown = self._shown_items[start : start + ITEMS_PER_PAGE]
        is_alone = compared.a == compared.b
        base = "" if self._places is None else "/read/"
        html = "".join(render_item(item, compared.measure, self._sides, base, is_alone=is_alone) for item in shown)
        return frame.make_pane(html)


def describe_run(run: RunSummary) -> str:
    """Return a run as it is offered: its name and its date, and its id where another has the name."""
    return f"{run.card.name} · {run.card.created_at:%Y-%m-%d %H:%M} · {run.card.run_id[:6]}"


def cost_per_thousand(run: RunSummary) -> float | None:
    """Return the cost of a thousand questions of a run; None where none was asked or a price is unknown."""
    return None if run.cost_usd is None or not run.asked else 1000 * run.cost_usd / run.asked


def render_decision(comparison: Comparison) -> Html:
    """Return the decision between two runs in a sentence, with what must be known of it."""
    decided = comparison.of(comparison.primary)
    interval = f" ({decided.shown_interval})" if decided.shown_interval != "–" else ""
    sentence = (
        f'<p class="decision">{say_decision(decided.decision)} in {escape(decided.measure)}: '
        f"{decided.a:.3f} → {decided.b:.3f}, difference {decided.difference.mean:+.3f}{escape(interval)}, "
        f"p {decided.difference.p_value:.3f}, {comparison.cases} items.</p>"
    )
    words = f"Words an answer: {comparison.words[0]:.0f} in A, {comparison.words[1]:.0f} in B."
    changed = [f"{name}: {a} → {b}" for name, (a, b) in comparison.changed.items()]
    remarks = [decided.remark] if decided.remark else []
    remarks += [*comparison.remarks, f"{words} Right of the line B is better."]
    if changed:
        remarks.append(f"What differs: {'; '.join(changed[:8])}{' …' if len(changed) > 8 else ''}.")
    return Html(sentence + "".join(tables.paragraph(remark, muted=True) for remark in remarks))


def say_decision(decision: Decision) -> Html:
    """Return the beginning of the sentence that says what B is.

    >>> say_decision(Decision.BETTER)
    'B is <strong>better</strong>'
    """
    if decision is Decision.INCONCLUSIVE:
        return Html("Whether B is better is <strong>open</strong>")
    words = "the same" if decision is Decision.SAME else decision.value
    return Html(f"B is <strong>{escape(words)}</strong>")


def render_item(
    item: ItemPair, measure: str, names: tuple[str, str], read_base: str = "", *, is_alone: bool = False
) -> Html:
    """Return an item with its answers side by side, each with its score, its citations and their verdicts."""
    sides = [(names[1], item.b)] if is_alone else [(f"A · {names[0]}", item.a), (f"B · {names[1]}", item.b)]
    change = "" if item.gain is None or is_alone else f" · B {item.gain:+.3f}"
    drawn = "".join(_render_side(name, side, measure, read_base) for name, side in sides)
    head = f'<h3 dir="auto">{escape_text(item.question)}</h3>'
    facts = f'<p class="muted">{escape(item.case_id)} · {escape(item.kind)}{escape(change)}</p>'
    if item.stage:
        shows = f": {item.shows}" if item.shows else ""
        side = "" if is_alone else " in B"
        facts += f"<p><strong>Lost{side}: {escape(item.stage)}</strong>{escape_text(shows)}</p>"
    body = "" if item.is_withheld else f'<div class="sides">{drawn}</div>'
    return Html(f'<article class="item" aria-label="{escape(item.case_id)}">{head}{facts}{body}</article>')


def _render_side(name: str, side: ItemSide | None, measure: str, read_base: str) -> str:
    if side is None:
        return f'<div class="side"><h3>{escape(name)}</h3><p class="muted">This run did not ask it.</p></div>'
    score = "unscored" if side.score is None else f"{side.score:.3f}"
    state = "" if side.state == "ok" else f" · {side.state}"
    reason = f'<p class="muted">{escape(side.reason)}</p>' if side.reason else ""
    why = f'<p class="muted">{escape(side.why)}</p>' if side.why else ""
    answer = to_html(side.answer) if side.answer else '<p class="muted">No answer.</p>'
    return (
        f'<div class="side"><h3>{escape(name)} · {escape(measure)} {score}{escape(state)}</h3>'
        f'<div tabindex="0" role="region" aria-label="Answer of {escape(name)}" dir="auto">{answer}</div>'
        f"{why}{reason}{tables.render_citations(side.citations, read_base)}</div>"
    )
