# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""faults.py - what can go wrong, one function for each kind.

    draw(rng)        a list of faults with the pauses before them; the same rng state gives the same list
    fault.strike(w)  let it happen to a world

Everything that is random about a fault is drawn before anything happens, so that a seed names the faults and their
order. Which key is hit by them still depends on the moment.
"""
import world as worlds

DECK = {}  # kind -> (how often it is in one deck, words, draws its numbers, strikes)


def kind(times, words, **numbers):
    """Each number is a range (from, to) to draw from."""
    def known(strike):
        DECK[strike.__name__] = (times, words, numbers, strike)
        return strike
    return known


def victim(w, pick):
    alive = w.alive()
    return alive[int(pick * len(alive))] if alive else None


# ---- workers ----

@kind(3, "kill -9 of a worker", pick=(0, 1))
def kill(w, pick):
    if victim(w, pick):
        w.kill(victim(w, pick))


@kind(3, "SIGSTOP of a worker, SIGCONT later", pick=(0, 1), seconds=(0.2, 2.2 * worlds.LEASE_S))
def stop(w, pick, seconds):
    if victim(w, pick):
        w.stop(victim(w, pick), seconds)


@kind(2, "SIGTERM to a worker", pick=(0, 1))
def drain(w, pick):
    if victim(w, pick):
        w.drain(victim(w, pick))


@kind(1, "all cores busy", seconds=(1, 2.5))
def busy(w, seconds):
    burning = [worlds.busy(seconds) for _ in range(3)]
    for process in burning:
        w.later(seconds, process.wait)


# ---- the line to Redis ----

@kind(2, "all connections to Redis cut")
def cut(w):
    w.servers.wire.cut_all()


@kind(3, "a connection to Redis cut at some byte of a request", n=(0, 4000))
def cut_request(w, n):
    w.servers.wire.cut_after("to_server", int(n))
    w.pause(0.3)


@kind(3, "a connection to Redis cut at some byte of an answer", n=(0, 1500))
def cut_answer(w, n):
    w.servers.wire.cut_after("to_client", int(n))
    w.pause(0.3)


@kind(1, "delays on the line to Redis", delay=(0.005, 0.1), seconds=(0.5, 2))
def delay(w, delay, seconds):
    w.servers.wire.delay(delay)
    w.later(seconds, lambda: w.servers.wire.delay(0))


@kind(1, "no byte passes to or from Redis, longer than a lease", seconds=(0.5, 1.8 * worlds.LEASE_S))
def silence(w, seconds):
    w.servers.wire.blackhole(True)
    w.later(seconds, lambda: w.servers.wire.blackhole(False))
    w.pause(seconds + 0.1)


# ---- Redis itself ----

@kind(1, "Redis killed, and started with its AOF", away_s=(0, 1.5))
def restart(w, away_s):
    w.servers.restart(away_s, w.pause)


@kind(1, "Redis started from a copy of its AOF that is seconds old", age_s=(0.5, 2.5))
def set_back(w, age_s):
    w.servers.copy_file()
    w.pause(age_s)
    w.servers.restart_from_copy()
    w.reconcile()


@kind(1, "a replica promoted that had been cut off", age_s=(0.5, 2.5))
def promote(w, age_s):
    w.servers.replicate()
    w.servers.cut_off_replica()
    w.pause(age_s)
    w.servers.promote()
    w.reconcile()


@kind(1, "FLUSHALL, and reconcile", after_s=(0, 1))
def flush(w, after_s):
    w.redis_cli("FLUSHALL")
    w.pause(after_s)
    w.reconcile()


# ---- drawing ----

class Fault:
    def __init__(self, name, numbers, pause_s):
        self.name, self.numbers, self.pause_s = name, numbers, pause_s
        self.words, self._strike = DECK[name][1], DECK[name][3]

    def strike(self, w):
        self._strike(w, **self.numbers)

    def __str__(self):
        numbers = " ".join(f"{name}={value:.3g}" for name, value in self.numbers.items())
        return f"{self.pause_s:.2f} s later {self.name} {numbers}".rstrip()


def draw(rng):
    """One deck, shuffled."""
    names = [name for name, (times, *_) in DECK.items() for _ in range(times)]
    rng.shuffle(names)
    return [Fault(name, {n: rng.uniform(*limits) for n, limits in DECK[name][2].items()}, rng.uniform(0, 0.5))
            for name in names]
