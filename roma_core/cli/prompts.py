"""Commands about prompts: list, show, diff, new, push, pull."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from roma_core.app import build_roma
from roma_core.cli.command import DefaultGroup, Invocation, command
from roma_core.cli.output import OK, note, write, write_table
from roma_core.errors import InputError
from roma_core.prompts.library import OWN, PromptLibrary, PromptVersion


@click.group(cls=DefaultGroup, default="list")
def prompt() -> None:
    """List, show, compare and write versions of prompts; exchange them with MLflow's registry."""


def read_choices(words: Sequence[str]) -> dict[str, str]:
    """Return the choices of ``--prompt NAME=VERSION`` by prompt. Raises ``InputError``."""
    pairs = [word.partition("=") for word in words]
    for word, (name, _, version) in zip(words, pairs, strict=True):
        if not name or not version:
            raise InputError(f"--prompt {word}: write NAME=FILE or NAME=VERSION, as in --prompt answer=lazy.")
    return {name.strip(): version.strip() for name, _, version in pairs}


def _library(call: Invocation) -> PromptLibrary:
    return build_roma(call.settings).prompt_library


def _describe(version: PromptVersion) -> dict[str, str]:
    return {
        "prompt": version.name,
        "version": version.version,
        "sha256": version.prompt.sha256[:12],
        "file": str(version.path or ""),
        "description": version.prompt.description,
    }


@command("list", examples=("roma prompt", "roma prompt list answer"))
@click.argument("name", default="")
async def list_prompts(call: Invocation, name: str) -> int:
    """List the versions of every prompt, or of NAME. The version `own` is ROMA's own text."""
    versions = [_describe(version) for version in _library(call).list(name)]
    rows = [tuple(version.values()) for version in versions]
    call.emit(versions, lambda: write_table("", ["prompt", "version", "hash", "file", "description"], rows))
    return OK


@command("show", examples=("roma prompt show answer", "roma prompt show answer lazy"))
@click.argument("name")
@click.argument("version", default=OWN)
async def show_prompt(call: Invocation, name: str, version: str) -> int:
    """Print a version of a prompt (default: ROMA's own)."""
    held = _library(call).find(name, version)
    call.emit({**_describe(held), "text": held.prompt.template}, lambda: write(held.prompt.template))
    return OK


@command("diff", examples=("roma prompt diff answer lazy", "roma prompt diff answer lazy brisk"))
@click.argument("name")
@click.argument("version")
@click.argument("other", default="")
async def diff_prompts(call: Invocation, name: str, version: str, other: str) -> int:
    """Show what VERSION changes of ROMA's own text, or what OTHER changes of VERSION."""
    base, changed = (version, other) if other else (OWN, version)
    diff = _library(call).diff(name, changed, base)
    call.emit({"prompt": name, "base": base, "version": changed, "diff": diff}, lambda: write(diff or "no difference"))
    return OK


@command("new", examples=("roma prompt new answer lazy", "roma prompt new answer brisk --base lazy"))
@click.argument("name")
@click.argument("version")
@click.option("--base", default=OWN, show_default=True, metavar="VERSION", help="The version (or file) to copy.")
async def new_prompt(call: Invocation, name: str, version: str, base: str) -> int:
    """Copy a prompt into the workspace as VERSION, to edit."""
    path = _library(call).create(name, version, base)
    call.emit({"prompt": name, "version": version, "file": str(path)}, lambda: write(str(path)))
    if not call.as_json:
        note(f"edit it, then: roma eval SET --prompt {name}={version} --name {version}")
    return OK


@command("push", examples=("roma prompt push", "roma prompt push answer"))
@click.argument("name", default="")
async def push_prompts(call: Invocation, name: str) -> int:
    """Register every version of all prompts (or of NAME) in MLflow's registry, unless it is there."""
    from roma_core.evals.tracking import push_prompts as push

    names = await push(_library(call).list(name), call.settings)
    call.emit({"registered": list(names)}, lambda: write("\n".join(names) or "all of them are registered"))
    return OK


@command("pull", examples=("roma prompt pull", "roma prompt pull answer"))
@click.argument("name", default="")
async def pull_prompts(call: Invocation, name: str) -> int:
    """Write the versions of MLflow's registry that the workspace does not have."""
    from roma_core.evals.tracking import pull_prompts as pull

    paths: Sequence[Path] = await pull(_library(call), call.settings, name)
    call.emit({"written": [str(path) for path in paths]}, lambda: write("\n".join(map(str, paths)) or "nothing new"))
    return OK


for subcommand in (list_prompts, show_prompt, diff_prompts, new_prompt, push_prompts, pull_prompts):
    prompt.add_command(subcommand)
