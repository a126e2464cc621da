"""Options that confine a search, shared by every command that searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_SINGLE: Final = frozenset({"after", "before"})
_OPTIONS: Final = (
    ("author", "NAME", "Only documents by this author."),
    ("after", "DATE", "Only documents of this day and later (2024-03-01, 2024-03, 2024)."),
    ("before", "DATE", "Only documents before this day."),
    ("type", "TYPE", "Only documents of this type: pdf, docx, html, markdown, ..."),
    ("language", "LANGUAGE", "Only passages in this language: de, German, ..."),
    ("source", "TEXT", "Only sources or addresses that hold this text."),
    ("collection", "NAME", "Only this part of the corpus."),
)


def filter_options(function: F) -> F:
    """Add the options of filters; the command gets them as keyword arguments for ``collect_filters``."""
    for name, metavar, words in reversed(_OPTIONS):
        flags = [f"--{name}", "--lang"] if name == "language" else [f"--{name}"]
        function = click.option(*flags, name, metavar=metavar, multiple=True, help=words)(function)
    return function


def collect_filters(options: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the filters that were given; of several values of one option one has to hold, of dates the last counts.

    >>> collect_filters({"author": ("doe",), "after": ("2023", "2024"), "type": ()})
    {'author': ['doe'], 'after': '2024'}
    """
    given = {name: values for name, values in options.items() if values}
    return {name: values[-1] if name in _SINGLE else list(values) for name, values in given.items()}
