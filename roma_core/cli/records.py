"""Commands about recorded answers: answers, replay, verify."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from roma_core.answers import AnswerRecord
from roma_core.app import build_roma
from roma_core.cli.answers import format_answer, show_answer
from roma_core.cli.command import Invocation, command
from roma_core.cli.inputs import read_stdin
from roma_core.cli.output import FAILED, OK, PARTIAL, note, write, write_table
from roma_core.errors import AgentFailure, InputError
from roma_core.replay import ForkedAnswer, fork_answer
from roma_core.verification import ExportCheck, read_export, verify_export

SHORT_QUESTION = 60
LARGEST_EXPORT_BYTES = 64 << 20


@command(examples=("roma answers", "roma answers --session budget --limit 5"))
@click.option("--session", metavar="ID", help="Answers of this conversation alone.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, metavar="N", help="At most N rows."
)
async def answers(call: Invocation, session: str | None, limit: int) -> int:
    """List the answers that are kept, the newest first, with their states."""
    async with build_roma(call.settings) as roma:
        found = await roma.answers.list(roma.user, session, limit)
    rows = [
        (summary.id, summary.state, summary.created_at.isoformat(timespec="seconds"), _shorten(summary.question))
        for summary in found
    ]
    call.emit(
        [summary.model_dump(mode="json") for summary in found],
        lambda: write_table("", ["id", "state", "asked", "question"], rows),
    )
    return OK


@command(
    examples=(
        "roma replay last",
        "roma replay 9b1d0c4e --json",
        "roma replay last --fork rerank=off",
        "roma replay last --fork lexical_weight=0.2 --fork top_k=3",
        "roma replay last --record --json",
    )
)
@click.argument("answer")
@click.option(
    "--fork",
    "forks",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one thing: rerank=off, top_k=3, persona=executive, or a setting that decides answers.",
)
@click.option(
    "--record", "whole", is_flag=True, help="Show what made the answer: settings, stages, candidates, prompt."
)
async def replay(call: Invocation, answer: str, forks: tuple[str, ...], whole: bool) -> int:
    """Show a recorded answer again, to the letter; with --fork, what one change makes of it.

    ANSWER is the id of a record or its beginning, an answer_id, or last.
    """
    changes = _read_forks(forks)
    async with build_roma(call.settings) as roma:
        record = await roma.answers.get(roma.user, await roma.answers.find_id(roma.user, answer))
        forked = await fork_answer(roma, record, changes) if changes else None
    if forked is not None:
        return _show_fork(call, forked)
    if whole:
        call.emit(record, lambda: _show_record(record))
        return OK
    for uri in record.forgotten:
        note(f"Forgotten on demand since: {uri}")
    output = record.output
    if output is not None:
        call.emit(output, lambda: show_answer(output))
        return OK
    if not call.as_json and record.text:
        write(record.text)
    note(f"This answer is {record.state}.")
    if record.failure is not None:
        return call.fail(record.failure)
    if call.as_json:
        call.emit(record, lambda: None)
    return FAILED


@command(examples=("roma ask --json 'When was it built?' | roma verify -", "roma verify answer.json"))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
async def verify(call: Invocation, file: Path) -> int:
    """Check an exported answer against its sources alone.

    FILE, or stdin for -, is the JSON of `roma ask --json`, of `roma replay --json` or of the HTTP API. Each quote must
    stand in its source, in the store or else in the file at its address, and each claim is compared with it again.
    Exit code 2 when a citation does not hold.
    """
    output = read_export(await asyncio.to_thread(_read_file, file))
    async with build_roma(call.settings) as roma:
        check = await verify_export(roma, output)
    call.emit(
        {**check.model_dump(mode="json"), "holds": check.holds, "summary": check.summary}, lambda: _show_check(check)
    )
    return OK if check.holds else PARTIAL


def _read_file(path: Path) -> bytes:
    if str(path) == "-":
        return read_stdin().encode()
    try:
        if path.stat().st_size > LARGEST_EXPORT_BYTES:
            raise InputError(f"{path.name} is too large for an exported answer.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _read_forks(forks: tuple[str, ...]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for fork in forks:
        name, equals, value = fork.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--fork needs NAME=VALUE as in rerank=off, not {fork!r}.")
        changes[name.strip()] = value.strip()
    return changes


def _show_fork(call: Invocation, forked: ForkedAnswer) -> int:
    if forked.output is None and not call.as_json:
        for line in forked.notes:
            note(line)
        return call.fail(forked.failure) if isinstance(forked.failure, AgentFailure) else FAILED
    value = {**forked.model_dump(mode="json"), "notes": list(forked.notes), "diff": list(forked.diff)}
    call.emit(value, lambda: _print_fork(forked))
    return OK if forked.output is not None else FAILED


def _print_fork(forked: ForkedAnswer) -> None:
    if forked.output is not None:
        write("\n".join(format_answer(forked.output)))
    write()
    write("\n".join(forked.diff) if forked.diff else "The answer reads as the recorded one.")
    for line in forked.notes:
        note(line)


def _show_record(record: AnswerRecord) -> None:
    write(f"{record.id} {record.state}: {record.query.text}")
    write_table("Settings", ["name", "value"], [(name, json.dumps(v)) for name, v in record.identity.settings.items()])
    write_table("Models and stages", ["name", "identity"], list(record.identity.fingerprints.items()))
    rows = [(s.stage, len(s.passages), ", ".join(s.flags), "; ".join(s.degraded)) for s in record.stages]
    write_table("Stages", ["stage", "passages", "flags", "degraded"], rows)
    candidates = [
        (
            p.rank,
            f"{p.score:.4f}",
            json.dumps({k: round(v, 4) for k, v in p.scores.items()}),
            p.chunk.title,
            p.chunk.place,
        )
        for p in record.candidates
    ]
    write_table("Candidates", ["rank", "score", "scores", "source", "where"], candidates)
    for message in record.draft.prompt if record.draft is not None else ():
        write(f"\nPrompt ({message.role}):\n{message.content}")
    if record.draft is not None:
        write(f"\nRaw words of {record.draft.model}:\n{record.draft.text}")
    write("\n".join(["", *format_answer(record.output)]) if record.output is not None else f"\n{record.text}")


def _show_check(check: ExportCheck) -> None:
    rows = [
        (
            c.marker,
            "holds" if c.holds else "DOES NOT HOLD",
            c.state,
            c.verdict,
            c.exported,
            c.title,
            "; ".join(c.decided_by),
        )
        for c in check.citations
    ]
    write_table("", ["citation", "state", "quote", "verdict", "exported", "source", "why"], rows)
    for statement in check.unmarked:
        write(f"without a citation: {statement}")
    write(check.summary)


def _shorten(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= SHORT_QUESTION else line[: SHORT_QUESTION - 1].rstrip() + "…"
