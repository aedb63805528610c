#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Word to a webhook: of failed keys (grouped), of the end, and when nobody works; the work never waits for it."""
import concurrent.futures
import csv
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap
import webhook


def first_keys(n):
    """The first n dates of the data."""
    with open(cli.FOOTBALL / "appearances.csv", newline="", encoding="utf-8") as file:
        return sorted({row["match_date"] for row in csv.DictReader(file)})[:n]


def enqueue(batch, hook, *more, **options):
    return batch.enqueue("--notify", hook.url, "--max-attempts", 1, *more, **options)


def put_garbage(batch, keys):
    """In the place of these results stands something else, so that the keys fail."""
    for key in keys:
        (batch.dest / f"{key}.zip").write_bytes(b"<not> a & result")


def test_failed_keys_are_told_once_and_then_the_end():
    with hiwari.football() as batch, webhook.serve() as hook:
        enqueue(batch, hook, "--to", "2013-08-31")
        keys = first_keys(3)
        put_garbage(batch, keys)
        workers = [batch.worker() for _ in range(3)]
        for worker in workers:
            worker.wait(0)
        failed, settled = hook.about("failed"), hook.about("settled")
        assert (len(failed), len(settled), len(hook.texts)) == (2, 1, 2), hook.texts
        for text in failed:
            cli.says(text, "*fb*", "another result is there", "hiwari retry fb --all")
        cli.says(failed[0], "hiwari status fb")
        total = batch.status()["total"]
        cli.says(settled[0], "*fb*", "epoch 1", f"{total - 3} keys are done, 3 have failed", *keys, str(batch.dest))
        assert [text for text in hook.texts if "<not>" in text] == []


def test_an_end_without_failures_is_one_message():
    with hiwari.football() as batch, webhook.serve() as hook:
        enqueue(batch, hook, "--limit", 6)
        for worker in [batch.worker(), batch.worker()]:
            worker.wait(0)
        assert len(hook.texts) == 1, hook.texts
        cli.says(hook.texts[0], "all 6 keys are done", "epoch 1", f"file://{batch.dest}")
        batch.worker().wait(0)
        batch.hiwari("reconcile", "fb", "--dest", f"file://{batch.dest}")
        assert len(hook.texts) == 1, hook.texts


def test_settling_again_is_told_again_under_the_next_epoch():
    with hiwari.football() as batch, webhook.serve() as hook:
        enqueue(batch, hook, "--to", "2013-08-31")
        key = first_keys(1)
        put_garbage(batch, key)
        batch.worker().wait(0)
        (batch.dest / f"{key[0]}.zip").unlink()
        batch.hiwari("retry", "fb", "--all")
        batch.worker().wait(0)
        settled = hook.about("settled")
        assert len(settled) == 2, hook.texts
        cli.says(settled[0], "epoch 1", "1 has failed")
        cli.says(settled[1], "epoch 2", "all ")


def test_the_url_is_nowhere_to_be_seen():
    with hiwari.football() as batch, webhook.serve() as hook:
        said = [enqueue(batch, hook, "--to", "2013-08-31")]
        put_garbage(batch, first_keys(1))
        worker = batch.worker(fault="slow:computing:100") if hiwari.has_faults() else batch.worker()
        assert not cli.processes_with("s3cr3t"), "on a command line"
        hook.answer = 404
        worker.wait(0)
        said += [batch.hiwari("status", "fb", code=None), batch.hiwari("status", "fb", "--json", code=None),
                 batch.hiwari("show", "fb", first_keys(1)[0]), batch.hiwari("fsck", "fb"),
                 batch.hiwari("reconcile", "fb", code=None), batch.hiwari("reconcile", "fb", "--json", code=None)]
        texts = [worker.text(), *(done.stdout + done.stderr for done in said)]
        texts += [p.read_text(errors="replace") for p in batch.dest.iterdir()]
        assert not [text for text in texts if "s3cr3t" in text or "SECRET" in text]
        assert json.loads((batch.dest / "_batch.json").read_text())["settings"]["notify"] is True
        cli.says(worker.text(), "webhook", "404")


def test_a_url_that_is_none_is_refused_without_repeating_it():
    with hiwari.football() as batch:
        for url in ("hooks.slack.com/s3cr3t", "ftp://example.org/s3cr3t", "https:///s3cr3t", "https://a b/s3cr3t", "https://"):
            done = batch.enqueue("--notify", url, code=64)
            assert "s3cr3t" not in done.stderr
            cli.says(done.stderr, "webhook", "https://")
        assert not batch.dest.exists()


def test_from_the_environment_it_is_not_on_the_command_line():
    with hiwari.football() as batch, webhook.serve() as hook:
        cli.run("enqueue", "fb", "--spec", batch.spec, "--snapshot", batch.snapshot, "--dest", f"file://{batch.dest}",
                "--limit", 3, env={**batch._env(None), "HIWARI_NOTIFY": hook.url})
        batch.finish()
        assert len(hook.about("settled")) == 1


def settles_whatever_the_webhook_does(answer):
    with hiwari.football() as batch, webhook.serve() as hook:
        hook.answer = answer
        enqueue(batch, hook, "--to", "2013-08-31")
        put_garbage(batch, first_keys(2))
        worker = batch.worker()
        worker.wait(0)
        assert batch.status()["state"] == "settled" and batch.status()["failed"] == 2
        assert hook.asked >= 1 and not hook.texts
        said = [event for event in worker.log() if "webhook" in event["message"]]
        assert 1 <= len(said) <= 2, (answer, said)  # about the failures, and about the end
        batch.hiwari("fsck", "fb")


def test_a_webhook_that_does_not_answer_well_changes_nothing_but_one_line_of_the_log():
    answers = (500, 404, 302, "stall", "close", "garbage", "endless")
    with concurrent.futures.ThreadPoolExecutor(len(answers)) as pool:  # most of the time is waiting
        list(pool.map(settles_whatever_the_webhook_does, answers))


def test_a_webhook_that_is_not_there_changes_nothing_either():
    with hiwari.football() as batch:
        with webhook.serve() as gone:
            pass
        enqueue(batch, gone, "--limit", 5)
        batch.finish()
        assert batch.status()["done"] == 5 and batch.has_success()
        cli.says(batch.workers[0].text(), "webhook could not be told", "hiwari reconcile")


def test_computing_goes_on_while_the_webhook_stalls():
    """The message about failures is under way for longer than all other keys take."""
    with hiwari.football() as batch, webhook.serve() as hook:
        hook.answer = "stall"
        enqueue(batch, hook, "--to", "2014-12-31", "--newest-first")
        key = max(k for k in first_keys(10000) if k <= "2014-12-31")
        put_garbage(batch, [key])
        worker = batch.worker("--lease-keys", 1)
        cli.wait_until(lambda: hook.asked >= 1, "the webhook was asked")
        before = len(cli.results(batch.dest))
        cli.wait_until(lambda: len(cli.results(batch.dest)) >= before + 20 or batch.status()["state"] == "settled",
                       "results come while the webhook stalls")
        worker.wait(0)


def lock_names(batch):
    return batch.redis_cli("HKEYS", "hiwari:{fb}:locks").split()


def test_whoever_settles_and_dies_leaves_the_word_to_others():
    if not hiwari.has_faults():
        raise tap.Skip("a release build")
    for point in ("notice-settled", "notice-locked"):
        with hiwari.football() as batch, webhook.serve() as hook:
            enqueue(batch, hook, "--limit", 4)
            batch.worker(fault=f"kill:{point}").wait(-9)
            assert batch.status()["state"] == "settled" and not hook.texts
            if point == "notice-locked":  # half a minute later
                batch.hiwari("reconcile", "fb")
                assert not hook.texts, "told twice within the time that telling may take"
                for name in lock_names(batch):
                    batch.redis_cli("HDEL", "hiwari:{fb}:locks", name)
            batch.hiwari("reconcile", "fb")
            assert len(hook.about("epoch 1")) == 1, hook.texts
            batch.hiwari("reconcile", "fb")
            assert len(hook.texts) == 1, hook.texts


def test_a_webhook_that_was_away_at_the_end_is_told_by_reconcile():
    with hiwari.football() as batch, webhook.serve() as hook:
        hook.answer = 404
        enqueue(batch, hook, "--limit", 4)
        batch.finish()
        for name in lock_names(batch):
            batch.redis_cli("HDEL", "hiwari:{fb}:locks", name)
        cli.says(batch.hiwari("reconcile", "fb").stderr, "webhook does not take messages", "404")
        hook.answer = 200
        for name in lock_names(batch):
            batch.redis_cli("HDEL", "hiwari:{fb}:locks", name)
        batch.hiwari("reconcile", "fb")
        assert len(hook.about("settled")) == 1


def make_older(batch):
    """The batch was made an hour ago."""
    text = json.loads(batch.redis_cli("GET", "hiwari:{fb}:json"))
    text["made_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    batch.redis_cli("SET", "hiwari:{fb}:json", json.dumps(text))


def test_cron_tells_when_keys_wait_and_nobody_works():
    with hiwari.football() as batch, webhook.serve() as hook:
        enqueue(batch, hook, "--limit", 7)
        batch.hiwari("reconcile", "fb")
        assert not hook.texts, "too early to complain"
        make_older(batch)
        batch.hiwari("reconcile", "fb", "--dry-run")
        assert not hook.texts
        batch.hiwari("reconcile", "fb")
        assert len(hook.texts) == 1, hook.texts
        cli.says(hook.texts[0], "7 keys wait", "two minutes", "hiwari-worker --batch fb")
        batch.hiwari("reconcile", "fb")
        assert len(hook.texts) == 1, "at most one such message in ten minutes"
        batch.hiwari("pause", "fb")
        batch.redis_cli("DEL", "hiwari:{fb}:locks")
        batch.hiwari("reconcile", "fb")
        assert len(hook.texts) == 1, "nobody is to work on a paused batch"


def test_a_redis_that_lost_the_url_is_given_it_again():
    with hiwari.football() as batch, webhook.serve() as hook:
        enqueue(batch, hook, "--limit", 7)
        batch.redis_cli("FLUSHALL")
        dest = f"file://{batch.dest}"
        cli.says(batch.hiwari("reconcile", "fb", "--dest", dest).stderr, "--notify", "lost the webhook")
        done = batch.hiwari("reconcile", "fb", "--notify", hook.url)
        assert "lost the webhook" not in done.stderr
        batch.finish()
        assert len(hook.about("settled")) == 1
        batch.redis_cli("FLUSHALL")
        batch.hiwari("reconcile", "fb", "--dest", dest, "--notify", hook.url)
        batch.finish()
        assert len(hook.about("settled")) == 2


def test_enqueueing_again_changes_whom_to_tell():
    with hiwari.football() as batch, webhook.serve() as old, webhook.serve() as new:
        enqueue(batch, old, "--limit", 5)
        enqueue(batch, new, "--limit", 5)
        batch.finish()
        assert not old.texts and len(new.about("settled")) == 1


if __name__ == "__main__":
    tap.main()
