#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The models hold, every mistake planted in them is caught, and they speak of the scripts as they are.

HIWARI_MODEL_LARGE=1 checks larger configurations too (some GB of memory, many minutes).
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import cli
import tap

MODELS = ("lease", "settle")
GCC_FLAGS = ("-w", "-DVECTORSZ=2048", "-DNFAIR=3", "-DMEMLIM=6000")

# Steps that no model has, and why.
LEFT_OUT = {
    "lease.settled": "a settled batch leases nothing",
    "lease.paused": "pausing only delays",
    "lease.bound": "how many keys a worker may hold",
    "lease.finished": "settle.pml begins there",
    "lease.wait": "when to look again",
    "add.refuse": "no key is added to a sealed batch: seal.set ends Enqueue",
    "begin.busy": "two batches of one name",
    "begin.replace": "the next incarnation; every script of the old one answers GONE",
    "claim.compare": "two batches for one destination",
    "claim.set": "the same",
    "control.set": "pause, resume and cancel",
    "leave.forget": "only what status shows",
    "lock.compare": "the lock spares work; what protects is move.compare",
    "lock.set": "the same",
    "news.claim": "who tells of failed keys: a message, not a key",
    "news.compare": "the same",
    "notify.set": "the same",
    "purge.unlink": "as FLUSHALL, which Rollback does",
    "settle.renew": "how long a settling lease lasts: Clock",
    "show.read": "changes nothing",
    "status.read": "changes nothing",
    "fsck.place": "repairs what cannot come about here: sound()",
    "fsck.stray": "the same",
    "fsck.count": "the same",
}


def check(model, flags, liveness=False, optimize="-O1"):
    """Check a model; what spin's verifier says, and whether it found an error."""
    if not shutil.which("spin"):
        raise tap.Skip("spin is not installed (Debian package spin)")
    with cli.scratch() as tmp:
        subprocess.run(["spin", "-a", *flags, HERE / f"{model}.pml"], cwd=tmp, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["gcc", optimize, *GCC_FLAGS, "-o", "pan", "pan.c"], cwd=tmp, check=True)
        how = ["-a", "-f"] if liveness else ["-noclaim"]
        said = subprocess.run(["./pan", "-n", "-m200000", *how], cwd=tmp, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    errors = re.search(r"errors: (\d+)", said)
    assert errors and "max search depth too small" not in said and "memory limit" not in said, said
    return said, int(errors[1]) > 0


def holds(model, *flags, liveness=False):
    said, wrong = check(model, flags, liveness)
    assert not wrong, said
    states = re.search(r"(\d+) states, stored", said)[1]
    print(f"# {model} {' '.join(flags)}: {states} states")


def caught(model, mistake, *flags, liveness=False):
    # They are found soon: it is compiling that takes the time.
    said, wrong = check(model, [f"-DMISTAKE_{mistake}", *flags], liveness, "-O0")
    assert wrong, f"{mistake} was not noticed: {said}"
    assert "max search depth" not in said and ("assertion violated" in said or "acceptance cycle" in said), said


def test_keys_hold_what_was_promised_with_one_key_and_two_faults():
    holds("lease", "-DKEYS=1", "-DFAULTS=2")


def test_keys_hold_what_was_promised_with_two_keys_and_one_fault():
    holds("lease", "-DKEYS=2", "-DFAULTS=1")


def test_every_key_is_settled_while_a_worker_lives():
    holds("lease", "-DKEYS=1", "-DFAULTS=1", liveness=True)


def test_a_key_that_ends_its_workers_is_given_up():
    holds("lease", "-DKEYS=1", "-DFAULTS=0", "-DKILLER", liveness=True)


def test_success_is_true():
    holds("settle", "-DFAULTS=2")


def test_success_is_true_at_every_moment_if_no_result_is_deleted():
    holds("settle", "-DFAULTS=1", "-DNOTHING_VANISHES")


def test_every_batch_is_settled_in_the_end():
    holds("settle", "-DFAULTS=1", liveness=True)


def test_larger_configurations():
    if not os.environ.get("HIWARI_MODEL_LARGE"):
        raise tap.Skip("HIWARI_MODEL_LARGE is not set")
    holds("settle", "-DFAULTS=2", "-DNOTHING_VANISHES")
    holds("lease", "-DKEYS=1", "-DFAULTS=2", liveness=True)
    holds("settle", "-DFAULTS=2", liveness=True)
    holds("lease", "-DKEYS=1", "-DFAULTS=3")


ONE = ("-DKEYS=1", "-DFAULTS=1")
ALONE = ("-DKEYS=1", "-DFAULTS=0")
TWICE = ("-DFAULTS=2",)
MISTAKES = [
    # model, what is wrong, configuration, whether it takes liveness to see it
    ("lease", "DONE_WITHOUT_TOKEN", ONE, False),
    ("lease", "NO_TAKE_BACK", ONE, False),
    ("lease", "PUT_UNCONDITIONAL", ONE, False),
    ("lease", "REFUSAL_IS_DONE", ONE, False),
    ("lease", "DONE_BEFORE_PUT", ALONE, False),
    ("lease", "FAIL_LEAVES_LEASED", ALONE, False),
    ("lease", "LEASE_IN_TWO_COMMANDS", ONE, False),
    ("lease", "MOVE_WITHOUT_COMPARING", ONE, False),
    ("lease", "SEQUENCE_TOKENS", ONE, False),
    ("lease", "ATTEMPTS_UNCOUNTED", ALONE, True),
    ("lease", "INTERRUPTIONS_UNCOUNTED", (*ALONE, "-DKILLER"), True),
    ("settle", "SUCCESS_BEFORE_MANIFEST", TWICE, False),
    ("settle", "REOPEN_KEEPS_SUCCESS", TWICE, False),
    ("settle", "REBUILD_KEEPS_SUCCESS", TWICE, False),
    ("settle", "SETTLE_WITHOUT_LISTING", TWICE, False),
    ("settle", "MANIFEST_UNCONDITIONAL", TWICE, False),
    ("settle", "FINISH_WITHOUT_TOKEN", ("-DFAULTS=1",), False),
    ("settle", "LATE_SETTLER_LEAVES_SUCCESS", TWICE, False),
    ("settle", "ANY_STALE_SETTLER_TAKES_SUCCESS", TWICE, False),
    ("settle", "ANY_SUCCESS_IS_CLEARED", TWICE, False),
    ("settle", "ANY_MOVER_ENDS_THE_HOLD", TWICE, False),
    ("settle", "MOVE_WITHOUT_COMPARING", TWICE, False),
]
for _model, _mistake, _flags, _liveness in MISTAKES:
    globals()[f"test_caught_in_{_model}_{_mistake.lower()}"] = (
        lambda m=_model, w=_mistake, f=_flags, l=_liveness: caught(m, w, *f, liveness=l))


def test_every_planted_mistake_is_tried():
    planted = {(m, w) for m in MODELS for w in re.findall(r"MISTAKE_(\w+)", (HERE / f"{m}.pml").read_text())}
    assert planted == {(m, w) for m, w, _, _ in MISTAKES}, planted ^ {(m, w) for m, w, _, _ in MISTAKES}


def test_the_models_name_every_step_of_the_scripts():
    """A step that is renamed, added or taken away must be thought about here as well."""
    scripts = "".join(p.read_text() for p in sorted((cli.ROOT / "lib" / "queue").glob("*.lua")))
    steps = set(re.findall(r"^ *-- step: ([\w.]+)$", scripts, re.M))
    models = "".join((HERE / f"{m}.pml").read_text() for m in MODELS)
    named = {name for line in re.findall(r"step: ([\w., ]+)", models) for name in re.findall(r"\w+\.\w+", line)}
    assert named <= steps, f"the scripts have no such steps: {named - steps}"
    assert set(LEFT_OUT) <= steps, f"the scripts have no such steps: {set(LEFT_OUT) - steps}"
    assert not named & set(LEFT_OUT), named & set(LEFT_OUT)
    assert steps == named | set(LEFT_OUT), f"not in a model and not on the list: {steps - named - set(LEFT_OUT)}"


if __name__ == "__main__":
    tap.main()
