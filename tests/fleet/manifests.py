"""Checks the manifests in a folder: the schema of Kubernetes, Pod Security's "restricted", and that they fit each other.

Usage: manifests.py FOLDER. Prints the kind of each manifest that is right; exits 1 with a reason when one is not.
"""

import pathlib
import re
import sys

import kubernetes_validate
import yaml

VERSIONS = ["1.30", "1.33"]


def restricted(pod):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    context = pod["securityContext"]
    assert context["runAsNonRoot"] and context["runAsUser"] != 0
    assert context["seccompProfile"]["type"] in ("RuntimeDefault", "Localhost")
    assert not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    assert kinds <= allowed, kinds
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"] is True
        assert all("hostPort" not in port for port in container["ports"])


def seconds(conf, directive):
    return int(re.search(rf"^{directive}\s+(\d+)s;", conf, re.M).group(1))


def main(folder):
    files = sorted(folder.glob("*.yaml"))
    manifests = {}
    for file in files:
        manifest = yaml.safe_load(file.read_text())
        if manifest["kind"] == "Kustomization":
            kustomization = manifest
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)
        manifests[manifest["kind"]] = manifest
    assert set(kustomization["resources"]) == {file.name for file in files} - {"kustomization.yaml"}
    [generated] = kustomization["configMapGenerator"]
    conf = (folder / generated["files"][0]).read_text()

    template = manifests["Deployment"]["spec"]["template"]
    pod, labels = template["spec"], template["metadata"]["labels"]
    restricted(pod)
    selectors = [
        manifests["Deployment"]["spec"]["selector"]["matchLabels"],
        manifests["Service"]["spec"]["selector"],
        manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors), selectors
    assert [volume["configMap"]["name"] for volume in pod["volumes"]] == [generated["name"]]
    assert all("subPath" not in mount for mount in pod["containers"][0]["volumeMounts"])

    container = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listens = {int(port) for port in re.findall(r"^\s*listen\s+(\d+);", conf, re.M)}
    assert set(ports.values()) == listens, (ports, listens)
    assert manifests["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = container[probe]["httpGet"]
        assert get["port"] in ports and f"location = {get['path']} " in conf, get
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert stop + seconds(conf, "term_drain") < pod["terminationGracePeriodSeconds"]
    scaled = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", manifests["Deployment"]["metadata"]["name"])
    print("\n".join(manifests))


main(pathlib.Path(sys.argv[1]))
