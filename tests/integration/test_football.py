#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Every cell of every key equals what another program computed from the same data.

The expected rows were computed by DuckDB (see testdata/*/README.md); compare.py wants header, order and nulls exact,
numbers within 1e-9 relative.
"""
import gzip
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap


def compare(results, expected, key):
    done = subprocess.run([sys.executable, cli.ROOT / "tests/support/compare.py", results, expected, "--key", key],
                          stdout=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_all_547_days_of_football_are_as_expected():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        done = cli.football_run(snapshot, tmp / "out")
        cli.says(done.stdout, "547 keys, 13,016 rows in ", "pandas.read_csv")
        cli.says(compare(tmp / "out", cli.FOOTBALL / "expected.csv.gz", "match_date"), "547 keys", " 0 differences")
        assert (tmp / "out" / "_SUCCESS").exists()
        assert len((tmp / "out" / "_manifest.jsonl").read_text().splitlines()) >= 547


def test_two_years_of_races_with_33_columns_are_as_expected():
    small = cli.RACES / "small"
    with cli.scratch() as tmp:
        with gzip.open(small / "races.csv.gz") as packed, open(tmp / "races.csv", "wb") as plain:
            shutil.copyfileobj(packed, plain)
        cli.run("snapshot", "create", "--csv", f"entries={tmp}/races.csv", "--spec", cli.RACES / "races30.json",
                "--out", tmp / "snapshot")
        cli.run("run", "--snapshot", tmp / "snapshot", "--spec", cli.RACES / "races30.json", "--dest", tmp / "out")
        cli.says(compare(tmp / "out", small / "expected.csv.gz", "race_date"), "730 keys", " 0 differences")


if __name__ == "__main__":
    tap.main()
