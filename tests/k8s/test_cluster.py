# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""tests/k8s/run, where somebody has named a cluster for it: HIWARI_TEST_CLUSTER=1 takes kubectl's current one,
HIWARI_TEST_CLUSTER=DIR the one that tests/k8s/control-plane makes in DIR (its first start builds a Kubernetes)."""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap

K8S = cli.ROOT / "tests/k8s"


def say(*command, env=None):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **(env or {})})


def the_whole_way(env=None):
    done = say(K8S / "run", env=env)
    if done.returncode == 69:
        raise tap.Skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout
    for line in re.findall(r"^run: (.*: ok|NOT SHOWN.*)$", done.stdout, re.M):
        print(f"# {line}")


def on_a_plane_of_its_own(directory):
    started = say(K8S / "control-plane", "start", directory)
    assert started.returncode == 0, started.stdout
    try:
        images = say(K8S / "control-plane", "images", directory)
        assert images.returncode == 0, images.stdout
        settings = dict(word.split("=", 1) for word in started.stdout.splitlines()[-1].removeprefix("export ").split())
        the_whole_way({name: os.path.expandvars(value) for name, value in settings.items()})
    finally:
        say(K8S / "control-plane", "stop", directory)


def test_the_whole_way_on_a_cluster():
    named = os.environ.get("HIWARI_TEST_CLUSTER")
    if not named:
        without = say(K8S / "run", env={"KUBECONFIG": "/dev/null"})
        assert without.returncode == 69 and re.search("no cluster|no kubectl", without.stdout), without.stdout
        raise tap.Skip("NOT SHOWN: no cluster was named for it. HIWARI_TEST_CLUSTER=1 takes kubectl's current one, "
                       "HIWARI_TEST_CLUSTER=DIR builds an old one from Debian's sources; by hand: tests/k8s/run")
    if named == "1":
        the_whole_way()
    else:
        on_a_plane_of_its_own(named)


if __name__ == "__main__":
    tap.main()
