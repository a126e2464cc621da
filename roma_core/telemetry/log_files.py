"""Log lines in files of the workspace: a JSON object a line, one file a day in ``logs/`` of each tenant's folder.

Several processes may write: a line is appended whole, and waits while ``remove_lines`` writes a file again.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

from roma_core.environment import explain_environment
from roma_core.redaction.rules import redact
from roma_core.workspace import Workspace, private_file

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]

ENDING: Final = ".jsonl"
USER_FIELD: Final = "user"
"""Field of a line that holds the pseudonym of the user for whom ROMA was at work."""
TEXT_FIELDS: Final = frozenset({"prompt", "answer"})
"""Fields of the lines of model calls that hold words of questions and documents (``ROMA_LLM_LOG_TEXT``)."""
LogLine = Mapping[str, Any]
IsMeant = Callable[[LogLine, str], bool]
"""Says of a line, as its fields and as its text, if it is to be removed."""


class LogFileHandler(logging.Handler):
    """Appends lines to the file of their day, in the folder of the tenant that ``find_tenant`` names.

    ``on_failure`` is called with the reason when a file cannot be written, once until one can be again. Files of
    more than ``days`` days ago are removed when a new one is begun. A workspace that is not there is not made.
    """

    def __init__(
        self, workspace: Workspace, days: int, *, find_tenant: Callable[[], str], on_failure: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._workspace = workspace
        self._days = days
        self._find_tenant = find_tenant
        self._on_failure = on_failure
        self._fails = False

    def emit(self, record: logging.LogRecord) -> None:
        """Append the line of ``record``."""
        try:
            folder = self._workspace.of_tenant(self._find_tenant())
            if folder.exists:
                self._append(folder.logs, f"{self.format(record)}\n".encode(errors="backslashreplace"))
                self._fails = False
        except (OSError, ValueError) as error:
            if not self._fails:
                self._fails = True  # set before: the report is a line, too
                self._on_failure(explain_environment(error) or type(error).__name__)

    def _append(self, folder: Path, line: bytes) -> None:
        now = datetime.now(UTC)
        path = folder / f"{now.date().isoformat()}{ENDING}"
        if not path.exists():
            private_file(path)
            _remove_files_before(folder, now - timedelta(days=self._days))
        with path.open("ab", buffering=0) as file:
            _lock(file)
            file.write(line)


def remove_before(
    folder: Path, moment: datetime, *, held_users: Collection[str] = (), counts_only: bool = False
) -> int:
    """Remove the lines from before ``moment``, but for those of users (pseudonyms) that are held; return how many.

    Raises ``OSError``. Blocking.
    """

    def is_meant(line: LogLine, text: str) -> bool:
        return _read_time(line) < moment and line.get(USER_FIELD) not in held_users

    return _remove_lines(folder, is_meant, counts_only=counts_only)


def forget_user(folder: Path, name: str, pseudonym: str) -> int:
    """Remove the lines that were written for a user or hold its name as a word; return how many. Raises ``OSError``."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return _remove_lines(folder, lambda line, text: line.get(USER_FIELD) == pseudonym or word.search(text) is not None)


def forget_documents(folder: Path, named: Sequence[str]) -> int:
    """Remove the lines that name a document, and those with texts of prompts and answers; return how many.

    ``named`` are ids, addresses and names of files. Raises ``OSError``.
    """
    spelt = {
        form for name in named for form in (name, redact(name), json.dumps(name, ensure_ascii=False)[1:-1]) if form
    }

    def is_meant(line: LogLine, text: str) -> bool:
        return not TEXT_FIELDS.isdisjoint(line) or any(form in text for form in spelt)

    return _remove_lines(folder, is_meant)


def forget_tenant(folder: Path, tenant: str) -> int:
    """Remove the lines about a tenant that has a folder of its own; return how many. Raises ``OSError``."""
    return _remove_lines(folder, lambda line, text: line.get("tenant") == tenant)


def _remove_lines(folder: Path, is_meant: IsMeant, *, counts_only: bool = False) -> int:
    files = sorted(folder.glob(f"*{ENDING}")) if folder.is_dir() else []
    return sum(_remove_from(path, is_meant, counts_only=counts_only) for path in files)


def _remove_from(path: Path, is_meant: IsMeant, *, counts_only: bool) -> int:
    """Write a file again without the lines that are meant. A line that cannot be read goes, too."""
    kept: list[bytes] = []
    count = 0
    with path.open("r+b") as file:
        _lock(file)
        for raw in file:
            line = _read_line(raw)
            if line is None or is_meant(line, raw.decode(errors="replace")):
                count += 1
            else:
                kept.append(raw)
        if count and not counts_only:
            file.seek(0)
            file.writelines(kept)
            file.truncate()
    if not kept and not counts_only and path.stem < datetime.now(UTC).date().isoformat():
        path.unlink(missing_ok=True)  # nothing is appended to it any more
    return count


def _read_line(raw: bytes) -> LogLine | None:
    """Return the fields of a line; None for one that was torn."""
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("timestamp"), str) else None


def _read_time(line: LogLine) -> datetime:
    return datetime.fromisoformat(line["timestamp"])


def _remove_files_before(folder: Path, moment: datetime) -> None:
    for path in folder.glob(f"*{ENDING}"):
        if path.stem < moment.date().isoformat():
            path.unlink(missing_ok=True)


def _lock(file: IO[bytes]) -> None:
    """Lock an open file until it is closed."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
