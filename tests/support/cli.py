# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""cli.py - run hiwari as a person does, and look at what it says.

Meson passes the programs' places in the environment; by hand, HIWARI_BUILD names the build directory.
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HIWARI_BUILD", ROOT / "build-test"))
HIWARI = BUILD / "cmd" / "hiwari" / "hiwari"
WORKER = BUILD / "cmd" / "hiwari-worker" / "hiwari-worker"
FOOTBALL = ROOT / "testdata" / "football"
RACES = ROOT / "testdata" / "races"


class Unexpected(AssertionError):
    """An exit code or a text other than the promised one."""


def run(*args, code=0, program=None, timeout=300, **options):
    """Run hiwari with these arguments and check the exit code. code None: any."""
    command = [str(program or HIWARI), *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                          **options)
    if code is not None and done.returncode != code:
        raise Unexpected(f"{' '.join(command)}\nexit code {done.returncode}, expected {code}\n"
                         f"stdout: {done.stdout}\nstderr: {done.stderr}")
    return done


def run_json(*args, **options):
    return json.loads(run(*args, "--json", **options).stdout)


def says(text, *words):
    """Each of the words is in the text."""
    for word in words:
        if word not in text:
            raise Unexpected(f"{word!r} is not in: {text}")


@contextlib.contextmanager
def scratch():
    """A directory that is gone afterwards."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="hiwari-test-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def football_snapshot(directory, csv=FOOTBALL / "appearances.csv"):
    """Football's snapshot below directory; its path."""
    out = pathlib.Path(directory) / "snapshot"
    run("snapshot", "create", "--csv", f"appearances={csv}", "--spec", FOOTBALL / "spec.json", "--out", out)
    return out


def football_run(snapshot, dest, *more, code=0, **options):
    return run("run", "--snapshot", snapshot, "--spec", FOOTBALL / "spec.json", "--dest", dest, *more, code=code,
               **options)


def results(dest):
    """The keys that have a result there."""
    return sorted(p.stem for p in pathlib.Path(dest).glob("*.zip"))


@contextlib.contextmanager
def redis(*options):
    """A private redis-server with these options; its URL. It ends with the block."""
    with scratch() as tmp:
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", tmp / "s", "--save", "", "--dir", tmp,
                                   *options], stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: listens(tmp / "s"), "redis-server opens its socket")
            yield f"unix://{tmp}/s"
        finally:
            server.kill()
            server.wait()


def listens(path):
    """Whether a server answers at this socket; the file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def redis_of_manifests(directory, **replaced):
    """The users.acl, password and redis.conf of k8s/, for this machine's redis-server; scripts/redis-secret's words."""
    import yaml
    directory = pathlib.Path(directory)
    secret = subprocess.run([ROOT / "scripts/redis-secret"], check=True, stdout=subprocess.PIPE, text=True).stdout
    words = yaml.safe_load(secret)["stringData"]
    version = subprocess.run(["redis-server", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    if [int(n) for n in version.split("v=")[1].split()[0].split(".")] < [7, 2]:
        words["users.acl"] = words["users.acl"].replace(" +waitaof", "")
    for key in ("users.acl", "password"):
        (directory / key).write_text(words[key])
    conf = (ROOT / "k8s/base/redis/redis.conf").read_text()
    conf = conf.replace("/run/hiwari/redis", str(directory)).replace("dir /data", f"dir {directory}")
    for old, new in replaced.items():
        conf = conf.replace(f"\n{old} ", f"\n{new}\n# ", 1)
    (directory / "redis.conf").write_text(conf)
    return words


def wait_until(condition, what, seconds=60):
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unexpected(f"{seconds} s have passed, and not yet: {what}")
        time.sleep(0.02)


def processes_with(word):
    """Pids of processes that have this word on their command line."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if word.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found
