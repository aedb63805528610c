# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The image of k8s/Containerfile, run as the worker Job runs it: read-only, no capabilities, a number for a user, a memory
limit, a dataset that cannot be written, Redis over the network."""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import container
import tap

UID = 10001


@functools.cache
def engine():
    """The built image; every test asks for it, the first one waits for it."""
    made = container.Engine(os.environ.get("HIWARI_CONTAINERS", cli.BUILD / "containers"))
    made.base()
    made.can_run()
    made.build()
    return made


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def redis():
    """A Redis that is reached over TCP, with the users and the settings of the manifests; the URL."""
    with cli.scratch() as tmp:
        port = free_port()
        words = cli.redis_of_manifests(tmp, port=f"port {port}", bind="bind 127.0.0.1")
        server = subprocess.Popen(["redis-server", tmp / "redis.conf"], stdout=subprocess.DEVNULL)
        url = words["url"].replace("@hiwari-redis:6379", f"@127.0.0.1:{port}")
        try:
            cli.wait_until(lambda: cli.run("status", "--redis", url, code=None).returncode == 0, "redis answers")
            yield url
        finally:
            server.kill()
            server.wait()


class Run:
    """A batch of football's, and containers that work on it."""

    def __init__(self, tmp, url, limit):
        self.tmp, self.url, self.containers = tmp, url, []
        tmp.chmod(0o755)
        self.snapshot = cli.football_snapshot(tmp / "data") if (tmp / "data").mkdir() is None else None
        self.dest = tmp / "out"
        self.dest.mkdir()
        (tmp / "secret").mkdir()
        (tmp / "secret" / "url").write_text(url)
        self.hiwari("enqueue", "b", "--spec", cli.FOOTBALL / "spec.json", "--snapshot", self.snapshot, "--dest",
                    self.dest, "--lease-seconds", 3, *(["--limit", limit] if limit else []))
        shutil.chown(self.dest, UID, UID)
        for path in self.dest.iterdir():
            shutil.chown(path, UID, UID)

    def hiwari(self, *args, code=0):
        return cli.run(*args, "--redis", self.url, code=code)

    def worker(self, *args, dataset=None, cpus="1"):
        """With a tenth of a CPU it takes some ten seconds, and can be met in the middle. The destination is mounted under the very path that the batch names."""
        volumes = [f"{dataset or self.tmp / 'data'}:/dataset:ro", f"{self.dest}:{self.dest}:rw",
                   f"{self.tmp / 'secret'}:/run/hiwari/redis:ro"]
        env = {"HIWARI_BATCH": "b", "HIWARI_SNAPSHOT": "/dataset/snapshot", "HIWARI_REDIS_FILE": "/run/hiwari/redis/url",
               "OMP_WAIT_POLICY": "passive", "HIWARI_POD_UID": f"pod-{len(self.containers)}",
               "POD_NAME": f"pod-{len(self.containers)}", "NODE_NAME": "here"}
        self.containers.append(engine().run("hiwari-worker", *args, volumes=volumes, env=env, cpus=cpus))
        return self.containers[-1]

    def status(self):
        return json.loads(cli.run("status", "b", "--json", "--redis", self.url, code=None).stdout)

    def check(self, keys):
        status = self.status()
        assert (status["state"], status["done"], status["failed"]) == ("settled", keys, 0), status
        assert len(cli.results(self.dest)) == keys and (self.dest / "_SUCCESS").exists()
        self.hiwari("fsck", "b")


@contextlib.contextmanager
def batch(limit=None):
    engine()
    with cli.scratch() as tmp, redis() as url:
        run = Run(tmp, url, limit)
        try:
            yield run
        except BaseException:
            for one in run.containers:
                print("".join(f"# {line}\n" for line in one.logs().splitlines()[-15:]))
            raise
        finally:
            engine().close()


def test_the_image_is_small_and_says_what_it_is():
    image = engine()
    base, whole = image.size("localhost/base"), image.size("localhost/hiwari")
    print(f"# base {base / 1e6:.0f} MB, image {whole / 1e6:.0f} MB")
    assert whole - base < 60e6, (base, whole)
    config = json.loads(image.podman("image", "inspect", "localhost/hiwari").stdout)[0]["Config"]
    assert config["User"] == "10001:10001" and config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    listed = image.podman("run", "--rm", "--network", "host", "localhost/hiwari", "ls", "-l", "/usr/bin/hiwari-worker").stdout
    assert "hiwari-worker" in listed
    for program in ("hiwari", "hiwari-worker"):
        said = image.podman("run", "--rm", "--network", "host", "--read-only", "--cap-drop", "all", "localhost/hiwari", program,
                            "--version").stdout
        assert "0.1.0" in said, said
    compilers = image.podman("run", "--rm", "--network", "host", "localhost/hiwari", "sh", "-c",
                             "command -v gcc meson python3 || echo none").stdout
    assert "none" in compilers


def test_three_containers_settle_a_batch():
    with batch() as run:
        workers = [run.worker() for _ in range(3)]
        assert [w.wait() for w in workers] == [0, 0, 0]
        run.check(547)
        compared = subprocess.run(
            [sys.executable, cli.ROOT / "tests/support/compare.py", run.dest, cli.FOOTBALL / "expected.csv.gz", "--key",
             "match_date"], stdout=subprocess.PIPE, text=True)
        assert compared.returncode == 0, compared.stdout
        memory = workers[0].inspect("{{.HostConfig.Memory}} {{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}}")
        assert memory == f"{512 << 20} true []", memory


def busy(run, pod="pod-0"):
    """It has done some keys, and has more in hand."""
    return any(w["id"].startswith(pod) and w["done"] > 0 and w["leased"] > 0 for w in run.status()["workers"])


def test_sigterm_gives_143_within_the_grace_and_its_keys_go_elsewhere():
    with batch() as run:
        one = run.worker(cpus="0.1")
        cli.wait_until(lambda: busy(run), "the worker is in the middle")
        started = time.monotonic()
        one.kill(signal.SIGTERM)
        assert one.wait(30) == 143
        assert time.monotonic() - started < 15
        left = run.status()
        assert left["leased"] == 0 and left["interruptions"] == 0, left
        assert left["done"] < 547, "nothing was left to go elsewhere"
        assert run.worker().wait() == 0
        run.check(547)


def test_kill_9_of_one_of_three_loses_nothing():
    with batch() as run:
        workers = [run.worker(cpus="0.1") for _ in range(3)]
        cli.wait_until(lambda: busy(run, "pod-1"), "the second is in the middle")
        workers[1].kill()
        assert workers[1].wait() == 137
        assert run.status()["state"] == "running"
        assert [workers[0].wait(), workers[2].wait()] == [0, 0]
        run.check(547)


def test_a_wrong_dataset_gives_78():
    with batch(limit=5) as run:
        other = run.tmp / "other"
        other.mkdir()
        rows = (cli.FOOTBALL / "appearances.csv").read_text().splitlines()
        (run.tmp / "less.csv").write_text("\n".join(rows[:2000]) + "\n")
        cli.football_snapshot(other, csv=run.tmp / "less.csv")
        worker = run.worker(dataset=other)
        assert worker.wait() == 78
        assert "snapshot" in worker.logs()
        empty = run.tmp / "empty"
        empty.mkdir()
        assert run.worker(dataset=empty).wait() == 78


def test_nothing_but_the_destination_can_be_written():
    with batch(limit=5) as run:
        tried = engine().run("sh", "-c", "for f in /x /tmp/x /usr/x /dataset/x; do touch $f 2>/dev/null && echo wrote $f; done; id -u; "
                             "grep CapEff /proc/self/status", volumes=[f"{run.tmp / 'data'}:/dataset:ro"], env={})
        tried.wait()
        said = tried.logs()
        assert "wrote" not in said and str(UID) in said and "0000000000000000" in said, said


if __name__ == "__main__":
    tap.main()
