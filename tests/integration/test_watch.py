#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari status --watch: a live screen on a terminal, plain lines elsewhere, until the batch is settled."""
import csv
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

CLEAR = "\x1b[H\x1b[2J"


class Terminal:
    """A program on a terminal of this size; the screens that it has drawn."""

    def __init__(self, command, env, rows=30, columns=100):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([str(c) for c in command], env=env, stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True)
        os.close(slave)
        self.text = ""

    def read(self):
        while self.master >= 0 and select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # its other end is closed
                return False
            self.text += data.decode(errors="replace").replace("\r\n", "\n")
        return True

    def screens(self):
        self.read()
        return self.text.split(CLEAR)[1:]

    def wait_for(self, what):
        cli.wait_until(lambda: any(what(screen) for screen in self.screens()), f"a screen: {self.text[-2000:]}")

    def wait(self, code):
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
            time.sleep(0.02)
        self.read()
        assert self.process.poll() == code, (self.process.poll(), self.text[-2000:])

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        self.master = -1


def watch(batch, *more):
    return [cli.HIWARI, "status", batch.name, "--watch", *more]


def newest_key():
    with open(cli.FOOTBALL / "appearances.csv", newline="", encoding="utf-8") as file:
        return max(row["match_date"] for row in csv.DictReader(file))


def slowly_failing(batch):
    """Work that takes some seconds, and a key that fails at its beginning."""
    if not hiwari.has_faults():
        raise tap.Skip("a release build")
    batch.enqueue("--newest-first", "--max-attempts", 1, "--from", "2017-01-15")
    (batch.dest / f"{newest_key()}.zip").write_bytes(b"something else")
    return batch.worker(fault="slow:computing:60")


def test_on_a_terminal_it_is_one_screen_drawn_anew():
    with hiwari.football() as batch:
        worker = slowly_failing(batch)
        terminal = Terminal(watch(batch), {**batch._env(None), "LC_ALL": "C.UTF-8", "TERM": "xterm"})
        try:
            terminal.wait_for(lambda s: "█" in s and "░" in s and "keys/s" in s and "left" in s and newest_key() in s)
            worker.wait(0)
            terminal.wait(1)
        finally:
            terminal.close()
        screens = terminal.screens()
        live = next(s for s in screens if "█" in s and "keys/s" in s and newest_key() in s)
        cli.says(live, "WORKER", "FAILED KEY", "file://", "1 failed", "fb is running")
        host = os.uname().nodename
        assert host[:8] in live or "worker" in live.lower()
        assert all(len(line) <= 100 for line in live.split("\n")[0:1]), live
        cli.says(screens[-1], "fb is settled", "hiwari retry fb --all")
        done = [int(m[1].replace(",", "")) for s in screens for m in [re.search(r"([\d,]+) of [\d,]+ keys done", s)] if m]
        assert done == sorted(done) and len(set(done)) > 2, done


def test_a_screen_is_not_longer_than_the_terminal():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 20)
        for i in range(40):
            batch.redis_cli("ZADD", "hiwari:{fb}:seen", int(time.time() * 1000), f"worker-{i}")
            batch.redis_cli("HSET", "hiwari:{fb}:workers", f"worker-{i}", f"{i}|x|0|")
        terminal = Terminal(watch(batch), {**batch._env(None), "LC_ALL": "C"}, rows=24, columns=60)
        try:
            terminal.wait_for(lambda s: "WORKER" in s and "more" in s)
            screen = terminal.screens()[0]
            assert screen.count("\n") <= 24 and "#" not in screen.split("\n")[0][:5] and "." in screen, screen
            cli.says(screen, "0 of 20 keys", " more")
            terminal.process.terminate()
        finally:
            terminal.close()


def test_elsewhere_it_is_plain_lines_and_each_failure_once():
    with hiwari.football() as batch:
        worker = slowly_failing(batch)
        done = subprocess.run([str(c) for c in watch(batch)], env=batch._env(None), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120)
        worker.wait(0)
        lines = done.stdout.splitlines()
        assert done.returncode == 1 and "\x1b" not in done.stdout and len(lines) > 3, done
        assert all(re.match(r"fb is \w+: [\d,]+ of [\d,]+ keys done|failed: ", line) for line in lines), lines
        failures = [line for line in lines if line.startswith("failed: ")]
        assert len(failures) == 1 and newest_key() in failures[0] and "another result is there" in failures[0]
        assert any("keys/s" in line and "left" in line for line in lines)
        assert "settled" in lines[-1] and "1 failed" in lines[-1]
        cli.says(done.stderr, "hiwari retry fb --all")


def test_a_settled_batch_is_shown_once_and_left():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 3)
        batch.finish()
        done = batch.hiwari("status", "fb", "--watch")
        assert done.stdout.count("\n") == 1 and "settled" in done.stdout
        assert json.loads(batch.hiwari("status", "fb", "--watch", "--json").stdout)["state"] == "settled"


def test_a_batch_that_goes_away_ends_it():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 3)
        process = subprocess.Popen([str(c) for c in watch(batch)], env=batch._env(None), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        assert "0 of 3" in process.stdout.readline()
        batch.hiwari("purge", "fb")
        _, said = process.communicate(timeout=60)
        assert process.returncode == 78 and "no batch 'fb'" in said, said


if __name__ == "__main__":
    tap.main()
