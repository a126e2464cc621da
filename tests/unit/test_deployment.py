"""What the deployment files say holds of ROMA: commands, ports, variables, health, users."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
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
OBJECTS: list[dict[str, Any]] = [
    loaded
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for loaded in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
NEEDED = {
    "Namespace": (),
    "ConfigMap": ("data",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.resources.requests.storage"),
    "Deployment": ("spec.selector.matchLabels", "spec.template.metadata.labels", "spec.template.spec.containers"),
    "Service": ("spec.selector", "spec.ports"),
    "Ingress": ("spec.rules", "spec.ingressClassName"),
}
API_VERSIONS = {"Deployment": "apps/v1", "Ingress": "networking.k8s.io/v1"}


def find(kind: str) -> dict[str, Any]:
    (only,) = (entry for entry in OBJECTS if entry["kind"] == kind)
    return only


def container() -> dict[str, Any]:
    (only,) = find("Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(only)


def image_settings() -> dict[str, str]:
    block = re.search(r"^ENV (.*?[^\\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert block is not None
    return dict(re.findall(r"(ROMA_\w+)=(\S+)", block[1]))


@pytest.mark.parametrize(
    "settings",
    [image_settings(), COMPOSE["services"]["roma"]["environment"], find("ConfigMap")["data"]],
    ids=["image", "compose", "kubernetes"],
)
def test_every_variable_is_a_setting_with_a_value_that_it_takes(settings: dict[str, str]) -> None:
    known = {setting.env: setting.name for setting in all_settings()}
    assert set(settings) <= set(known)
    plain = {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)) for name, value in settings.items()}
    loaded = Settings(**{known[name]: value for name, value in plain.items() if value})
    assert (loaded.serving.host, loaded.serving.port, loaded.serving.require_token) == ("0.0.0.0", 8000, True)
    assert loaded.workspace == Path("/data/workspace")


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
    assert COMPOSE["services"]["roma"]["command"] == container()["command"] == ["roma", "serve"]
    assert "EXPOSE 8000" in DOCKERFILE
    assert COMPOSE["services"]["roma"]["expose"] == ["8000"]
    assert [port["containerPort"] for port in container()["ports"]] == [8000]
    assert [port["port"] for port in find("Service")["spec"]["ports"]] == [8000]
    assert "server roma:8000;" in NGINX
    assert COMPOSE["services"]["nginx"]["ports"][0].rpartition(":")[2] in re.findall(r"listen (\d+);", NGINX)


def test_health_is_asked_where_it_is() -> None:
    from roma_core.api.access import OPEN

    assert "http://127.0.0.1:8000/health" in DOCKERFILE
    probes = [container()[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe")]
    assert probes == ["/health", "/health"]
    assert "/health" in OPEN


def test_nothing_runs_as_root_or_writes_outside_of_its_volumes() -> None:
    assert "USER 10001:10001" in DOCKERFILE
    service = COMPOSE["services"]["roma"]
    assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
    pod = find("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    limits = container()["securityContext"]
    assert limits["readOnlyRootFilesystem"] is True
    assert limits["allowPrivilegeEscalation"] is False
    mounts = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    assert mounts == {"data": "/data", "papers": "/srv/papers", "tmp": "/tmp"}
    assert {volume["name"] for volume in pod["volumes"]} == set(mounts)


def test_there_is_one_replica_that_is_never_beside_another() -> None:
    deployment = find("Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    assert set(COMPOSE["services"]) == {"roma", "nginx"}


@pytest.mark.parametrize("entry", OBJECTS, ids=lambda entry: f"{entry['kind']} {entry['metadata']['name']}")
def test_a_manifest_has_the_fields_that_its_kind_needs(entry: dict[str, Any]) -> None:
    assert entry["apiVersion"] == API_VERSIONS.get(entry["kind"], "v1")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", entry["metadata"]["name"])
    for path in NEEDED[entry["kind"]]:
        value: Any = entry
        for part in path.split("."):
            value = value[part]
        assert value, path


def test_manifests_mean_one_another() -> None:
    labels = find("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert find("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert find("Service")["spec"]["selector"] == labels
    backend = find("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == find("Service")["metadata"]["name"]
    claims = {entry["metadata"]["name"] for entry in OBJECTS if entry["kind"] == "PersistentVolumeClaim"}
    volumes = find("Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v} == claims
    assert container()["envFrom"][0]["configMapRef"]["name"] == find("ConfigMap")["metadata"]["name"]
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8"))
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files


def test_streams_and_websockets_pass_nginx() -> None:
    for line in (
        "proxy_buffering off;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Host $http_host;",
    ):
        assert line in NGINX
    annotations = find("Ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(NGINX.replace("server roma:8000;", "server 127.0.0.1:8000;"), encoding="utf-8")
    done = subprocess.run(["nginx", "-t", "-c", str(configuration)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
