"""Pages of trials: the list, and one trial with its decision. HTML without a script; every value is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from roma_core.evals.stats.sequential import ArmComparison
from roma_core.trials import ArmSummary, Trial, TrialReport

MEASURES: Final[Mapping[str, str]] = {"thumbs": "thumbs that are up", "proof": "statements that are proven"}
LEFT: Final = 60
WIDTH: Final = 480
HEIGHT: Final = 74
EXPLANATION: Final = (
    "Each conversation is answered by one variant, as a hash decides, and counts once: by its first thumb, and by its "
    "first answer for all else. The interval and the decision hold however often this page is looked at."
)


def render_trials(trials: Sequence[Trial]) -> str:
    """Return the page of all trials, the newest first."""
    rows = "".join(
        f'<tr><td><a href="/console/ab/{escape(one.name)}">{escape(one.name)}</a></td>'
        f"<td>{'runs' if one.is_running else 'stopped'}</td><td>{escape(MEASURES[one.primary])}</td>"
        f"<td>{_name_changes(one.a)}</td><td>{_name_changes(one.b)}</td><td>{one.started_at:%d %B %Y}</td></tr>"
        for one in trials
    )
    head = "".join(f"<th>{name}</th>" for name in ("Trial", "State", "Decided by", "a", "b", "Since"))
    table = f'<div class="roma-wide-table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    nothing = "<p>There is no trial yet. <code>roma ab start NAME --b SETTING=VALUE</code> begins one.</p>"
    return _page("Trials", table if trials else nothing)


def render_trial(report: TrialReport) -> str:
    """Return the page of one trial: the decision, the interval, and what came of each variant."""
    trial = report.trial
    state = "runs" if trial.is_running else "has ended"
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in (
            "Variant",
            "Settings",
            "Conversations",
            "Answers",
            "Failed",
            "Thumbs up",
            "Thumbs down",
            "Proven",
            "Median time",
            "Cost an answer",
        )
    )
    rows = "".join(_render_arm(arm) for arm in report.arms)
    others = [
        f"Seconds: {_name_evidence(report.seconds_p_value)}.",
        f"Cost: {_name_evidence(report.cost_p_value)}.",
    ]
    return _page(
        f"Trial {trial.name}",
        f'<p class="roma-muted">It {state}; it began on {trial.started_at:%d %B %Y} and is decided by the share of '
        f"{escape(MEASURES[trial.primary])}.</p>"
        f'<div class="roma-decision" role="status"><p><b>{escape(report.sentence)}</b></p></div>'
        f"{draw_interval(report.primary, trial.margin)}"
        f'<div class="roma-wide-table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="roma-muted">{" ".join(others)} These do not decide.</p><p class="roma-muted">{EXPLANATION}</p>'
        '<p><a href="/console/ab">All trials</a></p>',
    )


def draw_interval(comparison: ArmComparison, margin: float) -> str:
    """Return b minus a with its interval, between -100 % and 100 %, as SVG; the margin is shaded."""
    top, bottom, middle = 8, HEIGHT - 26, (HEIGHT - 18) / 2
    ticks = "".join(
        f'<line x1="{_x(at):.1f}" y1="{top}" x2="{_x(at):.1f}" y2="{bottom}" stroke="currentColor" '
        f'stroke-opacity="{0.7 if at == 0 else 0.2}"/>'
        f'<text x="{_x(at):.1f}" y="{HEIGHT - 8}" text-anchor="middle" font-size="12" fill="currentColor">'
        f"{f'{at:+.0%}' if at else '0%'}</text>"
        for at in (-1.0, -0.5, 0.0, 0.5, 1.0)
    )
    shade = (
        f'<rect x="{_x(-margin):.1f}" y="{top}" width="{_x(margin) - _x(-margin):.1f}" height="{bottom - top}" '
        'fill="currentColor" fill-opacity=".12"/>'
    )
    low, high = _x(comparison.low), _x(comparison.high)
    line = (
        f'<line x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}" stroke="currentColor" stroke-width="4" '
        'stroke-linecap="round"/>'
    )
    dot = ""
    if comparison.n_a and comparison.n_b:
        dot = f'<circle cx="{_x(comparison.difference):.1f}" cy="{middle}" r="6" fill="currentColor"/>'
    words = f"b minus a: interval {comparison.low:+.1%} to {comparison.high:+.1%}"
    return (
        f'<figure><svg role="img" aria-label="{words}" viewBox="0 0 {WIDTH + 2 * LEFT} {HEIGHT}" width="100%" '
        f'height="{HEIGHT}">{shade}{ticks}{line}{dot}</svg><figcaption class="roma-muted">{words}; '
        "left of 0 a is better, right of it b; what would not matter is shaded.</figcaption></figure>"
    )


def _render_arm(arm: ArmSummary) -> str:
    cells = (
        _name_changes(arm.changes),
        str(arm.conversations),
        str(arm.answers),
        str(arm.failed),
        str(arm.thumbs_up),
        str(arm.thumbs_down),
        "–" if arm.proof is None else f"{arm.proof:.0%}",
        "–" if arm.median_seconds is None else f"{arm.median_seconds:.1f} s",
        "–" if arm.mean_cost_usd is None else f"${arm.mean_cost_usd:.4f}",
    )
    return f'<tr><th scope="row">{arm.arm}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _name_changes(changes: Mapping[str, str]) -> str:
    return escape(", ".join(f"{name}={value}" for name, value in changes.items())) or "as it is"


def _name_evidence(p_value: float) -> str:
    if p_value <= 0.05:
        return f"they differ (p {f'= {p_value:.3f}' if p_value >= 0.001 else '< 0.001'})"
    return f"no difference is shown (p = {p_value:.2f})"


def _x(share: float) -> float:
    return LEFT + WIDTH * (min(1.0, max(-1.0, share)) + 1) / 2


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/console/assets/icon.svg"><link rel="stylesheet" href="/console/assets/theme.css">'
        '<link rel="stylesheet" href="/console/assets/chat.css"></head><body class="roma-body">'
        '<div class="roma roma-page-of-text">'
        '<header class="roma-bar"><a class="roma-brand" href="/console">ROMA</a></header>'
        f'<main class="roma-sheet-of-text roma-text"><h1>{escape(title)}</h1>{body}</main></div></body></html>'
    )
