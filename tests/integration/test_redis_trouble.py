#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Redis dies, forgets, fills up or is out of reach while workers work: they wait, go on, and no key is lost or doubled.

The two long absences run beside the other tests, which begin while they wait.
"""
import contextlib
import pathlib
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import proxy
import redis_rig
import tap

AWAY_S = 62


def needs_faults():
    if not hiwari.has_faults():
        raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")


@contextlib.contextmanager
def aof_server(*settings):
    with cli.scratch() as tmp, redis_rig.Server(tmp, "--appendonly", "yes", *settings) as server:
        yield server


@contextlib.contextmanager
def working_batch(url, results=100, slow_ms=5):
    """A batch and its worker, in their midst."""
    needs_faults()
    with hiwari.football(url) as batch:
        batch.enqueue("--lease-seconds", 2)
        worker = batch.worker(fault=f"slow:computing:{slow_ms}")
        batch.wait_for_results(results)
        assert not batch.has_success()
        yield batch, worker


def unchanged(batch, there):
    now = batch.written()
    assert all(now[key] == when for key, when in there.items()), "a result was written again"


# ---- a minute without Redis ----

def away_killed(report):
    """Redis is dead for a minute, and comes back with its append-only file."""
    with aof_server() as server, proxy.Proxy(server.socket) as wire:
        with working_batch(wire.url) as (batch, worker):
            server.kill()
            tried = wire.accepted
            report.wait()
            there = batch.written()
            report.connections = wire.accepted - tried
            server.start()
            worker.wait(0)
            batch.check()
            unchanged(batch, there)
            report.status = batch.status()


def away_swallowed(report):
    """The network swallows everything for a minute; then it delivers all that was sent meanwhile, long given up."""
    with aof_server() as server, proxy.Proxy(server.socket) as wire:
        with working_batch(wire.url) as (batch, worker):
            batch.redis = server.url
            tried = wire.accepted
            wire.blackhole(True)
            report.wait()
            there = batch.written()
            report.connections = wire.accepted - tried
            wire.blackhole(False)
            worker.wait(0)
            batch.check()
            unchanged(batch, there)
            report.status = batch.status()


class Absence:
    """One of the functions above, in a thread of its own."""

    def __init__(self, function):
        self.error = None
        self.connections, self.status, self.away_s = 0, {}, 0
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def _run(self):
        try:
            self._function(self)
        except tap.Skip as skip:
            self.error = skip
        except BaseException:
            self.error = AssertionError(traceback.format_exc())

    def wait(self):
        begun = time.monotonic()
        time.sleep(AWAY_S)
        self.away_s = time.monotonic() - begun

    def survived(self):
        self._thread.join(300)
        assert not self._thread.is_alive(), "the worker does not come to an end"
        if self.error:
            raise self.error
        assert self.away_s > 60
        assert self.status["attempts"] == 0, self.status
        # Two threads of the worker try, each at least half a second apart after the first second.
        print(f"# {self.connections} attempts to connect in {self.away_s:.0f} s")
        assert 5 < self.connections < 6 * AWAY_S, self.connections


# ---- tests ----

def test_a_redis_killed_again_and_again_comes_back_with_its_keys():
    with aof_server() as server, working_batch(server.url, results=50) as (batch, worker):
        for n in (50, 150, 250):
            batch.wait_for_results(n)
            server.kill()
            server.start()
        there = batch.written()
        worker.wait(0)
        batch.check()
        unchanged(batch, there)
        assert batch.status()["attempts"] == 0


def test_scripts_that_redis_forgets_are_told_again():
    with aof_server() as server, working_batch(server.url, results=20) as (batch, worker):
        for n in range(20, 320, 60):
            batch.wait_for_results(n)
            server.cli("SCRIPT", "FLUSH")
        worker.wait(0)
        batch.check()
        status = batch.status()
        assert (status["attempts"], status["interruptions"]) == (0, 0), status


def test_workers_go_on_with_a_promoted_replica():
    port, = redis_rig.free_ports(1)
    with contextlib.ExitStack() as stack:
        tmp = stack.enter_context(cli.scratch())
        master = stack.enter_context(redis_rig.Server(tmp / "a", "--appendonly", "yes", port=port))
        replica = stack.enter_context(redis_rig.Server(tmp / "b", "--appendonly", "yes", "--replicaof", "127.0.0.1", port))
        cli.wait_until(lambda: replica.info("master_link_status") == "up", "the replica has everything")
        wire = stack.enter_context(proxy.Proxy(master.socket))
        with working_batch(wire.url) as (batch, worker):
            wire.target = replica.socket  # the name leads there, and there is no master yet
            wire.cut_all()
            cli.wait_until(lambda: worker.said("Redis does not answer"), "the worker sees that it must wait")
            cli.says(worker.text(), "READONLY")
            there = batch.written()
            master.kill()
            replica.cli("REPLICAOF", "NO", "ONE")
            worker.wait(0)
            batch.check()
            unchanged(batch, there)


def used_memory(server):
    return int(server.info("used_memory"))


def test_a_full_redis_finishes_what_it_has_and_takes_more_when_there_is_room():
    with aof_server() as server, working_batch(server.url) as (batch, worker):
        server.cli("CONFIG", "SET", "maxmemory", used_memory(server))
        worker.wait(0)  # keys that are there already can be finished, and the batch be settled
        batch.check()
        first, batch.name, batch.dest = batch.name, "next", batch.tmp / "next"
        server.cli("CONFIG", "SET", "maxmemory", used_memory(server) + 10000)
        cli.says(batch.enqueue(code=75).stderr, "is full", "maxmemory", "purge")
        waiting = batch.worker()
        cli.says(batch.enqueue(code=75).stderr, "is full")
        assert waiting.process.poll() is None and not batch.has_success()
        batch.hiwari("purge", first)  # makes room
        server.cli("CONFIG", "SET", "maxmemory", used_memory(server) + 4000000)
        batch.enqueue()
        waiting.wait(0)
        batch.check()


def test_a_full_redis_can_be_paused_and_cancelled():
    with aof_server() as server, hiwari.football(server.url) as batch:
        batch.enqueue()
        server.cli("CONFIG", "SET", "maxmemory", 1)
        for verb in ("pause", "resume", "cancel"):
            batch.hiwari(verb, batch.name)
        assert batch.status()["state"] == "cancelled"


def test_durable_is_kept_when_a_batch_is_rebuilt():
    with aof_server() as server, hiwari.football(server.url) as batch:
        cli.says(batch.enqueue("--durable").stderr, "durable: ")
        server.cli("FLUSHALL")
        said = batch.hiwari("reconcile", batch.name, "--dest", f"file://{batch.dest}").stderr
        on_disk = "on the disk of Redis" if redis_rig.version() >= (7, 2) else "cannot say what is on its disk"
        cli.says(said, "durable: ", on_disk)
        assert batch.status()["pending"] == hiwari.KEYS


def test_a_connection_that_is_slow_is_not_a_lost_one():
    with aof_server() as server, proxy.Proxy(server.socket) as wire, hiwari.football(wire.url) as batch:
        wire.delay(0.05)
        batch.enqueue("--limit", 40)
        batch.finish()
        status = batch.status()
        assert (status["state"], status["done"], status["interruptions"]) == ("settled", 40, 0), status
        assert wire.accepted < 30, wire.accepted


def test_a_worker_outlives_a_minute_in_which_redis_is_dead():
    KILLED.survived()


def test_a_worker_outlives_a_minute_in_which_the_network_swallows_everything():
    SWALLOWED.survived()


if __name__ == "__main__":
    KILLED, SWALLOWED = Absence(away_killed).start(), Absence(away_swallowed).start()
    tap.main()
