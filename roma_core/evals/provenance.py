"""Cards of runs and notebooks: everything that one needs to make them again, as JSON and as a page of Markdown.

A card is written beside what it describes: parameters, code (revision and changes), packages, dataset, index, settings,
prompts, the measure that was named before anything was asked, and the cost. ``list_differences`` says what of it is
different today.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from roma_core.errors import ErrorCode, EvalError
from roma_core.redaction import SECRETS, redact
from roma_core.types import Noun, Usage, digest
from roma_core.workspace import replace_file

CARD, PAGE, PATCH, PROMPTS = "card.json", "card.md", "code.patch", "prompts"
"""Files and folder beside a run: its card, the same to read, changes to the code, the texts of chosen prompts."""
NOTEBOOK = ".ipynb"
LOCK = "requirements.lock"
CODE = (".py", ".md", ".toml", ".ipynb")
"""Ends of the names of files whose content is noted when no commit has them."""
_REVISION = "# branch.oid "
LONGEST_PATCH = 2_000_000
"""Characters of changes to the code that are kept; of longer ones only the hash."""
ROMA = Path(__file__).resolve().parents[2]
GIT_TIMEOUT_S = 20
Part = Literal["dataset", "corpus", "index", "code", "setting", "prompt", "model", "notebook", "package", "revision"]
MILD: frozenset[Part] = frozenset({"revision"})
"""Parts that decide no answer by themselves: the code is compared by its content."""


class CodeState(Noun):
    """A checkout as it was: the commit, and whatever was changed since."""

    revision: str = ""
    """Commit; empty outside of a checkout."""
    patch_sha256: str = ""
    """Hash of the changes to tracked files; empty without any."""
    patch: str = Field(default="", repr=False, exclude=True)
    """The changes themselves, without secrets; empty when they are too long to keep."""
    untracked: dict[str, str] = Field(default_factory=dict)
    """Hash of each file with code or prompts that no commit has."""


class RunProvenance(Noun):
    """The card of a run or of a notebook. Hashes are hexadecimal; secrets are never part of it."""

    kind: Literal["run", "notebook"] = "run"
    run_id: str = ""
    name: str = ""
    created_at: datetime
    finished_at: datetime | None = None
    """None while the run is under way, or when it was broken off."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """The parameters of ``evaluate``, or of the notebook."""
    primary: str = ""
    """The measure that decides, named before anything was asked."""
    dataset: str = ""
    dataset_sha256: str = ""
    corpus_sha256: str = ""
    index_sha256: str = ""
    code_sha256: str = ""
    """Hash of ROMA's code as far as it decides answers, or of the notebook."""
    settings: dict[str, Any] = Field(default_factory=dict)
    prompts: dict[str, str] = Field(default_factory=dict)
    """Hash of each prompt by name."""
    chosen_prompts: tuple[str, ...] = ()
    """Prompts that are not ROMA's own; their texts are kept beside the card."""
    models: dict[str, str] = Field(default_factory=dict)
    """Fingerprint of each model and stage by its role."""
    roma: CodeState = CodeState()
    project: CodeState | None = None
    """The checkout of the working folder, when that is another one than ROMA's."""
    python: str = ""
    lock_sha256: str = ""
    """Hash of the file of locked packages; empty where ROMA was installed without one."""
    packages: dict[str, str] = Field(default_factory=dict, repr=False)
    """Version of each installed package."""
    asked: int = 0
    seconds: float = 0.0
    usage: dict[str, Usage] = Field(default_factory=dict)
    """Usage of model calls by role."""
    runs: tuple[str, ...] = ()
    """Runs that a notebook has made or read."""

    @property
    def cost_usd(self) -> float | None:
        """Cost of all calls; None when a price is unknown."""
        return Usage.total(self.usage.values()).cost_usd

    def to_markdown(self) -> str:
        """Return the card as a page to read."""
        what = "Notebook" if self.kind == "notebook" else "Run"
        lines = [f"# {what} {self.name or self.run_id}", ""]
        lines += _list_facts({k: v for k, v in self._head() if v not in ("", None)})
        for title, values in self._tables():
            if values:
                lines += ["", f"## {title}", "", *_list_facts(values)]
        again = f"roma rerun {self.run_id or self.name}"
        return "\n".join([*lines, "", f"Make it again: `{again}`", ""])

    def _head(self) -> Iterator[tuple[str, Any]]:
        cost = self.cost_usd
        yield "run", self.run_id
        yield "began", self.created_at.isoformat()
        yield "ended", self.finished_at.isoformat() if self.finished_at else "not yet"
        yield "primary measure", self.primary
        yield "questions asked", self.asked
        yield "seconds", f"{self.seconds:.1f}"
        yield "cost (USD)", "unknown" if cost is None else f"{cost:.4f}"
        yield "runs", ", ".join(self.runs)

    def _tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "Parameters", self.parameters
        hashes = {
            "dataset": f"{self.dataset} {self.dataset_sha256}".strip(),
            "corpus": self.corpus_sha256,
            "index": self.index_sha256,
            "code": self.code_sha256,
            "lock": self.lock_sha256,
        }
        yield "Data and code", {name: value for name, value in hashes.items() if value}
        yield "Checkout of ROMA", _describe_code(self.roma)
        yield "Checkout of the working folder", _describe_code(self.project) if self.project else {}
        yield (
            "Prompts",
            {n: f"{sha}{' (own text)' if n in self.chosen_prompts else ''}" for n, sha in self.prompts.items()},
        )
        yield "Models and stages", self.models
        yield "Settings", self.settings
        yield (
            "Calls",
            {role: f"{u.calls} calls, {u.input_tokens} + {u.output_tokens} tokens" for role, u in self.usage.items()},
        )
        yield "Environment", {"python": self.python, "packages": len(self.packages)}


class CardDifference(Noun):
    """One part of a card that is different today."""

    part: Part
    name: str
    then: str
    now: str

    @property
    def decides(self) -> bool:
        """True when the run made again may answer otherwise because of it."""
        return self.part not in MILD


def list_differences(then: RunProvenance, now: RunProvenance) -> list[CardDifference]:
    """Return what of ``then`` is different today, in the order of a card."""
    found = [
        CardDifference(part=part, name=part, then=_shorten(getattr(then, field)), now=_shorten(getattr(now, field)))
        for part, field in _HASHES.items()
        if getattr(then, field) != getattr(now, field)
    ]
    for part, field in _TABLES.items():
        found += _compare_tables(part, getattr(then, field), getattr(now, field))
    if then.python != now.python:
        found.append(CardDifference(part="package", name="python", then=then.python, now=now.python))
    for name, code in (("ROMA", (then.roma, now.roma)), ("project", (then.project, now.project))):
        first, second = (_name_revision(each) for each in code)
        if first != second:
            found.append(CardDifference(part="revision", name=name, then=first, now=second))
    return found


_HASHES: dict[Part, str] = {
    "dataset": "dataset_sha256",
    "corpus": "corpus_sha256",
    "index": "index_sha256",
    "code": "code_sha256",
}
_TABLES: dict[Part, str] = {
    "setting": "settings",
    "prompt": "prompts",
    "model": "models",
    "package": "packages",
}


def _compare_tables(part: Part, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[CardDifference]:
    names = sorted({*then, *now})
    values = [(name, _shorten(then.get(name, "")), _shorten(now.get(name, ""))) for name in names]
    return [CardDifference(part=part, name=name, then=a, now=b) for name, a, b in values if a != b]


def _shorten(value: Any) -> str:
    text = str(value)
    is_hash = len(text) == 64 and all(sign in "0123456789abcdef" for sign in text)
    return text[:12] if is_hash else text


def _name_revision(code: CodeState | None) -> str:
    if code is None or not code.revision:
        return ""
    changes = digest("changes", code.patch_sha256, *sorted(code.untracked.values()))[:8]
    return code.revision[:12] + (f" and changes {changes}" if code.patch_sha256 or code.untracked else "")


def _describe_code(code: CodeState) -> dict[str, Any]:
    if not code.revision:
        return {}
    facts: dict[str, Any] = {"revision": code.revision}
    if code.patch_sha256:
        facts["changes"] = f"{code.patch_sha256} ({PATCH})"
    return facts | {f"untracked {name}": sha for name, sha in code.untracked.items()}


def _list_facts(values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {_escape(name)} | {_escape(_shorten(value))} |" for name, value in values.items()]
    return ["| | |", "| --- | --- |", *rows]


def _escape(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def describe_environment() -> dict[str, Any]:
    """Return the fields of a card that say with what code and packages something is made now."""
    here = Path.cwd()
    roma, project = read_code_state(ROMA), read_code_state(here)
    lock = ROMA / LOCK
    return {
        "created_at": datetime.now(UTC).replace(microsecond=0),
        "roma": roma,
        "project": None if project == roma or not project.revision else project,
        "python": platform.python_version(),
        "lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "",
        "packages": list_packages(),
    }


@functools.cache
def list_packages() -> dict[str, str]:
    """Return the version of each installed package by its name."""
    found = {each.name.lower(): each.version for each in importlib.metadata.distributions() if each.name}
    return dict(sorted(found.items()))


def read_code_state(folder: Path) -> CodeState:
    """Return the checkout that ``folder`` lies in; an empty state outside of one, and without git."""
    status = _run_git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=all", "-z").split("\0")
    revisions = [line.removeprefix(_REVISION) for line in status if line.startswith(_REVISION)]
    if not revisions or revisions[0] == "(initial)":
        return CodeState()
    new = [line.removeprefix("? ") for line in status if line.startswith("? ") and line.endswith(CODE)]
    is_changed = any(line[:2] in {"1 ", "2 ", "u "} for line in status)
    patch = _run_git(folder, "diff", "HEAD", "--no-ext-diff", "--no-color") if is_changed else ""
    top = Path(_run_git(folder, "rev-parse", "--show-toplevel").strip() or folder) if new else folder
    files = {name: hashlib.sha256((top / name).read_bytes()).hexdigest() for name in new if (top / name).is_file()}
    return CodeState(
        revision=revisions[0],
        patch_sha256=hashlib.sha256(patch.encode()).hexdigest() if patch else "",
        patch=redact(patch, SECRETS) if len(patch) <= LONGEST_PATCH else "",
        untracked=files,
    )


def _run_git(folder: Path, *arguments: str) -> str:
    """Return what git prints; nothing when there is no git, no checkout, or no answer in time."""
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 (fixed arguments)
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            timeout=GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def write_provenance(card: RunProvenance, folder: Path, prompts: Mapping[str, Path] | None = None) -> Path:
    """Write a card, its page, the changes to the code and the chosen ``prompts`` to ``folder``; returns its file."""
    path = write_card_files(card, folder / CARD, folder / PAGE, folder / PATCH)
    for name, source in (prompts or {}).items():
        target = folder / PROMPTS / f"{name}.md"
        target.parent.mkdir(exist_ok=True)
        if source.resolve() != target.resolve():
            replace_file(target, source.read_bytes())
    return path


def write_card_files(card: RunProvenance, path: Path, page: Path, patch: Path) -> Path:
    """Write a card to ``path``, to read to ``page``, and the changes to the code to ``patch``; returns ``path``."""
    text = json.dumps(card.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
    replace_file(path, text + "\n")
    replace_file(page, card.to_markdown())
    changes = "".join(state.patch for state in (card.roma, card.project) if state)
    if changes:
        replace_file(patch, changes.encode("utf-8", "replace"))
    else:
        patch.unlink(missing_ok=True)
    return path


def notebook_card(target: Path) -> Path:
    """Return the path of the card beside a notebook that was run."""
    return target.with_name(f"{target.name.removesuffix(NOTEBOOK)}.{CARD}")


def carded_notebook(card: Path) -> Path:
    """Return the notebook that a card lies beside; a notebook itself stays."""
    stem = card.name.removesuffix(f".{CARD}").removesuffix(NOTEBOOK)
    return card.with_name(stem + NOTEBOOK)


def read_provenance(path: Path) -> RunProvenance:
    """Return the card in a file, or beside a run or a notebook. Raises ``EvalError``."""
    place = path / CARD if path.is_dir() else notebook_card(path) if path.suffix == NOTEBOOK else path
    try:
        return RunProvenance.model_validate_json(place.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvalError(
            f"{place} is not a card of ROMA ({type(error).__name__}); runs of before have none.", ErrorCode.EVAL_DATASET
        ) from None
