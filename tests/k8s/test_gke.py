# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""scripts/gke-up and gke-down: the quota first, nothing twice, nothing left behind, nobody else's things."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fakes
import tap

ARGUMENTS = ["--project", "racing-1", "--bucket", "racing-features", "--zone", "europe-west1-b"]
ANSWERS = {"projects describe": "123456789\n", "compute disks list": "", "compute project-info describe": ""}


def quotas(**free):
    return "".join(f"{metric},{limit},0\n" for metric, limit in free.items())


def answers(all_regions=1000, **quota):
    return {**ANSWERS, "compute regions describe europe-west1": quotas(**quota),
            "compute project-info describe": quotas(CPUS_ALL_REGIONS=all_regions)}


PLENTY = answers(PREEMPTIBLE_CPUS=2000, CPUS=24, IN_USE_ADDRESSES=100, SSD_TOTAL_GB=500)


def up(world, *more, code=0):
    return world.run("scripts/gke-up", *ARGUMENTS, *more, code=code)


def down(world, *more, code=0):
    return world.run("scripts/gke-down", *ARGUMENTS, *more, code=code)


def test_up_makes_everything_and_down_removes_it():
    with fakes.world(gcloud=PLENTY) as world:
        up(world)
        assert sorted(world.state()["things"]) == [
            "buckets/gs://racing-features", "clusters/hiwari", "node-pools/spot", "repositories/hiwari"]
        pool = world.calls("gcloud container node-pools create")[0]
        for words in ("--spot", "--min-nodes 0", "--num-nodes 0", "--max-nodes 6", "gke-spot=true:NoSchedule"):
            assert words in pool, pool
        cluster = world.calls("gcloud container clusters create")[0]
        for words in ("--workload-pool racing-1.svc.id.goog", "--enable-dataplane-v2", "--zone europe-west1-b"):
            assert words in cluster, cluster
        assert "no_minor_or_node_upgrades" in world.calls("gcloud container clusters update")[0]
        assert "--location europe-west1 " in world.calls("gcloud storage buckets create")[0]
        grant = world.calls("gcloud storage buckets add-iam-policy-binding")[0]
        assert "/projects/123456789/" in grant and "subject/ns/hiwari/sa/hiwari" in grant
        down(world)
        assert [t for t in world.state()["things"] if not t.startswith("node-pools")] == []  # those go with the cluster
        order = [c for c in world.calls() if " delete " in c]
        kinds = [next(k for k in ("jobs", "volumesnapshots", "persistentvolumeclaims", "namespace", "clusters", "repositories",
                                  "buckets", "delete-context") if k in c) for c in order]
        assert kinds == ["jobs", "volumesnapshots", "persistentvolumeclaims", "namespace", "clusters", "repositories",
                         "buckets"], kinds
        assert not world.calls("gcloud storage buckets delete")[0].startswith("gcloud storage rm")


def test_up_twice_makes_nothing_twice():
    with fakes.world(gcloud=PLENTY) as world:
        up(world)
        state = world.state()
        state["things"]["clusters/hiwari"]["exclusions"] = "hiwari: {…}\n"
        world.change(things=state["things"])
        before = len(world.calls())
        up(world)
        assert not [c for c in world.calls()[before:] if " create " in c or " clusters update " in c]


def test_a_short_quota_stops_before_anything_is_made():
    with fakes.world(gcloud=answers(PREEMPTIBLE_CPUS=50, IN_USE_ADDRESSES=100)) as world:
        done = up(world, code=75)
        assert "short for 6 x n2-standard-16 and one e2-standard-4" in done.stderr
        assert "PREEMPTIBLE_CPUS in europe-west1: 50 free, and 96 needed" in done.stderr
        assert not world.calls("gcloud storage") and not world.state().get("things")
    with fakes.world(gcloud=answers(PREEMPTIBLE_CPUS=0, CPUS=500, N2_CPUS=24, IN_USE_ADDRESSES=100)) as world:
        assert "N2_CPUS" in up(world, code=75).stderr
    with fakes.world(gcloud=answers(PREEMPTIBLE_CPUS=0, CPUS=500, N2_CPUS=96, IN_USE_ADDRESSES=4)) as world:
        assert "IN_USE_ADDRESSES in europe-west1: 4 free" in up(world, code=75).stderr
    with fakes.world(gcloud=answers(PREEMPTIBLE_CPUS=3648, CPUS=4, IN_USE_ADDRESSES=39, SSD_TOTAL_GB=1200)) as world:
        assert "see k8s/overlays/gke-spot/storage.yaml" in up(world, "--machine", "n1-standard-96", "--nodes", 38).stderr
    for short, quota in (("CPUS in europe-west1: 3 free, and 4 needed", {"PREEMPTIBLE_CPUS": 2000, "CPUS": 3}),
                         ("CPUS in europe-west1: 96 free, and 100 needed", {"PREEMPTIBLE_CPUS": 0, "CPUS": 96, "N2_CPUS": 96}),
                         ("CPUS_ALL_REGIONS of the project: 32 free, and 100", {"all_regions": 32, "CPUS": 500}),
                         ("SSD_TOTAL_GB in europe-west1: 239 free, and 240", {"CPUS": 500, "SSD_TOTAL_GB": 239})):
        with fakes.world(gcloud=answers(**quota)) as world:
            assert short in up(world, code=75).stderr
    with fakes.world(gcloud=answers(PREEMPTIBLE_CPUS=48)) as world:
        up(world, "--machine", "n2-custom-8-16384")


def test_what_could_not_be_asked_is_not_taken_for_absent():
    busy = "ERROR: (gcloud) HTTPError 503: The service is currently unavailable."
    for asked in ("container clusters describe", "artifacts repositories describe", "storage buckets describe"):
        with fakes.world(gcloud=PLENTY) as world:
            up(world)
            there = set(world.state()["things"])
            world.change(trouble={asked: busy})
            done = down(world, "--with-results", code=69)
            assert "503" in done.stderr and asked in done.stderr, done.stderr
            world.change(trouble={})
            assert set(world.state()["things"]) <= there
            down(world, "--with-results")
            assert [t for t in world.state()["things"] if not t.startswith("node-pools")] == []


def test_a_bucket_without_label_is_kept_and_said():
    with fakes.world(gcloud=PLENTY, trouble={"storage buckets update": "ERROR: the connection was lost"}) as world:
        up(world, code=1)
        world.change(trouble={})
        up(world)
        assert "gs://racing-features is kept: without the label" in down(world, "--with-results").stderr


def test_a_dry_run_prints_the_commands_and_asks_nobody():
    with fakes.world() as world:
        printed = up(world, "--dry-run").stdout.splitlines()
        assert not world.calls()
        world.change(gcloud=PLENTY)
        carried_out = up(world).stdout.splitlines()
        assert [line.replace("PROJECT_NUMBER", "123456789") for line in printed] == carried_out
    with fakes.world() as world:
        printed = down(world, "--dry-run").stdout
        assert not world.calls() and "gcloud container clusters delete hiwari" in printed
        assert "gcloud storage rm --recursive gs://racing-features" in down(world, "--dry-run", "--with-results").stdout


def test_every_option_is_one_that_gcloud_has():
    tree = fakes.gcloud_tree()
    if not tree:
        raise tap.Skip("there is no gcloud whose options could be looked up")
    with fakes.world() as world:
        lines = up(world, "--dry-run").stdout + down(world, "--dry-run").stdout + down(world, "--dry-run", "--with-results").stdout
    lines = [line for line in lines.splitlines() if line.startswith("gcloud")]
    assert len(lines) > 15
    assert [u for line in lines for u in fakes.unknown_options(tree, line)] == []
    assert fakes.unknown_options(tree, "gcloud container clusters create x --enable-surprises") == ["--enable-surprises"]


def test_results_are_kept_until_it_is_said():
    with fakes.world(gcloud=PLENTY) as world:
        up(world)
        state = world.state()
        state["things"]["buckets/gs://racing-features"]["objects"] = 3
        world.change(things=state["things"])
        assert "it holds results" in down(world, code=1).stderr
        assert "buckets/gs://racing-features" in world.state()["things"]
        down(world, "--with-results")
        assert "buckets/gs://racing-features" not in world.state()["things"]


def test_what_was_there_before_stays():
    mine = {"buckets/gs://racing-features": {"labels": ""}, "repositories/hiwari": {"labels": "team=x"}}
    with fakes.world(gcloud=PLENTY, things=mine) as world:
        up(world)
        done = down(world, "--with-results")
        assert "gs://racing-features is kept" in done.stderr and "registry hiwari is kept" in done.stderr
        assert {k for k in world.state()["things"] if "pools" not in k} == set(mine)
        assert world.calls("gcloud storage buckets remove-iam-policy-binding")


def test_disks_left_behind_are_named():
    with fakes.world(gcloud={**ANSWERS, "compute disks list": "pvc-1234\t10\n"}) as world:
        assert "pvc-1234" in down(world, code=1).stderr


def test_wrong_words_are_usage():
    with fakes.world() as world:
        for script in ("scripts/gke-up", "scripts/gke-down"):
            for words in ([], ["--project", "racing-1"], [*ARGUMENTS, "--zone", "europe"], [*ARGUMENTS, "--bucket"],
                          [*ARGUMENTS, "--fast"], [*ARGUMENTS, "--cluster", "My"]):
                world.run(script, *words, code=64)
        world.run("scripts/gke-up", *ARGUMENTS, "--nodes", "many", code=64)
        world.run("scripts/gke-down", *ARGUMENTS, "--nodes", "3", code=64)
        assert not world.calls()


if __name__ == "__main__":
    tap.main()
