"""Examples of docstrings on the site: what a doctest or a double colon begins becomes a block of code."""

from __future__ import annotations

from typing import Any

import griffe

PROMPTS = (">>> ", "... ")
NOTE = "  # doctest: +SKIP"


class ShowExamples(griffe.Extension):
    """Rewrites the docstrings of all objects before they are rendered."""

    def on_object(self, *, obj: griffe.Object, loader: griffe.GriffeLoader, **_: Any) -> None:
        """Fence the examples of one object."""
        if obj.docstring is not None:
            obj.docstring.value = fence_examples(obj.docstring.value)


def fence_examples(text: str) -> str:
    """Return a docstring whose examples stand between fences.

    >>> fence_examples("Return it.\\n\\n>>> find(1)\\n2")
    'Return it.\\n\\n```python\\n>>> find(1)\\n2\\n```'
    """
    lines: list[str] = []
    is_example = False
    for line in text.splitlines():
        if not is_example and line.startswith(PROMPTS[0]):
            lines += ["```python"]
            is_example = True
        elif is_example and not line.strip():
            lines += ["```"]
            is_example = False
        lines.append(line.removesuffix(NOTE) if is_example else _read_colons(line))
    return "\n".join([*lines, *(["```"] if is_example else [])])


def _read_colons(line: str) -> str:
    """Return a line of which a double colon at the end, which begins a block of code, is a single one."""
    return line[:-1] if line.endswith("::") and not line.startswith(" ") else line
