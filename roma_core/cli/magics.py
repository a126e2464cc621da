"""The IPython extension: ``%roma`` is a command line in a cell, ``%%ask`` a cell that is a question.

``%load_ext roma_core`` adds both to a notebook.
"""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from pydantic import ValidationError

from roma_core.app import Roma, build_roma
from roma_core.cli.output import note
from roma_core.errors import AgentFailure, InputError, explain_invalid
from roma_core.settings import Settings
from roma_core.types import Query, TailorOutput


class Shell(Protocol):
    """The part of IPython's shell that the extension uses."""

    input_transformers_cleanup: list[Callable[[list[str]], list[str]]]
    magics_manager: Any

    def register_magic_function(self, func: Any, magic_kind: str, magic_name: str) -> None: ...


ASK_OPTIONS: Final[Mapping[str, str]] = {"--persona": "persona", "--top-k": "top_k", "--session": "session_id"}


def load_magics(shell: Shell) -> None:
    """Add ``%roma`` and ``%%ask`` to a notebook: ``%load_ext roma_core``."""
    shell.register_magic_function(run_command, "line", "roma")
    if rewrite_ask not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(rewrite_ask)


def unload_magics(shell: Shell) -> None:
    """Take ``%roma`` and ``%%ask`` away again: ``%unload_ext roma_core``."""
    shell.magics_manager.magics["line"].pop("roma", None)
    if rewrite_ask in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(rewrite_ask)


def rewrite_ask(lines: list[str]) -> list[str]:
    r"""Return a cell that begins with ``%%ask`` as code; a magic itself could not wait for the answer.

    >>> rewrite_ask(["%%ask --top-k 3\n", "Why?\n"])[1]
    "answer = await ask_cell('Why?', '--top-k 3', globals().get('roma'))\n"
    """
    if not lines or not re.match(r"%%ask(\s|$)", lines[0]):
        return lines
    options, question = lines[0].removeprefix("%%ask").strip(), "".join(lines[1:]).strip()
    return [
        "from roma_core.cli.magics import ask_cell\n",
        f"answer = await ask_cell({question!r}, {options!r}, globals().get('roma'))\n",
        "answer\n",
    ]


async def ask_cell(question: str, options: str = "", roma: object = None) -> TailorOutput | AgentFailure:
    """Return the answer to a cell of ``%%ask``: of the notebook's ``roma``, else of one over the settings.

    ``options`` are ``--persona executive --top-k 8 --session budget``. Raises ``InputError`` for others.

    >>> await ask_cell("What did the trial find?", "--top-k 3", roma)  # doctest: +SKIP
    """
    fields = read_options(options)
    if isinstance(roma, Roma):
        return await roma.query(make_question(question, fields, roma))
    async with build_roma(Settings.load()) as own:
        return await own.query(make_question(question, fields, own))


def make_question(question: str, fields: Mapping[str, str], roma: Roma) -> Query:
    """Return the question of the user of this machine. Raises ``InputError`` for a value that is none."""
    given = {"text": question, "principal": roma.user, **fields}
    try:
        return Query.model_validate(given)
    except ValidationError as error:
        raise InputError(explain_invalid(error)) from None


def read_options(line: str) -> dict[str, str]:
    """Return the options of a line by the field of the query. Raises ``InputError`` that names what is allowed.

    >>> read_options("--top-k 3 --persona=executive")
    {'top_k': '3', 'persona': 'executive'}
    """
    words = iter(shlex.split(line))
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        field = ASK_OPTIONS.get(name)
        text = value if equals else next(words, "")
        if field is None or not text:
            allowed = ", ".join(f"{option} VALUE" for option in ASK_OPTIONS)
            raise InputError(f"%%ask takes {allowed}, not {word!r}; the question stands below it.")
        given[field] = text
    return given


def run_command(line: str) -> None:
    """Run a command of ROMA as on a command line: ``%roma ledger --state failed``."""
    from roma_core.cli import main

    codes: list[object] = []

    def run() -> None:
        try:
            codes.append(main(shlex.split(line)))
        except SystemExit as stopped:
            codes.append(stopped.code)

    thread = threading.Thread(target=run, name="roma command")  # a notebook's own loop runs in this thread
    thread.start()
    thread.join()
    if codes and codes[0]:
        note(f"exit code {codes[0]}")
