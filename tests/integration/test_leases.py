#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Workers are killed, stopped and drained; no key is lost, none is replaced, none pays for it with an attempt."""
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

LEASE_S = 2


def needs_faults():
    if not hiwari.has_faults():
        raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")


def test_eight_workers_killed_at_random_moments_lose_nothing():
    needs_faults()
    seed = random.randrange(2**32)
    print(f"# seed {seed}")
    moments = random.Random(seed)
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", LEASE_S)
        for _ in range(8):
            there = len(cli.results(batch.dest))
            worker = batch.worker(fault="slow:computing:20")
            batch.wait_for_results(there + 1)
            time.sleep(moments.uniform(0, 0.3))
            worker.kill()
            assert not batch.has_success()
        batch.finish()
        batch.check()
        status = batch.status()
        assert status["interruptions"] >= 4, status  # each was killed while it computed, most had told so
        assert status["attempts"] == 0, status


def test_two_workers_at_once_are_killed_and_the_third_settles():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", LEASE_S)
        first, second = batch.worker(fault="kill:after-put:40"), batch.worker(fault="kill:before-put:60")
        first.wait(-signal.SIGKILL)
        second.wait(-signal.SIGKILL)
        there = batch.written()
        batch.finish()
        batch.check()
        assert [w["leased"] for w in batch.status()["workers"]] in ([0, 0], [0, 0, 0]), batch.status()
        kept = batch.written()
        assert all(kept[key] == when for key, when in there.items()), "a result was replaced"


def test_an_enqueue_killed_anywhere_settles_only_when_it_was_run_again():
    needs_faults()
    for point in ("enqueue-unsuccess", "enqueue-announced", "fill-begun", "fill-step", "fill-added"):
        with hiwari.football() as batch:
            batch.enqueue(fault=f"kill:{point}", code=-signal.SIGKILL)
            in_redis = point.startswith("fill")
            worker = batch.worker()
            if point in ("fill-step", "fill-added"):
                batch.wait_for_results(500)
                assert batch.status()["state"] == "filling"
            time.sleep(0.5)
            assert worker.process.poll() is None and not batch.has_success(), point
            said = batch.enqueue().stdout
            cli.says(said, "547 keys")
            if in_redis:
                cli.says(said, {"fill-begun": "547 added", "fill-step": "47 added", "fill-added": " 0 added"}[point])
            worker.wait(0)
            batch.check()
            cli.says(batch.enqueue().stdout, " 0 added", "547 there already")


def test_an_interrupted_enqueue_refuses_to_be_continued_as_another_one():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue(fault="kill:fill-step", code=-signal.SIGKILL)
        cli.says(batch.enqueue("--to", "2014-01-01", code=75).stderr, "another set of keys", "purge")


def test_a_worker_stopped_before_its_upload_replaces_nothing_and_its_done_is_stale():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", LEASE_S)
        stopped = batch.worker(fault="stop:before-put:30")
        cli.wait_until(stopped.is_stopped, "the worker stops")
        hiwari.lease_times(3, LEASE_S)
        batch.finish()
        there, manifest = batch.written(), batch.manifest()
        stopped.signal(signal.SIGCONT)
        stopped.wait(0)
        assert stopped.said("came too late") or stopped.said("was lost"), stopped.text()
        assert [e for e in stopped.log() if "STALE" in (e.get("answer"), e.get("why"))], stopped.text()
        assert batch.written() == there and batch.manifest() == manifest
        batch.check()


def test_a_worker_stopped_while_it_computes_drops_its_keys():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", LEASE_S)
        stopped = batch.worker(fault="slow:computing:20")
        batch.wait_for_results(5)
        stopped.signal(signal.SIGSTOP)
        hiwari.lease_times(3, LEASE_S)
        batch.finish()
        there = batch.written()
        stopped.signal(signal.SIGCONT)
        stopped.wait(0)
        assert stopped.said("a lease was lost"), stopped.text()
        assert batch.written() == there
        batch.check()


def leased_by(batch, n):
    """How many keys each of the first n workers holds."""
    leased = {w["id"]: w["leased"] for w in batch.status()["workers"]}
    return [leased.get(batch.workers[i].said("worker begins")[0]["worker"], 0) for i in range(n)]


def test_on_sigterm_what_was_not_begun_is_leased_elsewhere_and_what_was_begun_is_done():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue()  # a lease of 30 s: nothing comes back by itself
        drained = batch.worker("--grace", 60, fault="slow:computing:10000:100")
        batch.wait_for_results(100)
        batch.wait_for_keys_ahead()
        drained.signal(signal.SIGTERM)
        other = batch.worker()
        cli.wait_until(lambda: leased_by(batch, 1)[0] <= 1, "all but the started one are given back")
        assert drained.process.poll() is None, "it ended before it gave them back"
        drained.wait(143)
        other.wait(0)
        batch.check()
        status = batch.status()
        assert (status["attempts"], status["interruptions"]) == (0, 0), status


def test_at_the_end_of_the_grace_time_a_started_key_is_released():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue()
        drained = batch.worker("--grace", 2, fault="slow:computing:60000:10")
        batch.wait_for_results(10)
        cli.wait_until(lambda: batch.status()["done"] == 10, "ten are told")
        cli.wait_until(lambda: batch.status()["leased"] > 0, "the next is leased")
        began = time.monotonic()
        drained.signal(signal.SIGTERM)
        drained.wait(143)
        assert 1 < time.monotonic() - began < 40
        status = batch.status()
        assert (status["leased"], status["attempts"], status["interruptions"]) == (0, 0, 1), status
        batch.finish()
        batch.check()


def test_a_lingering_worker_leaves_while_another_holds_a_key():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--limit", 20)  # a lease of 30 s: the stopped worker keeps what it holds
        holder = batch.worker("--lease-keys", 1, fault="stop:before-put:3")
        cli.wait_until(holder.is_stopped, "the worker stops")
        lingering = batch.worker("--linger", 1)
        lingering.wait(0, seconds=20)
        assert lingering.said("--linger"), lingering.text()
        status = batch.status()
        assert status["state"] == "running" and status["leased"] > 0 and status["pending"] == 0, status
        holder.signal(signal.SIGCONT)
        holder.wait(0)
        assert batch.status()["state"] == "settled" and batch.has_success()


def test_workers_of_a_cancelled_batch_drop_their_keys_and_end_with_75():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", LEASE_S)
        worker = batch.worker(fault="slow:computing:50")
        batch.wait_for_results(3)
        batch.hiwari("cancel", batch.name)
        worker.wait(75)
        there = cli.results(batch.dest)
        assert 3 <= len(there) < hiwari.KEYS and not batch.has_success(), len(there)
        assert batch.status()["state"] == "cancelled"


def test_a_key_past_its_time_fails_and_its_worker_ends_with_70():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--key-seconds", 1, "--max-attempts", 1)
        batch.worker(fault="slow:computing:60000:10").wait(70)
        status = batch.status()
        assert (status["failed"], status["leased"], status["attempts"]) == (1, 0, 1), status
        assert status["failures"][0]["class"] == "timeout"
        batch.finish()
        assert not batch.has_success() and batch.manifest()[0]["failed"] == 1
        assert batch.status()["state"] == "settled"
        cli.says(batch.hiwari("retry", batch.name, "--all").stdout + "", "1")
        batch.finish()
        batch.check()


def test_keys_behind_a_long_one_are_leased_elsewhere():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--limit", 60, "--lease-seconds", 10, "--key-seconds", 600)
        held_up = batch.worker(fault="slow:computing:600000:40")
        batch.wait_for_results(40)
        batch.wait_for_keys_ahead()
        other = batch.worker()
        cli.wait_until(lambda: batch.status()["done"] == 59, "all others are done elsewhere")
        assert held_up.process.poll() is None and leased_by(batch, 1) == [1]
        held_up.kill()
        other.wait(0)
        assert batch.status()["interruptions"] == 1


def test_a_cancelled_batch_is_left_though_the_first_key_takes_long():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", 2)
        worker = batch.worker(fault="slow:computing:600000")
        cli.wait_until(lambda: batch.status()["leased"] > 0, "a key is leased")
        batch.hiwari("cancel", batch.name)
        worker.wait(75)


def test_a_worker_at_a_key_that_it_has_lost_leaves_when_the_batch_is_settled():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--limit", 20, "--lease-seconds", 1)
        held_up = batch.worker(fault="slow:computing:600000:5")
        batch.wait_for_results(5)
        cli.wait_until(lambda: batch.status()["leased"] > 0, "the next is leased")
        held_up.signal(signal.SIGSTOP)
        batch.finish()
        held_up.signal(signal.SIGCONT)
        held_up.wait(0)
        assert held_up.said("a lease was lost"), held_up.text()
        assert batch.status()["state"] == "settled" and batch.has_success()


def test_the_time_limit_holds_for_a_key_whose_lease_is_lost():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", 1, "--key-seconds", 8)
        held_up = batch.worker(fault="slow:computing:600000:5")
        batch.wait_for_results(5)
        cli.wait_until(lambda: batch.status()["leased"] > 0, "the next is leased")
        batch.hiwari("pause", batch.name)
        held_up.signal(signal.SIGSTOP)
        hiwari.lease_times(3, 1)
        held_up.signal(signal.SIGCONT)
        held_up.wait(70)
        assert held_up.said("a lease was lost"), held_up.text()


def test_a_key_that_kills_its_worker_at_once_is_charged_and_fails():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--limit", 1, "--lease-seconds", 1, "--max-interruptions", 2)
        for _ in range(3):  # each before it could say that it has begun
            batch.worker(fault="kill:computing").wait(-signal.SIGKILL)
            hiwari.lease_times(1.1, 1)
        batch.finish()
        status = batch.status()
        assert (status["done"], status["failed"], status["interruptions"]) == (0, 1, 3), status
        assert status["failures"][0]["class"] == "interrupted"


def test_redis_gone_for_some_seconds_loses_nothing():
    needs_faults()
    with hiwari.football() as batch:
        batch.enqueue("--lease-seconds", LEASE_S)
        worker = batch.worker(fault="slow:computing:10")
        batch.wait_for_results(20)
        batch.redis_cli("CLIENT", "KILL", "TYPE", "normal")
        batch.wait_for_results(60)
        batch.redis_cli("CLIENT", "PAUSE", 4000)
        worker.wait(0)
        batch.check()


if __name__ == "__main__":
    tap.main()
