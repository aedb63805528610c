# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""redis_rig.py - Redis in every shape that people run it in: alone, with TLS, behind Sentinels, as a cluster.

    with redis_rig.Server(tmp / "a", "--appendonly", "yes") as server:
        server.kill(); server.start()               # as after a power cut; its append-only file is there
    with redis_rig.sentinels(tmp) as rig: rig.url
    with redis_rig.cluster(tmp) as rig: rig.url

All from Debian's redis-server package, in private folders, on unix sockets and on ports of 127.0.0.1 that were free.
"""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess

import cli
import tap

START_S = 30

# What hiwari needs of Redis, and nothing else: README.md and k8s/redis/users.acl say the same (test_redis_acl.py).
COMMANDS = """ping info time eval evalsha exists pexpire persist unlink del get set
    hget hgetall hmget hset hdel hexists hkeys hlen hincrby hscan sadd srem scard sismember smembers sscan
    zadd zrem zcard zcount zrange zrevrange zrangebyscore zscore zscan zremrangebyrank
    wait waitaof select role asking cluster|slots""".split()
PASSWORD = "pa:ss/w@rd?"
PASSWORD_IN_URL = "pa%3Ass%2Fw%40rd%3F"


def acl(commands=None):
    """The words of the least user, hiwari, as an ACL file or --user has them."""
    known = [c for c in commands or COMMANDS if c != "waitaof" or version() >= (7, 2)]
    return ["hiwari", "on", f">{PASSWORD}", "resetchannels", "~hiwari:*", "-@all", *(f"+{c}" for c in known)]


def free_ports(n):
    """So many ports that nobody listened on just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def version():
    """Of redis-server, as (7, 0)."""
    words = subprocess.run(["redis-server", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    number = words.split("v=")[1].split()[0]
    return tuple(map(int, number.split(".")[:2]))


class Server:
    """One redis-server: on a unix socket, and on a port where one is given."""

    def __init__(self, directory, *settings, port=0, password=None, tls=None):
        """tls: a directory of certificates; then the port speaks TLS, and so do replicas and neighbours."""
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port, self.password, self.tls = port, password, tls
        self.socket = self.directory / "s"
        self.settings = [*map(str, settings)]
        self.process = None
        self.start()

    def command(self):
        return ["redis-server", *self.listening(), "--bind", "127.0.0.1", "--unixsocket", str(self.socket), "--dir",
                str(self.directory), "--save", "", "--repl-diskless-sync-delay", "0", *self.settings]

    def listening(self):
        if not self.tls:
            return ["--port", str(self.port)]
        return ["--port", "0", *map(str, tls_settings(self.tls, self.port)), "--tls-replication", "yes", "--tls-cluster",
                "yes"]

    @property
    def url(self):
        return f"unix://{self.socket}"

    def start(self):
        self.socket.unlink(missing_ok=True)
        log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.directory)
        cli.wait_until(self.answers, f"the server in {self.directory} answers", START_S)

    def answers(self):
        if self.process.poll() is not None:
            raise cli.Unexpected((self.directory / "log").read_text()[-2000:])
        done = self._cli("PING", check=False)
        return "PONG" in done.stdout or "NOAUTH" in done.stdout + done.stderr

    def _cli(self, *words, check=True):
        env = {**os.environ, **({"REDISCLI_AUTH": self.password} if self.password else {})}
        return subprocess.run(["redis-cli", "-s", str(self.socket), *map(str, words)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=check, env=env)

    def cli(self, *words):
        """A command's answer, as redis-cli prints it."""
        return self._cli(*words).stdout.strip()

    def info(self, name):
        """A line's value; "" also when the server hangs up, as it does on everybody when it is promoted."""
        for line in self._cli("INFO", "everything", check=False).stdout.splitlines():
            if line.startswith(f"{name}:"):
                return line.split(":", 1)[1]
        return ""

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def stop(self):
        """It keeps its connections, and says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Sentinel(Server):
    """It rewrites its configuration file, so it starts from one."""

    def command(self):
        config = self.directory / "sentinel.conf"
        if not config.exists():
            words = " ".join(self.listening()).split("--")[1:]
            config.write_text("\n".join([*words, "bind 127.0.0.1", f"unixsocket {self.socket}", f"dir {self.directory}",
                                         *self.settings]) + "\n")
        return ["redis-server", str(config), "--sentinel"]


# ---- TLS ----

def certificates(directory):
    """ca, server, client and stranger (made by nobody we know) as .crt and .key there."""
    directory = pathlib.Path(directory)
    directory.mkdir(exist_ok=True)

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, cwd=directory, stderr=subprocess.DEVNULL)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    for authority in ("ca", "stranger"):
        openssl("req", "-x509", *key, "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.crt")
    (directory / "names").write_text("subjectAltName=DNS:localhost,DNS:redis.test,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", 30,
                "-extfile", "names", "-out", f"{name}.crt")
    return directory


def tls_settings(certs, port, clients="optional"):
    """Of a server that speaks TLS on this port; clients: no, optional or yes (must have a certificate)."""
    return ["--tls-port", port, "--tls-cert-file", certs / "server.crt", "--tls-key-file", certs / "server.key",
            "--tls-ca-cert-file", certs / "ca.crt", "--tls-auth-clients", clients]


def needs_tls():
    """The reason why rediss:// cannot be tried is a refusal that says what to do."""
    done = cli.run("status", "--redis", "rediss://127.0.0.1:1", code=None)
    if "which this build of hiwari has not" in done.stderr:
        raise tap.Skip("this hiwari was built with a hiredis that has no TLS (Debian 12): rediss:// is not tested")


# ---- several servers ----

class Rig:
    def __init__(self, url, servers, sentinels=()):
        self.url, self.servers, self.sentinels = url, servers, sentinels

    def server(self, port):
        return next(s for s in self.servers if s.port == port)


@contextlib.contextmanager
def sentinels(tmp, name="mymaster", replicas=1, password=None, data=(), tls=None):
    """A master, its replicas and three Sentinels that fail over after half a second. data: settings of the servers."""
    with contextlib.ExitStack() as stack:
        ports = free_ports(1 + replicas + 3)
        servers, watchers = [], []
        auth = ["--requirepass", password, "--masterauth", password] if password else []
        for i, port in enumerate(ports[:1 + replicas]):
            master = ["--replicaof", "127.0.0.1", ports[0]] if i else []
            servers.append(stack.enter_context(Server(tmp / f"redis-{i}", "--appendonly", "yes", *auth, *master, *data,
                                                      port=port, password=password, tls=tls)))
        for i, port in enumerate(ports[1 + replicas:]):
            watch = [f"sentinel monitor {name} 127.0.0.1 {ports[0]} 2", f"sentinel down-after-milliseconds {name} 500",
                     f"sentinel failover-timeout {name} 3000"]
            watch += [f"sentinel auth-pass {name} {password}", f"requirepass {password}"] if password else []
            watchers.append(stack.enter_context(Sentinel(tmp / f"sentinel-{i}", *watch, port=port, password=password,
                                                         tls=tls)))
        for watcher in watchers:
            cli.wait_until(lambda: _knows_all(watcher, name, replicas), "the Sentinels know one another and the replicas")
        hosts = ",".join(f"127.0.0.1:{s.port}" for s in watchers)
        scheme = "rediss+sentinel" if tls else "redis+sentinel"
        yield Rig(f"{scheme}://{f':{password}@' if password else ''}{hosts}/{name}", servers, watchers)


def _knows_all(watcher, name, replicas):
    words = watcher.cli("SENTINEL", "MASTER", name).split("\n")
    facts = dict(zip(words[::2], words[1::2]))
    return (facts.get("num-other-sentinels"), facts.get("num-slaves")) == ("2", str(replicas)) and \
        watcher.cli("SENTINEL", "REPLICAS", name).count("master-link-status\nok") == replicas


@contextlib.contextmanager
def cluster(tmp, replicas=0, data=(), tls=None):
    """Three masters, each with so many replicas."""
    with contextlib.ExitStack() as stack:
        n = 3 * (1 + replicas)
        ports = free_ports(2 * n)
        servers = []
        for i in range(n):
            servers.append(stack.enter_context(Server(
                tmp / f"node-{i}", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port",
                ports[n + i], "--cluster-node-timeout", 1000, "--appendonly", "yes", *data, port=ports[i], tls=tls)))
        secure = ["--tls", "--cacert", str(tls / "ca.crt")] if tls else []
        subprocess.run(["redis-cli", *secure, "--cluster", "create", *(f"127.0.0.1:{p}" for p in ports[:n]), "--cluster-replicas",
                        str(replicas), "--cluster-yes"], check=True, stdout=subprocess.DEVNULL)
        for server in servers:
            cli.wait_until(lambda: _in_order(server, n), "every server sees the cluster in order")
        yield Rig(f"redis{'s' if tls else ''}://127.0.0.1:{ports[0]}", servers)


def _in_order(server, n):
    facts = server.cli("CLUSTER", "INFO")
    ready = server.info("role") == "master" or server.info("master_link_status") == "up"
    return "cluster_state:ok" in facts and f"cluster_known_nodes:{n}" in facts and ready
