"""The machine around ROMA: what it lends, what it refuses, and the sentence for that.

A fault of the machine (a read-only folder, no memory, a missing library, text in another encoding) is never called a
defect of ROMA.
"""

from __future__ import annotations

import errno
import importlib.metadata
import os
import re
import ssl
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

_CGROUP = Path("/sys/fs/cgroup")

_REFUSALS = {
    errno.EACCES: "may not be read or written by this user; change its mode or its owner",
    errno.EPERM: "may not be changed by this user; change its mode or its owner",
    errno.ENOTDIR: "is a file, or lies inside of one, where a folder is needed; choose another place",
    errno.EEXIST: "is a file, where a folder is needed; choose another place",
    errno.EISDIR: "is a folder, where a file is needed; name a file",
    errno.EROFS: "is on a read-only disk; choose a workspace and a TMPDIR that can be written",
    errno.EMFILE: "could not be opened, since this process has too many files open; raise the limit (ulimit -n)",
    errno.ENFILE: "could not be opened, since the machine has too many files open; close some programs",
    errno.ENOMEM: "could not be handled: the machine is out of memory; close some programs or take a larger one",
    errno.EAGAIN: "could not be handled: no more processes or threads may be started; raise the limit (ulimit -u)",
    errno.EIO: "could not be read or written, since its disk reports an error; check the disk",
    errno.ESTALE: "is on a network disk that has gone away; mount it again",
    errno.ENODEV: "is on a device that is not there; mount it again",
    errno.ENOTCONN: "is on a network disk that is not connected; mount it again",
    errno.ELOOP: "leads over too many links; give the path that they lead to",
    errno.ENAMETOOLONG: "has a name that is too long for its disk; shorten it",
}
"""Meanings of the system's refusals, with what to do, by error number."""

_UNREADABLE: dict[type[BaseException], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder",
    NotADirectoryError: "a file stands where the path has a folder",
    PermissionError: "this user may not read it",
    UnicodeDecodeError: "it is not UTF-8",
}
"""Why a file could not be read, by exception."""

_DISTRIBUTIONS = {
    "apiclient": "google-api-python-client",
    "docx": "python-docx",
    "fontTools": "fonttools",
    "fpdf": "fpdf2",
    "google": "google-auth",
    "googleapiclient": "google-api-python-client",
    "msoffcrypto": "msoffcrypto-tool",
    "onelogin": "python3-saml",
    "opentelemetry": "opentelemetry-sdk",
    "oxmsg": "python-oxmsg",
    "pptx": "python-pptx",
}
"""Distributions whose modules have another name than they."""

_COLLECTIONS = frozenset({"all", "dev", "testing"})
"""Extras that bring what other extras, or the project's own tests, need."""

_PROXY_KINDS = frozenset({"http", "https", "all"})
"""Beginnings of the variables that name a proxy."""

NO_MEMORY = "The machine is out of memory; close some programs, or lower ROMA_PARSER_WORKERS."
_NO_TEMP = "No usable temporary directory"


def explain_environment(error: BaseException) -> str:
    """Return the sentence for an error that the machine caused; empty for one that may be a defect.

    >>> explain_environment(PermissionError(13, "Permission denied", "notes.md"))
    'notes.md may not be read or written by this user; change its mode or its owner.'
    >>> explain_environment(KeyError("x"))
    ''
    """
    if isinstance(error, ssl.SSLError):
        return explain_certificate(error)
    if isinstance(error, OSError):
        return _explain_os_error(error)
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return "A name or a text holds bytes that are not UTF-8; rename the file, or give the text in UTF-8."
    if isinstance(error, UnicodeEncodeError) and error.encoding in {"ascii", sys.getfilesystemencoding()}:
        return f"The locale cannot spell {error.object[error.start : error.end]!r}: set PYTHONUTF8=1 or LC_ALL=C.UTF-8."
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "No more threads may be started on this machine; raise the limit (ulimit -u)."
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "This user has no home folder: set HOME, or give the whole path."
    if isinstance(error, ImportError) and _is_out_of_room(error):
        return NO_MEMORY
    if isinstance(error, ImportError) and "shared object" in str(error):
        return f"A library of the system is missing ({_first_words(error)}); install it with the system's packages."
    return ""


def describe_unreadable(error: BaseException) -> str:
    """Return in words why a file that the user named could not be read; the type of an error that has none.

    >>> describe_unreadable(FileNotFoundError())
    'there is no such file'
    """
    for kind, words in _UNREADABLE.items():
        if isinstance(error, kind):
            return words
    return type(error).__name__


def find_certificate_fault(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the refusal of a server's certificate among the causes of a failed connection; None without one."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        seen.add(id(cause))
        certificate = getattr(cause, "certificate_error", None)  # as aiohttp hands it on
        waiting += [cause.__cause__, cause.__context__, certificate if isinstance(certificate, Exception) else None]
    return None


def explain_certificate(error: ssl.SSLError) -> str:
    """Return the sentence for a secure connection that was not made; names the variable that changes it."""
    reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or "it is not known"
    return (
        f"The server's certificate was not accepted ({str(reason)[:120]}): when it is signed by an authority of your "
        "own, let SSL_CERT_FILE name the file of its certificate (PEM)."
    )


def _find_wrong_certificates() -> str:
    """Return the variable that names no file, or no folder, of certificates; empty without one."""
    for variable, is_right, kind in (("SSL_CERT_FILE", Path.is_file, "file"), ("SSL_CERT_DIR", Path.is_dir, "folder")):
        path = os.environ.get(variable)
        if path and not Path(path).exists():
            return f"{variable} names {path}, which is not there; correct it, or unset it."
        if path and not is_right(Path(path)):
            return f"{variable} names {path}, which is no {kind}; correct it, or unset it."
    return ""


def find_wrong_proxy() -> str:
    """Return the sentence for a proxy of the environment that is no address; empty without one. Never quotes it."""
    from urllib.request import getproxies

    for kind, address in getproxies().items():
        if kind in _PROXY_KINDS and not _is_address(address):
            return f"{kind.upper()}_PROXY is no address (http://host:port); correct it, or unset it."
    return ""


def _is_address(proxy: str) -> bool:
    """Return whether a proxy has a host and a port that is a number; a scheme may be left out, as curl allows."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _find_lost_folder() -> str:
    """Return the sentence for a working folder that was removed; empty where it is there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "The working folder is gone; change into one that is there (cd)."
    return ""


def _explain_os_error(error: OSError) -> str:
    if error.errno == errno.ENOENT and _NO_TEMP in str(error.strerror):
        return "No folder for temporary files can be written: let TMPDIR name one that can."
    if error.errno in {errno.ENOENT, errno.EISDIR} and error.filename is None:
        return _find_wrong_certificates() or _find_lost_folder()
    if error.errno is None and _is_out_of_room(error):
        return NO_MEMORY
    if error.errno is None and "shared object" in str(error):
        return f"A library of the system is missing ({_first_words(error)}); install it with the system's packages."
    refusal = _REFUSALS.get(error.errno or 0)
    if refusal is None:
        return ""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "What was asked for"
    return f"{name.encode('utf-8', 'backslashreplace').decode()} {refusal}."


def _is_out_of_room(error: BaseException) -> bool:
    """Tell if the loader of libraries found no memory for one: a limit of the process (ulimit -v) or the machine's."""
    return "failed to map segment" in str(error) or "annot allocate memory" in str(error)


def _first_words(error: BaseException) -> str:
    return str(error).split(":")[0][:80]


def find_extra(module: str) -> str:
    """Return the extra of ROMA that installs a module; ``all`` when none is known to.

    >>> find_extra("googleapiclient.discovery")
    'gdrive'
    """
    top = module.partition(".")[0]
    wanted = _normalise(_DISTRIBUTIONS.get(top, top))
    try:
        requirements = importlib.metadata.requires("roma-core") or []
    except importlib.metadata.PackageNotFoundError:
        return "all"
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if name and extra and extra.group(1) not in _COLLECTIONS and _normalise(name.group()) == wanted:
            return extra.group(1)
    return "all"


def _normalise(name: str) -> str:
    """Return a distribution's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def count_cores() -> int:
    """Return how many cores this process is lent: by its affinity and its control group, not those of the machine.

    >>> count_cores() >= 1
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, read_quota(_CGROUP) or cores))


def read_quota(group: Path) -> int | None:
    """Return the whole cores that a control group (version 2 or 1) grants, at least 1; None where none limits them."""
    try:
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = (group / "cpu" / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (group / "cpu" / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except OSError:
            return None
    if quota in {"max", "-1"} or not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None
    return max(1, int(quota) // int(period))


def ensure_temp_folder(fallback: Path) -> None:
    """Let temporary files be written below ``fallback`` when the machine has no folder for them.

    Children and libraries find it too. Where ``fallback`` cannot be written either, the first temporary file fails.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        try:
            fallback.mkdir(parents=True, exist_ok=True)
        except OSError:
            return
        tempfile.tempdir = str(fallback)
        os.environ["TMPDIR"] = str(fallback)


def open_missing_streams() -> None:
    """Open the null device in place of each standard stream that the caller closed.

    Without it the next file to be opened, such as a database, would get the stream's number, and what a library prints
    would be written into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  (open as long as Python)


def restart_in_utf8() -> None:
    """Start this program again in Python's UTF-8 mode when the locale knows ASCII alone: paths are bytes there."""
    if sys.getfilesystemencoding() == "ascii" and not sys.flags.utf8_mode:
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  (this program itself)
