"""The services of ``deploy/compose.yaml`` as processes of this machine: its settings, PostgreSQL, Redis and nginx.

Images cannot be built without a registry; commands, variables, ports, health and the role of the database can be tried.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from bench.model_server import serving
from roma_core.cli import main
from roma_core.llm.providers.server import Script
from tests.nginx import nginx_before
from tests.ports import find_port
from tests.postgres import run_postgres
from tests.redis_server import running_redis
from tests.served import ServedRoma
from tests.unit.test_deployment import COMPOSE, DEPLOY, REPLICAS, ROOT, SERVING
from tests.unit.test_smoke import STEPS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("nginx", "redis-server", "psql"))), reason="nginx, redis-server or psql is missing"
    ),
]
PASSWORD = "only-of-this-test"


@dataclass
class Deployment:
    """Everything that runs, and a token that opens it."""

    url: str
    services: dict[str, ServedRoma]
    papers: Path
    token: str


def make_database(address: str) -> str:
    """Make ROMA's role and database by the file that the image runs; return the host and port."""
    found = urlsplit(address)
    script = DEPLOY / "kubernetes" / "database.sql"
    words = ["psql", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(found.port), "-U", str(found.username)]
    environment = {**os.environ, "DATABASE_PASSWORD": PASSWORD}
    subprocess.run([*words, "-d", "postgres", "-f", str(script)], env=environment, check=True, capture_output=True)
    return f"127.0.0.1:{found.port}"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("compose")
    papers = folder / "papers"
    papers.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(run_postgres())
        if not server:
            pytest.skip("no PostgreSQL on this machine (Debian: postgresql)")
        redis = stack.enter_context(running_redis(folder))
        replaced = {
            r"\$\{DATABASE_PASSWORD[^}]*\}": PASSWORD,
            r"\$\{\w+:-(.*?)\}": r"\1",
            r"postgres:5432": make_database(server),
            r"redis://redis:6379/0": redis,
            r"/data/workspace": str(folder / "workspace"),
            r"/srv/papers": str(papers),
            r"0\.0\.0\.0": "127.0.0.1",
        }
        services = {}
        for name in SERVING:
            environment = dict(COMPOSE["services"][name]["environment"])
            for pattern, value in replaced.items():
                environment = {key: re.sub(pattern, value, str(text)) for key, text in environment.items()}
            port = find_port()
            own = {"ROMA_PORT": str(port), "ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "none"}
            own["ROMA_LOG_LEVEL"] = "INFO"
            machine = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
            words = COMPOSE["services"][name]["command"][1:]
            stop_s = float(COMPOSE["services"][name]["stop_grace_period"].removesuffix("s"))
            services[name] = ServedRoma(name, words, port, folder, {**environment, **machine, **own}, stop_s)
        made = services["roma-1"].run("token", "create", "first", "--scope", "query", "--scope", "ingest", "--json")
        for service in services.values():  # all at once, over a new workspace and a new database
            stack.callback(service.stop)
            service.start()
        for service in services.values():
            service.wait()
        front = stack.enter_context(nginx_before([services[name].port for name in REPLICAS], folder))
        yield Deployment(f"http://127.0.0.1:{front}", services, papers, json.loads(made)["token"])


def test_the_smoke_test_passes_and_the_worker_has_ingested(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROMA_TOKEN", deployment.token)
    code = main(["smoke", deployment.url, "--folder", str(deployment.papers), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [step["name"] for step in report["steps"]] == STEPS, report
    assert code == 0, report
    assert "ingest job" in deployment.services["worker"].read_log()
    assert not any("ingest job" in deployment.services[name].read_log() for name in REPLICAS)


@dataclass
class Visitor:
    """Somebody who asks one question after another, each again with its key while there is no answer."""

    deployment: Deployment
    answers: list[str] = field(default_factory=list)
    again: int = 0
    is_leaving: bool = False

    def visit(self) -> None:
        headers = {"Authorization": f"Bearer {self.deployment.token}"}
        with httpx2.Client(base_url=self.deployment.url, headers=headers, trust_env=False, timeout=60) as client:
            while not self.is_leaving:
                self.answers.append(self.ask(client, f"Which lighthouse is number {len(self.answers)}?"))

    def ask(self, client: httpx2.Client, text: str) -> str:
        key = uuid.uuid4().hex
        for _ in range(20):
            try:
                response = client.post("/query", json={"text": text}, headers={"Idempotency-Key": key})
            except httpx2.HTTPError as error:
                said = type(error).__name__
            else:
                if response.status_code == 200:
                    return "answered"
                said = f"status {response.status_code}"
            self.again += 1
            time.sleep(0.2)
        return said


def test_a_rolling_restart_fails_no_question(deployment: Deployment) -> None:
    visitor = Visitor(deployment)
    visit = threading.Thread(target=visitor.visit)
    visit.start()
    try:
        for name in REPLICAS:
            service = deployment.services[name]
            service.stop()
            assert service.process is not None
            assert service.process.returncode == 0, service.read_log()
            service.start()
            service.wait()
    finally:
        visitor.is_leaving = True
        visit.join(90)
    assert len(visitor.answers) > len(REPLICAS)
    assert set(visitor.answers) == {"answered"}, visitor
    assert visitor.again <= len(REPLICAS), "each replica can break off no more than the one question it was given"


def test_what_one_replica_revokes_the_other_refuses(deployment: Deployment) -> None:
    urls = [deployment.services[name].url for name in REPLICAS]
    first = deployment.services["roma-1"]
    made = json.loads(first.run("token", "create", "guest", "--scope", "query", "--json"))

    def read_statuses() -> list[int]:
        headers = {"Authorization": f"Bearer {made['token']}"}
        return [httpx2.get(f"{url}/sessions", headers=headers, trust_env=False, timeout=30).status_code for url in urls]

    assert read_statuses() == [200, 200]
    first.run("token", "revoke", made["id"])
    assert read_statuses() == [401, 401]


def test_tenants_are_parted_by_the_database(deployment: Deployment) -> None:
    health = httpx2.get(
        f"{deployment.url}/health", headers={"Authorization": f"Bearer {deployment.token}"}, trust_env=False, timeout=30
    ).json()
    assert "superuser" not in json.dumps(health)


def test_an_answer_whose_replica_is_killed_is_followed_and_asked_again_at_the_other(deployment: Deployment) -> None:
    first, second = (deployment.services[name] for name in REPLICAS)
    headers = {"Authorization": f"Bearer {deployment.token}", "Idempotency-Key": uuid.uuid4().hex}
    question = {"text": "What does the keeper of the lighthouse do all night?", "stream": True}
    words = " ".join(f"word{number}" for number in range(60))
    (deployment.papers / "keeper.md").write_text("# The keeper\n\nThe keeper of the lighthouse reads all night.\n")
    deployment.services["worker"].run("ingest", str(deployment.papers))
    with serving(Script(text=words, word_wait_s=0.1)) as model:
        for service in (first, second):
            service.stop()
            service.environment |= {"LLM_PROVIDER": "openai", "LLM_BASE_URL": f"{model}/v1", "LLM_API_KEY": "k"}
            service.start()
        for service in (first, second):
            service.wait()
        with (
            httpx2.Client(headers=headers, trust_env=False, timeout=60) as client,
            contextlib.suppress(httpx2.HTTPError),
            client.stream("POST", f"{first.url}/query", json=question) as response,
        ):
            record = response.headers["X-Answer-ID"]
            for line in response.iter_lines():
                if "word30" in line:
                    first.kill()
        assert first.process is not None
        assert first.process.returncode is not None, "the answer was whole before the replica could be killed"
        with httpx2.Client(headers=headers, trust_env=False, timeout=60) as client:
            followed = client.get(f"{second.url}/answers/{record}/events").text
            assert "word3" in followed
            assert "ERR_INTERRUPTED" in followed.rstrip().rpartition("\n")[2]
            again = client.post(f"{second.url}/query", json=question).text
            assert words in again
            assert "event: complete" in again
            kept = client.get(f"{second.url}/answers").json()
            assert [each["state"] for each in kept if each["id"] == record] == ["complete"]
