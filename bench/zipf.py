"""What caches and the router save when people ask the same things again: a replay by Zipf's law.

``python -m bench.zipf [ASKED]``. Questions of SQuAD 2.0 over its passages; the one of rank r is asked in proportion to
r^-1.1. Two scripted models behind a server cost ten to one: the strong one is wrong on few questions, the cheap one on
more of the long ones. The router's threshold is calibrated on questions that are not replayed. A scripted model gives
a question the same answer each time, so the ways without a cache ask each question once and count it as often as it
was drawn. How well the router answers is compared on further questions that the calibration did not see; a cache gives
what was answered before, which the replay asserts.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import beir, report
from bench.llm_scripted import fill_store, make_document
from bench.model_server import serving
from roma_core.app import Roma, build_roma
from roma_core.evals.golden.dataset import Nugget
from roma_core.evals.measures.nuggets import states
from roma_core.evals.stats.inference import Difference, compare_pairs
from roma_core.llm.providers.server import Asked, Script
from roma_core.markup import split_sentences
from roma_core.settings import Settings
from roma_core.types import Document, TailorOutput, digest
from tests.scripted import PASSAGE

ASKED, EXPONENT = 10_000, 1.1
PASSAGES, CALIBRATED, REPLAYED, COMPARED = 800, 600, 1500, 3000
PRICES = {
    "openai:cheap": {"input_usd": 0.25, "output_usd": 1.25},
    "openai:strong": {"input_usd": 2.5, "output_usd": 12.5},
}
SHORT_WORDS = 11
"""Words of a question up to which it is a short one."""
WRONG = {"strong": (0.03, 0.05), "cheap": (0.035, 0.25)}
"""Share of wrong answers to short questions and to longer ones, by model."""
WAYS: Mapping[str, Mapping[str, str]] = {
    "neither": {},
    "router": {"router": "difficulty"},
    "cache": {"answer_cache": "on"},
    "both": {"router": "difficulty", "answer_cache": "on"},
}


@dataclass(frozen=True)
class Question:
    """A question, the passage that has its answer, and the answer's spellings."""

    id: str
    text: str
    context: str
    answers: tuple[str, ...]

    @property
    def fact(self) -> Nugget:
        """The answer as a fact of a golden set."""
        return Nugget(fact=self.answers[0], aliases=self.answers[1:])


@dataclass
class Replay:
    """What one way of answering comes to: worth by question, and costs over all that was asked."""

    worth: dict[str, float] = field(default_factory=dict)
    cost_usd: float = 0.0
    calls: int = 0
    cached: int = 0
    cheap: int = 0


# Questions


def read_documents(path: Path) -> list[Document]:
    """Return the first passages of the collection, one a document."""
    with gzip.open(path / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for _, line in zip(range(PASSAGES), file, strict=False)]
    return [make_document(row["_id"], row["title"], row["text"]) for row in rows]


@functools.cache
def read_questions(path: Path, known: frozenset[str]) -> tuple[Question, ...]:
    """Return the answerable questions about ``known`` passages, each wording once, in an order by their ids."""
    rows = [json.loads(line) for line in (path / "qa.jsonl").read_text(encoding="utf-8").splitlines()]
    about = [row for row in rows if row["answerable"] and row["answers"] and row["context_id"] in known]
    about.sort(key=lambda row: digest("zipf", row["id"]))
    by_text: dict[str, Question] = {}
    for row in about:
        by_text[row["question"]] = Question(row["id"], row["question"], row["context_id"], tuple(row["answers"]))
    return tuple(by_text.values())


def draw_by_zipf(questions: Sequence[Question], count: int) -> list[Question]:
    """Return ``count`` questions by Zipf's law; the first of ``questions`` is asked most."""
    weights = [rank**-EXPONENT for rank in range(1, len(questions) + 1)]
    return random.Random(12).choices(questions, weights=weights, k=count)


def write_golden(path: Path, questions: Sequence[Question]) -> Path:
    """Write questions as a golden set, and return its path."""
    items = [
        {
            "id": each.id,
            "question": each.text,
            "kind": "single",
            "cluster": each.context,
            "nuggets": [{"fact": each.answers[0], "aliases": list(each.answers[1:])}],
            "evidence": [{"uri": each.context}],
        }
        for each in questions
    ]
    path.write_text(json.dumps(items), encoding="utf-8")
    return path


# The scripted models


def write_answer(questions: Sequence[Question], asked: Asked) -> Script:
    """Play the model that is asked: a sentence of the passages that holds the answer, or one that does not."""
    model = str(asked.body["model"])
    prompt = "\n\n".join(str(message["content"]) for message in asked.body["messages"])
    matching = [question for question in questions if question.text in prompt]
    if not matching:
        return Script("I do not know.")
    question = max(matching, key=lambda each: len(each.text))
    is_long = len(question.text.split()) > SHORT_WORDS
    is_wrong = random.Random(f"{question.text} {model}").random() < WRONG[model][is_long]
    holding: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for _, number, _, text in PASSAGE.findall(prompt):
        for span in split_sentences(text):
            sentence = text[span.start : span.end]
            has_answer = any(answer in sentence for answer in question.answers)
            (holding if has_answer else others).append((number, sentence))
    chosen = others if is_wrong or not holding else holding
    if not chosen:
        return Script("I do not know.")
    number, sentence = chosen[0]
    return Script(f"{sentence.strip().rstrip('.')} [{number}].")


def answer_about_collection(path: Path, known: frozenset[str], asked: Asked) -> Script:
    """Play the models over a collection, in a process of their own."""
    return write_answer(read_questions(path, known), asked)


# The replay


async def replay(roma: Roma, asked: Sequence[Question], unseen: Sequence[Question], *, is_cached: bool) -> Replay:
    """Ask the questions in their order; without a cache each one once, for as often as it is there.

    Without a cache then all of ``unseen`` that were not among them, which cost and count nothing: only what their
    answers are worth is kept. Raises ``AssertionError`` when a question gets two answers, of which one would be stale.
    """
    counts = Counter(each.text for each in asked)
    order = [*asked] if is_cached else list({each.text: each for each in [*asked, *unseen]}.values())
    done = Replay()
    for question in order:
        output = await roma.query(question.text)
        assert isinstance(output, TailorOutput), output
        worth = float(states(output.answer, question.fact))
        assert done.worth.setdefault(question.text, worth) == worth, question
        if question.text not in counts:
            continue
        if output.saved is not None:
            done.cached += 1
            continue
        assert output.usage.cost_usd is not None, output
        times = 1 if is_cached else counts[question.text]
        done.cost_usd += times * output.usage.cost_usd
        done.calls += times * output.usage.calls
        done.cheap += times * int(output.route is not None and output.route.choice == "cheap")
    return done


async def measure(
    folder: Path,
    url: str,
    documents: Sequence[Document],
    calibrated: Sequence[Question],
    asked: Sequence[Question],
    unseen: Sequence[Question] = (),
    ways: Sequence[str] = tuple(WAYS),
) -> tuple[dict[str, Replay], str]:
    """Return what each way comes to, and what the calibration of the router says. The models are at ``url``."""
    store, embedder = await fill_store(documents)
    prices = folder / "prices.json"
    prices.write_text(json.dumps(PRICES), encoding="utf-8")
    settings = Settings(
        {
            "workspace": folder / "w",
            "embedder": "fake",
            "reranker": "none",
            "lexical_weight": 1.0,
            "llm_provider": "openai",
            "llm_model": "strong",
            "llm_base_url": f"{url}/v1",
            "llm_fallbacks": "none",
            "prices_file": prices,
            "planner": "off",
            "cache": "off",
            "router_model": "openai:cheap",
            "log_level": "ERROR",
        }
    )
    golden = write_golden(folder / "golden.json", calibrated)
    async with build_roma(settings.replace(router="difficulty"), store=store, embedder=embedder) as roma:
        card = await roma.calibrate_router(str(golden))
    done: dict[str, Replay] = {}
    for name in ways:
        changed = WAYS[name]
        async with build_roma(settings.replace(**changed), store=store, embedder=embedder) as roma:
            done[name] = await replay(roma, asked, unseen, is_cached="answer_cache" in changed)
        print(f"{name}: ${done[name].cost_usd:.2f}", file=sys.stderr, flush=True)
    return done, card.words


def compare_worth(way: Replay, plain: Replay, asked: Sequence[Question]) -> Difference:
    """Return how much better one way answers, question by question, as often as each is in ``asked``."""
    return compare_pairs(
        [plain.worth[each.text] for each in asked],
        [way.worth[each.text] for each in asked],
        [each.context for each in asked],
    )


def describe(
    name: str, way: Replay, plain: Replay, asked: Sequence[Question], unseen: Sequence[Question]
) -> dict[str, object]:
    """Return the row of one way."""
    return {
        "with": name,
        "asked": len(asked),
        "questions": len({each.text for each in asked}),
        "model calls": way.calls,
        "from the cache": f"{way.cached / len(asked):.1%}",
        "calls of the cheap model": f"{way.cheap / way.calls:.1%}",
        "cost $": way.cost_usd,
        "saved": f"{1 - way.cost_usd / plain.cost_usd:.1%}",
        "right": sum(way.worth[each.text] for each in asked) / len(asked),
        "more right than neither": write_difference(compare_worth(way, plain, asked)),
        f"each of {len(unseen)} questions once": write_difference(compare_worth(way, plain, unseen))
        if all(each.text in way.worth for each in unseen)
        else None,
    }


def write_difference(difference: Difference) -> str:
    """Return a difference with its interval."""
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def main(count: str = str(ASKED)) -> int:
    root = beir.folder()
    if root is None:
        print("bench.zipf: the collections are not beside this checkout; nothing was measured.", file=sys.stderr)
        return 0
    path = root / "squad2_dev"
    documents = read_documents(path)
    known = frozenset(document.uri for document in documents)
    questions = read_questions(path, known)
    unseen = questions[CALIBRATED : CALIBRATED + COMPARED]
    asked = draw_by_zipf(unseen[:REPLAYED], int(count))
    rule = functools.partial(answer_about_collection, path, known)
    with tempfile.TemporaryDirectory() as folder, serving(rule) as url:
        done, card = asyncio.run(measure(Path(folder), url, documents, questions[:CALIBRATED], asked, unseen))
    strong, cheap = WRONG["strong"], WRONG["cheap"]
    note = (
        f"Real questions over {PASSAGES} passages, drawn by Zipf's law with exponent {EXPONENT}; two scripted models "
        f"that cost ten to one and are wrong on {strong[0]:.1%} and {cheap[0]:.1%} of the questions of at most "
        f"{SHORT_WORDS} words, on {strong[1]:.0%} and {cheap[1]:.0%} of the others. Calibrated on {CALIBRATED} other "
        f"questions: {card}. The goal is a cost at least 40 % lower, at answers that are no worse by 2 points: "
        "*each question once* compares them as a golden set does, where no question counts more than another, on "
        "questions that the calibration did not see, drawn or not; as often as they were asked, a few questions "
        "decide. A cache gives the answers of the way without it: a question that gets two would end the run."
    )
    rows = [describe(name, way, done["neither"], asked, unseen) for name, way in done.items()]
    report.write("zipf", "Repeated questions: what caches and the router save", rows, note)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
