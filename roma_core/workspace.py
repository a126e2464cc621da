"""A workspace: the folder that holds everything ROMA writes, every file in it by its name, and how it is found.

Files and folders are made for their owner alone, and for a server never a second time. A server's workspace that is
gone was taken away: a volume was unmounted, a folder renamed. A new one in its place would hide that, and what is
written there would be lost when the old one comes back.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol, Self

DEFAULT_WORKSPACE = ".roma"
DEFAULT_TENANT: Final = "default"
PROJECT_FILE = "roma.toml"
BACKUPS = "backups"
"""Folder beside a database: its copies from before its tables were changed."""
TENANTS: Final = "tenants"
STORE: Final = "store"
"""Folder in a workspace: one folder a tenant, but for the home tenant."""
CORPUS_PREFIX: Final = "beir-"
"""Beginning of the names of corpora that an evaluation ingests: parts of the tenant that evaluates, not tenants."""
LONGEST_TENANT: Final = 200
"""Characters of a tenant's name, and of the folder that is named for it."""
_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")

_required: set[Path] = set()


@dataclass(frozen=True)
class Workspace:
    """Every file and folder of a workspace. A name says where something is, not that it exists.

    >>> Workspace(Path(".roma")).ledger
    PosixPath('.roma/ledger.sqlite')
    """

    folder: Path

    @classmethod
    def of(cls, settings: Placement) -> Self:
        """Return where the files of the tenant of ``settings`` lie.

        >>> from roma_core.settings import Settings
        >>> Workspace.of(Settings(workspace=".roma", tenant="lab")).folder
        PosixPath('.roma/tenants/lab')
        """
        return cls(settings.workspace).of_tenant(settings.tenant)

    def of_tenant(self, tenant: str) -> Self:
        """Return where the files of a tenant lie: this folder for the home tenant, else one of its own below it."""
        if tenant.startswith(CORPUS_PREFIX) or tenant == self.home_tenant:
            return self
        return type(self)(self.tenants / name_tenant_folder(tenant))

    @property
    def exists(self) -> bool:
        """Return whether the folder is there."""
        return self.folder.is_dir()

    @property
    def tenants(self) -> Path:
        """Folder of the tenants that have folders of their own."""
        return self.folder / TENANTS

    @property
    def layout(self) -> Path:
        """File that says that every tenant has its own folder, and which tenant has this one."""
        return self.folder / "layout.json"

    @property
    def home_tenant(self) -> str:
        """The tenant whose files lie in this folder itself. Raises ``ValueError`` for a damaged ``layout.json``."""
        try:
            status = self.layout.stat()
        except OSError:
            return DEFAULT_TENANT
        return _read_home(self.layout, status.st_mtime_ns, status.st_size)

    @property
    def tenant_settings(self) -> Path:
        """Settings of the tenant alone."""
        return self.folder / "tenant.json"

    @property
    def cache(self) -> Path:
        """Results of parsers, embedders and models."""
        return self.folder / "cache.sqlite"

    @property
    def ledger(self) -> Path:
        """State of every item that was ever listed."""
        return self.folder / "ledger.sqlite"

    @property
    def store(self) -> Path:
        """Folder of the table of passages."""
        return self.folder / STORE

    @property
    def shards(self) -> Path:
        """Folder of what the workers of an ingest have made and no commit has taken in yet."""
        return self.folder / "shards"

    @property
    def budgets(self) -> Path:
        """Database of what sessions and tenants have spent."""
        return self.folder / "budgets.sqlite"

    @property
    def service(self) -> Path:
        """Accounts, tokens and ingest jobs of the HTTP API."""
        return self.folder / "service.db"

    @property
    def grants(self) -> Path:
        """Grants: who may read which collections and documents."""
        return self.folder / "grants.sqlite"

    @property
    def audit(self) -> Path:
        """Folder of the audit log, one file a month."""
        return self.folder / "audit"

    @property
    def logs(self) -> Path:
        """Folder of log lines, one file a day, with ``ROMA_LOG_DAYS``."""
        return self.folder / "logs"

    @property
    def sessions(self) -> Path:
        """Conversations and feedback, unless ``ROMA_DATABASE_URL`` names another database."""
        return self.folder / "sessions.db"

    @property
    def trials(self) -> Path:
        """Trials of two variants, the conversations in them, and what came of those."""
        return self.folder / "trials.sqlite"

    @property
    def uploads(self) -> Path:
        """Files that people brought to the console, one folder a person."""
        return self.folder / "uploads"

    @property
    def prompts(self) -> Path:
        """Folder of versions of prompts, one folder a prompt."""
        return self.folder / "prompts"

    @property
    def answers(self) -> Path:
        """Records of answers: what made each of them."""
        return self.folder / "answers.sqlite"

    @property
    def answer_cache(self) -> Path:
        """Answers to questions that were asked before, with ``ROMA_ANSWER_CACHE=on``."""
        return self.folder / "answer-cache.sqlite"

    @property
    def evals(self) -> Path:
        """Folder of the evaluations' reports, one folder a run."""
        return self.folder / "evals"

    @property
    def eval_answers(self) -> Path:
        """Answers that evaluations have asked for."""
        return self.evals / "answers.db"

    @property
    def judges(self) -> Path:
        """Folder of the cards of judges: how far their grades agree with people's."""
        return self.evals / "judges"

    @property
    def abstention(self) -> Path:
        """Folder of the cards that say from which evidence on a question is answered, one file a ranker."""
        return self.evals / "abstention"

    @property
    def router(self) -> Path:
        """Folder of the cards that say which questions the cheap model answers, one file a pair of models."""
        return self.evals / "router"

    @property
    def labels(self) -> Path:
        """Folder of grades that people gave, one file a run."""
        return self.evals / "labels"

    @property
    def goldens(self) -> Path:
        """Folder of the golden sets that reviewers make of questions that were asked, one file a set."""
        return self.evals / "goldens"

    @property
    def reviews(self) -> Path:
        """Decisions of reviewers on candidates for golden sets."""
        return self.evals / "reviews.jsonl"

    @property
    def variants(self) -> Path:
        """Folder of indexes that variants in experiments have made of the same sources."""
        return self.folder / "variants"

    @property
    def beir(self) -> Path:
        """Folder of the corpora of BEIR sets, as they are ingested."""
        return self.folder / "beir"

    @property
    def mlflow(self) -> Path:
        """MLflow's own database, unless ``ROMA_MLFLOW_TRACKING_URI`` names a server."""
        return self.folder / "mlflow.db"

    @property
    def mlflow_uri(self) -> str:
        """Address of MLflow's database."""
        return f"sqlite:///{self.mlflow.resolve()}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Folder of MLflow's artifacts, of evaluations and of traces."""
        return self.folder / "mlflow-artifacts"

    @property
    def web_cache(self) -> Path:
        """Folder of pages as last fetched."""
        return self.folder / "cache"

    @property
    def web_pages(self) -> Path:
        """Pages as last fetched."""
        return self.web_cache / "web.db"

    @property
    def gdrive_token(self) -> Path:
        """Sign-in of a user to Google Drive."""
        return self.folder / "gdrive-token.json"

    @property
    def pictures(self) -> Path:
        """Vectors and labels of pictures; without them the documents that hold pictures are ingested again."""
        return self.folder / "pictures.sqlite"

    @property
    def originals(self) -> Path:
        """Documents as they were before personal data in them was masked."""
        return self.folder / "originals.sqlite"

    @property
    def certificates(self) -> Path:
        """Folder of certificates of what was erased, and journals of erasures that are not finished."""
        return self.folder / "certificates"

    @property
    def retention(self) -> Path:
        """Legal holds, and when retention was last applied."""
        return self.folder / "retention.sqlite"

    @property
    def notebooks(self) -> Path:
        """Folder of the demo's notebooks with their outputs."""
        return self.folder / "notebooks"

    @property
    def temporary(self) -> Path:
        """Folder of files that a download or a parse needs for a while."""
        return self.folder / "tmp"

    @property
    def backups(self) -> Path:
        """Folder of copies of databases from before their tables were changed."""
        return self.folder / BACKUPS

    @property
    def rebuildable(self) -> tuple[Path, ...]:
        """Databases that are caches: without them only time and calls are lost."""
        return self.cache, self.web_pages, self.answer_cache

    @property
    def databases(self) -> tuple[Path, ...]:
        """ROMA's own databases."""
        return (
            *self.rebuildable,
            self.ledger,
            self.budgets,
            self.service,
            self.grants,
            self.sessions,
            self.answers,
            self.eval_answers,
            self.pictures,
            self.originals,
            self.retention,
        )


class Placement(Protocol):
    """Settings that say where a tenant's files lie."""

    @property
    def workspace(self) -> Path: ...

    @property
    def tenant(self) -> str: ...


# Tenants


def name_tenant_folder(tenant: str) -> str:
    """Return the name of a tenant's folder, from which its own name can be read again.

    >>> name_tenant_folder("lab-7"), name_tenant_folder("../Lab")
    ('lab-7', '=2e=2e=2f=4cab')
    """
    return "".join(chr(byte) if byte in _PLAIN else f"={byte:02x}" for byte in tenant.encode())


def require_tenant_name(tenant: str) -> None:
    """Raise ``ValueError`` for a name that no tenant can have."""
    has_controls = any(ord(sign) < 32 for sign in tenant)
    if not tenant or has_controls or len(name_tenant_folder(tenant)) > LONGEST_TENANT:
        raise ValueError(
            f"A tenant's name has 1 to {LONGEST_TENANT} characters (those beside a-z, 0-9, - and _ count as three a "
            "byte) and no control characters."
        )


def _read_tenant_folder(name: str) -> str:
    """Return the tenant that a folder is named for."""
    first, *encoded = name.split("=")
    data = first.encode()
    for part in encoded:
        data += bytes.fromhex(part[:2]) + part[2:].encode()
    return data.decode()


def list_tenant_folders(workspace: Workspace) -> list[str]:
    """Return the tenants of a workspace that have a folder of their own."""
    if not workspace.tenants.is_dir():
        return []
    folders = [place.name for place in workspace.tenants.iterdir() if place.is_dir() and "." not in place.name]
    return sorted(_read_tenant_folder(name) for name in folders)


@lru_cache(maxsize=64)
def _read_home(path: Path, changed_ns: int, size_bytes: int) -> str:
    """Return the home tenant that ``layout.json`` names; time and size tell one file from its successor."""
    return str(json.loads(path.read_text("utf-8"))["home"])


# Finding


def find_project(start: Path | None = None) -> Path | None:
    """Return the nearest folder from ``start`` upwards that holds ``roma.toml`` or ``.roma``; None without one.

    Above ``start`` (default: the working folder) only folders of the user or of the owner of ``start`` count:
    a file that another user has put into a common folder must not choose settings.
    """
    place = Path.cwd() if start is None else start.absolute()
    for folder in (place, *place.parents):
        if any(_is_own(marker, place) for marker in (folder / PROJECT_FILE, folder / DEFAULT_WORKSPACE)):
            return folder
    return None


def resolve_workspace(path: Path) -> Path:
    """Return the folder that the setting ``path`` means. An absolute path stays.

    A relative one is looked for upwards from the working folder as far as the project (``find_project``), so that a
    notebook in a folder of its own means the same workspace as a command at the project's root. When it is nowhere,
    the default name stands for a new folder at the root, and another name for one in the working folder.
    """
    project = None if path.is_absolute() or path.exists() else find_project()
    if project is None:
        return path
    here = Path.cwd()
    for folder in _up_to(project):
        if _is_own(folder / path, here):
            return folder / path
    return project / path if path == Path(DEFAULT_WORKSPACE) else path


def explain_blocked(path: Path) -> str:
    """Return why ``path`` can never be a folder; empty where it is one, or may become one.

    >>> explain_blocked(Path(__file__))
    'is a file'
    """
    try:
        return "" if stat.S_ISDIR(path.stat().st_mode) else "is a file"
    except NotADirectoryError:
        return "lies inside of a file"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads in a circle"
        # Not there yet, or not to be seen: whoever makes it learns why it cannot be made.
        return "is a link that leads nowhere" if path.is_symlink() and not path.exists() else ""


def find_in_project(path: Path) -> tuple[Path, ...]:
    """Return ``path`` at the project's root, when that is above the working folder and one's own, and ``path``."""
    here = Path.cwd()
    project = None if path.is_absolute() else find_project()
    if project is None or project == here or not _is_own(project / path, here):
        return (path,)
    return project / path, path


def _up_to(project: Path) -> Iterator[Path]:
    for folder in (Path.cwd(), *Path.cwd().parents):
        yield folder
        if folder == project:
            return


def _is_own(marker: Path, start: Path) -> bool:
    """Tell if ``marker`` is there and may choose settings. Of a link its own owner counts, who chose where it leads."""
    try:
        owner = marker.lstat().st_uid
        if marker.parent == start or not hasattr(os, "getuid"):
            return True
        return owner in {os.getuid(), start.stat().st_uid}
    except OSError:
        return False


# Making


class GoneError(FileNotFoundError):
    """A file or a folder was there before, and is missed."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ENOENT, "was there and is gone", str(path))
        self.path = path


def private_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it with mode 0700. One that is there keeps its mode.

    Raises ``OSError``; ``GoneError`` when it is of a workspace that was taken away.
    """
    place = folder.absolute()
    missing = [part for part in (*reversed(place.parents), place) if not part.exists()]
    if missing:
        require_present(place)
    for part in missing:
        part.mkdir(mode=0o700, exist_ok=True)


def private_file(path: Path) -> None:
    """Make an empty file with mode 0600, so that it is at no moment readable by others. One that is there stays.

    Raises ``OSError``; ``GoneError`` when it is of a workspace that was taken away.
    """
    private_folder(path.parent)
    if not path.exists():
        require_present(path)
        path.touch(mode=0o600, exist_ok=True)


def replace_file(path: Path, content: str | bytes, *, private: bool = False) -> None:
    """Replace what a file holds. After a crash or on a full disk it has what it had before or ``content``, whole.

    A link stays, and its file is replaced. Several processes may replace one file: one of them is the last. A
    ``private`` file has the mode 0600 from the first moment. Raises ``OSError``.
    """
    target = Path(os.path.realpath(path))
    fresh = target.with_name(f"{target.name}.{uuid.uuid4().hex[:12]}.new")
    if private:
        private_file(fresh)
    try:
        with fresh.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if not private and target.exists():
            fresh.chmod(target.stat().st_mode & 0o7777)
        fresh.replace(target)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def mark_required(path: Path) -> None:
    """Make the file ``path`` the mark of its folder: without it nothing is made there, nor the folder itself.

    A folder alone is no mark: that of a volume which was unmounted is still there, and empty.
    """
    _required.add(path.absolute())


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and number of the file at ``path``: another one differs as long as both are there."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def require_present(path: Path) -> None:
    """Raise ``GoneError`` when ``path`` is, or is beside or below, a marked file that is not there."""
    for marked in tuple(_required):
        if path.absolute().is_relative_to(marked.parent) and not marked.exists():
            raise GoneError(marked)
