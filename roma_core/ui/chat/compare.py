"""Comparison of an answer with what another model, prompt or reader makes of the same question and passages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, get_args

from roma_core.errors import InputError
from roma_core.prompts.library import OWN
from roma_core.replay import ForkedAnswer, fork_answer
from roma_core.types import Persona, Principal
from roma_core.ui.chat.views import View, view_failure, view_output

if TYPE_CHECKING:
    from roma_core.answers import AnswerRecord
    from roma_core.app import Roma

PROMPT: Final = "answer"
"""Prompt whose versions are compared."""


def list_choices(roma: Roma) -> dict[str, list[str]]:
    """Return the values that a page may compare with, by what they change. Addresses and keys are none of them.

    Example::

        list_choices(roma)["persona"]  # ['technical', 'executive', 'general']
    """
    llm = roma.settings.llm
    models = [llm.model or "", *roma.settings.serving.console_models]
    versions = [version.version for version in roma.prompt_library.list(PROMPT)]
    return {
        "persona": list(get_args(Persona)),
        "llm_model": list(dict.fromkeys(name for name in models if name)),
        "prompt": versions,
    }


def choose_model(roma: Roma, model: str) -> dict[str, str]:
    """Return the changes of settings that have ``model`` answer. Raises ``InputError`` for one that is not offered.

    Example::

        choose_model(roma, "")  # {}
    """
    if not model or model == roma.settings.llm.model:
        return {}
    if model not in list_choices(roma)["llm_model"]:
        raise InputError(f"The model {model!r} is not offered here (ROMA_CONSOLE_MODELS).")
    return {"llm_model": model}


def describe_stages(forked: ForkedAnswer) -> str:
    """Return what is the same in both answers, in a sentence for a person."""
    if forked.on_todays_corpus:
        return "Both answer the same question; passages were looked for again."
    return "Both answer the same question from the same passages."


async def compare_answer(roma: Roma, record: AnswerRecord, chosen: Mapping[str, str], who: Principal) -> View:
    """Return the recorded answer beside another, with the rights that ``who`` has now.

    Raises ``InputError`` for a value that is not offered, and what the audit log raises when it cannot be written.
    """
    choices = list_choices(roma)
    changes: dict[str, str] = {}
    for name, value in chosen.items():
        if value not in choices.get(name, ()):
            raise InputError(f"{value!r} is not offered for {name}.")
        if name == "prompt":
            changes["prompts"] = "" if value == OWN else f"{PROMPT}={value}"
        else:
            changes[name] = value
    await roma.log_action(who, "ask", question=record.query.text, record=record.id, changes=changes)
    asked = record.query.model_copy(update={"principal": who})
    forked: ForkedAnswer = await fork_answer(roma, record.model_copy(update={"query": asked}), changes)
    if forked.output is not None:
        shown = {citation.document_id for citation in forked.output.citations}
        await roma.log_action(who, "show", documents=shown, record=record.id)
    view: View = {
        "notes": [describe_stages(forked), *forked.notes[1:]],
        "before": None if record.output is None else view_output(record.output),
        "after": None if forked.output is None else view_output(forked.output),
    }
    if forked.failure is not None:
        view["failure"] = view_failure(forked.failure)
    return view
