# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""servers.py - a Redis that can be killed, set back to an older state, and replaced by its replica.

It keeps an append-only file as the README advises (everysec). A client comes by way of a proxy whose address stays the
same, as a service's does, whichever server stands behind it.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import proxy


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Server:
    """One redis-server with its folder."""

    def __init__(self, folder, master=None):
        self.folder, self.socket, self.port = folder, folder / "redis.sock", free_port()
        self.options = ["--replicaof", *map(str, master)] if master else []
        folder.mkdir()
        self.start()

    def start(self):
        command = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket,
                   "--dir", self.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
                   "--auto-aof-rewrite-percentage", "0", "--logfile", "server.log", "--repl-diskless-sync-delay", "0",
                   *self.options]
        self.started_ms = time.time() * 1000
        self.process = subprocess.Popen([str(c) for c in command])
        cli.wait_until(self.answers, f"redis-server in {self.folder} answers")

    def answers(self):
        done = subprocess.run(["redis-cli", "-s", self.socket, "PING"], capture_output=True, text=True)
        return done.stdout.strip() == "PONG"

    def says(self, *command):
        return subprocess.run(["redis-cli", "-s", self.socket, *map(str, command)], check=True, capture_output=True,
                              text=True).stdout.strip()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)

    def copy_file(self):
        """A copy of the append-only file as it is now, in the middle of being written."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        cli.wait_until(self._has_written, "what was answered is in the file: an fsync under way can delay it")
        shutil.copytree(self.folder / "appendonlydir", copy)

    def _has_written(self):
        return "aof_buffer_length:0" in self.says("INFO", "persistence").split()

    def restore_file(self):
        """The server is dead. What it comes back with is the copy."""
        shutil.rmtree(self.folder / "appendonlydir")
        os.rename(self.folder / "copy", self.folder / "appendonlydir")


class Redis:
    """What the batch's commands and workers see: one address, and now this server behind it, now that."""

    def __init__(self, tmp):
        self.tmp, self.made = tmp, 0
        self.server = self._new()
        self.wire = proxy.Proxy(self.server.socket)
        self.replica = self.link = None

    def _new(self, **options):
        self.made += 1
        return Server(self.tmp / f"redis-{self.made}", **options)

    def restart(self, away_s=0, pause=time.sleep):
        """Kill it, and start it with its file after a while."""
        self.server.kill()
        pause(away_s)
        self.server.start()

    def restart_from_copy(self):
        self.server.kill()
        self.server.restore_file()
        self.server.start()

    def copy_file(self):
        self.server.copy_file()

    # ---- a replica ----

    def replicate(self):
        """A second server follows the first over a line of its own; returns when it has everything."""
        self.link = proxy.Proxy(("127.0.0.1", self.server.port), tcp=True)
        self.replica = self._new(master=self.link.address)
        cli.wait_until(self._in_step, "the replica has everything")

    def _in_step(self):
        said = self.replica.says("INFO", "replication")
        return "master_link_status:up" in said and "master_sync_in_progress:0" in said

    def cut_off_replica(self):
        """From now on the replica hears nothing."""
        self.link.refuse(True)

    def promote(self):
        """The first server is lost; the replica takes its place, and all clients come to it."""
        self.server.kill()
        self.replica.says("REPLICAOF", "NO", "ONE")
        self.replica.options = []
        self.link.close()
        self.server, self.replica, self.link = self.replica, None, None
        self.wire.target = self.server.socket
        self.wire.cut_all()

    def end(self):
        self.wire.close()
        for server in filter(None, (self.server, self.replica)):
            server.kill()
        if self.link:
            self.link.close()
