# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""prepare.py - everything that has to be there before a clock starts, kept in one cache directory.

    cache/build/          hiwari in release mode
    cache/duckdb/         DuckDB for node
    cache/races-Y-R/      Y years of R races a day: races.csv, snapshot/ (with its index), noindex/ (stays empty)
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RACES = ROOT / "testdata" / "races"
SPEC = RACES / "races30.json"
DUCKDB = "@duckdb/node-api@1.5.6-r.1"


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    """Run to the end; what it prints comes back. A failure ends the script with what it said."""
    command = [str(c) for c in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def install():
    """The peers that Debian has, and what those from elsewhere need."""
    if subprocess.run([ROOT / "scripts" / "install-deps", "bench"]).returncode != 0:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: scripts/install-deps bench did not succeed; its words are above")


class Programs:
    """hiwari as it is released: optimised, without assertions and sanitizers."""

    def __init__(self, cache, fresh):
        build = cache / "build"
        if not (build / "build.ninja").exists():
            run("meson", "setup", build, ROOT, "--buildtype=release", "-Db_ndebug=if-release")
        self.hiwari = build / "cmd" / "hiwari" / "hiwari"
        self.worker = build / "cmd" / "hiwari-worker" / "hiwari-worker"
        self.bench_features = build / "tests" / "bench" / "bench_features"
        if not fresh and self.bench_features.exists():
            return
        say("building hiwari")
        run("ninja", "-C", build, *[p.relative_to(build) for p in (self.hiwari, self.worker, self.bench_features)])


class DuckDB:
    """The peer, by npm from wherever npm is configured to fetch."""

    def __init__(self, cache):
        self.folder = cache / "duckdb"
        self.folder.mkdir(parents=True, exist_ok=True)
        installed = self.folder / "node_modules" / "@duckdb" / "node-api"
        if not installed.exists():
            say(f"installing {DUCKDB}")
            run("npm", "install", "--no-audit", "--no-fund", "--prefix", self.folder, DUCKDB)


def python_with_pandas():
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import numpy, pandas"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    sys.exit("features: no Python here has numpy and pandas, which make the data: scripts/install-deps bench")


class Data:
    """Races at one scale, their snapshot and its index. Made once; a half-made one has another name."""

    def __init__(self, cache, programs, years, races_a_day):
        self.folder = cache / f"races-{years:g}-{races_a_day}"
        self.csv = races_csv(cache, years, races_a_day)
        self.snapshot = self.folder / "snapshot"
        self.no_index = self.folder / "noindex"
        if not self.snapshot.exists():
            say(f"making {self.snapshot}")
            create_snapshot(programs, self.csv, self.snapshot)
        run(programs.hiwari, "snapshot", "index", self.snapshot, "--spec", SPEC)
        self.no_index.mkdir(exist_ok=True)
        shown = json.loads(run(programs.hiwari, "snapshot", "show", self.snapshot, "--json"))
        self.dates = shown["tables"][0]["dates"]


def races_csv(cache, years, races_a_day):
    """The races as CSV; a half-made file has another name."""
    csv = cache / f"races-{years:g}-{races_a_day}" / "races.csv"
    if csv.exists():
        return csv
    say(f"making {csv}")
    csv.parent.mkdir(parents=True, exist_ok=True)
    half = csv.with_suffix(".csv.half")
    run(python_with_pandas(), RACES / "gen_races.py", half, "--years", years, "--races-a-day", races_a_day)
    os.rename(half, csv)
    return csv


def create_snapshot(programs, csv, out):
    run(programs.hiwari, "snapshot", "create", "--csv", f"entries={csv},time=race_date,group=race_id", "--out", out)


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
