# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Every manifest, and every kustomize output, decodes strictly with the types of the Kubernetes API, and keeps the rules
that the queue's safety depends on."""
import functools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import yaml
import cli
import tap

K8S = cli.ROOT / "k8s"
OVERLAYS = sorted(p.parent.name for p in K8S.glob("overlays/*/kustomization.yaml"))
PATCHES = {"overlays/local/reconcile.yaml", "overlays/local/worker.yaml", "overlays/kueue/worker.yaml"}


@functools.cache
def tools():
    directory = pathlib.Path(os.environ.get("HIWARI_K8S_TOOLS", cli.BUILD / "k8s-tools"))
    made = subprocess.run([cli.ROOT / "tests/k8s/tools", directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode == 69:
        raise tap.Skip(f"no strict decoder: {made.stdout.strip().splitlines()[-1]}")
    assert made.returncode == 0, made.stdout[-3000:]
    return directory


def strict(text):
    """(exit code, kinds, words)"""
    done = subprocess.run([tools() / "strict", "-"], input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, [line.split()[1] for line in done.stdout.splitlines()], done.stderr


@functools.cache
def kustomized(overlay):
    """What `kubectl apply -k` would apply."""
    for command in (["kubectl", "kustomize"], [tools() / "kustomize", "build"]):
        try:
            return subprocess.run([*command, K8S / "overlays" / overlay], check=True, stdout=subprocess.PIPE, text=True).stdout
        except FileNotFoundError:
            continue
    raise AssertionError("neither kubectl nor kustomize")


def manifests():
    """Every file that is a whole object by itself."""
    found = [p for p in sorted(K8S.rglob("*.yaml")) if p.name != "kustomization.yaml" and
             str(p.relative_to(K8S)) not in PATCHES]
    assert len(found) > 15
    return found


def patched(overlay):
    """worker-job.yaml with an overlay's worker.yaml, as the page says to make it."""
    return subprocess.run(["kubectl", "patch", "--local", "-f", K8S / "worker-job.yaml", "--patch-file",
                           K8S / "overlays" / overlay / "worker.yaml", "-o", "yaml"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def test_every_manifest_decodes_strictly():
    for path in manifests():
        code, kinds, words = strict(path.read_text())
        assert code == 0 and kinds, f"{path}: {words}"


def test_every_kustomize_output_decodes_strictly():
    assert OVERLAYS == ["gke-spot", "keda", "kueue", "local"], OVERLAYS
    for overlay in OVERLAYS:
        code, kinds, words = strict(kustomized(overlay))
        assert code == 0, f"{overlay}: {words}"
        for kind in ("StatefulSet", "CronJob", "PriorityClass", "NetworkPolicy", "PodDisruptionBudget", "ResourceQuota",
                     "LimitRange", "ServiceAccount"):
            assert kind in kinds, (overlay, kind)


def test_what_the_scripts_make_decodes_strictly():
    secret = subprocess.run([cli.ROOT / "scripts/redis-secret"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert strict(secret)[:2] == (0, ["Secret"])
    for overlay in ("local", "kueue"):
        try:
            code, kinds, words = strict(patched(overlay))
        except FileNotFoundError:
            raise tap.Skip("there is no kubectl to patch with") from None
        assert (code, kinds) == (0, ["Job"]), words


def test_a_misspelt_field_is_caught():
    job = (K8S / "worker-job.yaml").read_text()
    for right, wrong in (("podFailurePolicy:", "podFailurPolicy:"), ("readOnly: true # here", "readonly: true # here"),
                         ("      tolerations:", "      toleration:"), ("onExitCodes:", "onExitcodes:")):
        assert right in job
        code, _, words = strict(job.replace(right, wrong, 1))
        assert code == 1 and "unknown field" in words and wrong.split(":")[0].strip() in words, words
    for name in ("overlays/keda/scaledjob.yaml", "overlays/kueue/queues.yaml", "dataset/snapshot.yaml"):
        text = (K8S / name).read_text()
        code, _, words = strict(text.replace("spec:", "specs:", 1))
        assert code == 1 and 'unknown field "specs"' in words, (name, words)


def test_a_wrong_type_is_caught():
    job = (K8S / "worker-job.yaml").read_text()
    for right, wrong in (("parallelism: 6", "parallelism: six"), ("values: [143]", 'values: ["143"]'), ('cpu: "1"', "cpu: one"),
                         ("runAsNonRoot: true", 'runAsNonRoot: "true"'), ("drop: [ALL]", "drop: ALL")):
        assert right in job
        code, _, words = strict(job.replace(right, wrong, 1))
        assert code == 1, (wrong, words)
    doubled = job.replace("  backoffLimit: 1000000\n", "  backoffLimit: 1000000\n  backoffLimit: 6\n")
    assert strict(doubled)[0] == 1 and "already" in strict(doubled)[2]


def documents(text):
    return [d for d in yaml.safe_load_all(text) if d]


def job_specs():
    """(where, JobSpec) of every Job whose pods are workers."""
    yield "worker-job", documents((K8S / "worker-job.yaml").read_text())[0]["spec"]
    for overlay in OVERLAYS:
        for thing in documents(kustomized(overlay)):
            if thing["kind"] == "CronJob":
                yield f"{overlay} cron", thing["spec"]["jobTemplate"]["spec"]
            if thing["kind"] == "ScaledJob":
                yield f"{overlay} scaled", thing["spec"]["jobTargetRef"]


def test_worker_jobs_keep_the_rules():
    for where, spec in job_specs():
        assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"], where
        assert spec["podReplacementPolicy"] == "Failed" and spec["backoffLimit"] >= 1000, where
        # or else losses delay all pods of the Job together, also those that podFailurePolicy ignores
        assert spec["backoffLimitPerIndex"] >= 1000, where
        rules = spec["podFailurePolicy"]["rules"]
        fail = [set(r["onExitCodes"]["values"]) for r in rules if r["action"] == "FailJob"]
        assert all(78 in values for values in fail) and fail, where
        ignored = [r for r in rules if r["action"] == "Ignore"]
        assert {"type": "DisruptionTarget", "status": "True"} in [c for r in ignored for c in r.get("onPodConditions", [])], where
        assert 143 in [v for r in ignored for v in r.get("onExitCodes", {}).get("values", [])], where
        pod = spec["template"]["spec"]
        assert pod["restartPolicy"] == "Never" and pod["terminationGracePeriodSeconds"] == 15, where
        claim = next(v for v in pod["volumes"] if v["name"] == "dataset")
        mount = next(m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "dataset")
        assert claim["persistentVolumeClaim"]["readOnly"] is True and mount["readOnly"] is True, where
        assert pod["containers"][0]["resources"]["limits"]["cpu"], where


def pod_specs(thing):
    """Every pod that a document would start."""
    if isinstance(thing, dict):
        if "containers" in thing and "volumes" in thing:
            yield thing
        for value in thing.values():
            yield from pod_specs(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from pod_specs(value)


def test_every_pod_passes_pod_security_restricted():
    texts = [p.read_text() for p in manifests()] + [kustomized(o) for o in OVERLAYS]
    pods = [pod for text in texts for thing in documents(text) for pod in pod_specs(thing)]
    assert len(pods) > 15
    for pod in pods:
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0 and security["runAsGroup"] > 0
        assert security["seccompProfile"]["type"] == "RuntimeDefault"
        for container in pod["containers"] + pod.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}
            assert own["readOnlyRootFilesystem"] is True
        for volume in pod["volumes"]:
            assert not {"hostPath", "nfs"} & set(volume)
        env = [e for c in pod["containers"] for e in c.get("env", [])]
        assert not [e for e in env if "secretKeyRef" in e.get("valueFrom", {})], "secrets are files"


def test_redis_forgets_nothing():
    conf = (K8S / "base/redis/redis.conf").read_text()
    for line in ("appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "aclfile "):
        assert re.search(f"^{line}", conf, re.M), line
    for overlay in OVERLAYS:
        redis = next(t for t in documents(kustomized(overlay)) if t["kind"] == "StatefulSet")
        container = redis["spec"]["template"]["spec"]["containers"][0]
        assert container["readinessProbe"]["exec"]["command"][-1].endswith("/ready")
    assert " EVAL " in (K8S / "base/redis/ready").read_text()
    for thing in documents((K8S / "base/priorities.yaml").read_text()):
        assert thing["value"] >= -10


def test_redis_starts_with_what_the_manifests_give_it_and_its_probes_tell_the_truth():
    """The real redis.conf, users.acl and probe scripts, with their paths moved into a directory."""
    with tempfile.TemporaryDirectory(prefix="hiwari-redis-") as name:
        tmp = pathlib.Path(name)
        secret = cli.redis_of_manifests(tmp, port="port 0", bind=f"unixsocket {name}/s")

        def probe(script):
            text = (K8S / "base/redis" / script).read_text().replace("/run/hiwari/redis", name)
            return subprocess.run(["sh", "-c", text.replace("redis-cli ", f"redis-cli -s {name}/s ")], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)

        assert probe("alive").returncode == 1 and probe("ready").returncode == 1
        server = subprocess.Popen(["redis-server", tmp / "redis.conf"], stdout=subprocess.DEVNULL)
        try:
            cli.wait_until(lambda: probe("ready").returncode == 0, "redis is ready")
            assert probe("alive").returncode == 0
            env = {**os.environ, "HIWARI_REDIS_FILE": str(tmp / "url")}
            env.pop("HIWARI_REDIS", None)
            (tmp / "url").write_text(f"unix://hiwari:{secret['password']}@{name}/s\n")
            snapshot = cli.football_snapshot(tmp)
            cli.run("enqueue", "b", "--spec", cli.FOOTBALL / "spec.json", "--snapshot", snapshot, "--dest", tmp / "out",
                    "--limit", 8, env=env)
            cli.run("--batch", "b", "--snapshot", snapshot, program=cli.WORKER, env=env)
            for verb in (["status", "b"], ["show", "b", cli.results(tmp / "out")[0]], ["fsck", "b"], ["reconcile", "b"],
                         ["purge", "b"]):
                cli.run(*verb, env=env)
            nobody = {**env, "HIWARI_REDIS": f"unix://{name}/s"}
            assert "NOAUTH" in cli.run("status", env=nobody, code=78).stderr

            cli.run("enqueue", "c", "--spec", cli.FOOTBALL / "spec.json", "--snapshot", snapshot, "--dest", tmp / "new",
                    "--limit", 8, env=env)
            server.terminate()  # as when its pod is deleted
            server.wait()
            server = subprocess.Popen(["redis-server", tmp / "redis.conf"], stdout=subprocess.DEVNULL)
            cli.wait_until(lambda: probe("ready").returncode == 0, "redis is ready again")
            cli.run("--batch", "c", "--snapshot", snapshot, program=cli.WORKER, env=env)
            assert len(cli.results(tmp / "new")) == 8
            assert "NOAUTH" in cli.run("status", env=nobody, code=78).stderr
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    tap.main()
