# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""mariadb.py - a private MariaDB server: own data, own socket, own port, gone with the block.

    with mariadb.server() as server:
        server.sql("CREATE DATABASE d")
        cli.run("snapshot", "create", "--mysql", server.url("d"), …)

Everything is below one temporary directory. No option file of the machine is read, and no server of the machine is
touched.
"""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess

import cli
import tap

PROGRAMS = ("mariadb-install-db", "mariadbd", "mariadb")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def program(name):
    found = shutil.which(name, path=PATH)
    if not found:
        raise tap.Skip(f"{name} is not installed: scripts/install-deps test")
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, directory, socket=None):
        self.directory = pathlib.Path(directory)
        self.data, self.socket = self.directory / "data", socket or self.directory / "s"
        self.port = free_port()
        self.process = None
        self.options = []
        self._install()

    def _as_root(self):
        return ["--user=root"] if os.geteuid() == 0 else []

    def _install(self):
        done = subprocess.run([program("mariadb-install-db"), "--no-defaults", *self._as_root(), f"--datadir={self.data}",
                               "--auth-root-authentication-method=normal", "--skip-test-db"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout

    def start(self, *options):
        """Start it, or start it again; options given once stay."""
        self.options += options
        (self.directory / "tmp").mkdir(exist_ok=True)
        log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(
            [program("mariadbd"), "--no-defaults", *self._as_root(), f"--datadir={self.data}", f"--socket={self.socket}",
             f"--port={self.port}", "--bind-address=127.0.0.1", f"--tmpdir={self.directory / 'tmp'}",
             f"--pid-file={self.directory / 'pid'}", "--skip-name-resolve", "--local-infile=1",
             "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", *self.options],
            stdout=log, stderr=log)
        cli.wait_until(self._answers, "MariaDB answers", seconds=120)

    def _answers(self):
        assert self.process.poll() is None, (self.directory / "log").read_text()
        return self._client("SELECT 1", check=False).returncode == 0

    def kill(self):
        """As a power failure would."""
        self.process.kill()
        self.process.wait()

    def _client(self, sql, database=None, check=True, timeout=120):
        command = [program("mariadb"), "--no-defaults", f"--socket={self.socket}", "--user=root", "--skip-ssl", "--batch",
                   "--raw", "--default-character-set=utf8mb4", "--local-infile=1", "--skip-column-names"]
        command += [database] if database else []
        done = subprocess.run(command, input=sql, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{sql}\n{done.stderr}"
        return done

    def sql(self, sql, database=None, timeout=120):
        """Rows as the mariadb client prints them: lists of texts."""
        return [line.split("\t") for line in self._client(sql, database, timeout=timeout).stdout.splitlines()]

    def url(self, database, user="root", more=""):
        return f"mysql://{user}@localhost/{database}?socket={self.socket}{more}"

    def tcp_url(self, database, user="root", host="127.0.0.1", more=""):
        return f"mysql://{user}@{host}:{self.port}/{database}{more}"

    @contextlib.contextmanager
    def session(self, sql, database):
        """A client that stays connected after these statements, and with it their locks, until the block ends."""
        command = [program("mariadb"), "--no-defaults", f"--socket={self.socket}", "--user=root", "--skip-ssl", "--batch",
                   "--unbuffered", "--skip-column-names", database]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            client.stdin.write(sql + "; SELECT 'ready';\n")
            client.stdin.flush()
            line = None
            while line != "ready":
                line = client.stdout.readline()
                assert line, "the client ended"
                line = line.strip()
            yield client
        finally:
            client.stdin.close()
            client.wait()
            client.stdout.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()


@contextlib.contextmanager
def server(*options):
    with cli.scratch() as directory:
        running = Server(directory)
        try:
            running.start(*options)
            yield running
        finally:
            running.stop()
