# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari.py - a batch of football with its own Redis, and workers that can be killed, stopped and slowed down.

    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", 2)
        worker = batch.worker(fault="slow:computing:20")
        worker.kill()
        batch.finish()
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import cli
import tap

KEYS = 547  # match dates in the data


class Worker:
    """A hiwari-worker process; what it logs is kept as a list of dicts."""

    def __init__(self, command, env, log):
        self.log_path = log
        self.process = subprocess.Popen(command, env=env, stderr=open(log, "wb"), stdout=subprocess.DEVNULL)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def wait(self, code=0, seconds=60):
        """Wait for its end and check the exit code."""
        got = self.process.wait(seconds)
        assert got == code, f"exit code {got}, expected {code}\n{self.text()}"

    def is_stopped(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rsplit(")", 1)[1].split()[0] == "T"

    def text(self):
        return self.log_path.read_text()

    def log(self):
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def said(self, words):
        """The logged events whose message holds these words."""
        return [event for event in self.log() if words in event["message"]]


class Batch:
    """One batch of a snapshot, and everything that may be done to it."""

    def __init__(self, tmp, redis, snapshot, spec, name="fb", programs=None):
        self.tmp, self.redis, self.snapshot, self.spec, self.name = tmp, redis, snapshot, spec, name
        self.dest = tmp / "out"
        self.workers = []
        self.program, self.worker_program = programs or (cli.HIWARI, cli.WORKER)

    def hiwari(self, *args, fault=None, **options):
        return cli.run(*args, env=self._env(fault), program=self.program, **options)

    def _env(self, fault):
        env = {**os.environ, "HIWARI_REDIS": self.redis}
        if fault:
            env["HIWARI_FAULT"] = fault
        return env

    def enqueue(self, *more, spec=None, snapshot=None, **options):
        return self.hiwari("enqueue", self.name, "--spec", spec or self.spec, "--snapshot", snapshot or self.snapshot,
                           "--dest", f"file://{self.dest}", *more, **options)

    def worker(self, *more, fault=None, snapshot=None):
        command = [self.worker_program, "--batch", self.name, "--snapshot", snapshot or self.snapshot, *more]
        log = self.tmp / f"worker-{len(self.workers)}.log"
        self.workers.append(Worker([str(c) for c in command], self._env(fault), log))
        return self.workers[-1]

    def status(self):
        done = self.hiwari("status", self.name, "--json", code=None)
        return json.loads(done.stdout)

    def redis_cli(self, *args):
        return subprocess.run(["redis-cli", "-s", self.redis.removeprefix("unix://"), *map(str, args)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def wait_for_results(self, n):
        cli.wait_until(lambda: len(cli.results(self.dest)) >= n, f"{n} results are there")

    def wait_for_keys_ahead(self):
        """Until the only worker holds keys that it has not begun. It does so when keys have been quick until now."""
        try:
            cli.wait_until(lambda: self.status()["leased"] > 1, "keys are leased ahead", 10)
        except cli.Unexpected:
            raise tap.Again("the machine was busy, and keys were so slow that they are leased singly") from None

    def finish(self, snapshot=None):
        """One undisturbed worker settles the batch."""
        self.worker(snapshot=snapshot).wait(0)

    def written(self):
        """When and as which file each result was written."""
        return {p.stem: (p.stat().st_mtime_ns, p.stat().st_ino) for p in self.dest.glob("*.zip")}

    def has_success(self):
        return (self.dest / "_SUCCESS").exists()

    def manifest(self):
        lines = (self.dest / "_manifest.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def check(self, keys=KEYS, fsck=True):
        """Settled, every cell as expected, the manifest sealed by _SUCCESS, and Redis sound."""
        compared = subprocess.run(
            [sys.executable, cli.ROOT / "tests/support/compare.py", self.dest, cli.FOOTBALL / "expected.csv.gz", "--key",
             "match_date"], stdout=subprocess.PIPE, text=True)
        assert compared.returncode == 0, compared.stdout
        assert len(cli.results(self.dest)) == keys
        status = self.status()
        assert (status["state"], status["done"], status["failed"]) == ("settled", keys, 0), status
        header, *lines = self.manifest()
        assert header["done"] == keys and [line["key"] for line in lines] == cli.results(self.dest)
        success = json.loads((self.dest / "_SUCCESS").read_text())
        assert success["manifest_crc32c"] == f"{crc32c((self.dest / '_manifest.jsonl').read_bytes()):08x}"
        hidden = [name for name in os.listdir(self.dest) if name.startswith(".")]
        assert not hidden, hidden
        if fsck:
            self.hiwari("fsck", self.name)


def crc32c(data):
    """Castagnoli's, bit by bit by table."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _crc_entry(n):
    for _ in range(8):
        n = (n >> 1) ^ 0x82F63B78 if n & 1 else n >> 1
    return n


_CRC = [_crc_entry(n) for n in range(256)]


@contextlib.contextmanager
def football(redis=None, name="fb", programs=None, snapshot=None):
    """A batch over all of football; its processes end with the block. redis: the URL of one that is there; programs:
    other hiwari and hiwari-worker."""
    with cli.scratch() as tmp, contextlib.nullcontext(redis) if redis else cli.redis() as url:
        batch = Batch(tmp, url, snapshot or cli.football_snapshot(tmp), cli.FOOTBALL / "spec.json", name,
                      programs=programs)
        try:
            yield batch
        except BaseException:
            for worker in batch.workers:
                print("".join(f"# {line}\n" for line in worker.text().splitlines()[-20:]))
            raise
        finally:
            for worker in batch.workers:
                worker.signal(signal.SIGCONT)
                worker.kill()


def has_faults():
    """Whether this build has the seam at which HIWARI_FAULT acts (release builds have not)."""
    return subprocess.run(["grep", "-q", "HIWARI_FAULT", cli.WORKER]).returncode == 0


def lease_times(n, seconds=2):
    """Let so many lease times pass."""
    time.sleep(n * seconds)
