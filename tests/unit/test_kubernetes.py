"""The manifests: valid, no more rights than the unit has, and about the same agent and image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mcastd
import pytest
import yaml
from mcastd.service.config import load, parse_address
from mcastd.service.health import PAGES
from support.privileges import UNIT

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = DEPLOY / "kubernetes"
PAGE = DEPLOY.parent / "docs" / "kubernetes.md"
OLDEST, NEWEST = "1.28", "1.34"

ENDPOINT = {"port", "path", "scheme", "interval", "relabelings"}
"""Of what a PodMonitor's endpoint may have (monitoring.coreos.com/v1), what is used here."""


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = (each for each in documents("mcastd.yaml") if each["kind"] == kind)
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = of_kind("DaemonSet")["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_the_manifests(version: str) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for each in documents("mcastd.yaml"):
        validator.validate(each, version, strict=True)
    wrong = of_kind("DaemonSet")
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privilege"] = False
    with pytest.raises(validator.ValidationError):
        validator.validate(wrong, version, strict=True)


def test_its_capabilities_are_those_of_the_unit_and_of_the_page() -> None:
    (given,) = re.findall("^AmbientCapabilities=(.*)$", UNIT.read_text(), re.MULTILINE)
    unit = sorted(each.removeprefix("CAP_") for each in given.split())
    capabilities = container()["securityContext"]["capabilities"]
    assert sorted(capabilities["add"]) == unit
    assert capabilities["drop"] == ["ALL"]
    text = PAGE.read_text()
    assert sorted(set(re.findall(r"--cap-add[= ](\w+)", text))) == unit
    assert {f"CAP_{each}" for each in unit} <= set(re.findall(r"\bCAP_\w+", text))


def test_it_is_neither_privileged_nor_root_and_writes_nowhere_but_where_it_is_to() -> None:
    confined, whole = container()["securityContext"], pod()["securityContext"]
    assert confined["privileged"] is False
    assert confined["readOnlyRootFilesystem"] is True
    assert whole["runAsNonRoot"] is True
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostPID", "hostIPC"} & set(pod())
    assert not any("hostPath" in volume for volume in pod()["volumes"])
    places = {
        each["mountPath"]: each.get("readOnly", False) for each in container()["volumeMounts"]
    }
    assert places == {"/etc/mcastd": True, "/run/mcastd": False, "/var/lib/mcastd": False}


def test_its_user_is_the_images() -> None:
    whole = pod()["securityContext"]
    user = whole["runAsUser"]
    assert user != 0
    assert whole["runAsGroup"] == whole["fsGroup"] == user
    assert f"\nUSER {user}:{user}\n" in (DEPLOY / "image" / "Containerfile").read_text()
    assert f"\nreadonly USER_ID={user}\n" in (DEPLOY / "image.sh").read_text()


def test_the_image_is_of_this_version_and_of_no_registry() -> None:
    assert container()["image"] == f"mcastd:{mcastd.__version__}"


def test_its_configuration_is_good_and_where_it_is_read(tmp_path: Path) -> None:
    kept = tmp_path / "mcastd.toml"
    kept.write_text(of_kind("ConfigMap")["data"]["mcastd.toml"])
    settings = load(kept)
    for name in ("eth0", "eno1", "ens3", "enp1s0f0"):
        assert settings.of(name) is not None, name
    for name in ("eni0123456789a", "cali0123456789a", "vethabc", "cilium_host", "docker0"):
        assert settings.of(name) is None, name
    assert (
        f"--config={container()['volumeMounts'][0]['mountPath']}/mcastd.toml"
        in (container()["args"])
    )


@pytest.mark.parametrize("node", ["192.0.2.7", "2001:db8::7"])
def test_the_port_is_the_nodes_and_the_one_that_is_asked(node: str) -> None:
    (port,) = container()["ports"]
    (listens,) = (each for each in container()["args"] if each.startswith("--metrics="))
    address = parse_address(listens.removeprefix("--metrics=").replace("$(NODE_IP)", node))
    assert (address.host, address.port) == (node, port["containerPort"])
    assert port["hostPort"] == port["containerPort"]
    for name, path in (
        ("startupProbe", b"/-/healthy"),
        ("livenessProbe", b"/-/healthy"),
        ("readinessProbe", b"/-/ready"),
    ):
        asked = container()[name]["httpGet"]
        assert asked == {"path": path.decode(), "port": port["name"]}
        assert path in PAGES


def test_a_pod_monitor_finds_the_pods_and_their_port() -> None:
    """The kind is not Kubernetes' own, so no schema that comes with it has it."""
    (monitor,) = documents("podmonitor.yaml")
    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "PodMonitor")
    assert set(monitor["spec"]) == {"selector", "jobLabel", "podMetricsEndpoints"}
    daemons = of_kind("DaemonSet")
    assert monitor["metadata"]["namespace"] == daemons["metadata"]["namespace"]
    labels = daemons["spec"]["template"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert daemons["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["spec"]["jobLabel"] in labels
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert set(endpoint) <= ENDPOINT
    assert endpoint["port"] == container()["ports"][0]["name"]
    assert endpoint["path"] == "/metrics"
