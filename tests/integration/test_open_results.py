#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""A result opens in one line of Python: the very lines that the README shows and that `hiwari run` prints."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap

LINE = re.compile(r"python3 -c '([^']+)'")


def need(module):
    if subprocess.run([sys.executable, "-c", f"import {module}"], stderr=subprocess.DEVNULL).returncode != 0:
        raise tap.Skip(f"{module} is not installed")


def execute(code, directory):
    done = subprocess.run([sys.executable, "-c", code], cwd=directory, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


def football_in(directory):
    """Results as the README has them: out/football of CSV, out/football-npz of npz. What run printed."""
    snapshot = cli.football_snapshot(directory)
    days = ("--from", "2017-05-01")
    return [cli.football_run(snapshot, "out/football", *days, cwd=directory).stdout,
            cli.football_run(snapshot, "out/football-npz", *days, "--format", "npz", cwd=directory).stdout]


def test_the_lines_of_the_readme_open_both_formats():
    need("pandas")
    lines = LINE.findall((cli.ROOT / "README.md").read_text())
    assert any("pandas" in line for line in lines) and any("numpy" in line for line in lines), lines
    with cli.scratch() as tmp:
        football_in(tmp)
        for line in lines:
            cli.says(execute(line, tmp), "form" if "pandas" in line else "[")


def test_the_line_that_run_prints_opens_a_result():
    need("pandas")
    with cli.scratch() as tmp:
        for printed in football_in(tmp):
            lines = LINE.findall(printed)
            assert len(lines) == 1, printed
            cli.says(execute(lines[0], tmp), "form_gap")


def test_pandas_and_numpy_see_the_same_values():
    need("pandas")
    with cli.scratch() as tmp:
        football_in(tmp)
        execute("""
import numpy, pandas
for path in __import__("pathlib").Path("out/football").glob("*.zip"):
    table = pandas.read_csv(path, float_precision="round_trip")
    arrays = numpy.load(f"out/football-npz/{path.name}")
    assert list(table.columns) == arrays.files
    for name in arrays.files:
        if arrays[name].dtype.kind == "f":
            numpy.testing.assert_array_equal(table[name].to_numpy(float), arrays[name])
        elif arrays[name].dtype.kind == "i":
            assert (table[name] == arrays[name]).all(), name
        else:
            assert (table[name].astype(str) == arrays[name].astype(str)).all(), name
""", tmp)


if __name__ == "__main__":
    tap.main()
