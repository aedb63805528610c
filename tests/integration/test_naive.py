#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Random specs over random tables: hiwari and the naive implementation give the same cells.

Seeds count up from HIWARI_SEED (default 1) until HIWARI_CELLS cells (default 20,000) were compared. Numbers are
compared within 1e-9 relative, everything else exactly. A failing case stays in a directory; to try it again:

    test_naive.py --replay DIRECTORY
"""
import gzip
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import naive
import random_spec
import tap

ANSWERS = cli.BUILD / "tests" / "support" / "spec_answers"
FIRST_SEED = int(os.environ.get("HIWARI_SEED", "1"))
CELLS = int(os.environ.get("HIWARI_CELLS", "20000"))


def records(text):
    """Header and rows; a field is None for null."""
    rows = list(naive.csv_records(text))
    return rows[0], rows[1:]


def same(x, y):
    if x == y:
        return True
    try:
        a, b = float(x), float(y)
    except (TypeError, ValueError):
        return False
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))


def table_arguments(directory, option):
    tables = (directory / "tables").read_text(encoding="utf-8").splitlines()
    return [word for table in tables for word in (option, table)]


def by_naive(directory):
    """(header, {key: rows})"""
    out = directory / "naive.csv"
    arguments = table_arguments(directory, "--table")
    subprocess.run([sys.executable, cli.ROOT / "tests/support/naive.py", *arguments, "--spec", directory / "spec.json",
                    "--out", out], check=True, cwd=directory)
    header, rows = records(out.read_text(encoding="utf-8"))
    keys = {}
    for row in rows:
        keys.setdefault(row[0], []).append(row[1:])
    return header[1:], keys


def by_engine(directory):
    """All keys by the engine alone, with 1 and 3 threads, with and without index."""
    arguments = table_arguments(directory, "--table")
    work = directory / "engine"
    shutil.rmtree(work, ignore_errors=True)
    done = subprocess.run([ANSWERS, *arguments, "--spec", directory / "spec.json", "--work", work],
                          stderr=subprocess.PIPE, text=True, cwd=directory, env={**os.environ, "OMP_NUM_THREADS": "3"})
    if done.returncode:
        raise cli.Unexpected(done.stderr)
    return {path.stem: records(path.read_text(encoding="utf-8")) for path in (work / "answers").iterdir()}


def by_command(directory):
    """All keys by `hiwari run`."""
    csvs = table_arguments(directory, "--csv")
    for name in ("snapshot", "out"):
        shutil.rmtree(directory / name, ignore_errors=True)
    cli.run("snapshot", "create", *csvs, "--spec", directory / "spec.json", "--out", directory / "snapshot",
            cwd=directory)
    cli.run("run", "--snapshot", directory / "snapshot", "--spec", directory / "spec.json",
            "--dest", f"file://{directory}/out", cwd=directory)
    answers = {}
    for path in (directory / "out").glob("*.zip"):
        with zipfile.ZipFile(path) as packed:
            answers[path.stem] = records(packed.read(f"{path.stem}.csv").decode())
    return answers


def differences(directory, answer):
    """(cells compared, [what differs])"""
    header, keys = by_naive(directory)
    answers = answer(directory)
    wrong, cells = [], 0
    for key in sorted(set(answers) | set(keys)):
        got_header, got = answers.get(key, (header, []))
        want = keys.get(key, [])
        if got_header != header:
            wrong.append(f"key {key}: columns are {got_header}, expected {header}")
        elif len(got) != len(want):
            wrong.append(f"key {key}: {len(got)} rows, expected {len(want)}")
        else:
            for i, (got_row, want_row) in enumerate(zip(got, want)):
                cells += len(header)
                wrong += [f"key {key} row {i} column {c}: {g!r}, naively {w!r}"
                          for c, g, w in zip(header, got_row, want_row) if not same(g, w)]
    return cells, wrong


def check(seed, directory, answer):
    """Compare one case; the cells compared. A failing case is kept."""
    try:
        cells, wrong = differences(directory, answer)
    except (cli.Unexpected, subprocess.CalledProcessError) as error:
        cells, wrong = 0, [str(error)]
    if wrong:
        raise AssertionError("\n".join([f"seed {seed}: {len(wrong)} differences", *wrong[:10],
                                        f"again: {sys.argv[0]} --replay {directory}"]))
    shutil.rmtree(directory)
    return cells


def compare_seeds(answer, first, cells_wanted):
    cells, seed = 0, first
    print(f"# seeds from {first}", flush=True)
    while cells < cells_wanted:
        directory = pathlib.Path(tempfile.mkdtemp(prefix=f"hiwari-seed-{seed}-"))
        random_spec.write_case(seed, directory)
        cells += check(seed, directory, answer)
        seed += 1
    print(f"# {seed - first} seeds, {cells} cells compared")


def test_the_naive_implementation_gives_what_duckdb_gave():
    football, keys = cli.FOOTBALL, ["2013-07-20", "2014-02-08", "2015-04-11"]
    with cli.scratch() as tmp:
        out = tmp / "naive.csv"
        subprocess.run([sys.executable, cli.ROOT / "tests/support/naive.py", "--table",
                        f"appearances={football}/appearances.csv", "--spec", football / "spec.json", "--out", out,
                        *[word for key in keys for word in ("--key", key)]], check=True)
        header, got = records(out.read_text(encoding="utf-8"))
    with gzip.open(football / "expected.csv.gz", "rt", encoding="utf-8", newline="") as packed:
        want_header, want = records(packed.read())
    want = [row for row in want if row[want_header.index("match_date")] in keys]
    assert header == ["_key", *want_header], header
    assert len(got) == len(want) > 100, (len(got), len(want))
    wrong = [f"{c}: {g!r}, expected {w!r}" for got_row, want_row in zip(got, want)
             for c, g, w in zip(want_header, got_row[1:], want_row) if not same(g, w)]
    assert not wrong, wrong[:10]


def test_random_specs_give_the_same_cells_with_any_threads_and_index():
    compare_seeds(by_engine, FIRST_SEED, CELLS)


def test_random_specs_give_the_same_cells_through_the_whole_program():
    compare_seeds(by_command, FIRST_SEED + 500, CELLS // 20)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--replay"]:
        compared, wrong_cells = differences(pathlib.Path(sys.argv[2]), by_engine)
        print("\n".join(wrong_cells + [f"{compared} cells, {len(wrong_cells)} differences"]))
        sys.exit(1 if wrong_cells else 0)
    tap.main()
