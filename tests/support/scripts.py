# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""scripts.py - the queue's Lua scripts as they are, or with one thing taken out, on a Redis of one's own.

    with scripts.batch({"renew.lua": [("if #leased > 0 then", "if false then")]}) as batch:
        key, token = batch.lease("w1")
"""
import contextlib
import socket
import sys

import cli

QUEUE = cli.ROOT / "lib" / "queue"
sys.path.insert(0, str(QUEUE))
import embed

NAMES = ("batch json records pending delayed leased done failed errors history workers seen names rate locks").split()


def patched(name, patches):
    text = (QUEUE / name).read_text()
    for old, new in (patches or {}).get(name, []):
        if text.count(old) != 1:
            raise ValueError(f"{name} has {text.count(old)} times: {old}")
        text = text.replace(old, new)
    return text


class Redis:
    """A connection that speaks the protocol, no more."""

    def __init__(self, url):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(url.removeprefix("unix://"))
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        data = [str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(d), d) for d in data))
        return self._read()

    def _read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RuntimeError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        return rest

    def close(self):
        self.file.close()
        self.socket.close()


class Batch:
    """Batch b, incarnation inc-1 unless told otherwise."""

    def __init__(self, redis, patches):
        self.redis, self.patches, self.calls = redis, patches, 0
        self.keys = {name: f"hiwari:{{b}}:{name}" for name in NAMES}

    def call(self, script, *args, incarnation="inc-1"):
        known = list(embed.definitions(patched("prelude.lua", self.patches)))
        text = embed.with_definitions(known, patched(f"{script}.lua", self.patches))
        return self.redis("EVAL", text, len(NAMES), *self.keys.values(), incarnation, *args)

    def begin(self, incarnation="inc-1", lease_ms=60000, **settings):
        settings = {"lease_ms": lease_ms, "max_attempts": 3, "max_interruptions": 3, **settings}
        fields = [word for pair in settings.items() for word in pair]
        return self.call("begin", "{}", *fields, incarnation=incarnation)

    def fill(self, keys, **settings):
        """A sealed batch of these keys."""
        self.begin(**settings)
        for at in range(0, len(keys), 100):
            self.call("add", "p", 0, "", 0, *keys[at:at + 100])
        assert self.call("seal", len(keys)) == ["OK"]

    def lease(self, worker, n=1, **options):
        """(key, token) of each leased key."""
        self.calls += 1
        answer = self.call("lease", worker, "", "", n, f"{self.calls:012x}", "", **options)
        if answer[0] != "OK":
            return []
        return list(zip(answer[2::3], answer[3::3]))

    def one(self, worker):
        leased = self.lease(worker)
        assert len(leased) == 1, f"{worker} leased {leased}"
        return leased[0]

    def verb(self, name, worker, lease, *args):
        """The answer to one key's done, renew, release or fail."""
        return self.call(name, worker, *lease, *args)[-1]

    def count(self, place):
        return self.redis("SCARD" if place == "done" else "ZCARD", self.keys[place])

    def record(self, key):
        """Its state, attempts and interruptions."""
        fields = (self.redis("HGET", self.keys["records"], key) + "|0|0").split("|")
        return fields[0], int(fields[1] or 0), int(fields[2] or 0)


@contextlib.contextmanager
def batch(patches=None):
    for name in patches or {}:
        patched(name, patches)  # each place is there
    with cli.redis() as url:
        redis = Redis(url)
        try:
            yield Batch(redis, patches)
        finally:
            redis.close()
