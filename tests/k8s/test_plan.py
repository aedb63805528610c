# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari plan: as people call it; the arithmetic itself has unit tests (test_fleet)."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

PUBLISHED = ["plan", "--keys", 3600, "--seconds-per-key", 700, "--boot-seconds", 500, "--cpus", 1, "--memory", 2,
             "--machine", "n1-standard-96", "--preempted-per-hour", 0]


def test_the_published_case():
    found = cli.run_json(*PUBLISHED, "--nodes", 38, "--nodes", 6)
    assert found["workers_per_node"] == 95 and found["limited_by"] == "CPUs"
    six, many = found["plans"]
    assert (six["nodes"], six["seconds"], round(six["usd"], 2)) == (6, 5400, 8.64)
    assert (many["nodes"], many["seconds"], round(many["usd"], 2), many["cpu_quota"]) == (38, 1200, 12.16, 3648)
    text = cli.run(*PUBLISHED, "--nodes", 38, "--nodes", 6).stdout
    cli.says(text, "20:00", "$12.16", "1:30:00", "$8.64", "3648", "95 workers (CPUs)")
    page = (cli.ROOT / "k8s/README.md").read_text()
    cli.says(page, "hiwari " + " ".join(map(str, PUBLISHED[:3])), "$12.16", "$8.64", "961 yen")


def test_losses_are_simulated_the_same_for_the_same_seed():
    lossy = [*PUBLISHED[:-1], 0.5, "--nodes", 6]
    once, again, other = (cli.run_json(*lossy, "--seed", s)["plans"][0]["with_preemptions"] for s in (1, 1, 2))
    assert once == again != other
    assert once["preemptions_mean"] > 2 and once["seconds_p90"] >= once["seconds_median"] > 5400


def test_a_quota_bounds_the_plans():
    plans = cli.run_json(*PUBLISHED, "--quota", 600)["plans"]
    assert plans[-1]["nodes"] == 6 and all(p["cpu_quota"] <= 600 for p in plans) and len(plans) > 2
    cli.says(cli.run(*PUBLISHED, "--quota", 90, code=78).stderr, "96 CPUs")
    cli.says(cli.run(*PUBLISHED, "--quota", 100, "--nodes", 2, code=78).stderr, "need 192 CPUs")


def test_seconds_are_measured_from_a_batch_and_from_a_sample_run():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 20)
        cli.says(batch.hiwari("plan", "--batch", "fb", code=65).stderr, "no key has been done there yet")
        batch.finish()
        found = json.loads(batch.hiwari("plan", "--batch", "fb", "--json").stdout)
        assert found["keys"] == 20 and 0 < found["seconds_per_key"] < 60
        assert found["seconds_per_key_from"] == "measured on 20 keys of batch fb"
        assert cli.run_json("plan", "--sample", batch.dest, "--keys", 3653)["keys"] == 3653
        cli.says(batch.hiwari("plan", "--batch", "other", code=78).stderr, "other")
        cli.says(cli.run("plan", "--sample", batch.tmp, "--keys", 5, code=65).stderr, "_manifest.jsonl")


def test_the_table_of_machines_is_yours():
    with cli.scratch() as tmp:
        table = json.loads((cli.ROOT / "k8s/machines.json").read_text())
        table["machines"] = {"mine": {"cpus": 8, "memory_gib": 32, "usd_per_hour": 0.5, "preempted_per_hour": 0}}
        (tmp / "m.json").write_text(json.dumps(table))
        ask = ["plan", "--keys", 70, "--seconds-per-key", 3600, "--boot-seconds", 0, "--machines", tmp / "m.json"]
        found = cli.run_json(*ask, "--machine", "mine", "--nodes", 10)
        assert found["workers_per_node"] == 7 and found["plans"][0]["usd"] == 5.0
        assert cli.run_json(*ask, "--machine", "mine", "--nodes", 10, "--usd-per-hour", 1)["plans"][0]["usd"] == 10.0
        cli.says(cli.run(*ask, "--nodes", 1, code=64).stderr, "the table has mine")
        (tmp / "m.json").write_text('{"machines": 3}')
        cli.says(cli.run(*ask, code=65).stderr, "m.json")


def test_what_does_not_fit_or_is_not_said_is_an_error():
    for words, code in (([], 64), (["--keys", 5], 64), (["--seconds-per-key", 5], 64),
                        (["--keys", 5, "--seconds-per-key", 1, "--sample", "x"], 64),
                        (["--keys", 5, "--seconds-per-key", "soon"], 64), (["--keys", 5, "--seconds-per-key", "nan"], 64),
                        (["--keys", 5, "--seconds-per-key", -1], 64), (["--keys", 0, "--seconds-per-key", 1], 64),
                        (["--keys", 5, "--seconds-per-key", 1, "--memory", 900], 78),
                        (["--keys", 5, "--seconds-per-key", 1, "--nodes", "x"], 64),
                        (["--keys", 5, "--seconds-per-key", 1, "--machine", "z80"], 64)):
        assert cli.run("plan", *words, code=code, env={**os.environ, "HIWARI_REDIS": ""}).stderr, words


def test_reconcile_in_an_init_container_lets_failed_keys_be():
    """k8s/base/reconcile.yaml: the worker behind it must start although some keys have failed."""
    with hiwari.football() as batch:
        batch.enqueue("--limit", 5, "--max-attempts", 1)
        key = batch.redis_cli("zrange", "hiwari:{fb}:pending", 0, 0).strip()
        assert key
        (batch.dest / f"{key}.zip").write_bytes(b"not a zip")
        batch.worker().wait(0)
        assert batch.status()["failed"] == 1
        batch.hiwari("reconcile", "fb", code=1)
        batch.hiwari("reconcile", "fb", "--allow-failed")


def test_redis_url_is_read_from_a_file():
    with hiwari.football() as batch:
        file = batch.tmp / "url"
        env = {k: v for k, v in os.environ.items() if k != "HIWARI_REDIS"} | {"HIWARI_REDIS_FILE": str(file)}
        file.write_text(batch.redis + "\n")
        batch.enqueue("--limit", 3)
        assert cli.run("status", "fb", env=env).stdout
        cli.run("--batch", "fb", "--snapshot", batch.snapshot, program=cli.WORKER, env=env)
        file.write_text(" \n")
        cli.says(cli.run("status", env=env, code=78).stderr, "is empty")
        file.unlink()
        cli.says(cli.run("status", env=env, code=78).stderr, "HIWARI_REDIS_FILE", str(file))


if __name__ == "__main__":
    tap.main()
