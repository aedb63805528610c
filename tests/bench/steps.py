# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""steps.py - what is done once in each round. A step returns a dict of numbers; the clock is always outside of
what it times, so that starting a program, connecting and fsyncing count for us and never for the peer."""
import contextlib
import glob
import itertools
import json
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from prepare import RACES, SPEC, create_snapshot, remove, run

LATENCY_KEYS = 200
LATENCY_SAMPLES = 40
STARTS = 5  # new workers per round
SAMPLE_S = 0.02
TMPFS = pathlib.Path("/dev/shm")


class Bench:
    """Programs, peer, data and where results go."""

    def __init__(self, programs, duckdb, data, threads):
        self.programs, self.duckdb, self.data, self.threads = programs, duckdb, data, threads
        self.work = data.folder / "work"
        remove(self.work)
        self.work.mkdir()
        self.checksums = set()


# ---- features in memory ----

def features(bench, threads=None, indexed=True, as_worker=False):
    """All dates by bench_features. as_worker: one after the other, and threads wait as they do in a worker."""
    env, more = dict(os.environ), []
    if as_worker:
        env["OMP_WAIT_POLICY"] = "passive"
        more += ["--within"]
    if not indexed:
        more += ["--index-dir", bench.data.no_index]
    text = run(bench.programs.bench_features, bench.data.snapshot, SPEC, "--threads", threads or bench.threads, *more,
               env=env)
    got = json.loads(text)
    if bool(got["indexes_built"]) == indexed:
        raise SystemExit(f"features: {got['indexes_built']} indexes were built, and indexed was {indexed}")
    bench.checksums.add(got["crc32c"])
    if len(bench.checksums) > 1:
        raise SystemExit("features: the bytes depend on threads or index: " + ", ".join(bench.checksums))
    got["all_s"] = got["index_s"] + got["compute_s"]
    return got


def duckdb(bench, step):
    out = bench.work / f"duckdb-{step}.parquet"
    text = run("node", pathlib.Path(__file__).with_name("duckdb.mjs"), step, bench.data.csv, RACES / "races30.sql", out,
               bench.threads, cwd=bench.duckdb.folder)
    out.unlink(missing_ok=True)
    return json.loads(text)


# ---- a whole batch ----

def batch(bench, dest):
    """hiwari run: Redis, enqueue, workers, settling, from the first exec to the last exit."""
    remove(dest)
    start = time.perf_counter()
    text = run(bench.programs.hiwari, "run", "--snapshot", bench.data.snapshot, "--spec", SPEC,
               "--dest", f"file://{dest}", "--workers", bench.threads, "--json")
    seconds = time.perf_counter() - start
    files = glob.glob(f"{dest}/*.zip")
    got = {"seconds": seconds, "keys": json.loads(text)["computed"], "bytes": sum(os.path.getsize(f) for f in files)}
    if len(files) != got["keys"]:
        raise SystemExit(f"features: {got['keys']} keys were computed, and {len(files)} zips are in {dest}")
    return got


def batch_disk(bench):
    """Results stay until the next round: their size is compared at the end."""
    return batch(bench, bench.work / "results")


def batch_tmpfs(bench):
    """The same where fsync costs nothing."""
    if not TMPFS.is_dir():
        return {"seconds": None}
    with tempfile.TemporaryDirectory(dir=TMPFS, prefix="hiwari-bench-") as folder:
        return batch(bench, pathlib.Path(folder) / "results")


# ---- workers, with a Redis of their own ----

@contextlib.contextmanager
def redis():
    with tempfile.TemporaryDirectory(prefix="hiwari-bench-") as folder:
        socket = f"{folder}/redis.sock"
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder,
                                   "--maxmemory-policy", "noeviction"], stdout=subprocess.DEVNULL)
        try:
            while not os.path.exists(socket):
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait()


class Batch:
    """A batch that is enqueued, and workers on it."""

    def __init__(self, bench, redis_url, name, *more):
        self.bench, self.name = bench, name
        self.env = {**os.environ, "HIWARI_REDIS": redis_url}
        self.dest = bench.work / name
        remove(self.dest)
        self._hiwari("enqueue", name, "--snapshot", bench.data.snapshot, "--spec", SPEC,
                     "--dest", f"file://{self.dest}", *more)

    def _hiwari(self, *args):
        return run(self.bench.programs.hiwari, *args, env=self.env)

    def worker(self, *more):
        command = [self.bench.programs.worker, "--batch", self.name, "--snapshot", self.bench.data.snapshot, *more]
        return subprocess.Popen([str(c) for c in command], env=self.env, stderr=subprocess.DEVNULL)

    def keys(self):
        return sorted(p.stem for p in self.dest.glob("*.zip"))

    def wait(self, condition):
        while not condition(json.loads(self._hiwari("status", self.name, "--json"))):
            time.sleep(0.05)

    def leased_by(self, process):
        """How many keys a worker holds."""
        workers = json.loads(self._hiwari("status", self.name, "--json"))["workers"]
        return sum(w["leased"] for w in workers if f"-{process.pid}-" in w["id"])

    def is_done(self, key):
        """Its lease has ended; a worker that was stopped may hold a key whose result is there already."""
        return self._leases(key)[-1]["end_ms"] > 0

    def again_ms(self, key):
        """Take the key's result away, have it computed again: from lease to done by Redis' clock."""
        leases = len(self._leases(key))
        (self.dest / f"{key}.zip").unlink()
        self._hiwari("reconcile", self.name, "--dest", f"file://{self.dest}")
        while len(self._leases(key)) == leases or not self.is_done(key):
            time.sleep(0.02)
        lease = self._leases(key)[-1]
        return lease["end_ms"] - lease["start_ms"]

    def _leases(self, key):
        return json.loads(self._hiwari("show", self.name, key, "--json"))["leases"]

    def remove(self):
        remove(self.dest)


def finish(process):
    if process.wait() != 0:
        raise SystemExit(f"features: a worker ended with exit code {process.returncode}")


def latency(bench):
    """Lease to done of one key that comes alone to a warm worker that waits for work.

    The batch must not settle, so a second worker is stopped while it holds the keys that it could get."""
    with redis() as url:
        keys = Batch(bench, url, "latency", "--limit", LATENCY_KEYS, "--lease-seconds", 3600)
        stopped = keys.worker("--lease-keys", "1", "--uploads", "1")
        keys.wait(lambda s: s["leased"] > 0)
        stopped.send_signal(signal.SIGSTOP)
        warm = keys.worker()
        keys.wait(lambda s: s["pending"] == 0 and s["done"] + keys.leased_by(stopped) == s["total"])
        free = itertools.islice(filter(keys.is_done, keys.keys()), LATENCY_SAMPLES)
        taken = [keys.again_ms(key) for key in free]
        for process in (stopped, warm):
            process.kill()
            process.wait()
        keys.remove()
    return {"ms": statistics.median(taken), "p99_ms": sorted(taken)[len(taken) * 99 // 100]}


def first_result(bench):
    """From exec of a worker to the moment when its first result has its name in the destination."""
    taken = []
    with redis() as url:
        for i in range(STARTS):
            one = Batch(bench, url, f"first-{i}", "--limit", 1)
            start = time.perf_counter()
            process = one.worker()
            while not any(e.name.endswith(".zip") for e in os.scandir(one.dest)):
                time.sleep(0.0002)
            taken.append(1e3 * (time.perf_counter() - start))
            finish(process)
            one.remove()
    return {"ms": statistics.median(taken)}


class MemoryWatch(threading.Thread):
    """The most private memory that a process had while it ran, in MB.

    dirty is what is its own: heap, stacks, written pages. clean are pages of mapped files that no other process
    has mapped just now; the kernel can drop them at any time, and a second worker shares them."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.dirty_mb, self.clean_mb = f"/proc/{pid}/smaps_rollup", 0, 0

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                with open(self.path, encoding="ascii") as file:
                    sizes = dict(line.split()[:2] for line in file if line.startswith("Private_"))
                self.dirty_mb = max(self.dirty_mb, int(sizes.get("Private_Dirty:", 0)) / 1024)
                self.clean_mb = max(self.clean_mb, int(sizes.get("Private_Clean:", 0)) / 1024)
                time.sleep(SAMPLE_S)


def memory(bench, *limit):
    """Two workers share the keys; the more private memory of the two."""
    with redis() as url:
        keys = Batch(bench, url, "memory", *limit)
        workers = [keys.worker("--threads", bench.threads) for _ in range(2)]
        watches = [MemoryWatch(w.pid) for w in workers]
        for watch in watches:
            watch.start()
        for worker in workers:
            finish(worker)
        for watch in watches:
            watch.join()
        keys.remove()
    return {"dirty_mb": max(w.dirty_mb for w in watches), "clean_mb": max(w.clean_mb for w in watches)}


# ---- snapshots ----

def snapshot(bench):
    out = bench.work / "snapshot"
    remove(out)
    start = time.perf_counter()
    create_snapshot(bench.programs, bench.data.csv, out)
    created = time.perf_counter()
    run(bench.programs.hiwari, "snapshot", "index", out, "--spec", SPEC)
    indexed = time.perf_counter()
    remove(out)
    return {"create_s": created - start, "index_s": indexed - created}
