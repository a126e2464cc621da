"""One theme for chat, dashboards, notebooks and exports: colours (light and dark), type, space, radius and motion.

Pure values. ``write_css`` gives them to a page as custom properties; ``VERDICT_LOOKS`` is the look of a verdict
wherever one is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Scheme = Literal["light", "dark"]

COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "page": ("#f7f7f5", "#17181a"),
    "surface": ("#ffffff", "#1f2124"),
    "raised": ("#f0efec", "#2a2d31"),
    "line": ("#dcdad5", "#3a3e44"),
    "text": ("#1d1f23", "#e9e8e4"),
    "muted": ("#5c6068", "#a9adb5"),
    "accent": ("#1d4ed8", "#93b4fd"),
    "on-accent": ("#ffffff", "#0f172a"),
    "accent-soft": ("#e4ebfd", "#24304d"),
    "mark": ("#fde68a", "#7a5c00"),
    "on-mark": ("#1d1f23", "#fff7d6"),
    "proven": ("#1d4ed8", "#93b4fd"),
    "partial": ("#9a4a06", "#f5b971"),
    "refuted": ("#b3201c", "#fb9a94"),
    "unchecked": ("#5c6068", "#a9adb5"),
    "warning-soft": ("#fdf1df", "#3d2f1a"),
    "danger-soft": ("#fde8e7", "#44211f"),
    "good": ("#166b3a", "#7ddba0"),
}
"""Name to colour in the light and in the dark; text on its ground has a contrast of at least 4.5 to 1."""

CHART_COLOURS: Final[Mapping[str, str]] = {
    "accent": "#3b82f6",
    "second": "#0d9488",
    "good": "#2e9e5b",
    "warning": "#c2730c",
    "bad": "#e5484d",
    "muted": "#7b818a",
}
"""Colours of marks in a chart. Each stands out from the light and from the dark ground alike (at least 3 to 1)."""

SIZES: Final[Mapping[str, str]] = {
    "font": 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
    "mono": 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace',
    "text-size": "1rem",
    "small-size": ".8125rem",
    "line-height": "1.6",
    "space": ".5rem",
    "radius": ".6rem",
    "measure": "46rem",
    "motion": "160ms",
}


class VerdictLook(NamedTuple):
    """Colour, shape and sign of a verdict: none of the three is needed to tell it from the others."""

    colour: str
    radius: str
    sign: str


VERDICT_LOOKS: Final[Mapping[str, VerdictLook]] = {
    "verbatim": VerdictLook("proven", "1em", ""),
    "supported": VerdictLook("proven", "1em", ""),
    "partial": VerdictLook("partial", "1em 1em 1em 0", "~"),
    "contradicted": VerdictLook("refuted", "0", "\u2717"),
    "unsupported": VerdictLook("refuted", "0", "?"),
    "unchecked": VerdictLook("unchecked", ".25em", ""),
}


def colour(name: str, scheme: Scheme = "light") -> str:
    """Return a colour of the theme.

    >>> colour("accent")
    '#1d4ed8'
    """
    return COLOURS[name][scheme == "dark"]


def write_css(root: str) -> str:
    """Return the theme as custom properties of ``root`` (a selector), and the looks of badges below it.

    The reader's system decides between light and dark, unless the root has ``data-theme``.
    """
    sizes = "".join(f"--roma-{name}:{value};" for name, value in SIZES.items())
    light, dark = _write_colours("light"), _write_colours("dark")
    badges = "".join(
        _write_badge(f'{root} .roma-badge[data-verdict="{verdict}"]', look) for verdict, look in VERDICT_LOOKS.items()
    )
    return (
        f"{root}{{color-scheme:light;{sizes}{light}}}\n"
        f"@media (prefers-color-scheme:dark){{{root}:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f"{root}[data-theme=dark]{{color-scheme:dark;{dark}}}\n{badges}"
    )


def _write_badge(selector: str, look: VerdictLook) -> str:
    badge = f"{selector}{{background:var(--roma-{look.colour});border-radius:{look.radius}}}\n"
    if not look.sign:
        return badge
    sign = f'content:"{look.sign}";content:"{look.sign}"/""'  # the second says that it is not read out
    return f"{badge}{selector}::after{{{sign}}}\n"


def _write_colours(scheme: Scheme) -> str:
    return "".join(f"--roma-{name}:{colour(name, scheme)};" for name in COLOURS)
