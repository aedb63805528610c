#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The README's first command, and the one with a MySQL server, in a fresh copy of the tree."""
import contextlib
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap


STACK = contextlib.ExitStack()
COPIES = []


def tree():
    """The copy, which both build in."""
    if not COPIES:
        COPIES.append(STACK.enter_context(cli.scratch()) / "hiwari")
        shutil.copytree(cli.ROOT, COPIES[0],
                        ignore=shutil.ignore_patterns(".git", "build", "build-*", "out", "__pycache__"))
    return COPIES[0]


def demo(name="demo"):
    done = subprocess.run([tree() / "scripts" / name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=1200)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_demo_computes_once_and_then_only_what_is_missing():
    cli.says(demo(), "547 keys, 13,016 rows in ", "out/football/", "python3 -c")
    dest = tree() / "out" / "football"
    assert len(cli.results(dest)) == 547

    before = {p.name: p.stat().st_mtime_ns for p in dest.glob("*.zip")}
    cli.says(demo(), "nothing to do: all 547 results are there")
    assert {p.name: p.stat().st_mtime_ns for p in dest.glob("*.zip")} == before

    gone = ["2013-07-20.zip", "2015-08-08.zip", "2017-05-20.zip"]
    for name in gone:
        (dest / name).unlink()
    cli.says(demo(), "3 keys, ", "544 results were there already")
    after = {p.name: p.stat().st_mtime_ns for p in dest.glob("*.zip")}
    assert sorted(n for n in after if after[n] != before[n]) == gone


def test_demo_mysql_has_the_same_snapshot_and_results():
    said = demo("demo-mysql")
    cli.says(said, "same snapshot id from MySQL and from CSV: ", "547 keys, 13,016 rows in ", "out/football-mysql/")
    assert len(cli.results(tree() / "out" / "football-mysql")) == 547
    cli.says(demo("demo-mysql"), "nothing to do: all 547 results are there")


if __name__ == "__main__":
    with STACK:
        tap.main()
