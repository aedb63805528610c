# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""report.py - from what the rounds gave to a table of goals, with the conditions they were measured under."""
import glob
import multiprocessing
import os
import pathlib
import platform
import re
import statistics
import subprocess
import zipfile
import zlib


class Samples:
    """What every round gave, by step."""

    def __init__(self):
        self.by_step = {}

    def add(self, step, numbers):
        self.by_step.setdefault(step, []).append(numbers)

    def has(self, *steps):
        return all(step in self.by_step for step in steps)

    def last(self, step):
        """In words, for whoever waits."""
        numbers = self.by_step[step][-1]
        return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items() if isinstance(value, (int, float)))

    def median(self, step, name):
        values = [numbers[name] for numbers in self.by_step[step]]
        return None if None in values else statistics.median(values)

    def most(self, step, name):
        return max(numbers[name] for numbers in self.by_step[step])


class Row:
    """One line: a number, and what it shall be at most or at least. Neither: the line only tells."""

    def __init__(self, what, value, unit, at_most=None, at_least=None, note=""):
        self.what, self.value, self.unit, self.note = what, value, unit, note
        self.at_most, self.at_least = at_most, at_least

    def goal(self):
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else ""

    def verdict(self):
        if self.value is None or not self.goal():
            return ""
        met = self.value <= self.at_most if self.at_most is not None else self.value >= self.at_least
        return "PASS" if met else "MISS"

    def cells(self):
        value = "not measured" if self.value is None else f"{self.value:.3g} {self.unit}".strip()
        return [self.what, value, self.goal(), self.verdict(), self.note]

    def as_json(self):
        return {"what": self.what, "value": self.value, "unit": self.unit, "at_most": self.at_most,
                "at_least": self.at_least, "verdict": self.verdict() or None, "note": self.note}


# ---- the rows, in the order of the goals ----

def feature_rows(s):
    if not s.has("duckdb memory", "features"):
        return []
    peer = s.median("duckdb memory", "seconds")
    mapped, built = s.median("features", "all_s"), s.median("features, no index", "all_s")
    return [Row("features in memory, index mapped", peer / mapped, "x", at_least=10,
                note=f"DuckDB {peer:.2f} s, hiwari {mapped:.2f} s"),
            Row("features in memory, index built", peer / built, "x", at_least=4,
                note=f"hiwari {built:.2f} s, of it {s.median('features, no index', 'index_s'):.2f} s index")]


def _member(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def _zlib_bytes(path):
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    return len(deflate.compress(_member(path))) + len(deflate.flush())


def size_ratio(results):
    """Whole zips, with everything that is in them, to what zlib level 6 makes of the members alone."""
    files = glob.glob(f"{results}/*.zip")
    with multiprocessing.Pool() as pool:
        zlib6 = sum(pool.imap_unordered(_zlib_bytes, files, chunksize=64))
    return sum(os.path.getsize(f) for f in files) / zlib6


def batch_rows(s, results):
    if not s.has("duckdb parquet", "batch"):
        return []
    peer, ours = s.median("duckdb parquet", "seconds"), s.median("batch", "seconds")
    tmpfs, size = s.median("batch on tmpfs", "seconds"), size_ratio(results)
    small = size <= 1.1
    rows = [Row("whole batch as zips / DuckDB's parquet", ours / peer, "x", at_most=0.6 if small else 0.45,
                note=f"DuckDB {peer:.2f} s, hiwari {ours:.2f} s"),
            Row("size of the zips / zlib level 6", size, "x", at_most=1.1 if small else 1.25,
                note=f"{s.median('batch', 'bytes') / 1e6:.0f} MB")]
    share = None if tmpfs is None else 100 * (ours - tmpfs) / ours
    note = "no /dev/shm here" if tmpfs is None else f"{tmpfs:.2f} s with the destination on tmpfs"
    return rows + [Row("of the batch, disk and fsync", share, "%", note=note)]


def key_rows(s):
    if not s.has("latency", "first result"):
        return []
    return [Row("one key, compute, median", s.median("features, as in a worker", "day_ms_median"), "ms", at_most=0.6,
                note=f"99 of 100 below {s.median('features, as in a worker', 'day_ms_p99'):.2f} ms"),
            Row("one key, lease to done, median", s.median("latency", "ms"), "ms", at_most=5,
                note=f"99 of 100 below {s.median('latency', 'p99_ms'):.0f} ms"),
            Row("new worker, exec to first result", s.median("first result", "ms"), "ms", at_most=50)]


# Which uploads and allocations meet at one moment differs from run to run; growth is more than this.
MOMENT_MB = 4


def private_rows(s):
    if not s.has("memory", "memory, tenth"):
        return []
    all_keys, tenth = s.most("memory", "dirty_mb"), s.most("memory, tenth", "dirty_mb")
    return [Row("private memory of a worker, most", all_keys, "MB", at_most=64,
                note=f"and mapped files that only it used at some moment: {s.most('memory', 'clean_mb'):.0f} MB"),
            Row("all keys, private memory more than for a tenth", all_keys - tenth, "MB", at_most=MOMENT_MB,
                note=f"a tenth of the keys: {tenth:.1f} MB")]


def tenfold_rows(s, kind):
    step = f"tenfold {kind}"
    if not s.has(step, "features", "memory"):
        return []
    time = s.median(step, "all_s") / s.median("features", "all_s")
    memory = s.most(f"{step}, memory", "dirty_mb")
    words = {"years": "ten times the years", "races": "ten times the races a day"}[kind]
    return [Row(f"{words}, time", time, "x", at_most=15,
                note=f"{s.median(step, 'all_s'):.1f} s, {s.median(step, 'rows'):,.0f} rows"),
            Row(f"{words}, private memory more", memory - s.most("memory", "dirty_mb"), "MB", at_most=MOMENT_MB,
                note=f"{memory:.1f} MB")]


def thread_rows(s, threads):
    if not s.has("features", "features, 1 thread"):
        return []
    one, many = s.median("features, 1 thread", "compute_s"), s.median("features", "compute_s")
    return [Row(f"{threads} threads / 1 thread", one / many, "x", at_least=1.8 if threads == 2 else None,
                note=f"{one:.2f} s, {many:.2f} s")]


def snapshot_rows(s):
    if not s.has("duckdb sort", "snapshot"):
        return []
    peer, ours = s.median("duckdb sort", "seconds"), s.median("snapshot", "create_s")
    return [Row("snapshot create / DuckDB's CSV to parquet", ours / peer, "x", at_most=4,
                note=f"DuckDB {peer:.2f} s, hiwari {ours:.2f} s"),
            Row("snapshot index", s.median("snapshot", "index_s"), "s", at_most=3)]


# ---- conditions ----

def _first_match(path, pattern):
    match = re.search(pattern, pathlib.Path(path).read_text(encoding="ascii"), re.MULTILINE)
    return match.group(1).strip() if match else "?"


def _says(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().splitlines()[0]


def conditions(programs, cache, load, duckdb_version):
    redis = re.search(r"v=(\S+)", _says("redis-server", "--version"))
    return {
        "cpu": _first_match("/proc/cpuinfo", r"^model name\s*:(.*)$"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(_first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)")) / 2**20),
        "kernel": platform.release(),
        "file_system": _says("stat", "-f", "-c", "%T", cache),
        "load_at_start": load,
        "hiwari": _says(programs.hiwari, "--version"),
        "duckdb": duckdb_version,
        "redis": redis.group(1) if redis else "?",
        "node": _says("node", "--version"),
        "compiler": _says("cc", "--version"),
    }


def as_table(rows):
    lines = [["WHAT", "VALUE", "GOAL", "", "FROM"]] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return "\n".join("  ".join([*(line[i].ljust(widths[i]) for i in range(4)), line[4]]).rstrip() for line in lines)
