# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""scripts/scale: both numbers in one patch, and no work stranded."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fakes
import tap


def objects(workers, active, finished="", mode="Indexed", completions=None, ended=None):
    """A Job of so many workers, and its pods that still work."""
    conditions = [{"type": ended, "status": "True"}] if ended else []
    job = {"kind": "Job", "metadata": {"name": "w", "resourceVersion": "7"},
           "spec": {"completionMode": mode, "parallelism": workers, "completions": completions or workers},
           "status": {"completedIndexes": finished, "conditions": conditions}}
    found = {"hiwari/Job/w": job}
    for index in range(workers):
        phase = "Running" if index in active else "Succeeded"
        found[f"hiwari/Pod/w-{index}"] = {
            "kind": "Pod", "metadata": {"labels": {"batch.kubernetes.io/job-name": "w"},
                                        "annotations": {"batch.kubernetes.io/job-completion-index": str(index)}},
            "status": {"phase": phase}}
    return found


def scaled(world):
    spec = world.state()["objects"]["hiwari/Job/w"]["spec"]
    return spec["parallelism"], spec["completions"]


def test_up_and_down_while_all_work():
    with fakes.world(objects=objects(3, {0, 1, 2})) as world:
        world.run("scripts/scale", "w", 5)
        assert scaled(world) == (5, 5)
    with fakes.world(objects=objects(5, set(range(5)))) as world:
        world.run("scripts/scale", "job/w", 2)
        assert scaled(world) == (2, 2)
        assert len(world.calls("kubectl -n hiwari patch")) == 1


def test_an_active_index_is_not_stranded_behind_finished_ones():
    with fakes.world(objects=objects(5, {2, 4}, finished="0,1,3")) as world:
        done = world.run("scripts/scale", "w", 2, code=75)
        assert "index 2,4 of job w" in done.stderr and "index 0,1 has finished" in done.stderr
        assert "strands nothing is 5" in done.stderr
        assert scaled(world) == (5, 5) and not world.calls("kubectl -n hiwari patch")


def test_ranges_of_finished_indexes_are_understood():
    with fakes.world(objects=objects(8, {7}, finished="0-6")) as world:
        assert "index 0,1,2,3 has finished" in world.run("scripts/scale", "w", 4, code=75).stderr
    with fakes.world(objects=objects(8, {0, 1, 2}, finished="3-7")) as world:
        world.run("scripts/scale", "w", 3)  # nobody works from 3 on
        assert scaled(world) == (3, 3)
    with fakes.world(objects=objects(4, {0, 1, 2}, finished="3")) as world:
        world.run("scripts/scale", "w", 2)  # 2 drains, 0 and 1 take its keys
        assert scaled(world) == (2, 2)


def test_a_job_that_changes_meanwhile_is_looked_at_again():
    with fakes.world(objects=objects(3, {0, 1, 2}), conflicts=2) as world:
        world.run("scripts/scale", "w", 4)
        assert scaled(world) == (4, 4) and len(world.calls("sleep")) == 2
    with fakes.world(objects=objects(3, {0, 1, 2}), conflicts=99) as world:
        assert "could not be changed" in world.run("scripts/scale", "w", 4, code=75).stderr


def test_what_cannot_be_scaled_says_why():
    with fakes.world(objects=objects(3, {0}, mode="NonIndexed")) as world:
        assert "not Indexed" in world.run("scripts/scale", "w", 4, code=78).stderr
    with fakes.world(objects=objects(3, set(), ended="Complete")) as world:
        assert "has ended" in world.run("scripts/scale", "w", 4, code=75).stderr
    with fakes.world(objects=objects(3, {0, 1, 2})) as world:
        assert "has 3 workers already" in world.run("scripts/scale", "w", 3).stderr
        for wrong in (["w"], ["w", 0], ["w", "many"], ["w", 2, "--force"], ["a b", 2]):
            world.run("scripts/scale", *wrong, code=64)
        world.run("scripts/scale", "absent", 2, code=69)
        assert not world.calls("kubectl -n hiwari patch")


def test_the_namespace_is_a_choice():
    found = {key.replace("hiwari/", "mine/"): value for key, value in objects(3, {0, 1, 2}).items()}
    with fakes.world(objects=found) as world:
        world.run("scripts/scale", "w", 4, "-n", "mine")
        assert world.calls("kubectl -n mine patch")


if __name__ == "__main__":
    tap.main()
