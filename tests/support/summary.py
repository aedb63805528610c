#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Count the tests of a Meson run: `N passed, N failed, N skipped`, and exit 1 when any failed.

usage: summary.py TESTLOG.json

A program that prints TAP counts as the tests it reports, any other as one. A program that ends badly although all of
its tests passed (a crash at the end, a test that was planned and never came, a timeout) counts as one more failure.
"""
import json
import re
import sys

LINE = re.compile(r"(not )?ok\b(.*)")
SKIP = re.compile(r"#\s*skip", re.IGNORECASE)


def count_tap(text):
    passed = failed = skipped = 0
    said = []  # comments since the last test: what the next one has to say
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            said.append(line)
            continue
        if match.group(1):
            failed += 1
            print("\n".join([*said[-30:], line]))
        elif SKIP.search(match.group(2)):
            skipped += 1
            print(f"skipped: {match.group(2).lstrip(' 0123456789-')}")
        else:
            passed += 1
        said.clear()
    return passed, failed, skipped


def count_program(run):
    """Passed, failed, skipped of one line of the log."""
    good, skip = run["result"] in ("OK", "EXPECTEDFAIL"), run["result"] == "SKIP"
    text = run.get("stdout", "")
    if re.search(r"^1\.\.[1-9]", text, re.MULTILINE):
        passed, failed, skipped = count_tap(text)
        if not good and not skip and failed == 0:
            failed = 1
    else:
        passed, failed, skipped = int(good), int(not good and not skip), int(skip)
        if skip:
            print(f"skipped: {run['name']}: {text.strip()}")
    if failed:
        print(f"failed: {run['name']} ({run['result']})")
    return passed, failed, skipped


def main():
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            runs = [json.loads(line) for line in log]
    except OSError as error:
        print(f"no test was run: {error}")
        runs = []
    total = [sum(column) for column in zip(*map(count_program, runs))] or [0, 1, 0]
    print("{} passed, {} failed, {} skipped".format(*total))
    sys.exit(1 if total[1] else 0)


main()
