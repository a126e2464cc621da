"""What the machine lends and refuses."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from roma_core.environment import (
    count_cores,
    describe_unreadable,
    ensure_temp_folder,
    explain_environment,
    find_certificate_fault,
    find_extra,
    read_quota,
)
from roma_core.errors import AgentFailure, ErrorCode

REFUSALS = [
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO,
    errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST,
    errno.EISDIR,
]  # fmt: skip

MACHINE_FAULTS = [
    *(OSError(number, os.strerror(number), "notes.md") for number in REFUSALS),
    FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
    MemoryError(),
    RuntimeError("can't start new thread"),
    RuntimeError("Could not determine home directory."),
    ImportError("libarrow.so.2500: failed to map segment from shared object"),
    ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
    OSError("libgomp.so.1: cannot open shared object file"),
    UnicodeEncodeError("utf-8", "a\udcfc", 1, 2, "surrogates not allowed"),
    UnicodeEncodeError("ascii", "größe", 2, 4, "ordinal not in range(128)"),
    ssl.SSLCertVerificationError(1, "certificate verify failed"),
]


@pytest.mark.parametrize("error", MACHINE_FAULTS, ids=repr)
def test_a_fault_of_the_machine_is_no_defect_of_roma_and_says_what_to_do(error: BaseException) -> None:
    failure = AgentFailure.of("store", error)
    assert failure.code is ErrorCode.ENVIRONMENT
    assert "defect" not in failure.message
    assert failure.message.endswith(".")
    assert len(failure.message.split()) > 6
    failure.model_dump_json()


@pytest.mark.parametrize("error", [KeyError("x"), OSError(errno.EBADF, "Bad file descriptor"), ValueError("no")])
def test_what_may_be_a_defect_is_still_called_one(error: BaseException) -> None:
    assert AgentFailure.of("store", error).code is ErrorCode.INTERNAL


def test_a_refusal_names_the_file_also_when_its_name_is_not_utf_8() -> None:
    message = explain_environment(PermissionError(errno.EACCES, "Permission denied", b"gr\xfc.md"))
    assert message.startswith("gr\\udcfc.md may not be read")


def test_certificates_that_are_not_there_are_named_by_their_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/company.pem")
    with pytest.raises(FileNotFoundError) as caught:
        ssl.create_default_context(cafile="/nowhere/company.pem")
    assert explain_environment(caught.value).startswith("SSL_CERT_FILE names /nowhere/company.pem")


@pytest.mark.parametrize(("variable", "kind"), [("SSL_CERT_FILE", "file"), ("SSL_CERT_DIR", "folder")])
def test_certificates_of_the_wrong_kind_are_named_by_their_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, kind: str
) -> None:
    file = tmp_path / "own.pem"
    file.write_text("", encoding="ascii")
    monkeypatch.setenv(variable, str(tmp_path if kind == "file" else file))
    message = explain_environment(IsADirectoryError(errno.EISDIR, "Is a directory"))
    assert message.startswith(f"{variable} names {tmp_path}")
    assert f"which is no {kind}" in message


def test_a_file_that_cannot_be_read_says_why_in_words(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"gr\xfc")
    reasons = []
    for path in (tmp_path / "none", tmp_path, tmp_path / "latin.txt" / "below", tmp_path / "latin.txt"):
        with pytest.raises((OSError, UnicodeDecodeError)) as caught:
            path.read_text(encoding="utf-8")
        reasons.append(describe_unreadable(caught.value))
    assert reasons[:2] == ["there is no such file", "it is a folder"]
    assert reasons[2:] == ["a file stands where the path has a folder", "it is not UTF-8"]
    assert describe_unreadable(KeyError("x")) == "KeyError"


def test_a_library_without_room_is_a_matter_of_memory() -> None:
    error = ImportError("libarrow.so.2500: failed to map segment from shared object")
    assert explain_environment(error).startswith("The machine is out of memory")


def test_a_working_folder_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path("x").absolute()
    assert explain_environment(caught.value).startswith("The working folder is gone")


def test_a_refused_certificate_is_found_among_the_causes_of_a_failed_connection() -> None:
    refusal = ssl.SSLCertVerificationError(1, "certificate verify failed")
    outer = ConnectionError("no connection")
    outer.__cause__ = OSError("tls")
    outer.__cause__.__context__ = refusal
    assert find_certificate_fault(outer) is refusal
    assert find_certificate_fault(ConnectionError("no connection")) is None


def test_each_package_of_an_extra_is_found_by_the_names_of_its_modules() -> None:
    required: dict[str, set[str]] = {}
    for requirement in importlib.metadata.requires("roma-core") or []:
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        name = re.match(r"[\w.-]+", requirement)
        if extra and name and extra.group(1) not in {"all", "dev", "testing"}:
            required.setdefault(re.sub(r"[-_.]+", "-", name.group()).lower(), set()).add(extra.group(1))
    lost = {
        module: names
        for module, names in importlib.metadata.packages_distributions().items()
        for name in names
        if (extras := required.get(re.sub(r"[-_.]+", "-", name).lower()))
        and module.isidentifier()
        and not module.startswith("_")
        and module not in {"tests", "google", "opentelemetry", "numbergen", "material", "adbc_driver_duckdb", "typings"}
        # (of several packages, or never imported)
        and find_extra(module) not in extras
    }
    assert lost == {}


def test_a_missing_package_names_the_extra_that_installs_it() -> None:
    failure = AgentFailure.of("connector.gdrive", ModuleNotFoundError("no", name="googleapiclient.discovery"))
    assert failure.code is ErrorCode.DEPENDENCY_MISSING
    assert "pip install 'roma-core[gdrive]'" in failure.message


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "350000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_control_group_is_read(tmp_path: Path, files: dict[str, str], cores: int | None) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="ascii")
    assert read_quota(tmp_path) == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system lends whole machines")
def test_a_process_that_is_lent_one_core_uses_one() -> None:
    one = str(min(os.sched_getaffinity(0)))
    program = (
        f"import os; os.sched_setaffinity(0, {{{one}}})\n"
        "from roma_core.environment import count_cores; print(count_cores())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "1"
    assert count_cores() >= 1


def test_without_a_folder_for_temporary_files_the_workspace_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    ensure_temp_folder(tmp_path / "w" / "tmp")
    assert os.environ["TMPDIR"] == tempfile.tempdir == str(tmp_path / "w" / "tmp")
    assert (tmp_path / "w" / "tmp").is_dir()
