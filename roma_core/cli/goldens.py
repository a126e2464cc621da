"""Commands about golden sets: write an item from a passage, and find what is wrong with a set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from roma_core.app import Roma, build_roma
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import FAILED, OK, note, write, write_table
from roma_core.errors import AgentFailure, EvalError, InputError, count_noun
from roma_core.store import locate_store, open_for_reading
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.evals.golden.authoring import GoldenCheck
    from roma_core.evals.golden.candidates import GoldenCandidate
    from roma_core.evals.golden.dataset import GoldenCase
    from roma_core.types import Persona, ScoredChunk

everyone_option = click.option("--everyone", is_flag=True, help="Also what other users of the tenant asked and rated.")
no_answer_option = click.option("--no-answer", "unanswerable", is_flag=True, help="The corpus does not answer it.")
SIZES = (64, 128, 200, 400)
"""Passage sizes in tokens for which it is measured how much of the evidence they can hold."""


@click.group(cls=RomaGroup)
def golden() -> None:
    """Write golden sets, and check them before anything is asked."""


@command(
    "validate",
    examples=("roma golden validate golden.json", "roma golden validate golden.json --without-corpus"),
)
@click.argument("dataset")
@click.option("--without-corpus", is_flag=True, help="Check the set by itself; ask no workspace.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of golden sets and check nothing.")
async def validate(call: Invocation, dataset: str, without_corpus: bool, schema: bool) -> int:
    """Find what is wrong with a golden set: doubles, facts without words, answers that miss them, lost anchors.

    Evidence is looked up in the workspace, and the share of it is shown that a passage of each size can hold.
    """
    from roma_core.evals.golden.authoring import check_golden, golden_schema
    from roma_core.evals.golden.dataset import load_golden

    if schema:
        click.echo(json.dumps(golden_schema(), indent=1))
        return OK
    held = load_golden(dataset)
    if without_corpus:
        check = check_golden(held)
    else:
        async with build_roma(call.settings) as roma:
            documents = [document async for document in roma.store.documents(call.settings.tenant)]
            check = check_golden(held, documents, count_tokens=roma.embedder.count_tokens, sizes=SIZES)
        if not documents:
            note("the workspace holds no document, so evidence was not looked up")
    call.emit(check, partial(_show_check, check))
    return FAILED if check.errors else OK


def _show_check(check: GoldenCheck) -> None:
    rows = [(finding.case_id, finding.severity, finding.message) for finding in check.findings]
    if rows:
        write_table(f"{check.dataset}: {check.items} items", ["case", "", "what"], rows)
    if check.expressible:
        shares = [(size, f"{share:.3f}") for size, share in check.expressible.items()]
        write_table("Evidence that one passage can hold", ["tokens of a passage", "share"], shares)
    warnings = len(check.findings) - check.errors
    write(f"{check.items} items, {check.errors} errors, {warnings} warnings")


@command(
    "new",
    examples=(
        "roma golden new golden.json",
        "roma golden new golden.json --no-answer -q 'What does a balloon pay?'",
        "roma golden new golden.json --passage 'ferry landing dues'",
        "roma golden new golden.json --passage 'ferry dues' -q 'What does a ferry pay?' -a '97 EUR.' --fact '97 EUR'",
    ),
)
@click.argument("dataset", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--passage", default="", metavar="WORDS", help="Words to find the passage by, best first.")
@click.option("--pick", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Take the Nth.")
@click.option("-q", "--question", default="", metavar="TEXT", help="The question; without it, passages are shown.")
@click.option("-a", "--answer", default="", metavar="TEXT", help="The reference answer.")
@click.option("--fact", multiple=True, metavar="TEXT", help="A fact that the answer states; may be repeated.")
@click.option("--anchor", default="", metavar="WORDS", help="Words of the passage; default: the sentence of a fact.")
@no_answer_option
@click.option(
    "--persona",
    type=click.Choice(["technical", "executive", "general"]),
    default="general",
    show_default=True,
    help="Who reads the answer.",
)
@click.option("--tag", multiple=True, metavar="TAG", help="May be repeated.")
async def new(
    call: Invocation,
    dataset: Path,
    passage: str,
    pick: int,
    question: str,
    answer: str,
    fact: tuple[str, ...],
    anchor: str,
    unanswerable: bool,
    persona: str,
    tag: tuple[str, ...],
) -> int:
    """Add items to the golden set in a file, each with a passage of the workspace as its evidence.

    Without --passage one item after another is asked for. With it the passages are shown that the words find, and with
    a question too the item is added. The items of the set that ask nearly the same are named.
    """
    draft = _ItemDraft(dataset, cast("Persona", persona), tag)
    if unanswerable:
        if answer or fact or passage or anchor or not question:
            raise InputError("An item without an answer has --question, and neither --answer, --fact nor --passage.")
        near = draft.find_near(question)
        _show_item(call, dataset, draft.add(None, question, "", ()), near)
        return OK
    if not passage and (question or answer or fact or anchor):
        raise InputError("An item needs --passage, the words to find its evidence by, or --no-answer.")
    async with build_roma(call.settings) as roma:
        if not passage:
            return await _ask_for_items(call, roma, draft)
        found = await roma.search(passage, limit=max(5, pick))
    if isinstance(found, AgentFailure):
        return call.fail(found)
    if not question:
        shown = [dict(zip(_PICKED, row, strict=True)) for row in _list_passages(found)]
        call.emit(shown, lambda: _show_passages(found))
        return OK
    if len(found) < pick:
        raise InputError(f"Only {len(found)} passages are found by these words; pick one of them.")
    if not answer or not fact:
        raise InputError("An item needs --answer and at least one --fact.")
    near = draft.find_near(question)
    _show_item(call, dataset, draft.add(found[pick - 1], question, answer, fact, anchor), near)
    return OK


_PICKED = ("pick", "document", "text")


def _list_passages(found: Sequence[ScoredChunk]) -> list[tuple[int, str, str]]:
    return [(n, each.chunk.uri.rpartition("/")[2], _shorten(each.chunk.text)) for n, each in enumerate(found, 1)]


def _show_passages(found: Sequence[ScoredChunk]) -> None:
    write_table("Passages, best first", _PICKED, _list_passages(found))


@dataclass(frozen=True)
class _ItemDraft:
    """The set that new items go into, and the persona and tags that they share."""

    dataset: Path
    persona: Persona
    tags: tuple[str, ...]

    def find_near(self, question: str) -> list[GoldenCase]:
        """Return the items of the set that ask nearly the same."""
        return _find_near(self.dataset, question)

    def add(
        self, passage: ScoredChunk | None, question: str, answer: str, facts: Sequence[str], anchor: str = ""
    ) -> GoldenCase:
        """Write an item into the set; without a passage one that is not answered by the corpus.

        Raises ``EvalError`` for facts that the answer does not state, and for a question that the set asks already.
        """
        from roma_core.evals.golden.authoring import make_case, make_unanswerable, write_case

        if passage is None:
            case = make_unanswerable(question, persona=self.persona, tags=self.tags)
        else:
            case = make_case(passage, question, answer, facts, persona=self.persona, tags=self.tags, anchor=anchor)
        write_case(self.dataset, case)
        return case


async def _ask_for_items(call: Invocation, roma: Roma, draft: _ItemDraft) -> int:
    """Ask for one item after another, over a workspace that is opened once, until no words are given."""
    added: list[GoldenCase] = []
    while words := _ask("Words to find a passage by (none: end)", may_be_empty=True):
        found = await roma.search(words, limit=5)
        if isinstance(found, AgentFailure):
            return call.fail(found)
        if not found:
            note("nothing is found by these words")
            continue
        if not call.as_json:
            _show_passages(found)
        pick = click.prompt("Pick (0: other words)", type=click.IntRange(0, len(found)), default=1, err=True)
        if pick and (case := _ask_for_item(draft, found[pick - 1])) is not None:
            added.append(case)
            note(f"{case.id} is in {draft.dataset}\n")
    items = [case.model_dump(mode="json", exclude_defaults=True) for case in added]
    call.emit(items, lambda: write(f"{count_noun(len(added), 'new item')} in {draft.dataset}"))
    if added and not call.as_json:
        note(f"next: roma golden validate {draft.dataset}")
    return OK


def _ask_for_item(draft: _ItemDraft, passage: ScoredChunk) -> GoldenCase | None:
    """Ask for the words of an item until they fit its passage; None where no question is given."""
    while question := _ask("Question (none: other words)", may_be_empty=True):
        _name_near(draft.find_near(question))
        answer = _ask("Reference answer (none: the documents do not answer it)", may_be_empty=True)
        facts = [_ask("Fact that the answer states")] if answer else []
        while facts and (more := _ask("Another fact (none: no more)", may_be_empty=True)):
            facts.append(more)
        try:
            return draft.add(passage if answer else None, question, answer, facts)
        except EvalError as error:
            note(f"{error}\nOnce more:")
    return None


def _ask(words: str, *, may_be_empty: bool = False) -> str:
    default = "" if may_be_empty else None
    return str(click.prompt(words, default=default, show_default=False, err=True)).strip()


def _show_item(call: Invocation, dataset: Path, case: GoldenCase, near: Sequence[GoldenCase]) -> None:
    item = case.model_dump(mode="json", exclude_defaults=True)
    call.emit({"item": item, "near": [each.id for each in near]}, lambda: write(f"{case.id} is in {dataset}"))
    _name_near(near)


def _name_near(near: Iterable[GoldenCase]) -> None:
    for each in near:
        note(f"near: {each.id}: {each.question}")


def _find_near(dataset: Path, question: str) -> list[GoldenCase]:
    from roma_core.evals.golden.authoring import find_near_cases
    from roma_core.evals.golden.dataset import load_golden

    return find_near_cases(load_golden(dataset), question) if dataset.is_file() else []


def _shorten(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 160 else f"{plain[:157]}..."


@command(
    "import",
    examples=(
        "roma golden import testset.jsonl golden.json --from ragas",
        "roma golden import goldens.json golden.json --from deepeval",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("dataset", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from", "form", required=True, type=click.Choice(["ragas", "deepeval"]), help="The tool of FILE.")
async def import_set(call: Invocation, file: Path, dataset: Path, form: str) -> int:
    """Make a golden set of another tool's set, and look its texts up in the workspace as evidence.

    DATASET is the golden set that is written; items that it has already stay. An item whose texts are not found keeps
    its question and reference answer, and its retrieval is not scored. No model is loaded.
    """
    from roma_core.evals.golden.dataset import add_cases
    from roma_core.evals.golden.foreign_sets import place_items, read_items

    store = open_for_reading(locate_store(call.settings))
    try:
        placed = await place_items(dataset.stem, read_items(file, form), store.documents(call.settings.tenant))
    finally:
        await store.close()
    new_cases = add_cases(dataset, placed.golden.cases)
    if placed.unplaced:
        note(f"{len(placed.unplaced)} items have a text that no document holds: {', '.join(placed.unplaced[:5])}")
    if placed.doubtful:
        note(f"{len(placed.doubtful)} items have a text that several hold: {', '.join(placed.doubtful[:5])}")
    items = len(placed.golden.cases)
    summary = {"items": items, "new": new_cases, "unplaced": placed.unplaced, "doubtful": placed.doubtful}
    call.emit(summary, lambda: write(f"{new_cases} of {items} items are new in {dataset}"))
    return OK


@command("candidates", examples=("roma golden candidates", "roma golden candidates 3f2a --json"))
@click.argument("candidate", required=False)
@everyone_option
async def list_candidates(call: Invocation, candidate: str | None, everyone: bool) -> int:
    """List questions that may become golden cases: rated down, not answered, or failed.

    With CANDIDATE, the beginning of an id, show its last answer, people's comments and the passages that were found.
    """
    from roma_core.evals.golden.candidates import find_candidate

    candidates = await _collect_candidates(call, everyone)
    if candidate is not None:
        found = find_candidate(candidates, candidate)
        call.emit(found, partial(_show_candidate, found))
        return OK
    rows = [(each.id, ", ".join(each.reasons), each.times, _shorten(each.question)) for each in candidates]
    listed = [each.model_dump(mode="json", exclude={"passages"}) for each in candidates]
    call.emit(listed, lambda: write_table("", ["candidate", "why", "times", "question"], rows))
    return OK


async def _collect_candidates(call: Invocation, everyone: bool) -> list[GoldenCandidate]:
    from roma_core.evals.golden.candidates import collect_candidates, read_decisions
    from roma_core.exports.records import open_records

    decisions = read_decisions(Workspace.of(call.settings).reviews, call.settings.tenant)
    async with open_records(call.settings, everyone=everyone) as reader:
        return await collect_candidates(reader.iterate_answers(), await reader.list_ratings(), decisions)


def _show_candidate(candidate: GoldenCandidate) -> None:
    write(f"{candidate.id}  {candidate.question}")
    write(f"{', '.join(candidate.reasons)}, {candidate.times} times, last {candidate.last_at:%Y-%m-%d}")
    for comment in candidate.comments:
        write(f"comment: {comment}")
    write(f"\n{candidate.answer}\n")
    rows = [(p.rank, p.chunk.uri.rpartition("/")[2], _shorten(p.chunk.text)) for p in candidate.passages]
    write_table("Passages that were found", ["rank", "document", "text"], rows)


@command(
    "accept",
    examples=(
        "roma golden accept 3f2a golden.json -a 'In 1902.' --fact 1902",
        "roma golden accept 3f2a golden.json --no-answer",
    ),
)
@click.argument("candidate")
@click.argument("dataset", type=click.Path(path_type=Path, dir_okay=False))
@click.option("-q", "--question", default="", metavar="TEXT", help="The question in better words.")
@click.option("-a", "--answer", default="", metavar="TEXT", help="The reference answer.")
@click.option("--fact", multiple=True, metavar="TEXT", help="A fact that the answer states; may be repeated.")
@no_answer_option
@click.option("--passage", default="", metavar="WORDS", help="Words to find the right passage by.")
@click.option("--anchor", default="", metavar="WORDS", help="Words of the passage; default: the sentence of a fact.")
@click.option("--tag", multiple=True, metavar="TAG", help="May be repeated.")
@click.option("--by", default="", metavar="NAME", help="The reviewer.")
@everyone_option
async def accept(
    call: Invocation,
    candidate: str,
    dataset: Path,
    question: str,
    answer: str,
    fact: tuple[str, ...],
    unanswerable: bool,
    passage: str,
    anchor: str,
    tag: tuple[str, ...],
    by: str,
    everyone: bool,
) -> int:
    """Make a golden case of a candidate, with a reference answer and its facts, and add it to the set DATASET.

    Its evidence is the passage that states a fact, of those that were found for the question or by --passage.
    """
    from roma_core.evals.golden.authoring import write_case
    from roma_core.evals.golden.candidates import accept_candidate, find_candidate, refuse_candidate

    chosen = find_candidate(await _collect_candidates(call, everyone), candidate)
    if unanswerable:
        if answer or fact or passage:
            raise InputError("A question without an answer has neither --answer, --fact nor --passage.")
        case = refuse_candidate(chosen, question=question, tags=tag)
    else:
        if not answer or not fact:
            raise InputError("A golden case needs --answer and at least one --fact, or --no-answer.")
        passages = await _search_passages(call, passage) if passage else ()
        if isinstance(passages, AgentFailure):
            return call.fail(passages)
        case = accept_candidate(chosen, answer, fact, question=question, passages=passages, anchor=anchor, tags=tag)
    near = _find_near(dataset, case.question)
    write_case(dataset, case)
    _decide(call, chosen, "accepted", by, dataset=str(dataset), case_id=case.id)
    _show_item(call, dataset, case, near)
    return OK


async def _search_passages(call: Invocation, words: str) -> tuple[ScoredChunk, ...] | AgentFailure:
    async with build_roma(call.settings) as roma:
        return await roma.search(words, limit=10)


@command("drop", examples=("roma golden drop 3f2a --why 'not about this corpus'",))
@click.argument("candidate")
@click.option("--why", required=True, metavar="TEXT", help="The reason; it is kept.")
@click.option("--by", default="", metavar="NAME", help="The reviewer.")
@everyone_option
async def drop(call: Invocation, candidate: str, why: str, by: str, everyone: bool) -> int:
    """Take a candidate off the list, with a reason. It comes back when its question goes wrong again."""
    from roma_core.evals.golden.candidates import find_candidate

    chosen = find_candidate(await _collect_candidates(call, everyone), candidate)
    _decide(call, chosen, "dropped", by, why=why)
    call.emit({"candidate": chosen.id, "why": why}, lambda: write(f"{chosen.id} is dropped"))
    return OK


def _decide(
    call: Invocation,
    candidate: GoldenCandidate,
    decision: Literal["accepted", "dropped"],
    reviewer: str,
    *,
    why: str = "",
    dataset: str = "",
    case_id: str = "",
) -> None:
    from roma_core.evals.golden.candidates import ReviewDecision, append_decision

    decided = ReviewDecision(
        candidate=candidate.id,
        decision=decision,
        at=datetime.now(UTC),
        tenant=call.settings.tenant,
        reviewer=reviewer,
        why=why,
        question=candidate.question,
        dataset=dataset,
        case_id=case_id,
        answers=candidate.answers,
    )
    append_decision(Workspace.of(call.settings).reviews, decided)


for subcommand in (list_candidates, accept, drop):
    golden.add_command(subcommand)
golden.add_command(new)
golden.add_command(import_set)
golden.add_command(validate)
