#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Redis forgets its last seconds, each time something that it had acknowledged: an enqueue, leases, keys done, the end
of settling, a retry.

Everything happens twice: Redis comes back with an older copy of its append-only file, and a replica is promoted that
had been cut off.
"""
import functools
import pathlib
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import cli
import hiwari
import tap
import world

KEY = "2014-08-16"


def old_file(w):
    """Remember Redis as it is now; what is returned brings it back to that."""
    w.servers.copy_file()
    return w.servers.restart_from_copy


def old_replica(w):
    w.servers.replicate()
    w.servers.cut_off_replica()
    return w.servers.promote


def both_ways(test):
    """A test of a world and a way to remember, done with each way."""
    @functools.wraps(test)
    def twice():
        if not hiwari.has_faults():
            raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")
        with cli.scratch() as tmp:
            snapshot = cli.football_snapshot(tmp)
            for remember in (old_file, old_replica):
                print(f"# {remember.__name__}")
                with world.football(snapshot) as w:
                    test(w, remember)
    del twice.__wrapped__  # tap calls it without arguments
    return twice


def states(w):
    status = w.status()
    return {name: status[name] for name in ("state", "pending", "leased", "done", "failed")}


@both_ways
def test_an_enqueue_that_was_forgotten_is_done_again(w, remember):
    set_back = remember(w)
    w.enqueue()
    set_back()
    cli.says(w.hiwari("status", w.name, code=None).stderr, "no batch")
    cli.says(w.enqueue().stdout, "547 added")
    w.finish()
    w.check()


@both_ways
def test_the_second_half_of_an_enqueue_that_was_forgotten_is_reconciled(w, remember):
    w.enqueue(fault="kill:fill-step", code=-signal.SIGKILL)
    set_back = remember(w)
    w.enqueue()
    w.worker_dies("after-put:540")
    set_back()
    assert states(w)["state"] == "filling", states(w)
    w.reconcile()
    w.finish()
    w.check()


@both_ways
def test_leases_that_were_forgotten_are_given_to_others_and_their_holder_is_refused(w, remember):
    w.enqueue(lease_s=600)  # nothing comes back by itself
    set_back = remember(w)
    holder = w.worker(fault="stop:before-put:3")
    cli.wait_until(holder.is_stopped, "the worker stops")
    assert states(w)["leased"] > 0
    set_back()
    assert states(w) == {"state": "running", "pending": 547, "leased": 0, "done": 0, "failed": 0}, states(w)
    w.finish()
    holder.signal(signal.SIGCONT)
    holder.wait(0)
    assert [e for e in holder.log() if "STALE" in (e.get("answer"), e.get("why"))], holder.text()
    w.check()


@both_ways
def test_keys_whose_done_was_forgotten_are_found_in_the_destination_and_not_written_again(w, remember):
    w.enqueue(lease_s=600)
    set_back = remember(w)
    w.worker_dies("after-put:200")
    there = w.written()
    assert len(there) >= 200 and states(w)["done"] > 100
    set_back()
    assert states(w)["pending"] == 547 and states(w)["done"] == 0, states(w)
    w.finish()  # computes them once more: the store refuses, and what is there is the same
    w.check()
    assert all(w.written()[key] == when for key, when in there.items())


@both_ways
def test_reconcile_marks_keys_whose_done_was_forgotten(w, remember):
    w.enqueue(lease_s=600)
    set_back = remember(w)
    w.worker_dies("after-put:200")
    set_back()
    there = len(cli.results(w.dest))
    said = w.reconcile()
    assert (states(w)["done"], states(w)["pending"]) == (there, 547 - there), (there, states(w), said)
    w.finish()
    w.check()


@both_ways
def test_a_settling_that_was_forgotten_is_repeated_without_a_trace(w, remember):
    w.enqueue()
    w.worker_dies("settle-unsuccess")
    set_back = remember(w)
    w.finish()
    before = [(w.dest / name).read_bytes() for name in ("_manifest.jsonl", "_SUCCESS")]
    set_back()
    assert states(w)["state"] == "running" and w.has_success()
    w.finish()
    assert before == [(w.dest / name).read_bytes() for name in ("_manifest.jsonl", "_SUCCESS")]
    w.check()


@both_ways
def test_a_retry_that_was_forgotten_is_seen_in_the_destination(w, remember):
    w.enqueue()
    intruder = w.dest / f"{KEY}.zip"
    w.watch.ignore(KEY)
    intruder.write_bytes(b"not a zip")
    w.finish()
    assert states(w)["failed"] == 1 and not w.has_success()
    set_back = remember(w)
    intruder.unlink()
    w.hiwari("retry", w.name, "--all")
    w.finish()
    assert w.has_success()
    set_back()
    assert (states(w)["state"], states(w)["failed"]) == ("settled", 1), states(w)
    w.reconcile()
    w.finish()
    w.check()


if __name__ == "__main__":
    tap.main()
