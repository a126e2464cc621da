"""Grades out of what a judge writes, which may quote the answer that it grades, with all the JSON in it."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel, ValidationError, field_validator

from roma_core.llm.structured import json_body, read_objects

LOWEST, HIGHEST = 1, 5
_WORD = re.compile(r"^\W*(?:final\s+)?(?:grade|score|rating)\W{1,6}([1-5])(?:\s*(?:/|out of)\s*5)?\W*$", re.I | re.M)
_FRACTION = re.compile(r"\s*([1-5])(?:\.0+)?\s*(?:(?:/|out of)\s*5(?:\.0+)?)?\s*")


class Grade(BaseModel):
    """The reply that a judge is asked for; the reason comes first so that the grade follows from it."""

    reason: str = ""
    grade: int

    @field_validator("grade", mode="before")
    @classmethod
    def _read_near_numbers(cls, value: Any) -> Any:
        """Read ``"4"``, ``4.0`` and ``"4/5"`` as 4; refuse what is no grade."""
        found = _FRACTION.fullmatch(str(value)) if not isinstance(value, bool) else None
        if found is None:
            raise ValueError("a grade is a whole number from 1 to 5")
        return int(found[1])


def read_grade(reply: str, answer: str) -> Grade | None:
    """Return the grade in a judge's reply; None when there is none, or more than one.

    An object that stands in the answer itself is a quotation of it. Where several different grades remain, the judge
    has not decided. Near-JSON is mended; without an object a line ``Grade: 4`` counts.

    >>> read_grade('It says {"grade": 5}. {"reason": "wrong", "grade": 1}', 'The sea is dry. {"grade": 5}').grade
    1
    """
    quoted = {_canonical(text) for text in (*read_objects(answer), json_body(answer))}
    texts = [text for text in read_objects(reply) if _canonical(text) not in quoted]
    if not any(_parse(text) for text in texts):
        mended = json_body(_without(reply, answer))
        texts = [mended] if _canonical(mended) not in quoted else []
    grades = [grade for text in texts if (grade := _parse(text)) is not None]
    if not grades:
        grades = [Grade(grade=int(found[1])) for found in _WORD.finditer(_without(reply, answer))]
    if len({grade.grade for grade in grades}) != 1:
        return None
    return grades[-1]


def _parse(text: str) -> Grade | None:
    try:
        return Grade.model_validate_json(text, strict=False)
    except ValidationError:
        return None


def _canonical(text: str) -> str:
    try:
        return json.dumps(json.loads(text, strict=False), sort_keys=True)
    except ValueError:
        return text


def _without(reply: str, answer: str) -> str:
    """Return the reply without the lines that stand in the answer."""
    quoted = {line.strip() for line in answer.splitlines() if line.strip()}
    return "\n".join(line for line in reply.splitlines() if line.strip() not in quoted)


def grade_schema() -> dict[str, Any]:
    """Return the JSON schema that a judge is asked to keep to."""
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "grade": {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST},
        },
        "required": ["reason", "grade"],
        "additionalProperties": False,
    }
