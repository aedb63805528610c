#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Redis forgets, settlers die, results vanish: the destination is the truth, and nothing in it is computed again."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap


def needs_faults():
    if not hiwari.has_faults():
        raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")


def unchanged(batch, there):
    now = batch.written()
    assert all(now[key] == when for key, when in there.items()), "a result was computed again"


def test_after_flushall_reconcile_and_a_worker_complete_the_batch():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue()
        worker = batch.worker(fault="slow:computing:10")
        batch.wait_for_results(100)
        batch.redis_cli("FLUSHALL")
        cli.wait_until(lambda: worker.said("gone from Redis"), "the worker notices")
        time.sleep(0.2)  # an upload that was under way when it noticed
        there = batch.written()
        said = batch.hiwari("reconcile", batch.name, "--dest", f"file://{batch.dest}")
        cli.says(said.stdout + said.stderr, "547")
        worker.wait(0)  # it has waited for the batch
        batch.check()
        unchanged(batch, there)


def test_a_worker_whose_batch_stays_gone_ends_with_75():
    with hiwari.football() as batch:
        batch.enqueue()
        batch.finish()
        worker = batch.worker()
        worker.wait(0)
        batch.redis_cli("FLUSHALL")
        batch.worker().wait(75, 40)


def test_a_rebuilding_reconcile_killed_anywhere_is_completed_by_the_next():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue()
        worker = batch.worker(fault="kill:after-put:100")
        worker.wait(-signal.SIGKILL)
        there = batch.written()
        dest = f"file://{batch.dest}"
        for point in ("reconcile-unsuccess", "fill-begun", "fill-step", "fill-added"):
            batch.redis_cli("FLUSHALL")
            batch.hiwari("reconcile", batch.name, "--dest", dest, fault=f"kill:{point}", code=-signal.SIGKILL)
            batch.hiwari("reconcile", batch.name, "--dest", dest)
            assert batch.status()["total"] == hiwari.KEYS, point
        batch.finish()
        batch.check()
        unchanged(batch, there)


def test_a_settler_killed_between_any_two_steps_is_followed_by_the_next():
    needs_faults()
    for point in ("settle-unsuccess", "settle-manifest", "settle-success"):
        with hiwari.football() as batch:
            batch.enqueue("--lease-seconds", 2)
            batch.worker(fault=f"kill:{point}").wait(-signal.SIGKILL)
            assert batch.has_success() == (point == "settle-success")
            assert batch.status()["state"] == "running"
            batch.finish()
            batch.check()


def test_two_settlers_do_not_both_write():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", 2)
        stopped = batch.worker(fault="stop:settle-manifest")
        cli.wait_until(stopped.is_stopped, "the settler stops")
        hiwari.lease_times(3)
        batch.finish()
        batch.check()
        files = [(batch.dest / name).stat().st_ino for name in ("_SUCCESS", "_manifest.jsonl")]
        stopped.signal(signal.SIGCONT)
        stopped.wait(0)
        assert files == [(batch.dest / name).stat().st_ino for name in ("_SUCCESS", "_manifest.jsonl")]
        batch.check()


def test_a_settler_stopped_after_success_leaves_it_to_its_successor():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", 2)
        stopped = batch.worker(fault="stop:settle-success")
        cli.wait_until(stopped.is_stopped, "the settler stops")
        hiwari.lease_times(3)
        batch.finish()
        stopped.signal(signal.SIGCONT)
        stopped.wait(0)
        batch.check()


def test_a_success_that_does_not_belong_there_is_replaced():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", 2)
        batch.worker(fault="kill:settle-manifest").wait(-signal.SIGKILL)
        batch.dest.joinpath("_SUCCESS").write_text("of a settler that came late and died")
        batch.finish()
        batch.check()


def test_a_batch_whose_destination_passed_on_leaves_it_alone():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 3)
        intruder = batch.dest / f"{batch.redis_cli('ZRANGE', 'hiwari:{fb}:pending', 1, 1).strip()}.zip"
        intruder.write_bytes(b"not a zip")
        batch.finish()
        intruder.unlink()
        other = hiwari.Batch(batch.tmp, batch.redis, batch.snapshot, batch.spec, "other")
        other.workers = batch.workers
        other.enqueue("--limit", 5)
        other.finish()
        files = [(batch.dest / name).read_bytes() for name in ("_SUCCESS", "_manifest.jsonl")]
        cli.says(batch.hiwari("retry", batch.name, "--all", code=78).stderr, "is not the one in", "(batch other, ")
        assert files == [(batch.dest / name).read_bytes() for name in ("_SUCCESS", "_manifest.jsonl")]
        assert (batch.status()["state"], other.status()["state"]) == ("settled", "settled")


def test_a_worker_that_would_settle_into_the_destination_of_another_batch_ends_with_78():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 3)
        file = json.loads((batch.dest / "_batch.json").read_text())
        (batch.dest / "_batch.json").write_text(json.dumps({**file, "incarnation": "f" * 32}))
        worker = batch.worker()
        worker.wait(78)
        cli.says(worker.text(), "is not the one in")
        assert not batch.has_success() and not (batch.dest / "_manifest.jsonl").exists()


def test_a_result_that_vanished_before_settling_is_computed_again():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", 2)
        batch.worker(fault="kill:settle-unsuccess").wait(-signal.SIGKILL)
        batch.dest.joinpath("2014-08-16.zip").unlink()
        worker = batch.worker()
        worker.wait(0, 120)
        assert [e for e in worker.said("has no result in the destination") if e["key"] == "2014-08-16"]
        batch.check()


def test_reconcile_takes_success_away_before_a_key_moves():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue()
        batch.finish()
        there = batch.written()
        lost = there.pop("2014-08-16") and batch.dest / "2014-08-16.zip"
        lost.unlink()
        batch.hiwari("reconcile", batch.name, fault="kill:unsuccess", code=-signal.SIGKILL)
        assert not batch.has_success() and batch.status()["pending"] == 0
        cli.wait_until(lambda: batch.hiwari("reconcile", batch.name, code=None).returncode == 0,
                       "the dead reconcile's lock runs out", 90)
        assert batch.status()["pending"] == 1
        batch.finish()
        batch.check()
        unchanged(batch, there)


def test_what_fsck_cannot_repair_reconcile_brings_back():
    with hiwari.football() as batch:
        def names(*places):
            return [f"hiwari:{{{batch.name}}}:{place}" for place in places]

        def repair(*words):
            said = batch.hiwari("fsck", batch.name, "--repair", code=1)
            cli.says(said.stdout + said.stderr, "reconcile", f"hiwari reconcile {batch.name}", *words)

        records, pending, done = names("records", "pending", "done")
        batch.enqueue()
        batch.redis_cli("HDEL", records, "2014-08-16")
        batch.redis_cli("ZREM", pending, "2014-08-16")
        repair("counts 547 keys, but has 546 key records")
        cli.says(batch.hiwari("reconcile", batch.name).stdout, "2014-08-16", "lost")
        batch.finish()
        batch.check()
        batch.redis_cli("HSET", records, "2014-08-16", "rubbish")
        batch.redis_cli("SREM", done, "2014-08-16")
        repair("cannot be read", "the batch is settled")
        assert batch.has_success() and batch.status()["state"] == "settled" and batch.status()["pending"] == 0
        batch.hiwari("reconcile", batch.name)
        assert not batch.has_success()
        batch.finish()
        batch.check()


def lock_of_reconcile(batch):
    """Who has it, and until when in the server's milliseconds."""
    holder, _, deadline = batch.redis_cli("HGET", f"hiwari:{{{batch.name}}}:locks", "reconcile").strip().rpartition("|")
    return holder, int(deadline or 0)


@contextlib.contextmanager
def slow_reconcile(batch, ms):
    """One that takes its time between what it reads first and what it reads next; (process, its lock)."""
    process = subprocess.Popen([cli.HIWARI, "reconcile", batch.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env={**os.environ, "HIWARI_REDIS": batch.redis,
                                               "HIWARI_FAULT": f"slow:reconcile-read:{ms}"})
    try:
        cli.wait_until(lambda: lock_of_reconcile(batch)[0], "it has its lock")
        yield process, lock_of_reconcile(batch)
    finally:
        process.kill()
        process.wait()


def test_a_reconcile_that_takes_long_keeps_others_away():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--limit", 3)
        batch.finish()
        with slow_reconcile(batch, 14000) as (slow, (holder, deadline)):
            cli.wait_until(lambda: lock_of_reconcile(batch)[1] > deadline or slow.poll() is not None,
                           "it renews its lock, which runs out after half a minute", 25)
            assert lock_of_reconcile(batch)[0] == holder, slow.stdout.read()
            cli.says(batch.hiwari("reconcile", batch.name, code=75).stderr, "another reconcile", "is running")
            assert slow.wait(60) == 0, slow.stdout.read()
        batch.hiwari("reconcile", batch.name)  # the lock was given back


def test_a_reconcile_that_lost_its_lock_stops_before_it_changes_anything():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--limit", 3)
        batch.finish()
        lost = batch.dest / f"{cli.results(batch.dest)[1]}.zip"
        lost.unlink()
        with slow_reconcile(batch, 14000) as (slow, (_, deadline)):
            batch.redis_cli("HSET", f"hiwari:{{{batch.name}}}:locks", "reconcile", f"another|{deadline + 600000}")
            assert slow.wait(60) == 75, slow.stdout.read()
            cli.says(slow.stdout.read(), "lost its lock", "try again")
        assert batch.has_success() and batch.status()["state"] == "settled"


def test_reconcile_says_what_it_would_do_and_then_does_it():
    with hiwari.football() as batch:
        batch.enqueue()
        batch.finish()
        batch.dest.joinpath("2014-08-16.zip").unlink()
        would = batch.hiwari("reconcile", batch.name, "--dry-run", "--json")
        cli.says(would.stdout, "2014-08-16", "not in the destination")
        assert batch.has_success() and batch.status()["state"] == "settled"
        batch.hiwari("reconcile", batch.name)
        assert not batch.has_success() and batch.status()["pending"] == 1
        batch.finish()
        batch.check()
        batch.hiwari("reconcile", batch.name)  # and once more, with nothing to do
        batch.check()


def test_success_that_was_lost_is_written_again():
    with hiwari.football() as batch:
        batch.enqueue()
        batch.finish()
        batch.dest.joinpath("_SUCCESS").unlink()
        batch.hiwari("reconcile", batch.name)
        batch.finish()
        batch.check()


def test_a_key_that_finds_another_result_fails_and_waits_for_retry():
    with hiwari.football() as batch:
        batch.enqueue()
        intruder = batch.dest / "2014-08-16.zip"
        intruder.write_bytes(b"not a zip")
        batch.finish()
        status = batch.status()
        assert (status["state"], status["failed"], status["attempts"]) == ("settled", 1, 1), status
        cli.says(status["failures"][0]["error"], "another result is there", "--replace-stale")
        assert not batch.has_success()
        failed = [line for line in batch.manifest() if line.get("state") == "failed"]
        assert [line["key"] for line in failed] == ["2014-08-16"] and failed[0]["class"] == "input"
        assert intruder.read_bytes() == b"not a zip"
        cli.says(batch.hiwari("status", batch.name, code=1).stderr, f"hiwari retry {batch.name} --all")
        again = batch.hiwari("retry", batch.name, "2014-08-16")
        cli.says(again.stdout, "1 failed key waits again")
        cli.says(again.stderr, "no worker is alive", f"hiwari-worker --batch {batch.name}")
        intruder.unlink()
        batch.finish()
        batch.check()
        assert batch.manifest()[0]["epoch"] == 2


def test_a_destination_that_cannot_be_written_ends_the_worker_with_73_and_loses_nothing():
    with hiwari.football() as batch:
        batch.enqueue()
        limit = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); os.execv(sys.argv[1], sys.argv[1:])"
        full = subprocess.run([sys.executable, "-c", limit, cli.WORKER, "--batch", batch.name, "--snapshot", batch.snapshot],
                              env={**os.environ, "HIWARI_REDIS": batch.redis}, stderr=subprocess.PIPE, text=True)
        assert full.returncode == 73, full
        cli.says(full.stderr, "cannot write", "make room")
        status = batch.status()
        assert (status["failed"], status["attempts"], status["leased"]) == (0, 0, 0), status
        assert cli.results(batch.dest) == []
        batch.finish()
        batch.check()


def test_results_hold_what_they_say():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 3, "--format", "npz")
        batch.finish()
        keys = cli.results(batch.dest)
        assert len(keys) == 3
        made = json.loads((batch.dest / "_batch.json").read_text())
        assert made["keys"]["list"] == keys and made["format"] == "npz"
        for key in keys:
            comment = json.loads(zipfile.ZipFile(batch.dest / f"{key}.zip").comment)
            assert comment["key"] == key and comment["spec"] == made["spec_sha256"]
            assert [m["name"] for m in comment["members"]][0] == "match_date.npy"


if __name__ == "__main__":
    tap.main()
