#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""`hiwari run` starts a Redis and workers, and leaves nothing behind, however it ends."""
import contextlib
import fcntl
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import termios

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap


SLOWLY = {"HIWARI_FAULT": "slow:computing:5"}  # each key takes 5 ms longer, so that there is something to see


@contextlib.contextmanager
def running(tmp, *more):
    """A slow run over all of football, once it has left a few results; its private directories are below tmp."""
    snapshot = cli.football_snapshot(tmp)
    (tmp / "private").mkdir()
    command = [cli.HIWARI, "run", "--snapshot", snapshot, "--spec", cli.FOOTBALL / "spec.json", "--dest", tmp / "out", *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **SLOWLY, "TMPDIR": str(tmp / "private")})
    try:
        cli.wait_until(lambda: len(cli.results(tmp / "out")) >= 5, "five results are there")
        yield process
    finally:
        process.kill()
        process.communicate()


def nothing_runs(tmp):
    cli.wait_until(lambda: not cli.processes_with(str(tmp)), "workers and Redis have ended", 15)


def finish(tmp):
    """The same command again completes it, and computes nothing twice."""
    there = {key: (tmp / "out" / f"{key}.zip").stat().st_mtime_ns for key in cli.results(tmp / "out")}
    cli.football_run(tmp / "snapshot", tmp / "out", env={**os.environ, "TMPDIR": str(tmp / "private")})
    assert len(cli.results(tmp / "out")) == 547 and (tmp / "out" / "_SUCCESS").exists()
    for key, written in there.items():
        assert (tmp / "out" / f"{key}.zip").stat().st_mtime_ns == written, f"{key} was computed twice"


def test_after_kill_9_nothing_runs_on_and_the_same_command_goes_on():
    with cli.scratch() as tmp:
        with running(tmp) as process:
            assert len(cli.processes_with(str(tmp))) >= 4  # itself, Redis, two workers
            process.kill()
        nothing_runs(tmp)
        assert len(cli.results(tmp / "out")) < 547
        assert len(os.listdir(tmp / "private")) == 1
        finish(tmp)
        assert os.listdir(tmp / "private") == [], "the killed run's directory is swept away"


def test_ctrl_c_drains_the_workers_and_says_how_to_go_on():
    for number in (signal.SIGINT, signal.SIGTERM):
        with cli.scratch() as tmp:
            with running(tmp) as process:
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
            assert process.returncode == 143, (process.returncode, out, err)
            cli.says(err, "run the same command again")
            nothing_runs(tmp)
            assert os.listdir(tmp / "private") == []
            finish(tmp)


def test_a_worker_that_is_killed_is_replaced_and_said():
    with cli.scratch() as tmp:
        with running(tmp) as process:
            workers = [p for p in cli.processes_with(str(tmp)) if p in cli.processes_with("hiwari-worker")]
            os.kill(workers[0], signal.SIGKILL)
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
        cli.says(err, "has ended", "another one is started")
        assert len(cli.results(tmp / "out")) == 547
        nothing_runs(tmp)


def listening_sockets():
    """Inodes of TCP sockets that listen."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}") as table:
            inodes |= {line.split()[9] for line in list(table)[1:] if line.split()[3] == "0A"}
    return inodes


def test_run_opens_no_port():
    with cli.scratch() as tmp:
        with running(tmp):
            own = set()
            for pid in cli.processes_with(str(tmp)):
                with contextlib.suppress(OSError):
                    own |= {os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1] for fd in os.listdir(f"/proc/{pid}/fd")
                            if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:[")}
            assert own and not own & listening_sockets()


def seen_on_a_terminal(tmp, columns):
    """The lines that a terminal of that width sees of a run, each as it was drawn."""
    snapshot = cli.football_snapshot(tmp)
    try:
        master, slave = pty.openpty()
    except OSError as error:
        raise tap.Skip(f"no terminal can be made here: {error}")
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([cli.HIWARI, "run", "--snapshot", snapshot, "--spec", cli.FOOTBALL / "spec.json",
                                "--dest", tmp / "out"], stdout=subprocess.DEVNULL, stderr=slave,
                               env={**os.environ, **SLOWLY})
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):  # the terminal is closed when the process has ended
        while chunk := os.read(master, 65536):
            seen += chunk
    os.close(master)
    assert process.wait() == 0, seen
    assert seen.endswith(b"\r\x1b[K"), "the bar is taken away at the end"
    return [line.removesuffix("\x1b[K") for line in seen.decode().split("\r")]


def test_a_terminal_sees_a_bar_with_rate_and_remaining_time():
    with cli.scratch() as tmp:
        lines = seen_on_a_terminal(tmp, 100)
        assert any(re.search(r"^(#+\.*|█+░*)  \d+ of 547 keys  \d+ keys/s  0:\d\d left  2 workers$", line)
                   for line in lines), lines


def test_on_a_narrow_terminal_no_line_is_wider_than_it():
    with cli.scratch() as tmp:
        lines = seen_on_a_terminal(tmp, 24)
        assert any("of 547 keys" in line for line in lines) and max(map(len, lines)) < 24, lines


if __name__ == "__main__":
    tap.main()
