"""``/audit-log``: the audit log as a page without scripts, for those who may read it.

The filters stand in the address, so that a search can be kept and handed on. Every value in the page is escaped.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import HTMLResponse, StreamingResponse

from roma_core import theme
from roma_core.api.query import get_principal, get_system
from roma_core.audit import ACTIONS, Action, AuditEntry, ChainCheck
from roma_core.audit.log import iterate_lines
from roma_core.errors import InputError
from roma_core.types import Noun, Principal

if TYPE_CHECKING:
    from roma_core.app import Roma

router = APIRouter(include_in_schema=False)
ROWS_OF_PAGE = 100
ROWS_OF_BATCH = 1000
CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_STYLE: Final = (
    "body{font:var(--roma-text-size)/1.5 var(--roma-font);margin:0 auto;max-width:84rem;padding:1rem;"
    "color:var(--roma-text);background:var(--roma-page)}"
    "form{margin:0 0 1rem}"
    "header,form.filters,p.tools{display:flex;flex-wrap:wrap;gap:.8rem;align-items:end;margin:0 0 1rem}"
    "header{justify-content:space-between;align-items:center}h1{font-size:1.4rem;margin:0}a{color:var(--roma-accent)}"
    "label{display:block;font-size:var(--roma-small-size);color:var(--roma-muted)}"
    "input,select,button{font:inherit;color:inherit;background:var(--roma-surface);border:1px solid var(--roma-muted);"
    "border-radius:var(--roma-radius);padding:.3rem .6rem}button{background:var(--roma-accent);"
    "color:var(--roma-on-accent);border:0;padding:.4rem 1rem}:focus-visible{outline:3px solid var(--roma-accent)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:var(--roma-small-size)}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--roma-line)}"
    "td{overflow-wrap:anywhere}.whole{color:var(--roma-good)}.broken{color:var(--roma-refuted);font-weight:600}"
)


class AuditFilter(Noun):
    """The conditions of a search, as they stand in the address; an empty one is none."""

    who: str = ""
    document: str = ""
    action: str = ""
    since: str = ""
    until: str = ""
    before: int | None = None
    """Rows with smaller numbers alone: the page after this one."""

    def find(self, roma: Roma, tenant: str, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return the rows of a tenant that satisfy every condition, the newest first."""
        found: list[AuditEntry] = roma.audit.query(
            tenant,
            who=self.who.strip() or None,
            document=self.document.strip() or None,
            action=cast(Action, self.action) if self.action else None,
            since=_read_moment(self.since),
            until=_read_moment(self.until),
            before=self.before if before is None else before,
            limit=limit,
        )
        return found

    def write_query(self, **changes: object) -> str:
        """Return the conditions as the query of an address."""
        fields = {**self.model_dump(), **changes}
        return urlencode({name: value for name, value in fields.items() if value not in {"", None}})


Text = Annotated[str, Parameter(max_length=200)]


def read_filter(
    who: Text = "",
    document: Text = "",
    action: Text = "",
    since: Text = "",
    until: Text = "",
    before: Annotated[int | None, Parameter(ge=1, le=2**53)] = None,
) -> AuditFilter:
    """Return the filter of an address. Raises ``InputError`` for an action that there is not."""
    if action and action not in ACTIONS:
        raise InputError(f"There is no action {action[:40]!r}.")
    return AuditFilter(who=who, document=document, action=action, since=since, until=until, before=before)


@router.get("/audit-log")
async def show_log(
    request: Request,
    who: Text = "",
    document: Text = "",
    action: Text = "",
    since: Text = "",
    until: Text = "",
    before: Annotated[int | None, Parameter(ge=1, le=2**53)] = None,
    verify: bool = False,
) -> Response:
    """Return a page of rows; with ``verify`` also whether the whole chain is as it was written."""
    caller, roma = get_principal(request), get_system(request)
    wanted = read_filter(who, document, action, since, until, before)
    await _log_reading(roma, caller, wanted)
    rows = await asyncio.to_thread(lambda: wanted.find(roma, caller.tenant, limit=ROWS_OF_PAGE))
    check = await asyncio.to_thread(roma.audit.verify, caller.tenant) if verify else None
    return HTMLResponse(_draw(caller, wanted, rows, check), headers={"Content-Security-Policy": CSP})


@router.get("/audit-log/export")
async def export_log(
    request: Request, who: Text = "", document: Text = "", action: Text = "", since: Text = "", until: Text = ""
) -> Response:
    """Return every row that satisfies the conditions as JSON lines."""
    caller, roma = get_principal(request), get_system(request)
    wanted = read_filter(who, document, action, since, until)
    await _log_reading(roma, caller, wanted, exported=True)
    name = f'attachment; filename="audit-{datetime.now(UTC):%Y-%m-%d}.jsonl"'
    return StreamingResponse(
        _iterate_export(roma, caller.tenant, wanted),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": name},
    )


async def _iterate_export(roma: Roma, tenant: str, wanted: AuditFilter) -> AsyncIterator[str]:
    before: int | None = None
    while True:
        rows = await asyncio.to_thread(_find_batch, roma, tenant, wanted, before)
        for line in iterate_lines(rows):
            yield f"{line}\n"
        if len(rows) < ROWS_OF_BATCH:
            return
        before = rows[-1].number


def _find_batch(roma: Roma, tenant: str, wanted: AuditFilter, before: int | None) -> list[AuditEntry]:
    return wanted.find(roma, tenant, limit=ROWS_OF_BATCH, before=before)


async def _log_reading(roma: Roma, caller: Principal, wanted: AuditFilter, *, exported: bool = False) -> None:
    asked = {"document": wanted.document, "of": wanted.who, "action_asked": wanted.action}
    details: dict[str, Any] = {name: value for name, value in asked.items() if value}
    if exported:
        details["exported"] = True
    await roma.log_action(caller, "audit.read", **details)


def _read_moment(text: str) -> datetime | None:
    """Return a day or moment of the address; one without a zone is UTC. Raises ``InputError``."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{text[:40]!r} is no day or moment like 2026-11-01 or 2026-11-01T12:00.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


# --- the page ---


def _draw(caller: Principal, wanted: AuditFilter, rows: Sequence[AuditEntry], check: ChainCheck | None) -> str:
    console = '<a href="/console">Console</a>' if caller.may("answers.ask") else ""
    sign_out = "" if caller.signed_in_by in {"local", "token"} else _SIGN_OUT
    table = _draw_table(rows) if rows else "<p>No row satisfies these conditions.</p>"
    older = ""
    if len(rows) == ROWS_OF_PAGE:
        older = f'<p><a href="/audit-log?{escape(wanted.write_query(before=rows[-1].number))}">Older</a></p>'
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'><link rel='icon' href='data:,'>"
        "<title>Audit log - ROMA</title>"
        f"<style>{theme.write_css(':root')}{_STYLE}</style>"
        f"<header><h1>Audit log</h1><span>{escape(caller.subject)} {console} {sign_out}</span></header>"
        f"<main>{_draw_filters(wanted)}{_draw_tools(wanted)}{_draw_check(check)}{table}{older}</main></html>"
    )


_COLUMNS: Final = ("No.", "When (UTC)", "Who", "Action", "Documents", "More")
_SIGN_OUT: Final = '<form method="post" action="/sign-out" style="display:inline"><button>Sign out</button></form>'


def _draw_filters(wanted: AuditFilter) -> str:
    options = "".join(
        f'<option value="{name}"{_mark_chosen(name, wanted.action)} title="{escape(meaning)}">{name}</option>'
        for name, meaning in ACTIONS.items()
    )
    return (
        '<form class="filters" method="get" action="/audit-log">'
        f'<label>Who<br><input name="who" value="{escape(wanted.who)}"></label>'
        f'<label>Document<br><input name="document" value="{escape(wanted.document)}"></label>'
        f'<label>Action<br><select name="action"><option value="">any</option>{options}</select></label>'
        f'<label>From (UTC)<br><input name="since" placeholder="2026-11-01" value="{escape(wanted.since)}"></label>'
        f'<label>Before (UTC)<br><input name="until" placeholder="2026-12-01" value="{escape(wanted.until)}"></label>'
        "<button>Search</button></form>"
    )


def _mark_chosen(name: str, chosen: str) -> str:
    return " selected" if name == chosen else ""


def _draw_tools(wanted: AuditFilter) -> str:
    export = escape(f"/audit-log/export?{wanted.write_query(before=None)}".rstrip("?"))
    kept = "".join(
        f'<input type="hidden" name="{name}" value="{escape(str(value))}">'
        for name, value in wanted.model_dump().items()
        if value
    )
    return (
        f'<p class="tools"><a href="{export}" download>Export as JSON lines</a></p>'
        f'<form method="get" action="/audit-log">{kept}'
        '<button name="verify" value="true">Verify the chain</button></form>'
    )


def _draw_check(check: ChainCheck | None) -> str:
    if check is None:
        return ""
    if check.is_whole:
        said = f"All {check.rows} rows are as they were written. Last hash: {escape(check.head)}"
        return f'<p role="status" class="whole">{said}</p>'
    return f'<p role="alert" class="broken">Row {check.broken_at}: {escape(check.reason)}.</p>'


def _draw_table(rows: Sequence[AuditEntry]) -> str:
    heads = "".join(
        f"<th scope='col'>{name}</th>" for name in ("No.", "When (UTC)", "Who", "Action", "Documents", "More")
    )
    body = "".join(_draw_row(row) for row in rows)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _draw_row(row: AuditEntry) -> str:
    details = json.dumps(row.details, ensure_ascii=False) if row.details else ""
    who = f'<a href="/audit-log?{escape(urlencode({"who": row.who}))}">{escape(row.who)}</a>'
    documents = "<br>".join(
        f'<a href="/audit-log?{escape(urlencode({"document": name}))}">{escape(name)}</a>' for name in row.documents
    )
    at = row.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    cells = (str(row.number), at, who, escape(row.action), documents, escape(details))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
