# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""world.py - a batch in bad weather: Redis behind a proxy, a crew of workers, and eyes on the destination.

    with world.football(snapshot) as w:
        w.enqueue()
        w.crew(4)
        ... faults ...
        w.calm()
        w.check()

Workers that end are replaced, as a Job does with its pods; how they may end is known, and any other way is an error.
"""
import collections
import contextlib
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import servers
import watch

LEASE_S = 2
SETTLED, UNREACHABLE, AGAIN, DRAINED = 0, 69, 75, 143


class World(hiwari.Batch):
    def __init__(self, tmp, snapshot):
        self.servers = servers.Redis(tmp)
        super().__init__(tmp, self.servers.wire.url, snapshot, cli.FOOTBALL / "spec.json")
        self.dest.mkdir()
        self.watch = watch.Watch(self.dest, hiwari.KEYS)
        self.size, self.fault = 0, None
        self.settled = False  # a worker ended with 0
        self.ends = collections.defaultdict(set)  # worker -> the ways in which it was made to end
        self.read = set()  # workers whose ends were looked at
        self.due = []  # (when, what): things that end by themselves

    @property
    def url(self):
        return f"file://{self.dest}"

    def enqueue(self, *more, lease_s=LEASE_S, **options):
        """Made to last: a short lease, and no budget that bad weather could use up."""
        return super().enqueue("--lease-seconds", lease_s, "--max-interruptions", 1000, "--max-attempts", 100, *more,
                               **options)

    def redis_cli(self, *args):
        return self.servers.server.says(*args)

    # ---- the crew ----

    def crew(self, size, fault=None):
        """Keep so many workers alive; fault(n) is what the worker number n wishes."""
        self.size, self.fault = size, fault
        self.keep()

    def alive(self):
        return [w for w in self.workers if w.process.poll() is None]

    def keep(self):
        for worker in self.workers:
            if worker.process.poll() is not None and worker not in self.read:
                self.read.add(worker)
                self._look_at_end(worker)
        while not self.settled and len(self.alive()) < self.size:
            self.worker(fault=self.fault and self.fault(len(self.workers)))

    def _look_at_end(self, worker):
        code = worker.process.returncode
        wanted = {SETTLED, AGAIN, *self.ends[worker]}  # 75: the batch was gone for too long
        if code == -signal.SIGTERM and not worker.text():
            return  # it had hardly been started
        assert code in wanted, f"a worker ended with {code}, not {wanted}:\n{worker.text()[-4000:]}"
        self.settled = self.settled or code == SETTLED

    # ---- time ----

    def later(self, seconds, what):
        self.due.append((time.monotonic() + seconds, what))

    def _do_due(self, everything=False):
        now = time.monotonic()
        for entry in sorted(self.due, key=lambda e: e[0]):
            if everything or entry[0] <= now:
                self.due.remove(entry)
                entry[1]()

    def pause(self, seconds):
        """Let time pass; what is due happens, and the crew is kept."""
        until = time.monotonic() + seconds
        while True:
            self._do_due()
            self.keep()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.02))

    # ---- faults to workers ----

    def kill(self, worker):
        self.ends[worker].add(-signal.SIGKILL)
        worker.kill()

    def stop(self, worker, seconds):
        worker.signal(signal.SIGSTOP)
        self.later(seconds, lambda: worker.signal(signal.SIGCONT))

    def drain(self, worker):
        self.ends[worker].add(DRAINED)
        worker.signal(signal.SIGTERM)

    def worker_dies(self, point):
        """Start a worker that ends as by kill -9 there, and wait for that."""
        worker = self.worker(fault=f"kill:{point}")
        self.ends[worker].add(-signal.SIGKILL)
        worker.wait(-signal.SIGKILL)

    # ---- what a person or a cron job does ----

    def reconcile(self):
        """Until it succeeds: Redis may be away, or another one be running. Returns what it said then."""
        said = []

        def succeeds():
            self._do_due()
            self.keep()
            done = self.hiwari("reconcile", self.name, "--dest", self.url, code=None)
            assert done.returncode in (0, UNREACHABLE, AGAIN), f"reconcile: {done.returncode}\n{done.stderr}"
            said.append(done.stdout + done.stderr)
            return done.returncode == 0
        cli.wait_until(succeeds, "reconcile succeeds", 120)
        return said[-1]

    def calm(self):
        """The weather clears, and the crew leaves with its wishes. What Redis has lost is reconciled, and a worker
        settles the batch."""
        self._do_due(everything=True)
        self.servers.wire.delay(0)
        self.servers.wire.refuse(False)
        self.servers.wire.blackhole(False)
        self.servers.wire.reset_count()
        self.size = 0
        for worker in self.alive():
            self.drain(worker)
        self.reconcile()
        self.finish()
        cli.wait_until(lambda: not self.alive(), "all workers have left")
        self.keep()

    def finish(self, snapshot=None):
        self.worker().wait(0, 180)

    def check(self):
        """Every key settled, every result right and written once, and what Redis holds is sound."""
        super().check()
        wrong = self.watch.end()
        assert not wrong, "\n".join(wrong)

    def lost_calls(self):
        """How many calls to the store failed because they were wished to, by moment."""
        failed = [e["moment"] for w in self.workers for e in w.said("because a test wishes") if e["site"] == "store"]
        return failed.count("before"), failed.count("after")


def busy(seconds):
    """A process that uses one core for so long."""
    return subprocess.Popen([sys.executable, "-c", "import sys, time\nend = time.monotonic() + float(sys.argv[1])\n"
                             "while time.monotonic() < end: pass", str(seconds)])


@contextlib.contextmanager
def football(snapshot):
    with cli.scratch() as tmp:
        world = World(tmp, snapshot)
        try:
            yield world
        except BaseException:
            for number, worker in enumerate(world.workers):
                print("".join(f"# worker {number}: {line}\n" for line in worker.text().splitlines()[-8:]))
            raise
        finally:
            for worker in world.workers:
                worker.signal(signal.SIGCONT)
                worker.kill()
            world.servers.end()
