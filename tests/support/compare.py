#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Compare a directory of result zips with expected rows. Python's standard library only.

usage: compare.py RESULTS_DIR EXPECTED.csv[.gz] --key COLUMN [--tol 1e-9] [--keys N]

EXPECTED holds every row of every key, in result order; COLUMN names its key. Each KEY.zip must hold one
member, KEY.csv, with the same columns and rows in the same order (a key column that the results do not
have is skipped). Numbers are compared relatively within --tol, and an empty field equals only an empty
field. --keys N looks at every so-many-th key, about N of them. Exits 1 at any difference.
"""
import argparse
import csv
import gzip
import io
import os
import sys
import zipfile

SHOWN = 20  # differing cells that are printed


def read_expected(path, key_column):
    """The expected rows by key."""
    opener = gzip.open if path.endswith(".gz") else open
    by_key = {}
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_key.setdefault(row[key_column], []).append(row)
    return by_key


def read_result(path, key):
    """Header and rows of one result."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if names != [key + ".csv"]:
            raise ValueError(f"members are {names}")
        with io.TextIOWrapper(archive.open(names[0]), encoding="utf-8", newline="") as text:
            reader = csv.DictReader(text)
            rows = list(reader)
            return reader.fieldnames, rows


def is_same(got, want, tolerance):
    if got == want:
        return True
    if got == "" or want == "":
        return False
    try:
        x, y = float(got), float(want)
    except ValueError:
        return False
    return x == y or abs(x - y) <= tolerance * max(1.0, abs(x), abs(y))


class Comparison:
    def __init__(self, key_column, tolerance):
        self.key_column = key_column
        self.tolerance = tolerance
        self.cells = 0
        self.differences = 0

    def differ(self, message, shown=True):
        self.differences += 1
        if shown:
            print(message)

    def compare_rows(self, key, number, got, want):
        for column, value in want.items():
            if column == self.key_column and column not in got:
                continue
            self.cells += 1
            if not is_same(got[column], value, self.tolerance):
                self.differ(f"{key} row {number} {column}: {got[column]!r}, expected {value!r}",
                            self.differences < SHOWN)

    def compare_key(self, path, key, want):
        try:
            header, got = read_result(path, key)
        except Exception as error:  # whatever is wrong with one result, the others are looked at
            self.differ(f"{key}: {error}")
            return
        if header != [c for c in want[0] if c != self.key_column or c in header]:
            self.differ(f"{key}: columns are {header}")
        elif len(got) != len(want):
            self.differ(f"{key}: {len(got)} rows, expected {len(want)}")
        else:
            for number, (got_row, want_row) in enumerate(zip(got, want)):
                self.compare_rows(key, number, got_row, want_row)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results")
    parser.add_argument("expected")
    parser.add_argument("--key", required=True)
    parser.add_argument("--tol", type=float, default=1e-9)
    parser.add_argument("--keys", type=int, default=0)
    args = parser.parse_args()

    expected = read_expected(args.expected, args.key)
    keys = sorted(expected)
    checked = keys[::max(1, len(keys) // args.keys) if args.keys else 1]
    comparison = Comparison(args.key, args.tol)
    for key in checked:
        comparison.compare_key(os.path.join(args.results, key + ".zip"), key, expected[key])
    found = {name[:-4] for name in os.listdir(args.results) if name.endswith(".zip")}
    extra = sorted(found - set(keys))
    if extra:
        comparison.differ(f"results nobody expected: {extra[:5]}")
    print(f"{len(checked)} keys, {comparison.cells} cells, {comparison.differences} differences")
    sys.exit(1 if comparison.differences else 0)


if __name__ == "__main__":
    main()
