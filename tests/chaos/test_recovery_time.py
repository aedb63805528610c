#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""How soon a key is leased elsewhere after its worker was told to go or was killed, and how soon leasing goes on after
Redis was away. The times are printed; what is asserted would only be broken by something that hangs.

The other worker is idle when it happens, so what is measured holds the time until it looks again. Moments of leasing
are Redis' own, from the keys' records; moments of signals are by the same machine's clock.
"""
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import cli
import hiwari
import tap
import world

TIMES = 3
HANGS_S = 20
QUICK_KEYS = 100  # before the first key that takes long


def now_ms():
    return time.time() * 1000


def records(w):
    """key -> (state, worker's number, when its last lease began in ms); prelude.lua tells the fields."""
    lines = w.redis_cli("HGETALL", "hiwari:{fb}:records").splitlines()
    fields = {key: record.split("|") for key, record in zip(lines[::2], lines[1::2])}
    return {key: (f[0], f[6], int(f[7])) for key, f in fields.items() if len(f) > 7}


def leased_again(w, keys, by):
    """When the last of the keys was leased to another worker than that, or None."""
    found = records(w)
    mine = [found[key] for key in keys]
    return None if any(number == by for _, number, _ in mine) else max(began for _, _, began in mine)


def tell(what, taken_ms):
    print(f"# {what}: median {statistics.median(taken_ms) / 1000:.2f} s, most {max(taken_ms) / 1000:.2f} s "
          f"({len(taken_ms)} times)")


def keys_come_back(w, lease_s, end):
    """One worker holds keys and will not finish them, one is idle; end(worker) makes the first go. ms until all those
    keys are leased by the other, except what the first still finishes. Before the first gives back by itself what
    waits behind its long key."""
    w.enqueue("--limit", QUICK_KEYS + 20, lease_s=lease_s)
    holder = w.worker(fault=f"slow:computing:{1000 * HANGS_S}:{QUICK_KEYS}")
    w.wait_for_results(QUICK_KEYS)
    w.wait_for_keys_ahead()
    w.worker()
    cli.wait_until(lambda: w.status()["pending"] == 0, "the other is idle")
    held = {key: number for key, (state, number, _) in records(w).items() if state == "l"}
    if len(held) < 2 or len(set(held.values())) != 1:
        raise tap.Again("the machine was busy, and the holder has given its keys back already")
    began = now_ms()
    keys = end(w, holder, sorted(held))
    cli.wait_until(lambda: leased_again(w, keys, held[keys[0]]), "the keys are leased elsewhere", lease_s + HANGS_S)
    return leased_again(w, keys, held[keys[0]]) - began


def need_faults():
    if not hiwari.has_faults():
        raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")


def measure(lease_s, end):
    need_faults()
    taken = []
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        for _ in range(TIMES):
            with world.football(snapshot) as w:
                taken.append(keys_come_back(w, lease_s, end))
    return taken


def test_keys_of_a_worker_that_gets_sigterm_are_leased_elsewhere():
    def drain(w, holder, held):
        w.drain(holder)
        return held[1:]  # the first is being computed: the worker keeps it as long as the grace time lets it
    tell("SIGTERM to key leased elsewhere", measure(600, drain))


def test_keys_of_a_killed_worker_are_leased_elsewhere():
    def kill(w, holder, held):
        w.kill(holder)
        return held
    taken = measure(world.LEASE_S, kill)
    tell(f"kill -9 to key leased elsewhere, with a lease of {world.LEASE_S} s", taken)


def test_leasing_goes_on_after_redis_was_away():
    need_faults()
    taken = []
    with cli.scratch() as tmp:
        with world.football(cli.football_snapshot(tmp)) as w:
            w.enqueue()
            w.crew(2, lambda n: "slow:computing:30")
            for n in range(TIMES):
                w.wait_for_results(40 * (n + 1))
                w.servers.restart(away_s=1 + n, pause=w.pause)
                began = w.servers.server.started_ms
                cli.wait_until(lambda: max(b for _, _, b in records(w).values()) >= began, "a key is leased")
                taken.append(min(b for _, _, b in records(w).values() if b >= began) - began)
            w.calm()
            w.check()
    tell(f"Redis restart to first new lease, Redis away for 1 to {TIMES} s", taken)


if __name__ == "__main__":
    tap.main()
