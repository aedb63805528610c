#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari show, compared with what Redis keeps of a key and with what workers really did."""
import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

KEY = "2017-05-28"
SLACK_MS = 50  # one process' clock is read to the millisecond, another's rounded


def needs_faults():
    if not hiwari.has_faults():
        raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")


def now_ms():
    return int(time.time() * 1000)


def enqueue_key(batch, *more):
    """A batch of one key."""
    keys = batch.tmp / "keys"
    keys.write_text(KEY + "\n")
    os.environ.update(NODE_NAME="node-7", TZ="UTC")
    batch.enqueue("--keys", keys, *more)


def redis_time(batch, place):
    """When the key is due there by Redis; 0: it is elsewhere."""
    return int(batch.redis_cli("ZSCORE", f"hiwari:{{{batch.name}}}:{place}", KEY).strip() or 0)


def token(batch):
    return batch.redis_cli("HGET", f"hiwari:{{{batch.name}}}:records", KEY).split("|")[4]


def show(batch):
    return json.loads(batch.hiwari("show", batch.name, KEY, "--json").stdout)


def moment(wall_ms):
    """As show prints it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(wall_ms // 1000))


def worker_id(worker):
    return worker.said("worker begins")[0]["worker"]


def is_lease(lease, worker, its_token, why, begun, ended):
    """begun and ended: between which two times; ended None: it is held."""
    assert (lease["worker"], lease["node"], lease["token"], lease["why"]) == \
        (worker_id(worker), "node-7", its_token, why), lease
    assert begun[0] - SLACK_MS <= lease["start_ms"] <= begun[1] + SLACK_MS, (lease, begun)
    if ended:
        assert ended[0] - SLACK_MS <= lease["end_ms"] <= ended[1] + SLACK_MS, (lease, ended)
    else:
        assert lease["end_ms"] == 0, lease


def table_has(text, lease):
    """The row of this lease."""
    row, = [line for line in text.splitlines() if lease["token"] in line]
    cli.says(row, lease["worker"], lease["node"], moment(lease["start_ms"]), lease["why"] or "held",
             moment(lease["end_ms"]) if lease["end_ms"] else "held")


def test_a_held_key_tells_its_deadline_and_its_lease_and_later_how_that_ended():
    needs_faults()
    with hiwari.football() as batch:
        enqueue_key(batch, "--lease-seconds", 2)
        begin = now_ms()
        held = batch.worker(fault="slow:computing:600000")
        cli.wait_until(lambda: batch.status()["leased"], "the key is leased")
        leased, first = now_ms(), token(batch)
        held.signal(signal.SIGSTOP)  # it renews no more, and the deadline stands
        time.sleep(0.1)
        shown, text = show(batch), batch.hiwari("show", batch.name, KEY).stdout
        due = redis_time(batch, "leased")
        assert shown["state"] == "leased" and shown["due_at_ms"] == due > begin, (shown, due)
        assert 0 <= shown["due_ms"] <= 2000, shown
        is_lease(shown["leases"][0], held, first, None, (begin, leased), None)
        cli.says(text, f"leased until {moment(due)}\n", "TOKEN")
        table_has(text, shown["leases"][0])
        held.kill()
        batch.finish()
        shown, text = show(batch), batch.hiwari("show", batch.name, KEY).stdout
        assert shown["state"] == "done" and "due_at_ms" not in shown and "until" not in text, (shown, text)
        lost, done = shown["leases"]
        is_lease(lost, held, first, "interrupted" if shown["interruptions"] else "expired", (begin, leased),
                 (due, now_ms()))
        is_lease(done, batch.workers[-1], token(batch), "done", (lost["end_ms"], now_ms()), (lost["end_ms"], now_ms()))
        assert done["token"] != lost["token"]
        table_has(text, lost)
        table_has(text, done)


def test_a_delayed_key_tells_when_it_is_tried_again_and_why():
    needs_faults()
    with hiwari.football() as batch:
        enqueue_key(batch, "--key-seconds", 1)
        begin = now_ms()
        worker = batch.worker(fault="slow:computing:600000")
        worker.wait(70)  # and nobody is there to try it again
        end = now_ms()
        shown, text, due = show(batch), batch.hiwari("show", batch.name, KEY).stdout, redis_time(batch, "delayed")
        assert shown["state"] == "delayed" and shown["due_at_ms"] == due > begin, (shown, due)
        assert (shown["attempts"], shown["class"]) == (1, "timeout"), shown
        lease, = shown["leases"]
        is_lease(lease, worker, token(batch), "timeout", (begin, end), (begin + 1000, end))
        assert lease["end_ms"] < due <= lease["end_ms"] + 1000, (lease, due)  # the first wait is a second at most
        cli.says(text, f"tried again at {moment(due)}\n", "last failure (timeout)")
        table_has(text, lease)


if __name__ == "__main__":
    tap.main()
