"""The prompt lab and the label pad of a notebook: widgets over ``roma_core.evals``; what they do can be called too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roma_core import display
from roma_core.errors import AgentFailure, guarded
from roma_core.evals.attribution import explain_failures
from roma_core.evals.evaluation import load_dataset
from roma_core.evals.experiments import Experiment, Variant, experiment
from roma_core.evals.golden.dataset import Golden, GoldenCase, add_cases
from roma_core.evals.judge.labels import ENOUGH, Label, LabelFile, LabelItem, draw_items
from roma_core.evals.report.changes import describe_missing, render_changes
from roma_core.evals.report.comparison import Comparison
from roma_core.evals.report.record import EvalReport
from roma_core.prompts.library import OWN
from roma_core.ui.jupyter import LiveView
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.app import Roma

PROMOTED = "promoted.json"
"""Golden set of the items that were promoted, in the workspace's folder of evaluations."""
A, B = "lab-a", "lab-b"


class _Tasks:
    """Work that a click starts; kept until it ends, so that it is not collected meanwhile."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


class PromptLab(LiveView):
    """Two texts of one prompt on a few questions: edit, run, look at what changed, promote what fails.

    >>> lab = PromptLab(roma, "golden.json", primary="nugget_recall")  # doctest: +SKIP
    >>> await lab.run("answer", text_b="...")  # what the button does  # doctest: +SKIP
    """

    def __init__(
        self, roma: Roma, dataset: Golden | str, *, primary: str = "", questions: int = 5, margin: float | None = None
    ) -> None:
        self.roma = roma
        self.golden = dataset if isinstance(dataset, Golden) else load_dataset(dataset)
        self.primary, self.questions, self.margin = primary, questions, margin
        self.result: Experiment | None = None
        self.changes = display.Html("")
        self._prompt, self._texts = "answer", ("", "")
        """The prompt and the two texts of the last run; an empty text is ROMA's own."""
        self._tasks = _Tasks()

    async def run(self, name: str = "answer", text_a: str = "", text_b: str = "") -> Experiment:
        """Return A against B on a stratified sample; an empty text is ROMA's own. Raises ``EvalError``."""
        self._prompt, self._texts = name, (text_a, text_b)
        golden = self.golden.stratify(self.questions)
        variants = [Variant(A, prompts=self._keep(name, A, text_a)), Variant(B, prompts=self._keep(name, B, text_b))]
        result = await experiment(variants, golden, self.roma, primary=self.primary, margin=self.margin)
        reports = [result.report(A), result.report(B)]
        failures = [
            await explain_failures(report, golden, self.roma.store, read_source=self.roma.read_source)
            for report in reports
        ]
        self.result = result
        self.changes = render_changes(golden, reports[0], reports[1], self.comparison, failures)
        return result

    @property
    def comparison(self) -> Comparison:
        """The decision for B against A. Raises ``RuntimeError`` before ``run``."""
        if self.result is None or self.result.comparison is None:
            raise RuntimeError("run the lab first: await lab.run()")
        return self.result.comparison.variants[0].comparison

    @property
    def verdict(self) -> display.Html:
        """The decision, and what is missing to decide."""
        compared = self.comparison.of(self.comparison.primary)
        missing = describe_missing(self.comparison)
        words = f"B is {compared.decision.value} in {compared.measure}: {compared.a:.3f} → {compared.b:.3f}"
        return display.box(display.heading(words), display.paragraph(missing) if missing else "")

    def promote(self, case_id: str) -> Path:
        """Add a case to the golden set of promoted items and return its file. Raises ``EvalError``."""
        case = next(case for case in self.golden.cases if case.id == case_id)
        path = Workspace.of(self.roma.settings).evals / PROMOTED
        add_cases(path, [case])
        return path

    def failing(self) -> list[GoldenCase]:
        """Return the cases that B does not answer wholly, the worst first."""
        report = self._report_b()
        scored = {row.case_id: row.scores.get(self.comparison.primary) for row in report.rows}
        cases = [case for case in self.golden.cases if (score := scored.get(case.id)) is not None and score < 1]
        return sorted(cases, key=lambda case: scored[case.id] or 0.0)

    def widget(self) -> Any:
        """Return the lab as widgets (ipywidgets)."""
        import ipywidgets as w

        wide = w.Layout(width="98%", height="16em")
        name = w.Dropdown(options=list(self.roma.prompt_library.own), value=self._prompt, description="Prompt")
        base = self.roma.prompt_library.find(self._prompt).prompt.text
        texts = [w.Textarea(text or base, layout=wide) for text in self._texts]
        count = w.IntSlider(self.questions, 1, len(self.golden.cases), description="Questions")
        button = w.Button(description="Run", button_style="primary")
        state, verdict, plot, changes = w.Label(), w.HTML(), w.HTML(), w.HTML()
        failing = w.Dropdown(options=[], description="Failing")
        promote, promoted = w.Button(description="Promote to golden"), w.Label()

        def choose(change: Any) -> None:
            for text in texts:
                text.value = self.roma.prompt_library.find(change.new).prompt.text

        async def work() -> None:
            button.disabled, state.value = True, "asking …"
            self.questions = count.value
            done = await guarded("evals", self.run(name.value, texts[0].value, texts[1].value))
            button.disabled = False
            if isinstance(done, AgentFailure):
                state.value = f"{done.code}: {done.message}"
                return
            show(done)

        def show(done: Experiment) -> None:
            state.value = f"{len(done.variants)} variants, {done.variants[0].asked + done.variants[1].asked} asked"
            verdict.value, plot.value, changes.value = self.verdict, self.comparison._repr_html_(), self.changes
            failing.options = [case.id for case in self.failing()]
            failing.index = 0 if failing.options else None

        def add(_: Any) -> None:
            if failing.value:
                promoted.value = f"{failing.value} is in {self.promote(failing.value)}"

        if self.result is not None:
            show(self.result)
        name.observe(choose, "value")
        button.on_click(lambda _: self._tasks.start(work()))
        promote.on_click(add)
        half = w.Layout(width="50%")
        editors = [w.VBox([w.Label(title), text], layout=half) for title, text in zip("AB", texts, strict=True)]
        columns = w.HBox(editors)
        controls = w.HBox([name, count, button, state])
        return w.VBox([controls, columns, verdict, changes, w.HBox([failing, promote, promoted]), plot])

    def _repr_html_(self) -> str:
        if self.result is None:
            return display.box(display.paragraph(f"{len(self.golden.cases)} questions; nothing was run yet."))
        return display.box(self.verdict, self.changes)

    def _report_b(self) -> EvalReport:
        if self.result is None:
            raise RuntimeError("run the lab first: await lab.run()")
        return self.result.report(B)

    def _keep(self, name: str, version: str, text: str) -> dict[str, str | Path]:
        """Return the choice of a prompt with this text; the version in the workspace is written over."""
        library = self.roma.prompt_library
        own = library.find(name, OWN).prompt.text
        if not text.strip() or text.strip() == own.strip():
            return {}
        path = library.folder / name / f"{version}.md"
        path.unlink(missing_ok=True)
        return {name: library.write(name, version, text if text.endswith("\n") else f"{text}\n")}


class LabelPad(LiveView):
    """Answers of a run to be graded blind, one button each; grades are kept as ``roma judge label`` keeps them.

    >>> LabelPad(report, golden, Path("labels.csv"), rater="ada").widget()  # doctest: +SKIP
    """

    def __init__(
        self, report: EvalReport, golden: Golden | None, path: Path, *, rater: str = "notebook", n: int = ENOUGH
    ) -> None:
        self.file = LabelFile(path)
        self.rater = rater
        self.items: Sequence[LabelItem] = draw_items(report, golden, n)

    @property
    def left(self) -> list[LabelItem]:
        """The answers that the rater has not graded."""
        return self.file.left(self.items, self.rater)

    def grade(self, grade: int) -> None:
        """Grade the next answer."""
        if left := self.left:
            self.file.add(Label(item=left[0], grade=grade, rater=self.rater))

    def _repr_html_(self) -> str:
        left = self.left
        if not left:
            return display.box(display.paragraph(f"All {len(self.items)} answers are graded: {self.file.path}"))
        item = left[0]
        facts = "; ".join(item.facts)
        return display.box(
            display.heading(f"{len(self.items) - len(left) + 1} of {len(self.items)}: {item.question}"),
            display.paragraph(f"Reference: {item.reference or 'none: the documents do not say'}"),
            display.paragraph(f"Facts: {facts}") if facts else "",
            display.table(("Answer",), [(item.answer,)]),
        )

    def widget(self) -> Any:
        """Return the pad as widgets (ipywidgets): the answer and five buttons."""
        import ipywidgets as w

        shown = w.HTML(self._repr_html_())

        def press(grade: int) -> Callable[[Any], None]:
            def take(_: Any) -> None:
                self.grade(grade)
                shown.value = self._repr_html_()

            return take

        buttons = []
        for grade, word in ((1, "1 wrong"), (2, "2"), (3, "3"), (4, "4"), (5, "5 right")):
            button = w.Button(description=word)
            button.on_click(press(grade))
            buttons.append(button)
        return w.VBox([shown, w.HBox(buttons)])
