# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""tests/k8s/run, where somebody has named a cluster for it: HIWARI_TEST_CLUSTER=1, and kubectl's current context."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap


def test_the_whole_way_on_a_cluster():
    if not os.environ.get("HIWARI_TEST_CLUSTER"):
        raise tap.Skip("no cluster was named for it (HIWARI_TEST_CLUSTER=1 takes kubectl's current one); "
                       "by hand: tests/k8s/run")
    done = subprocess.run([cli.ROOT / "tests/k8s/run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 69:
        raise tap.Skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout


def test_without_a_cluster_it_says_so():
    env = {**os.environ, "KUBECONFIG": "/dev/null"}
    done = subprocess.run([cli.ROOT / "tests/k8s/run"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 69 and ("no cluster" in done.stdout or "no kubectl" in done.stdout), done.stdout


if __name__ == "__main__":
    tap.main()
