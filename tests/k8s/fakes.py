#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""fakes.py - a kubectl, a gcloud and a sleep for the scripts to talk to.

They keep a small world in a file, answer what the scripts ask, carry out what they order, and write every command down.
A command that they do not know, or that the real one would refuse, is an error that fails the test.

    with fakes.world(jobs={...}) as world:
        world.run("scripts/scale", "job", "5")
        world.calls("kubectl patch")
"""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import shlex
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GCLOUD_TREE = pathlib.Path("/usr/lib/google-cloud-sdk/data/cli/gcloud_completions.py")


class World:
    """What a test sees of it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.file = self.directory / "world.json"

    def state(self):
        return json.loads(self.file.read_text())

    def change(self, **members):
        self.file.write_text(json.dumps({**self.state(), **members}))

    def run(self, script, *args, code=0):
        env = {**os.environ, "PATH": f"{self.directory}:{os.environ['PATH']}", "FAKE_WORLD": str(self.file)}
        import subprocess  # here, so that the fakes themselves start fast
        done = subprocess.run([ROOT / script, *map(str, args)], env=env, text=True, timeout=60, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        wrong = self.state().get("wrong", [])
        assert not wrong, f"{wrong}\n{done.stderr}"
        assert code is None or done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        return done

    def calls(self, beginning=""):
        """The commands so far, each as one line, that begin so."""
        return [line for line in self.state().get("calls", []) if line.startswith(beginning)]


@contextlib.contextmanager
def world(**members):
    import tempfile
    with tempfile.TemporaryDirectory(prefix="hiwari-fake-") as directory:
        for name in ("kubectl", "gcloud", "sleep"):
            path = pathlib.Path(directory) / name
            path.write_text(f"#!/bin/sh\nexec {sys.executable} -E -S {__file__} {name} \"$@\"\n")
            path.chmod(0o755)
        made = World(directory)
        made.file.write_text(json.dumps(members))
        yield made


def gcloud_tree():
    """Every command and option of the real gcloud, from what its own completion is made of; None where there is no gcloud."""
    if not GCLOUD_TREE.exists():
        return None
    names = {}
    exec(compile(GCLOUD_TREE.read_text(), str(GCLOUD_TREE), "exec"), names)
    return names["STATIC_COMPLETION_CLI_TREE"]


def unknown_options(tree, line):
    """The options of a gcloud command line that the real one has not."""
    node, flags = tree, set(tree.get("flags", {}))
    words = shlex.split(line)[1:]
    for word in words:
        if word in node.get("commands", {}):
            node = node["commands"][word]
            flags |= set(node.get("flags", {}))
    return [w for w in words if w.startswith("--") and w.split("=")[0] not in flags]


# ---- the other side: what the fake commands do ----


class Refused(Exception):
    """As the real one would: words to standard error, and exit code 1."""


class Unknown(Exception):
    """The fake does not know this: the test fails."""


def options(args, flags=(), valued=()):
    """Arguments and options of a command line in which only these options may stand."""
    rest, found, args = [], {}, list(args)
    while args:
        arg = args.pop(0)
        name, equals, value = arg.partition("=")
        if not arg.startswith("-") or arg == "-":
            rest.append(arg)
        elif name in valued and equals:
            found[name] = value
        elif name in valued:
            found[name] = args.pop(0)
        elif name in flags:
            found[name] = value or True
        else:
            raise Unknown(f"option {arg}")
    return rest, found


# ---- kubectl ----

KUBECTL_VALUED = {
    "get": ["-o", "-l", "-n"], "patch": ["-p", "--type", "-n"], "apply": ["-f", "-n"], "label": ["-n"], "annotate": ["-n"],
    "delete": ["-n", "--cascade", "--timeout", "--wait"], "logs": ["-c", "-n", "--tail"],
    "create": ["--from-file", "--from-literal", "-o", "-n", "--dry-run"], "config": []}
KUBECTL_FLAGS = {"get": ["--ignore-not-found"], "logs": ["--all-containers"], "label": ["--overwrite"],
                 "annotate": ["--overwrite"], "delete": ["--all", "--ignore-not-found", "--wait"]}
KINDS = {"pvc": "PersistentVolumeClaim", "job": "Job", "volumesnapshot": "VolumeSnapshot", "configmap": "ConfigMap",
         "persistentvolumes": "PersistentVolume", "namespace": "Namespace", "pods": "Pod", "volumeattachments": "VolumeAttachment"}


def jsonpath(path, node):
    """As much of kubectl's JSONPath as the scripts use."""
    out, at = "", 0
    for match in re.finditer(r"\{([^}]*)\}", path):
        out += path[at:match.start()] + json_value(match.group(1), node)
        at = match.end()
    return out + path[at:]


def json_value(expression, node):
    if expression.startswith('"'):
        return json.loads(expression)
    nodes = [node]
    for step in re.findall(r"\.((?:[^.\[\\]|\\.)+)|\[(\*|\?\([^)]*\))\]", expression):
        name, selector = step
        if name:
            name = name.replace("\\.", ".")
            nodes = [n[name] for n in nodes if isinstance(n, dict) and name in n]
        elif selector == "*":
            nodes = [e for n in nodes for e in n]
        else:
            field, value = re.fullmatch(r'\?\(@((?:\.\w+)+)=="(.*)"\)', selector).groups()
            nodes = [e for n in nodes for e in n if json_value(field, e) == value]
    return " ".join(n if isinstance(n, str) else json.dumps(n) for n in nodes)


def json_range(path, items):
    body = re.fullmatch(r"\{range \.items\[\*\]\}(.*)\{end\}", path, re.S).group(1)
    return "".join(jsonpath(body, item) for item in items)


def documents(text):
    sys.path.append("/usr/lib/python3/dist-packages")  # the fakes run without site (-S)
    import yaml
    return [d for d in yaml.safe_load_all(text) if d]


def kubectl(world, args):
    args, namespace = list(args), "default"
    if args[0] == "-n":
        namespace, args = args[1], args[2:]
    verb = args[0]
    if verb not in KUBECTL_VALUED:
        raise Unknown(f"kubectl {verb}")
    rest, opts = options(args[1:], KUBECTL_FLAGS.get(verb, ()), KUBECTL_VALUED[verb])
    namespace = opts.get("-n", namespace)
    objects = world.setdefault("objects", {})
    return globals()[f"kubectl_{verb}"](world, objects, namespace, rest, opts)


def key_of(namespace, kind, name):
    if kind not in KINDS:
        raise Unknown(f"kind {kind}")
    return f"{namespace}/{KINDS[kind]}/{name}"


def selected(objects, namespace, kind, selector):
    wanted = dict(pair.split("=") for pair in selector.split(",")) if selector else {}
    return [o for key, o in sorted(objects.items()) if key.startswith(f"{namespace}/{KINDS[kind]}/") and
            wanted.items() <= o["metadata"].get("labels", {}).items()]


def kubectl_get(world, objects, namespace, rest, opts):
    path = opts["-o"].removeprefix("jsonpath=")
    if len(rest) == 1:
        for item in selected(objects, namespace, rest[0], opts.get("-l")):
            happen(world, item)
            if item.get("status") == "gone":
                del objects[f"{namespace}/{item['kind']}/{item['metadata']['name']}"]
        items = selected(objects, namespace, rest[0], opts.get("-l"))
        return json_range(path, items) if "range" in path else jsonpath(path, {"items": items})
    key = key_of(namespace, *rest)
    if key not in objects:
        if "--ignore-not-found" in opts:
            return ""
        raise Refused(f'Error from server (NotFound): "{rest[1]}" not found')
    happen(world, objects[key])
    return jsonpath(path, objects[key])


def happen(world, thing):
    """What was started goes on by itself: with each look, one of the states that the test has written down."""
    states = world.get("future", {}).get(f"{thing['kind']}/{thing['metadata'].get('name')}") if "kind" in thing else None
    if states:
        thing["status"] = states.pop(0)


def kubectl_patch(world, objects, namespace, rest, opts):
    thing = objects[key_of(namespace, *rest)]
    patch = json.loads(opts["-p"])
    if opts.get("--type") != "merge" or set(patch) != {"metadata", "spec"}:
        raise Unknown(f"patch {opts}")
    if world.get("conflicts", 0) > 0:
        world["conflicts"] -= 1
        thing["metadata"]["resourceVersion"] = str(int(thing["metadata"]["resourceVersion"]) + 1)
    if patch["metadata"]["resourceVersion"] != thing["metadata"]["resourceVersion"]:
        raise Refused("Error from server (Conflict): the object has been modified")
    if patch["spec"]["parallelism"] != patch["spec"]["completions"]:
        raise Refused("completions is immutable unless it stays equal to parallelism")
    thing["spec"].update(patch["spec"])
    return f"{rest[0]} patched\n"


def kubectl_apply(world, objects, namespace, rest, opts):
    if opts["-f"] != "-":
        raise Unknown("apply of a file")
    out = ""
    for thing in documents(world_stdin[0]):
        name, kind = thing["metadata"]["name"], thing["kind"]
        key = f"{namespace}/{kind}/{name}"
        if kind == "Job" and key in objects and "template" in objects[key]["spec"] and \
                objects[key]["spec"]["template"] != thing["spec"]["template"]:
            raise Refused("spec.template: field is immutable")
        for claim in re.findall(r'"claimName": "([^"]*)"', json.dumps(thing)):
            if f"{namespace}/PersistentVolumeClaim/{claim}" not in objects:
                raise Refused(f"{name} mounts claim {claim}, which is not there")
        old = objects.get(key, {})
        objects[key] = {**thing, "status": old.get("status", {})}
        if kind == "PersistentVolumeClaim":
            objects[key]["spec"]["volumeName"] = f"pv-{name}"
        objects[key]["metadata"].setdefault("annotations", old.get("metadata", {}).get("annotations", {}))
        out += f"{kind}/{name} applied\n"
    return out


def kubectl_create(world, objects, namespace, rest, opts):
    if rest[0] != "configmap" or opts.get("--dry-run") != "client":
        raise Unknown("create")
    name, file = opts["--from-file"].split("=")
    literal, value = opts["--from-literal"].split("=", 1)
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": rest[1]},
                       "data": {name: pathlib.Path(file).read_text(), literal: value}})


def kubectl_delete(world, objects, namespace, rest, opts):
    kinds = rest[0].split(",")
    if "--all" in opts or kinds == ["namespace"]:
        return "deleted\n"
    out = ""
    for name in rest[1:]:
        if objects.pop(key_of(namespace, kinds[0], name), None):
            out += f"{kinds[0]} {name} deleted\n"
        elif "--ignore-not-found" not in opts:
            raise Refused(f"{name} not found")
    return out


def mark(field):
    def change(world, objects, namespace, rest, opts):
        thing = objects[key_of(namespace, *rest[:2])]
        name, value = rest[2].split("=")
        thing["metadata"].setdefault(field, {})[name] = value
        return "done\n"
    return change


kubectl_label, kubectl_annotate = mark("labels"), mark("annotations")


def kubectl_logs(world, objects, namespace, rest, opts):
    return world.get("logs", {}).get(rest[0], "")


def kubectl_config(world, objects, namespace, rest, opts):
    return "deleted context\n"


# ---- gcloud ----

MADE = {("storage", "buckets"), ("artifacts", "repositories"), ("container", "clusters"), ("container", "node-pools")}


def gcloud(world, args):
    things = world.setdefault("things", {})
    line = " ".join(args)
    for pattern, complaint in world.get("trouble", {}).items():
        if re.match(pattern, line):
            raise Refused(complaint)
    words = [a for a in args if not a.startswith("--")]
    where = (words[0], words[1])
    if where in MADE and words[2] in ("describe", "create", "delete"):
        return gcloud_thing(things, where[1], words[2], words[3], args)
    if words[:2] == ["storage", "rm"]:
        things.pop("buckets/" + words[2])
        return ""
    for pattern, answer in world.get("gcloud", {}).items():
        if re.match(pattern, line):
            return answer
    if where in (("services", "enable"), ("auth", "configure-docker")) or words[2:3] and words[2] in (
            "update", "get-credentials", "add-iam-policy-binding", "remove-iam-policy-binding"):
        if words[2] == "update" and "--update-labels" in args:
            things["buckets/" + words[3]]["labels"] = "made-by=hiwari"
        return ""
    raise Unknown(f"gcloud {line}")


def gcloud_thing(things, kind, verb, name, args):
    key = f"{kind}/{name}"
    if verb == "create":
        if key in things:
            raise Refused(f"ERROR: {name} already exists")
        things[key] = {"labels": args[args.index("--labels") + 1] if "--labels" in args else ""}
        return ""
    if key not in things:
        raise Refused(f"ERROR: NOT_FOUND: {name}")
    if verb == "delete":
        if things[key].get("objects"):
            raise Refused("ERROR: HTTPError 409: The bucket you tried to delete is not empty.")
        del things[key]
        return ""
    wanted = next(a for a in args if a.startswith("--format="))
    if "made-by" in wanted:
        return things[key]["labels"].removeprefix("made-by=") + "\n"
    return things[key].get("exclusions", "") if "Exclusions" in wanted else f"{name}\n"


# ---- one command ----

CHANGES = {"apply", "delete", "label", "annotate"}  # before each of these, one after the other, a test may stop a script
world_stdin = []

def sleep(world, args):
    return ""


def main():
    program, *args = sys.argv[1:]
    if "apply" in args:  # what writes into the pipe is a fake as well, and needs the file
        world_stdin[:] = [sys.stdin.read()]
    path = pathlib.Path(os.environ["FAKE_WORLD"])
    with open(path, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        world = json.load(file)
        world.setdefault("calls", []).append(f"{program} {shlex.join(args)}")
        code, out, words = 0, "", ""
        try:
            if CHANGES.intersection(args[:3]):
                world["changes"] = world.get("changes", 0) + 1
                if world.get("stop") and world["changes"] > world["stop"]:
                    raise Refused("the connection to the server was lost")
            out = globals()[program](world, args)
        except Refused as refused:
            code, words = 1, str(refused)
        except Exception as error:
            code, words = 97, f"{program} {shlex.join(args)}: {type(error).__name__} {error}"
            world.setdefault("wrong", []).append(words)
        file.seek(0)
        file.truncate()
        json.dump(world, file)
    sys.stdout.write(out)
    if words:
        print(words, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
