#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The same batch on Redis as people run it: with TLS, by its socket, behind Sentinels, as a cluster.

Behind Sentinels and on the cluster the user is the least one (test_redis_acl.py), so that what these need of it is
granted too.
"""
import contextlib
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import redis_rig
import tap

USER = f"hiwari:{redis_rig.PASSWORD_IN_URL}@"


def with_user(url):
    return url.replace("://", f"://{USER}", 1)


def user_settings():
    return ["--user", *redis_rig.acl()]


def no_password(*texts):
    for text in texts:
        assert redis_rig.PASSWORD not in text and redis_rig.PASSWORD_IN_URL not in text, text


def needs_faults():
    if not hiwari.has_faults():
        raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")


def is_whole(batch, keys):
    """Settled with all its keys, which Redis and the destination agree on."""
    status = batch.status()
    assert (status["state"], status["done"]) == ("settled", keys), status
    assert len(cli.results(batch.dest)) == keys and batch.has_success()
    assert batch.manifest()[0]["done"] == keys
    batch.hiwari("fsck", batch.name)


# ---- TLS ----

@contextlib.contextmanager
def tls_server(clients="optional"):
    with cli.scratch() as tmp:
        certs = redis_rig.certificates(tmp / "certs")
        port, = redis_rig.free_ports(1)
        settings = [*redis_rig.tls_settings(certs, port, clients), "--bind", "127.0.0.1", "127.0.0.2"]
        with redis_rig.Server(tmp / "redis", *settings) as server:
            yield server, certs, port


def refused(url, *words, code=78, **env):
    done = cli.run("status", "--redis", url, code=code, env={**os.environ, **env})
    cli.says(done.stderr, *words)


def test_a_build_without_tls_says_what_to_do():
    done = cli.run("status", "--redis", "rediss://ann:hush@localhost", code=None)
    if "TLS" not in done.stderr:
        raise tap.Skip("this build has TLS")
    assert done.returncode == 78, done
    cli.says(done.stderr, "Debian 13", "hiredis_ssl", "stunnel")
    assert "hush" not in done.stderr, done.stderr


def test_a_batch_runs_over_tls_with_a_clients_certificate():
    redis_rig.needs_tls()
    with tls_server("yes") as (server, certs, port):
        server.cli("ACL", "SETUSER", *redis_rig.acl())
        files = f"?cacert={certs}/ca.crt&cert={certs}/client.crt&key={certs}/client.key"
        with hiwari.football(f"rediss://{USER}localhost:{port}/1{files}") as batch:
            said = batch.enqueue()
            batch.finish()
            batch.check()
            no_password(said.stdout, said.stderr, batch.workers[0].text())
        refused(f"rediss://localhost:{port}?cacert={certs}/ca.crt", "certificate", "?cert=FILE&key=FILE")
        stranger = f"?cacert={certs}/ca.crt&cert={certs}/stranger.crt&key={certs}/stranger.key"
        refused(f"rediss://localhost:{port}{stranger}", "refuses", "unknown ca")
        refused(f"rediss://localhost:{port}?cacert={certs}/ca.crt&cert={certs}/client.crt", "without its key")
        refused(f"rediss://localhost:{port}?cacert={certs}/none.crt", "none.crt")
        refused(f"rediss://localhost:{port}{files}".replace("client.key", "ca.key"), "ca.key")


def test_tls_settings_come_from_the_environment_too():
    redis_rig.needs_tls()
    with tls_server("yes") as (server, certs, port):
        server.cli("CONFIG", "SET", "requirepass", redis_rig.PASSWORD)
        server.password = redis_rig.PASSWORD
        env = {"HIWARI_REDIS": f"rediss://127.0.0.1:{port}", "HIWARI_REDIS_PASSWORD": redis_rig.PASSWORD,
               "HIWARI_REDIS_CACERT": f"{certs}/ca.crt", "HIWARI_REDIS_CERT": f"{certs}/client.crt",
               "HIWARI_REDIS_KEY": f"{certs}/client.key"}
        cli.says(cli.run("status", env={**os.environ, **env}).stderr, "no batches")
        del env["HIWARI_REDIS_PASSWORD"]
        cli.says(cli.run("status", env={**os.environ, **env}, code=78).stderr, "NOAUTH")


def test_a_certificate_must_be_from_a_known_authority_and_carry_the_name():
    redis_rig.needs_tls()
    with tls_server("no") as (server, certs, port):
        refused(f"rediss://localhost:{port}", "not accepted", "?cacert=FILE")
        refused(f"rediss://localhost:{port}?cacert={certs}/stranger.crt", "not accepted")
        refused(f"rediss://127.0.0.2:{port}?cacert={certs}/ca.crt", "IP address mismatch")
        refused(f"rediss://localhost:{port}?cacert={certs}/ca.crt&sni=other.test", "hostname mismatch", "other.test")
        for name in ("localhost", "127.0.0.1"):
            cli.run("status", "--redis", f"rediss://{name}:{port}?cacert={certs}/ca.crt")
        cli.run("status", "--redis", f"rediss://localhost:{port}?cacert={certs}/ca.crt&sni=redis.test")


def test_a_port_without_tls_is_named():
    redis_rig.needs_tls()
    with cli.scratch() as tmp, redis_rig.Server(tmp, port=redis_rig.free_ports(1)[0]) as server:
        refused(f"rediss://127.0.0.1:{server.port}", "TLS", code=69)
    with tls_server("no") as (server, certs, port):
        refused(f"redis://127.0.0.1:{port}", f"127.0.0.1:{port}", code=69)


def test_sentinels_and_clusters_speak_tls_too():
    redis_rig.needs_tls()
    with cli.scratch() as tmp:
        certs = redis_rig.certificates(tmp / "certs")
        for shape in (redis_rig.sentinels, redis_rig.cluster):
            with shape(tmp / shape.__name__, tls=certs) as rig, \
                    hiwari.football(f"{rig.url}?cacert={certs}/ca.crt") as batch:
                batch.enqueue("--limit", 30)
                batch.finish()
                is_whole(batch, 30)


# ---- sockets and databases ----

def test_a_batch_runs_by_the_socket_in_its_own_database():
    with cli.scratch() as tmp, redis_rig.Server(tmp / "redis", *user_settings(), port=redis_rig.free_ports(1)[0]) as server:
        with hiwari.football(f"unix://{USER}{server.socket}?db=5") as batch:
            said = batch.enqueue()
            batch.finish()
            batch.check()
            no_password(said.stdout, said.stderr, batch.workers[0].text())
        assert server.cli("-n", 0, "DBSIZE") == "0" and server.cli("-n", 5, "DBSIZE") != "0"
        url = f"redis://{USER}127.0.0.1:{server.port}/5"
        cli.says(cli.run("status", "--redis", url).stdout, "fb")  # by tcp it is the same
        env = {**os.environ, "HIWARI_REDIS": f"redis://hiwari@127.0.0.1:{server.port}/5"}
        cli.says(cli.run("status", env={**env, "HIWARI_REDIS_PASSWORD": redis_rig.PASSWORD}).stdout, "fb")
        wrong = cli.run("status", env={**env, "HIWARI_REDIS_PASSWORD": "not-it"}, code=78)
        cli.says(wrong.stderr, "WRONGPASS")
        assert "not-it" not in wrong.stderr


# ---- Sentinels ----

def test_workers_follow_a_failover_of_sentinels():
    needs_faults()
    with cli.scratch() as tmp, redis_rig.sentinels(tmp, data=user_settings()) as rig:
        with hiwari.football(with_user(rig.url)) as batch:
            batch.enqueue("--lease-seconds", 2, "--limit", 100, "--durable")
            master, replica = rig.servers
            assert master.info("role") == "master"
            worker = batch.worker(fault="slow:computing:20")
            batch.wait_for_results(20)
            master.kill()
            rig.sentinels[0].kill()  # the first that is asked
            cli.wait_until(lambda: replica.info("role") == "master", "the Sentinels promote the replica")
            worker.wait(0)
            master.start()  # as a master, which it is no more
            cli.wait_until(lambda: master.info("role") == "slave", "the old master has heard of it")
            is_whole(batch, 100)
            no_password(worker.text())


def test_what_a_sentinel_says_is_explained():
    with cli.scratch() as tmp, redis_rig.sentinels(tmp, password="sesame") as rig:
        cli.run("status", "--redis", rig.url)
        refused(rig.url.replace("mymaster", "other"), 'does not know the name "other"', "sentinel monitor")
        refused(rig.url.replace(":sesame@", ""), "NOAUTH")
        refused(rig.url.rsplit("/", 1)[0], "the master's name is missing")
        for sentinel in rig.sentinels:
            sentinel.kill()
        refused(rig.url, "Sentinel 127.0.0.1", "is it running?", code=69)


# ---- a cluster ----

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


def owners(rig, names):
    """One of the names for each master that has any of them."""
    found = {}
    for name in names:
        for server in rig.servers:
            if "MOVED" not in server.cli("GET", f"hiwari:{{{name}}}:x") and server.info("role") == "master":
                found.setdefault(server.port, name)
    return found


def test_batches_live_on_all_masters_of_a_cluster_and_each_on_one():
    with cli.scratch() as tmp, redis_rig.cluster(tmp, data=user_settings()) as rig:
        by_port = owners(rig, NAMES)
        assert len(by_port) == 3, by_port
        for name in by_port.values():
            with hiwari.football(with_user(rig.url), name) as batch:
                batch.enqueue("--limit", 30, "--durable")
                batch.hiwari("pause", name)
                batch.hiwari("resume", name)
                batch.finish()
                is_whole(batch, 30)
                batch.hiwari("show", name, cli.results(batch.dest)[0])
                batch.dest.joinpath(cli.results(batch.dest)[0] + ".zip").unlink()
                batch.hiwari("reconcile", name)
                batch.finish()
                is_whole(batch, 30)
        for server in rig.servers:  # any of them is as good
            said = cli.run("status", "--redis", with_user(f"redis://127.0.0.1:{server.port}")).stdout
            cli.says(said, *by_port.values())
            keys = server.cli("KEYS", "hiwari:*:records").split()
            assert keys == [f"hiwari:{{{by_port[server.port]}}}:records"], keys
        with hiwari.football(with_user(rig.url), by_port[rig.servers[1].port]) as batch:
            rig.servers[1].cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            cli.says(batch.hiwari("fsck", batch.name, code=78).stderr, "allkeys-lru")
            rig.servers[1].cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
            batch.hiwari("purge", batch.name)
            assert batch.name not in batch.hiwari("status").stdout


def test_workers_follow_a_slot_that_moves_to_another_master():
    needs_faults()
    with cli.scratch() as tmp, redis_rig.cluster(tmp, data=user_settings()) as rig:
        with hiwari.football(with_user(rig.url)) as batch:
            batch.enqueue("--lease-seconds", 2, "--limit", 100)
            worker = batch.worker(fault="slow:computing:20")
            batch.wait_for_results(20)
            source, target = move_slot(rig, batch)
            worker.wait(0)
            is_whole(batch, 100)
            assert source.cli("KEYS", "hiwari:{fb}:*") == ""
            assert target.cli("EXISTS", "hiwari:{fb}:batch") == "1"
            assert "cmdstat_asking" in target.cli("INFO", "commandstats")


def move_slot(rig, batch):
    """Its slot by hand, as `redis-cli --cluster reshard` does it, with halts in which a worker meets half a batch."""
    slot = rig.servers[0].cli("CLUSTER", "KEYSLOT", f"{{{batch.name}}}")
    source = rig.server(next(iter(owners(rig, [batch.name]))))
    target = next(s for s in rig.servers if s is not source)
    ids = {s: s.cli("CLUSTER", "MYID") for s in rig.servers}
    target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    source.cli("MIGRATE", "127.0.0.1", target.port, f"hiwari:{{{batch.name}}}:batch", 0, 5000)
    batch.hiwari("status", batch.name, code=75)  # it is told where to ASK for one key, and that many are not together
    while names := source.cli("CLUSTER", "GETKEYSINSLOT", slot, 4).split():
        source.cli("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
        time.sleep(0.2)
    for server in (target, source, *rig.servers):
        server.cli("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    return source, target


def test_workers_follow_the_failover_of_a_cluster():
    needs_faults()
    with cli.scratch() as tmp, redis_rig.cluster(tmp, replicas=1, data=user_settings()) as rig:
        owner = owners(rig, ["fb"]).popitem()[0]
        with hiwari.football(with_user(f"redis://127.0.0.1:{owner}")) as batch:
            batch.enqueue("--lease-seconds", 2, "--limit", 100)
            worker = batch.worker(fault="slow:computing:20")
            batch.wait_for_results(20)
            rig.server(owner).kill()  # the one of the URL, too
            worker.wait(0)
            batch.redis = with_user(next(f"redis://127.0.0.1:{s.port}" for s in rig.servers if s.port != owner))
            is_whole(batch, 100)


if __name__ == "__main__":
    tap.main()
