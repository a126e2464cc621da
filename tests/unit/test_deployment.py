"""What the deployment files say holds of ROMA: commands, ports, variables, health, users."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from roma_core.cli import COMMANDS, roma
from roma_core.settings import Settings, all_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "13_DEPLOYMENT.md").read_text(encoding="utf-8")
NGINX = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
REPLICAS = ("roma-1", "roma-2")
SERVING = (*REPLICAS, "worker")


def read_manifests() -> list[dict[str, Any]]:
    """Return the objects of all manifests; those of a list one by one."""
    objects: list[dict[str, Any]] = []
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for loaded in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                objects += loaded["items"] if loaded["kind"] == "List" else [loaded]
    return objects


OBJECTS = read_manifests()
KUSTOMIZATION: dict[str, Any] = yaml.safe_load(
    (DEPLOY / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8")
)


def find(kind: str, name: str = "roma") -> dict[str, Any]:
    (only,) = (entry for entry in OBJECTS if entry["kind"] == kind and entry["metadata"]["name"] == name)
    return only


def pod(name: str = "roma") -> dict[str, Any]:
    return dict(find("Deployment", name)["spec"]["template"]["spec"])


def container(name: str = "roma") -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    return dict(only)


def pod_settings(name: str) -> dict[str, str]:
    """Return what a pod's container finds in its environment; a variable in another's value is put in."""
    own = {entry["name"]: entry.get("value", "secret") for entry in container(name)["env"]}
    merged = find("ConfigMap", "roma-settings")["data"] | own
    return {key: re.sub(r"\$\((\w+)\)", lambda found: own[found[1]], value) for key, value in merged.items()}


def image_settings() -> dict[str, str]:
    block = re.search(r"^ENV (.*?[^\\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert block is not None
    return dict(re.findall(r"(ROMA_\w+)=(\S+)", block[1]))


def compose_settings(name: str) -> dict[str, str]:
    """Return what a service of compose finds in its environment, with the defaults of variables."""
    environment = COMPOSE["services"][name]["environment"]
    return {key: re.sub(r"\$\{\w+(?::[-?](.*?))?\}", r"\1", str(value)) for key, value in environment.items()}


@pytest.mark.parametrize(
    "settings",
    [
        image_settings(),
        *(compose_settings(name) for name in SERVING),
        *(pod_settings(name) for name in ("roma", "roma-worker")),
    ],
    ids=["image", *SERVING, "replica's pod", "worker's pod"],
)
def test_every_variable_is_a_setting_with_a_value_that_it_takes(settings: dict[str, str]) -> None:
    known = {setting.env: setting.name for setting in all_settings()}
    assert set(settings) - {"DATABASE_PASSWORD"} <= set(known)
    loaded = Settings(**{known[name]: value for name, value in settings.items() if value and name in known})
    assert (loaded.serving.host, loaded.serving.port, loaded.serving.require_token) == ("0.0.0.0", 8000, True)
    assert loaded.workspace == Path("/data/workspace")


def test_replicas_share_their_state_and_leave_ingest_jobs_to_the_worker() -> None:
    shared = {"ROMA_WORKSPACE", "ROMA_DATABASE_URL", "ROMA_QUEUE_URL", "ROMA_CACHE_URL"}
    for names, read in (((*SERVING,), compose_settings), (("roma", "roma", "roma-worker"), pod_settings)):
        found = [read(name) for name in names]
        assert all(settings[name] == found[0][name] for settings in found for name in shared)
        assert [int(settings["ROMA_INGEST_JOBS"]) > 0 for settings in found] == [False, False, True]
    assert find("Deployment")["spec"]["replicas"] == len(REPLICAS)


def test_the_variables_and_commands_of_the_page_exist() -> None:
    known = {setting.env for setting in all_settings()} | {"ROMA_TOKEN"}
    assert set(re.findall(r"\b(?:ROMA|LLM)_[A-Z_]+\b", PAGE)) <= known
    for words in re.findall(r"`(roma [a-z][^`]*)`", PAGE) + re.findall(
        r"^roma .*|(?<=\.\.\. )roma .*", PAGE, re.MULTILINE
    ):
        name, *rest = words.split()[1:]
        assert name in COMMANDS, words
        command = roma.get_command(click.Context(roma), name)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, words


def test_every_file_of_the_page_exists() -> None:
    for name in re.findall(r"`((?:deploy/[\w./]+|Dockerfile))`", PAGE):
        assert (ROOT / name).exists(), name


def test_all_run_the_same_command_on_the_same_port() -> None:
    assert 'CMD ["roma", "serve"]' in DOCKERFILE
    assert "EXPOSE 8000" in DOCKERFILE
    for name in SERVING:
        service = COMPOSE["services"][name]
        assert (service["command"], service["expose"]) == (["roma", "serve"], ["8000"])
    for name in ("roma", "roma-worker"):
        assert container(name)["command"] == ["roma", "serve"]
        assert [port["containerPort"] for port in container(name)["ports"]] == [8000]
    assert [port["port"] for port in find("Service")["spec"]["ports"]] == [8000]
    assert re.findall(r"server (\S+):8000 ", NGINX) == [*REPLICAS, *REPLICAS]
    assert COMPOSE["services"]["nginx"]["ports"][0].rpartition(":")[2] in re.findall(r"listen (\d+);", NGINX)


def test_health_is_asked_where_it_is() -> None:
    from roma_core.api.access import OPEN

    assert "http://127.0.0.1:8000/health" in DOCKERFILE
    probes = [container()[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe")]
    assert probes == ["/health", "/health"]
    assert "/health" in OPEN


def test_nothing_runs_as_root_or_writes_outside_of_its_volumes() -> None:
    assert "USER 10001:10001" in DOCKERFILE
    for name in SERVING:
        service = COMPOSE["services"][name]
        assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
    for name in ("roma", "roma-worker"):
        assert pod(name)["securityContext"]["runAsNonRoot"] is True
        assert pod(name)["securityContext"]["runAsUser"] == 10001
        limits = container(name)["securityContext"]
        assert limits["readOnlyRootFilesystem"] is True
        assert limits["allowPrivilegeEscalation"] is False
        mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
        assert mounts == {"data": "/data", "papers": "/srv/papers", "tmp": "/tmp"}
        assert {volume["name"] for volume in pod(name)["volumes"]} == set(mounts)


def test_a_rolling_update_has_a_replica_at_any_time_on_the_machine_of_the_workspace() -> None:
    deployment = find("Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    for name in ("roma", "roma-worker"):
        (term,) = pod(name)["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        labels = find("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        assert term["labelSelector"]["matchLabels"].items() <= labels.items()


def test_a_service_called_roma_sets_no_variable_of_a_pod() -> None:
    assert all(pod(name)["enableServiceLinks"] is False for name in ("roma", "roma-worker"))


def test_what_a_service_waits_for_can_say_that_it_is_well() -> None:
    for name, service in COMPOSE["services"].items():
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, name
            assert "healthcheck" in COMPOSE["services"][other] or other in SERVING


@pytest.mark.parametrize("entry", OBJECTS, ids=lambda entry: f"{entry['kind']} {entry['metadata']['name']}")
def test_a_manifest_keeps_the_schema_of_kubernetes(entry: dict[str, Any]) -> None:
    kubernetes_validate.validate(entry, "1.36", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(entry | {"misspelt": 1}, "1.36", strict=True)


def test_manifests_mean_one_another() -> None:
    labels = {}
    for entry in OBJECTS:
        if entry["kind"] in {"Deployment", "StatefulSet"}:
            labels[entry["metadata"]["name"]] = entry["spec"]["template"]["metadata"]["labels"]
            assert entry["spec"]["selector"]["matchLabels"] == labels[entry["metadata"]["name"]]
    assert set(labels) == {"roma", "roma-worker", "postgres", "redis"}
    for name in ("roma", "postgres", "redis"):
        assert find("Service", name)["spec"]["selector"] == labels[name]
    backend = find("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == find("Service")["metadata"]["name"]
    claims = {entry["metadata"]["name"] for entry in OBJECTS if entry["kind"] == "PersistentVolumeClaim"}
    assert {v["persistentVolumeClaim"]["claimName"] for v in pod()["volumes"] if "persistentVolumeClaim" in v} == claims
    assert container()["envFrom"][0]["configMapRef"]["name"] == find("ConfigMap", "roma-settings")["metadata"]["name"]
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files


def test_databases_are_where_roma_looks_for_them_and_closed_to_others() -> None:
    for read, name in ((compose_settings, "worker"), (pod_settings, "roma-worker")):
        assert re.fullmatch(r"postgresql\+psycopg://roma:.+@postgres:5432/roma", read(name)["ROMA_DATABASE_URL"])
        assert read(name)["ROMA_QUEUE_URL"] == "redis://redis:6379/0"
    assert "ports" not in COMPOSE["services"]["postgres"] | COMPOSE["services"]["redis"]
    policy = find("NetworkPolicy", "databases")["spec"]
    (allowed,) = policy["ingress"][0]["from"]
    assert policy["podSelector"]["matchExpressions"][0]["values"] == ["postgres", "redis"]
    assert allowed["podSelector"]["matchLabels"] == {"app": "roma"}


def test_the_role_of_the_database_is_made_from_the_one_file() -> None:
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    volume = find("StatefulSet", "postgres")["spec"]["template"]["spec"]["volumes"][0]
    assert volume["configMap"]["name"] == generated["name"]
    assert (DEPLOY / "kubernetes" / generated["files"][0]).is_file()
    mounted = COMPOSE["services"]["postgres"]["volumes"][1].split(":")
    assert (DEPLOY / mounted[0]).resolve() == DEPLOY / "kubernetes" / generated["files"][0]
    assert mounted[1].startswith("/docker-entrypoint-initdb.d/")


def test_streams_and_websockets_pass_nginx() -> None:
    for line in (
        "proxy_buffering off;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Host $http_host;",
    ):
        assert line in NGINX
    annotations = find("Ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert annotations["nginx.ingress.kubernetes.io/affinity"] == "cookie"


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(re.sub(r"server roma-\d:", "server 127.0.0.1:", NGINX), encoding="utf-8")
    done = subprocess.run(["nginx", "-t", "-c", str(configuration)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
