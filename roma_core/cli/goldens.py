"""Commands about golden sets: write an item from a passage, and find what is wrong with a set."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import FAILED, OK, note, write, write_table
from roma_core.errors import AgentFailure, InputError

if TYPE_CHECKING:
    from roma_core.evals.golden.authoring import GoldenCheck
    from roma_core.evals.golden.dataset import GoldenCase
    from roma_core.types import Persona

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
        "roma golden new golden.json --passage 'ferry landing dues'",
        "roma golden new golden.json --passage 'ferry dues' -q 'What does a ferry pay?' -a '97 EUR.' --fact '97 EUR'",
    ),
)
@click.argument("dataset", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--passage", required=True, metavar="WORDS", help="Words to find the passage by, best first.")
@click.option("--pick", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Take the Nth.")
@click.option("-q", "--question", default="", metavar="TEXT", help="The question; without it, passages are shown.")
@click.option("-a", "--answer", default="", metavar="TEXT", help="The reference answer.")
@click.option("--fact", multiple=True, metavar="TEXT", help="A fact that the answer states; may be repeated.")
@click.option("--anchor", default="", metavar="WORDS", help="Words of the passage; default: the sentence of a fact.")
@click.option(
    "--persona", type=click.Choice(["technical", "executive", "general"]), default="general", show_default=True
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
    persona: str,
    tag: tuple[str, ...],
) -> int:
    """Add an item to the golden set in a file, with a passage of the workspace as its evidence.

    Without a question the passages are shown that the words find. With one, the items of the set that ask nearly the
    same are named.
    """
    from roma_core.evals.golden.authoring import make_case, write_case

    async with build_roma(call.settings) as roma:
        found = await roma.search(passage, limit=max(5, pick))
    if isinstance(found, AgentFailure):
        return call.fail(found)
    rows = [
        (number, each.chunk.uri.rpartition("/")[2], _shorten(each.chunk.text)) for number, each in enumerate(found, 1)
    ]
    if not question:
        shown = [{"pick": number, "document": name, "text": text} for number, name, text in rows]
        call.emit(shown, lambda: write_table("Passages, best first", ["pick", "document", "text"], rows))
        return OK
    if len(found) < pick:
        raise InputError(f"Only {len(found)} passages are found by these words; pick one of them.")
    if not answer or not fact:
        raise InputError("An item needs --answer and at least one --fact.")
    near = _find_near(dataset, question)
    case = make_case(
        found[pick - 1],
        question,
        answer,
        fact,
        persona=cast("Persona", persona),
        tags=tag,
        anchor=anchor,
    )
    write_case(dataset, case)
    item = case.model_dump(mode="json", exclude_defaults=True)
    call.emit({"item": item, "near": [each.id for each in near]}, lambda: write(f"{case.id} is in {dataset}"))
    for each in near:
        note(f"near: {each.id}: {each.question}")
    return OK


def _find_near(dataset: Path, question: str) -> list[GoldenCase]:
    from roma_core.evals.golden.authoring import find_near_cases
    from roma_core.evals.golden.dataset import load_golden

    return find_near_cases(load_golden(dataset), question) if dataset.is_file() else []


def _shorten(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 160 else f"{plain[:157]}..."


golden.add_command(new)
golden.add_command(validate)
