#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The eyes that the other tests rely on see what must never happen."""
import pathlib
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import cli
import tap
import watch


def put(folder, key, text):
    """As hiwari does it: written under a hidden name, then renamed."""
    with zipfile.ZipFile(folder / ".half", "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{key}.csv"), text)
    (folder / ".half").rename(folder / f"{key}.zip")


def seen(happens, keys=2):
    """What a watch over `keys` results says about it."""
    with cli.scratch() as folder:
        eyes = watch.Watch(folder, keys)
        happens(folder)
        return eyes.end()


def is_told(happens, *words):
    wrong = seen(happens)
    assert len(wrong) == 1, wrong
    cli.says(wrong[0], *words)


def both(folder):
    put(folder, "a", "1")
    put(folder, "b", "2")


def test_results_that_are_written_once_and_then_success_are_right():
    def happens(folder):
        both(folder)
        (folder / "_SUCCESS").touch()
    assert seen(happens) == []


def test_a_result_that_is_replaced_by_the_same_is_seen():
    is_told(lambda folder: (both(folder), put(folder, "a", "1")), "of a was written 2 times")


def test_a_result_that_is_replaced_by_another_one_is_seen():
    with cli.scratch() as folder:
        eyes = watch.Watch(folder, 2)
        both(folder)
        cli.wait_until(lambda: "b" in eyes.seen, "the first is looked at")
        put(folder, "b", "3")
        wrong = eyes.end()
    cli.says(wrong[0], "of b was replaced by another")


def test_a_result_that_is_deleted_is_seen_even_when_it_comes_back():
    def happens(folder):
        both(folder)
        (folder / "a.zip").rename(folder / ".away")
        (folder / "b.zip").unlink()
        (folder / ".away").rename(folder / "b.zip")
        (folder / "b.zip").rename(folder / "a.zip")
        put(folder, "b", "2")
    assert "the result of b was deleted" in seen(happens)


def test_success_before_the_last_result_is_seen_even_when_it_goes_again():
    def happens(folder):
        put(folder, "a", "1")
        (folder / "_SUCCESS").touch()
        (folder / "_SUCCESS").unlink()
        put(folder, "b", "2")
    is_told(happens, "_SUCCESS stood when 1 of 2")


if __name__ == "__main__":
    tap.main()
