"""The dashboards in Chromium over 100 runs and 10,000 answers: when is a page whole, and how long does a filter take?

The data is made: runs of 100 items, answers of the last 90 days in all outcomes, 300 documents. Beside each page stands
how long the service took to answer another client while the page was read.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.report import write

RUNS, ITEMS, ANSWERS, DOCUMENTS = 100, 100, 10_000, 300
ROUNDS = 3
SUBJECTS = "valve pump sluice beacon granary ferry quarry bridge mill tower harbour canal lighthouse museum".split()
ASKED = (
    "When was the {} built?",
    "Who keeps the {}?",
    "How long is the {}?",
    "What does the {} cost?",
    "Where is the {}?",
)
MODELS = ("openai:gpt-4o-mini", "openai:gpt-4o", "extractive")
PAGES = {
    "evals": ("/console/evals", "All runs of this set", "Items", "all", f"{ITEMS} of {ITEMS} items"),
    "usage": ("/console/usage", "Models", "Questions", "rated down", "questions of the last"),
    "corpus": ("/console/corpus", "Documents by type", "Items", "added", "items"),
}
"""Path, a heading near the end, and a filter with an option and the words that follow it."""


def fill(folder: Path, *, runs: int = RUNS, answers: int = ANSWERS, documents: int = DOCUMENTS) -> Path:
    """Make a workspace below ``folder``, and return its path."""
    from tests.console import finished, ingest_files

    files = folder / "documents"
    files.mkdir(parents=True)
    for number in range(documents):
        subject = SUBJECTS[number % len(SUBJECTS)]
        text = f"# The {subject} {number}\n\nThe {subject} was built in {1700 + number}. Two masons keep it.\n"
        (files / f"{subject}-{number}.md").write_text(text, encoding="utf-8")
    workspace = folder / ".roma"
    finished(ingest_files(workspace, files))
    fill_runs(workspace, folder, runs)
    fill_answers(workspace, answers)
    return workspace


def fill_runs(workspace: Path, folder: Path, runs: int = RUNS) -> None:
    """Save runs on one set that grow better, with faults of every kind."""
    from roma_core.evals.golden.dataset import Golden, GoldenCase
    from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo
    from roma_core.evals.runs import RunStore
    from roma_core.workspace import Workspace

    drawn = random.Random(1)
    cases = []
    for number in range(ITEMS):
        subject = SUBJECTS[number % len(SUBJECTS)]
        evidence = {"uri": f"{subject}-{number}.md", "anchor": f"was built in {1700 + number}"}
        cases.append(
            {
                "id": f"item-{number:03}",
                "question": ASKED[0].format(f"{subject} {number}"),
                "kind": "single" if number % 10 else "no_answer",
                **(
                    {
                        "answer": f"In {1700 + number}.",
                        "nuggets": [{"fact": str(1700 + number)}],
                        "evidence": [evidence],
                    }
                    if number % 10
                    else {}
                ),
            }
        )
    path = folder / "golden.json"
    path.write_text(json.dumps(cases), encoding="utf-8")
    golden = Golden(name="golden", cases=tuple(GoldenCase.model_validate(case) for case in cases))
    store = RunStore(Workspace(workspace).evals)
    measures = (MeasureInfo(name="nugget_recall"), MeasureInfo(name="false_answers", higher=False))
    for run in range(runs):
        rows = []
        for number, case in enumerate(golden.cases):
            is_right = drawn.random() < 0.4 + 0.4 * run / runs
            answer = (case.answer or "I don't know.") if is_right else f"In {1500 + number}."
            rows.append(
                EvalRow(
                    case_id=case.id,
                    question=case.question,
                    kind=case.kind,
                    persona="general",
                    cluster=case.id,
                    state="ok",
                    answer=answer,
                    answered=case.kind != "no_answer" or not is_right,
                    citations=cite(case) if is_right and case.evidence else (),
                    scores={"nugget_recall": float(is_right), "false_answers": float(not is_right)},
                )
            )
        report = EvalReport(
            dataset="golden",
            dataset_sha256=golden.sha256,
            fingerprint=f"f{run}",
            rows=tuple(rows),
            measures=measures,
            facts=make_facts(golden, drawn, run / runs),
        )
        card = store.save(report, f"run-{run:03}")
        at = store.folder / card.run_id
        (at / "dataset.json").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        (at / "run.json").write_text(
            card.model_copy(
                update={"created_at": datetime.now(UTC) - timedelta(hours=6 * (runs - run))}
            ).model_dump_json(),
            encoding="utf-8",
        )


def make_facts(golden: Any, drawn: random.Random, share: float) -> Any:
    """Return times and costs of a run: the later one is, the faster and the dearer its answers are."""
    from roma_core.evals.report.record import RunFacts
    from roma_core.types import Usage

    times = {case.id: drawn.lognormvariate(0.9 - 0.4 * share, 0.5) for case in golden.cases}
    usage = Usage(input_tokens=900 * ITEMS, output_tokens=60 * ITEMS, cost_usd=0.11 + 0.08 * share)
    return RunFacts(seconds=sum(times.values()), asked=ITEMS, usage={"answer": usage}, case_seconds=times)


def cite(case: Any) -> tuple[Any, ...]:
    """Return the citation of a right answer."""
    from roma_core.types import Citation, Document

    evidence = case.evidence[0]
    return (
        Citation(
            marker=1,
            chunk_id="c",
            document_id=Document.id_for(evidence.uri),
            uri=evidence.uri,
            title=evidence.uri.removesuffix(".md").replace("-", " ").title(),
            start=0,
            end=len(evidence.anchor),
            quote=evidence.anchor,
            answer_start=0,
            answer_end=8,
            verdict="verbatim",
        ),
    )


def fill_answers(workspace: Path, answers: int = ANSWERS) -> None:
    """Store answers of the last 90 days."""
    from roma_core.answers import AnswerIdentity
    from roma_core.answers.record import AnswerState
    from roma_core.answers.store import AnswerStore, NewEvents
    from roma_core.errors import AgentFailure, ErrorCode
    from roma_core.types import CompleteEvent, ErrorEvent, Query, Statement, TailorOutput, Usage
    from roma_core.workspace import Workspace

    drawn = random.Random(2)
    store = AnswerStore(Workspace(workspace).answers)
    now = datetime.now(UTC)
    for number in range(answers):
        asked_at = now - timedelta(days=90 * drawn.random() ** 2, seconds=1)
        subject = drawn.choice(SUBJECTS)
        query = Query(text=drawn.choice(ASKED).format(subject), session_id=f"session-{number % 900}")
        record_id = f"{number:032x}"
        store.insert(record_id, query, AnswerIdentity(), asked_at)
        if drawn.random() < 0.03:
            failure = AgentFailure(
                agent="tailor", code=ErrorCode.TIMEOUT, message="The model took too long.", recoverable=True
            )
            event: Any = ErrorEvent(failure=failure)
        else:
            verdicts = drawn.choices(("supported", "verbatim", "partial", "unsupported"), (6, 3, 1, 1), k=3)
            output = TailorOutput(
                answer="It was built in 1902. It is old. It stands.",
                answer_id=f"answer-{number}",
                answered="unknown" if drawn.random() < 0.12 else "known",
                model=drawn.choice(MODELS),
                statements=tuple(
                    Statement(start=at, end=at + 4, verdict=verdict) for at, verdict in enumerate(verdicts)
                ),
                usage=Usage(input_tokens=900, output_tokens=60, cost_usd=0.0021),
            )
            event = CompleteEvent(output=output)
        state: AnswerState = "failed" if isinstance(event, ErrorEvent) else "complete"
        ended_at = asked_at + timedelta(seconds=drawn.lognormvariate(0.8, 0.7))
        store.finish(NewEvents("default", record_id, 0, [event]), state, (), ended_at)


@contextmanager
def pinging(address: str) -> Iterator[list[float]]:
    """Ask the service for its health all the time, and give the seconds that each took."""
    taken: list[float] = []
    is_over = threading.Event()

    def ping() -> None:
        while not is_over.wait(0.05):
            before = time.perf_counter()
            with urllib.request.urlopen(f"{address}/console/assets/icon.svg", timeout=60) as response:
                response.read()
            taken.append(time.perf_counter() - before)

    thread = threading.Thread(target=ping, daemon=True)
    thread.start()
    yield taken
    is_over.set()
    thread.join(60)


def measure_page(open_page: Callable[[str], Any], address: str, name: str) -> dict[str, object]:
    """Open a page afresh some times and change its filter once each, and return a row of medians."""
    path, heading, label, option, words = PAGES[name]
    whole, filtered, others = [], [], []
    sizes: list[int] = []
    for _ in range(ROUNDS):
        with pinging(address) as taken:
            before = time.perf_counter()
            page = open_page(f"{address}{path}")
            page.get_by_role("heading", name=heading).first.wait_for()
            page.locator(".bk-Canvas").first.wait_for()
            whole.append(time.perf_counter() - before)
        others.append(max(taken, default=0.0))
        sizes.append(page.evaluate("document.querySelectorAll('*').length"))
        before = time.perf_counter()
        page.get_by_role("combobox", name=label, exact=True).select_option(label=option)
        page.wait_for_url("**?*")
        page.get_by_text(words).first.wait_for()
        filtered.append(time.perf_counter() - before)
        page.context.close()
    return {
        "page": name,
        "whole after s": statistics.median(whole),
        "filter s": statistics.median(filtered),
        "slowest other request ms": 1000 * statistics.median(others),
        "elements": int(statistics.median(sizes)),
    }


def main() -> None:
    from playwright.sync_api import sync_playwright

    from tests.console import CHROMIUM, Service

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        workspace = fill(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def open_page(address: str) -> Any:
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(120_000)
            page.goto(address)
            return page

        with Service(workspace).running() as service:
            rows = [measure_page(open_page, service.address, name) for name in PAGES]
        write(
            "dashboards",
            f"Dashboards over {RUNS} runs of {ITEMS} items, {ANSWERS:,} answers and {DOCUMENTS} documents",
            rows,
            "A page is whole when its last part stands there and its first plot is drawn. A filter takes from the "
            "click until its words have changed. The last but one column is the slowest answer that another client "
            "got from the same process while the page was read.",
            packages=("panel", "bokeh"),
        )


if __name__ == "__main__":
    main()
