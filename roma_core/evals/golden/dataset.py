"""Golden sets: questions with the facts an answer must hold and the places in the corpus that hold them.

The format is documented in ``datasets/README.md``. Evidence is named by document and anchor, never by chunk, so that a
set outlives every change of chunking.
"""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.golden.files import JSON_LINES, read_items
from roma_core.types import DEFAULT_TENANT, Noun, Persona, Principal, Query, digest
from roma_core.workspace import private_folder, replace_file

Kind = Literal["single", "multi_hop", "no_answer", "conflict"]
IMPORTED = "imported"
"""Tag of cases of other tools' sets: they may name no evidence, and then retrieval is not scored on them."""
EVIDENCE_NEEDED: dict[Kind, int] = {"single": 1, "multi_hop": 2, "no_answer": 0, "conflict": 2}
"""Fewest pieces of evidence of each kind: a hop or a side of a conflict each needs its own."""


LONGEST_ID = 200
"""Characters of an id: it is shown in every table."""
HIGHEST_GRADE = 1000


def _require_words(text: str) -> str:
    if not text.strip():
        raise ValueError("it is blank")
    return text


def _require_name(text: str) -> str:
    if any(unicodedata.category(sign) == "Cc" for sign in text):
        raise ValueError("it holds a line end or another control character")
    return _require_words(text)


CaseId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID), AfterValidator(_require_name)]
Words = Annotated[str, Field(min_length=1), AfterValidator(_require_words)]
"""A text that is not blank."""


class Nugget(Noun):
    """One fact that a complete answer states, with other ways to say it.

    A fact that is not ``vital`` is welcome in an answer and not missed in one (TREC 2003: vital and okay nuggets).
    """

    fact: Words
    aliases: tuple[Words, ...] = ()
    vital: bool = True

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.fact, *self.aliases)


class Evidence(Noun):
    """A place that supports the answer: the document whose URI ends in ``uri`` and a few of its words.

    An empty anchor means the whole document. ``grade`` is the gain of finding it (1 = relevant), as in TREC qrels.
    """

    uri: Words
    anchor: str = ""
    grade: int = Field(default=1, ge=1, le=HIGHEST_GRADE)


class GoldenCase(Noun):
    """One question. ``cluster`` names what makes cases alike (a document, a conversation) for the statistics.

    ``tags`` are for choosing cases (``table``, ``web``, ``core``); they change no score.
    """

    id: CaseId
    question: Words
    persona: Persona = "general"
    kind: Kind
    answer: str = ""
    nuggets: tuple[Nugget, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cluster: str = ""
    tags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _kind_fits(self) -> GoldenCase:
        needed = EVIDENCE_NEEDED[self.kind]
        if self.kind == "no_answer" and (self.evidence or self.nuggets):
            raise ValueError("a no_answer item has neither evidence nor nuggets")
        if len(self.evidence) < needed and not (IMPORTED in self.tags and self.kind == "single"):
            raise ValueError(f"a {self.kind} item needs at least {needed} pieces of evidence")
        if self.nuggets and not self.vital_nuggets:
            raise ValueError("at least one nugget must be vital")
        return self

    @property
    def vital_nuggets(self) -> tuple[Nugget, ...]:
        """The facts without which an answer is not complete."""
        return tuple(nugget for nugget in self.nuggets if nugget.vital)

    @property
    def group(self) -> str:
        """The cluster: the named one, else the first document of the evidence, else the case itself."""
        return self.cluster or (self.evidence[0].uri if self.evidence else self.id)

    def query(self, top_k: int, tenant: str = DEFAULT_TENANT) -> Query:
        return Query(text=self.question, persona=self.persona, top_k=top_k, principal=Principal.local(tenant))


class Golden(Noun):
    """A named set of cases."""

    name: str
    cases: tuple[GoldenCase, ...] = Field(repr=False)

    @model_validator(mode="after")
    def _ids_unique(self) -> Golden:
        twice = [i for i, n in Counter(c.id for c in self.cases).items() if n > 1]
        if twice:
            raise ValueError(f"ids are used twice: {', '.join(twice)}")
        return self

    @property
    def sha256(self) -> str:
        """Hash of what the cases say, whatever the file's layout."""
        return digest("golden", *(c.model_dump_json(exclude={"tags"}) for c in self.cases))

    def tagged(self, *tags: str) -> Golden:
        """Return the cases that have every one of the tags. Raises ``EvalError`` when none has."""
        cases = tuple(case for case in self.cases if set(tags) <= set(case.tags))
        if not cases:
            known = sorted({tag for case in self.cases for tag in case.tags})
            raise EvalError(
                f"No item of {self.name} has the tags {', '.join(tags)}. Known: {', '.join(known) or 'none'}.",
                ErrorCode.EVAL_DATASET,
            )
        return self.model_copy(update={"cases": cases})

    def sample(self, limit: int | None) -> Golden:
        """``limit`` cases drawn by the hash of their id, in file order: the same ones each time, from all over."""
        if limit is None or limit >= len(self.cases):
            return self
        drawn = set(sorted((c.id for c in self.cases), key=lambda i: digest("sample", i))[:limit])
        return self.model_copy(update={"cases": tuple(c for c in self.cases if c.id in drawn)})

    def stratify(self, n: int) -> Golden:
        """Return ``n`` cases with every kind and persona in turn, in file order: always the same ones."""
        groups: dict[tuple[str, str], list[GoldenCase]] = {}
        for case in sorted(self.cases, key=lambda case: digest("stratify", case.id)):
            groups.setdefault((case.kind, case.persona), []).append(case)
        turns = [case for turn in itertools.zip_longest(*groups.values()) for case in turn if case is not None]
        drawn = {case.id for case in turns[:n]}
        return self.model_copy(update={"cases": tuple(case for case in self.cases if case.id in drawn)})


def add_cases(path: Path, cases: Sequence[GoldenCase]) -> int:
    """Add cases to the golden set in a file, which may be missing; return how many were new. Raises ``EvalError``."""
    held = list(load_golden(path).cases) if path.is_file() else []
    known = {case.id for case in held}
    new = [case for case in cases if case.id not in known]
    items = [case.model_dump(mode="json", exclude_defaults=True) for case in (*held, *new)]
    private_folder(path.parent)
    if path.suffix in JSON_LINES:
        text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    else:
        text = json.dumps({"items": items}, ensure_ascii=False, indent=1) + "\n"
    replace_file(path, text)
    return len(new)


def load_golden(path: str | Path) -> Golden:
    """Read a golden set: JSON, or JSON Lines with an item a line. ``set.json#core`` takes the items with that tag.

    Raises ``EvalError`` that names the item and the field that is wrong.

    >>> item = {"id": "tide", "question": "Who made the tides?", "kind": "no_answer", "tags": ["core"]}
    >>> _ = Path("tides.json").write_text(json.dumps([item]))
    >>> [case.id for case in load_golden("tides.json#core").cases]
    ['tide']
    """
    place, mark, tag = str(path).rpartition("#")
    if mark and not Path(path).exists():
        chosen = load_golden(place).tagged(*tag.split(","))
        return chosen.model_copy(update={"name": f"{chosen.name}-{tag.replace(',', '-')}"})
    path = Path(path)
    items = _items(path)
    cases = tuple(_case(path, i, item) for i, item in enumerate(items, 1))
    if not cases:
        raise EvalError(f"{path.name} holds no item.", ErrorCode.EVAL_DATASET)
    try:
        return Golden(name=path.stem, cases=cases)
    except ValidationError as error:
        raise EvalError(f"{path.name}: {explain_case(error)}", ErrorCode.EVAL_DATASET) from None


def _items(path: Path) -> list[Any]:
    data = read_items(path, "Golden set")
    items = data.get("items") if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise EvalError(f'{path.name} must be a list of items or an object with "items".')
    return items


def _case(path: Path, number: int, item: Any) -> GoldenCase:
    name = item.get("id") if isinstance(item, dict) else None
    try:
        return GoldenCase.model_validate(item)
    except ValidationError as error:
        shown = str(name)[:LONGEST_ID] if name else "no id"
        why = explain_case(error)
        raise EvalError(f"{path.name}, item {number} ({shown}): {why}", ErrorCode.EVAL_DATASET) from None


def explain_case(error: ValidationError) -> str:
    """Return what is wrong with an item, field by field."""
    found = []
    for detail in error.errors():
        field = ".".join(map(str, detail["loc"])) or "item"
        found.append(f"{field}: {detail['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)
