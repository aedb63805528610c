# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""tap.py - a test program is a file of functions whose names are sentences.

    def test_a_second_run_computes_nothing(): ...

    if __name__ == "__main__":
        tap.main()

Each function is one test; an exception fails it, tap.Skip(reason) skips it. tap.Again(what) says that a busy machine
kept the state from coming about that the test is to look at: it begins anew, TRIES times in all. Meson reads the TAP that is printed.
Names given as arguments run only the tests whose names contain one of them.
"""
import sys
import traceback


TRIES = 5


class Skip(Exception):
    """The machine lacks what this test needs."""


class Again(Exception):
    """Nothing was tested yet: the state to look at did not come about."""


def _try(function):
    for _ in range(TRIES - 1):
        try:
            return function()
        except Again as what:
            print(f"# once more: {what}", flush=True)
    return function()


def _run(number, name, function):
    try:
        _try(function)
    except Skip as reason:
        print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        return True
    except BaseException as error:
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")
        print(f"not ok {number} - {name}", flush=True)
        if isinstance(error, KeyboardInterrupt):
            raise
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def main():
    module = sys.modules["__main__"]
    tests = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    if len(sys.argv) > 1:
        tests = [(n, f) for n, f in tests if any(word in n for word in sys.argv[1:])]
    if not tests:
        print("Bail out! no tests of that name")
        sys.exit(1)
    print(f"1..{len(tests)}")
    results = [_run(i, name, function) for i, (name, function) in enumerate(tests, 1)]
    sys.exit(0 if all(results) else 1)
