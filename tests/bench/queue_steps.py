# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""queue_steps.py - what tests/bench/queue does once in each round. Every step has a fresh redis-server, on loopback and
with an append-only file, fsynced every second, as the README advises."""
import contextlib
import json
import pathlib
import socket
import subprocess
import tempfile
import time

import prepare
from report import Row

HERE = pathlib.Path(__file__).resolve().parent
BULLMQ = "bullmq@5"


class Redis:
    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        command = ["redis-server", "--port", self.port, "--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync",
                   "everysec", "--maxclients", "20000"]
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL)
        while subprocess.run(["redis-cli", "-p", str(self.port), "PING"], capture_output=True).stdout != b"PONG\n":
            time.sleep(0.02)

    def says(self, *command):
        return subprocess.run(["redis-cli", "-p", str(self.port), *map(str, command)], check=True, capture_output=True,
                              text=True).stdout

    def info(self, section):
        pairs = [line.split(":", 1) for line in self.says("INFO", section).split("\n") if ":" in line]
        return {name: value.strip() for name, value in pairs}

    def cpu_s(self):
        info = self.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def calls(self):
        """Commands by name: how often, and how often from scripts or otherwise."""
        return {name.removeprefix("cmdstat_"): int(text.split("calls=")[1].split(",")[0])
                for name, text in self.info("commandstats").items()}


@contextlib.contextmanager
def redis(bench):
    with tempfile.TemporaryDirectory(dir=bench.cache, prefix="redis-") as folder:
        server = Redis(folder)
        try:
            yield server
        finally:
            server.process.kill()
            server.process.wait()


class Bench:
    """Programs, peers and scale."""

    def __init__(self, cache, build, keys, workers, seconds):
        self.cache, self.keys, self.workers, self.seconds = cache, keys, workers, seconds
        folder = build / "tests" / "bench"
        self.programs = folder / "bench_queue", folder / "bench_crowd"
        self.bullmq = cache / "bullmq"
        if not (self.bullmq / "node_modules" / "bullmq").exists():
            prepare.say(f"installing {BULLMQ}")
            self.bullmq.mkdir(parents=True, exist_ok=True)
            prepare.run("npm", "install", "--no-audit", "--no-fund", "--prefix", self.bullmq, BULLMQ)
        (self.bullmq / "bullmq.mjs").write_text((HERE / "bullmq.mjs").read_text())

    def queue(self, server, verb, keys, **options):
        """One run of bench_queue, and what it cost Redis."""
        more = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        before = server.cpu_s()
        got = json.loads(prepare.run(self.programs[0], verb, "--redis", server.url, "--keys", keys, *more,
                                     env={"HIWARI_BENCH": str(HERE)}))
        got["redis_us_per_key"] = (server.cpu_s() - before) * 1e6 / keys
        return got

    def peer(self, server, verb, *numbers):
        return json.loads(prepare.run("node", "bullmq.mjs", verb, server.port, *numbers, cwd=self.bullmq))


# ---- how fast ----

def enqueue(bench):
    with redis(bench) as server:
        return bench.queue(server, "enqueue", bench.keys)


def enqueue_bullmq(bench):
    with redis(bench) as server:
        return bench.peer(server, "enqueue", bench.keys // 10)


def work(bench, verb, lease):
    keys = bench.keys if lease > 1 else bench.keys // 10
    with redis(bench) as server:
        bench.queue(server, "enqueue", keys)
        return bench.queue(server, verb, keys, lease=lease, threads=2)


def work_bullmq(bench):
    """At its best of some ways to share the work out."""
    best = {"keys_per_s": 0}
    for workers, concurrency in ((1, 50), (1, 200), (4, 50)):
        with redis(bench) as server:
            got = bench.peer(server, "work", bench.keys // 20, workers, concurrency)
            best = max(best, got, key=lambda g: g["keys_per_s"])
    return best


def work_rq(bench):
    if subprocess.run(["/usr/bin/python3", "-c", "import rq"], stderr=subprocess.DEVNULL).returncode:
        return {"keys_per_s": None}
    with redis(bench) as server:
        return json.loads(prepare.run("/usr/bin/python3", HERE / "rq_work.py", server.port, 1000))


# ---- how large, how long ----

def memory_and_latency(bench, keys):
    """Bytes a key; and of all scripts that it took, 999 of 1000 took less than."""
    with redis(bench) as server:
        empty = int(server.info("memory")["used_memory"])
        bench.queue(server, "enqueue", keys)
        pending = int(server.info("memory")["used_memory"]) - empty
        bench.queue(server, "work", keys, lease=100)
        done = int(server.info("memory")["used_memory"]) - empty
        return {"pending": pending / keys, "done": done / keys, "p999_ms": p999_ms(server)}


def p999_ms(server):
    words = server.says("LATENCY", "HISTOGRAM", "evalsha").split()
    start = words.index("histogram_usec") + 1
    buckets = list(zip(map(int, words[start::2]), map(int, words[start + 1::2])))
    return next(us for us, n in buckets if n >= 0.999 * buckets[-1][1]) / 1000


def calls_of_a_lease(bench, expired):
    """How many commands one lease call runs that finds so many expired leases, and its done."""
    with redis(bench) as server:
        bench.queue(server, "enqueue", expired, lease_ms=1)
        bench.queue(server, "abandon", expired)
        server.says("CONFIG", "RESETSTAT")
        bench.queue(server, "work", 100, lease=100)
        calls = server.calls()
        outside = {"ping", "info", "evalsha", "eval", "config|resetstat", "config"}
        return {"calls": sum(n for name, n in calls.items() if name not in outside)}


# ---- a crowd ----

def crowd(bench):
    with redis(bench) as server:
        command = [bench.programs[1], "--redis", server.url, "--workers", bench.workers, "--holding", bench.workers // 10,
                   "--seconds", bench.seconds]
        process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "waiting\n", "bench_crowd did not begin"
        cpu, start = server.cpu_s(), time.monotonic()
        connections = int(server.info("clients")["connected_clients"])
        assert process.stdout.readline() == "tail\n"
        share = 100 * (server.cpu_s() - cpu) / (time.monotonic() - start)
        most, before, last = 0, None, time.monotonic()
        while process.poll() is None:
            calls, now = server.calls(), time.monotonic()
            asked = calls.get("time", 0)  # each look and each script of a worker asks for the time once
            if before is None or now - last > 1:
                most = max(most, (asked - before) / (now - last)) if before is not None else 0
                before, last = asked, now
            connections = max(connections, int(server.info("clients")["connected_clients"]))
            time.sleep(0.1)
        got = json.loads(process.stdout.read())
        return {**got, "share": share, "connections": connections, "most_calls_per_s": most,
                "waiting_calls_per_s": got["waiting_calls"] / bench.seconds}


# ---- the rows, in the order of the goals ----

def rows(s, workers):
    found = []
    if s.has("enqueue", "enqueue, BullMQ"):
        ours, peer = s.median("enqueue", "keys_per_s"), s.median("enqueue, BullMQ", "keys_per_s")
        found += [Row("bulk enqueue", ours / 1000, "thousand keys/s", at_least=200,
                      note=f"{s.median('enqueue', 'redis_us_per_key'):.1f} us of Redis a key"),
                  Row("bulk enqueue / BullMQ addBulk", ours / peer, "x", at_least=5, note=f"BullMQ {peer:,.0f} keys/s")]
    for lease in (1, 100):
        if s.has(f"work {lease}", f"reference {lease}"):
            found.append(_to_reference(s, lease))
    if s.has("work 100", "work, BullMQ"):
        ours, peer, rq = (s.median(step, "keys_per_s") for step in ("work 100", "work, BullMQ", "work, RQ"))
        found += [Row("lease + done by 100 / BullMQ", ours / peer, "x", at_least=3, note=f"BullMQ {peer:,.0f} keys/s"),
                  Row("lease + done by 100 / RQ", rq and ours / rq, "x",
                      note=f"RQ {rq:,.0f} keys/s" if rq else "python3-rq is not installed")]
    if s.has("memory"):
        found += [Row("memory of a key while pending", s.median("memory", "pending"), "bytes", at_most=200),
                  Row("memory of a key done at once", s.median("memory", "done"), "bytes", at_most=250),
                  Row("999 of 1000 scripts take at most", s.median("memory", "p999_ms"), "ms", at_most=5)]
    if s.has("calls, many", "calls, few"):
        many, few = s.most("calls, many", "calls"), s.most("calls, few", "calls")
        found.append(Row("commands of a lease and a done, many expired / few", many / few, "x", at_most=1.01,
                         note=f"{many} commands, 100 keys taken back, 100 leased, 100 done"))
    return found + (_crowd_rows(s, workers) if s.has("crowd") else [])


def _to_reference(s, lease):
    ours, peer = s.median(f"work {lease}", "keys_per_s"), s.median(f"reference {lease}", "keys_per_s")
    cpu = s.median(f"reference {lease}", "redis_us_per_key") / s.median(f"work {lease}", "redis_us_per_key")
    return Row(f"lease + done by {lease} / the same calls alone", ours / peer, "x", at_least=0.7,
               note=f"{ours:,.0f} keys/s; by Redis' CPU time {cpu:.2f}")


def _crowd_rows(s, workers):
    return [Row(f"{workers:,} workers waiting, of a core", s.median("crowd", "share"), "%", at_most=30,
                note=f"{s.median('crowd', 'waiting_calls_per_s'):,.0f} lease calls/s"),
            Row(f"{workers:,} workers, connections", s.most("crowd", "connections"), "", at_most=9999),
            Row("tail, most requests in a second / while waiting",
                s.most("crowd", "most_calls_per_s") / s.median("crowd", "waiting_calls_per_s"), "x", at_most=2,
                note=f"settled and left after {s.median('crowd', 'tail_seconds'):.1f} s")]


