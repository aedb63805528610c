#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The README's first command, in a fresh copy of the tree."""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap


def demo(tree):
    done = subprocess.run([tree / "scripts" / "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=1200)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_demo_computes_once_and_then_only_what_is_missing():
    with cli.scratch() as tmp:
        tree = tmp / "hiwari"
        shutil.copytree(cli.ROOT, tree, ignore=shutil.ignore_patterns(".git", "build", "build-*", "out", "__pycache__"))
        cli.says(demo(tree), "547 keys, 13,016 rows in ", "out/football/", "python3 -c")
        dest = tree / "out" / "football"
        assert len(cli.results(dest)) == 547

        before = {p.name: p.stat().st_mtime_ns for p in dest.glob("*.zip")}
        cli.says(demo(tree), "nothing to do: all 547 results are there")
        assert {p.name: p.stat().st_mtime_ns for p in dest.glob("*.zip")} == before

        gone = ["2013-07-20.zip", "2015-08-08.zip", "2017-05-20.zip"]
        for name in gone:
            (dest / name).unlink()
        cli.says(demo(tree), "3 keys, ", "544 results were there already")
        after = {p.name: p.stat().st_mtime_ns for p in dest.glob("*.zip")}
        assert sorted(n for n in after if after[n] != before[n]) == gone


if __name__ == "__main__":
    tap.main()
