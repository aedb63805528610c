#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Connections that the network forgets: what is sent over them is dropped, and nobody says so. In a network namespace
of this test's own, where answers to chosen ports are dropped."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap
import test_http2

INSIDE = "HIWARI_TEST_NAMESPACE"
NEEDED = "ip link set lo up && ip rule add pref 10 ipproto tcp dport 1 blackhole"
ESTABLISHED = "01"


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True)


def enter():
    """Run this program anew in a namespace, if there may be one; root can make one where nobody else can."""
    for options in ("-rn", "-n"):
        tried = subprocess.run(["unshare", options, "sh", "-c", NEEDED], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        if tried.returncode == 0:
            os.environ[INSIDE] = "yes"
            os.execvp("unshare", ["unshare", options, sys.executable, *sys.argv])


def prepare():
    """Rules of this test's come before the one that finds this machine's own addresses."""
    ip("link", "set", "lo", "up")
    ip("rule", "add", "pref", 100, "lookup", "local")
    ip("rule", "del", "pref", 0)


def connections_to(port):
    """The local ports of connections to a port of 127.0.0.1."""
    there = f"0100007F:{port:04X}"
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(words[1].split(":")[1], 16) for words in lines if words[2:4] == [there, ESTABLISHED]]


def forget(front):
    """The one connection to it, over which no answer comes any more; its local port."""
    port, = connections_to(front.port)
    ip("rule", "add", "pref", 10, "ipproto", "tcp", "dport", port, "blackhole")
    return port


def inside():
    if INSIDE not in os.environ:
        raise tap.Skip("no network namespace with rules of its own may be made here")


def settle(server, batch, worker):
    worker.wait(0, 120)
    assert batch.status()["failed"] == 0
    assert not worker.said("a key failed"), worker.text()
    test_http2.check_results(server, batch)


def test_uploads_on_a_connection_that_the_network_forgot_go_over_another():
    inside()
    with test_http2.batch_behind() as (server, front, batch):
        batch.enqueue("--limit", 200)
        server.delay = 0.5
        worker = batch.worker()
        cli.wait_until(lambda: server.count("put") > 20, "uploads are under way")
        forgotten = forget(front)
        assert server.count("put") < 200, "all were under way already"
        cli.wait_until(lambda: set(connections_to(front.port)) - {forgotten}, "another connection is there")
        assert worker.process.poll() is None
        settle(server, batch, worker)


def test_it_is_noticed_while_only_answers_are_waited_for():
    """Not by the requests that come after: none is asked again before the connection has ended."""
    inside()
    with test_http2.batch_behind() as (server, front, batch):
        batch.enqueue("--limit", 200)
        server.delay, enqueued = 45, server.count("put")
        worker = batch.worker("--uploads", "4")
        cli.wait_until(lambda: server.count("put") == enqueued + 4, "four answers are waited for")
        forgotten, asked = forget(front), []

        def ended():
            asked.append(server.count("put"))
            return forgotten not in connections_to(front.port)

        cli.wait_until(ended, "the connection has ended")
        assert asked[-2] == enqueued + 4, asked[-2]  # when it was last seen
        server.delay = 0
        settle(server, batch, worker)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter()
    else:
        prepare()
    tap.main()
