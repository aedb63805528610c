# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""scripts/publish-dataset: in order, each step waits, and a rerun after any interruption ends in the same."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import fakes
import tap

ID = "3f2a" * 16
CLAIM = "races-3f2a3f2a3f2a"
RUNNING, COMPLETE = {}, {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {"conditions": [{"type": "FailureTarget", "status": "True"}, {"type": "Failed", "status": "True"}]}
FUTURE = {"Job/races-load": [RUNNING, RUNNING, COMPLETE], f"Job/{CLAIM}-check": [RUNNING, COMPLETE],
          f"VolumeSnapshot/{CLAIM}": [{}, {"readyToUse": False, "error": {"message": "busy"}}, {"readyToUse": True}]}
LOGS = {"job/races-load": json.dumps({"id": ID, "rows": 3}, indent=2)}
ARGUMENTS = ["races", "--spec", cli.FOOTBALL / "spec.json", "--from", "gs://b/snapshots/races", "--size", "20Gi",
             "--image", "r.example/hiwari:1"]


def publish(world, *arguments, code=0):
    return world.run("scripts/publish-dataset", *(arguments or ARGUMENTS), code=code)


def kinds(world):
    return sorted(key.split("/", 1)[1] for key in world.state()["objects"])


def test_from_a_bucket_to_a_claim_for_many():
    with fakes.world(future=FUTURE, logs=LOGS) as world:
        done = publish(world)
        assert done.stdout.startswith(f"claim: {CLAIM}\n")
        assert "not yet: busy" in done.stderr
        made = world.state()["objects"]
        assert kinds(world) == [f"PersistentVolumeClaim/{CLAIM}", f"VolumeSnapshot/{CLAIM}"]
        claim = made[f"hiwari/PersistentVolumeClaim/{CLAIM}"]["spec"]
        assert claim["accessModes"] == ["ReadOnlyMany"] and claim["dataSource"]["name"] == CLAIM
        assert claim["resources"]["requests"]["storage"] == "20Gi"
        applied = [c for c in world.calls() if " apply " in c or " delete " in c]
        assert "delete" in applied[0] and "delete" in applied[-1], applied


def test_the_loader_gets_the_words_of_the_command_line():
    with fakes.world(future={}, logs=LOGS) as world:
        world.change(future={"Job/races-load": [RUNNING, FAILED]})
        publish(world, code=69)
        job = world.state()["objects"]["hiwari/Job/races-load"]["spec"]["template"]["spec"]
        assert job["initContainers"][0]["command"] == ["hiwari", "snapshot", "pull", "gs://b/snapshots/races", "/dataset/snapshot"]
        images = {c["image"] for c in job["initContainers"] + job["containers"]}
        assert images == {"r.example/hiwari:1"}


def test_a_rerun_after_any_command_ends_in_the_same():
    """The script is stopped behind the 1st, 2nd, 3rd … command that changes something, and run again."""
    with fakes.world(future=FUTURE, logs=LOGS) as world:
        publish(world)
        whole, n = kinds(world), world.state()["changes"]
    assert n > 8
    for stop in range(1, n):
        with fakes.world(future=FUTURE, logs=LOGS, stop=stop) as world:
            world.run("scripts/publish-dataset", *ARGUMENTS, code=None)
            world.change(stop=0)
            done = publish(world)
            assert done.stdout.startswith(f"claim: {CLAIM}\n"), stop
            assert kinds(world) == whole, (stop, kinds(world))
            assert world.state()["objects"][f"hiwari/PersistentVolumeClaim/{CLAIM}"]["metadata"]["labels"][
                "hiwari/published"] == "yes"


def test_what_is_published_is_not_made_again():
    with fakes.world(future=FUTURE, logs=LOGS) as world:
        publish(world)
        before = len(world.calls())
        assert publish(world).stdout.startswith(f"claim: {CLAIM}\n")
        assert not [c for c in world.calls()[before:] if " apply " in c]


def test_new_data_under_an_old_name_is_refused():
    other = [*ARGUMENTS[:4], "gs://b/snapshots/races-2", *ARGUMENTS[5:]]
    with fakes.world(future=FUTURE, logs=LOGS) as world:
        publish(world)
        done = publish(world, *other, code=65)
        cli.says(done.stderr, "gs://b/snapshots/races,", "gs://b/snapshots/races-2", "a new NAME")
        assert not done.stdout
        world.change(future=FUTURE, logs={"job/new-load": LOGS["job/races-load"]})
    with fakes.world(future={"Job/races-load": [RUNNING] * 3 + [COMPLETE]}, logs={}) as world:
        publish(world, code=65)  # interrupted when the load was complete
        cli.says(publish(world, *other, code=65).stderr, "a new NAME")
    with fakes.world(future={"Job/races-load": [RUNNING, FAILED]}, logs={}) as world:
        publish(world, code=69)  # a load that failed leaves the name free
        world.change(future={**FUTURE, "Job/races-load": [FAILED, RUNNING, COMPLETE]}, logs=LOGS)
        assert publish(world, *other).stdout.startswith(f"claim: {CLAIM}\n")


def test_what_keeps_a_pod_from_running_is_said_once():
    pod = {"kind": "Pod", "metadata": {"name": "p", "labels": {"batch.kubernetes.io/job-name": "races-load"}}}
    pulling = {"initContainerStatuses": [{"state": {"waiting": {"message": "Back-off pulling image hiwari:0.1.0"}}}]}
    with fakes.world(future={**FUTURE, "Job/races-load": [RUNNING] * 5 + [COMPLETE], "Pod/p": [{}, pulling, pulling, {}]},
                     logs=LOGS, objects={"hiwari/Pod/p": pod}) as world:
        assert publish(world).stderr.count("not yet: Back-off pulling image hiwari:0.1.0") == 1


def test_the_snapshot_is_taken_of_a_disk_that_no_machine_has():
    attached = {"kind": "VolumeAttachment", "metadata": {"name": "a"},
                "spec": {"source": {"persistentVolumeName": "pv-races-load"}}}
    with fakes.world(future={**FUTURE, "VolumeAttachment/a": [{}, {}, "gone"]}, logs=LOGS,
                     objects={"default/VolumeAttachment/a": attached}) as world:
        publish(world)
        looks = [i for i, call in enumerate(world.calls()) if "get volumeattachments" in call]
        assert len(looks) == 3, looks
        assert looks[-1] < next(i for i, call in enumerate(world.calls()) if "get volumesnapshot" in call)


def test_a_failed_load_is_said_and_begun_again_with_an_empty_disk():
    with fakes.world(future={**FUTURE, "Job/races-load": [RUNNING, FAILED]},
                     logs={**LOGS, "job/races-load": "snapshot pull: no such bucket"}) as world:
        done = publish(world, code=69)
        assert "no such bucket" in done.stderr and "run this command again" in " ".join(done.stderr.split())
        world.change(future={**FUTURE, "Job/races-load": [FAILED, RUNNING, COMPLETE]}, logs=LOGS)
        publish(world)
        assert world.calls("kubectl -n hiwari delete job races-load --cascade=foreground")
        assert world.calls("kubectl -n hiwari delete pvc races-load")


def test_a_log_without_an_id_is_an_error():
    with fakes.world(future=FUTURE, logs={"job/races-load": "{}"}) as world:
        assert "names no snapshot" in publish(world, code=65).stderr


def test_wrong_words_are_refused_before_anything_is_touched():
    spec = ["--spec", cli.FOOTBALL / "spec.json"]
    with fakes.world() as world:
        for words in ([], ["Races", *spec, "--from", "gs://b/x"], ["races", *spec], ["races", "--from", "gs://b/x"],
                      ["races", *spec, "--from", "gs://b/x", "--loader", "y"], ["races", *spec, "--from", "gs://b/x|e"],
                      ["races", *spec, "--from", "gs://b/x", "--size", "lots"], ["races", *spec, "--from"],
                      ["a" * 33, *spec, "--from", "gs://b/x"], ["races", *spec, "--from", "gs://b/x", "--fast", "1"]):
            world.run("scripts/publish-dataset", *words, code=64)
        world.run("scripts/publish-dataset", "races", "--spec", "/absent", "--from", "gs://b/x", code=65)
        world.run("scripts/publish-dataset", "races", *spec, "--loader", "/absent", code=65)
        assert not world.calls()


def test_the_printed_patch_is_one_that_kubectl_takes():
    if subprocess.run(["sh", "-c", "command -v kubectl"], stdout=subprocess.DEVNULL).returncode != 0:
        raise tap.Skip("there is no kubectl")
    with fakes.world(future=FUTURE, logs=LOGS) as world:
        lines = publish(world).stdout.splitlines()
    command = next(line for line in lines if "worker-job.yaml" in line).split(" | ")[0]
    patched = subprocess.run(command, shell=True, cwd=cli.ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert f"claimName: {CLAIM}" in patched and "readOnly: true" in patched and "claimName: hiwari-dataset" not in patched


if __name__ == "__main__":
    tap.main()
