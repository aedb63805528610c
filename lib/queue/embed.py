# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""embed.py OUT.c OUT.h PRELUDE.lua SCRIPT.lua … - the Lua scripts as C text, with their SHA-1.

Redis runs a script from its first line each time it is called, so each script is given only those
definitions of the prelude that it needs: making a function that nobody calls takes time too. Where
a part of a script is for rare cases, the line "-- rarely:" at its beginning has the definitions that
only it needs put there, and "-- end" ends it.
"""
import hashlib
import os
import re
import sys

HEAD = "/* Made by embed.py from the .lua files. */\n"
HEADER = HEAD + """#ifndef QUEUE_SCRIPTS_H
#define QUEUE_SCRIPTS_H

#include <stddef.h>

enum script {
ENUM    SCRIPTS
};

struct script_text {
    const char *name, *text, *sha1;
    size_t len;
};
extern const struct script_text script_texts[];

#endif
"""


def literal(text):
    lines = text.splitlines(keepends=True)
    escape = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return "\n".join('    "' + "".join(escape.get(c, c) for c in line) + '"' for line in lines)


def definitions(text):
    """The prelude's definitions in their order: (names that it gives, text)."""
    for block in re.split(r"(?m)^(?=local )", text)[1:]:
        head = re.match(r"local function (\w+)|local ([\w, \n]+?) =", block)
        yield set(re.findall(r"\w+", head.group(1) or head.group(2))), without_comments(block)


def without_comments(text):
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("--")]
    return "".join(line + "\n" for line in lines)


def needed(known, script, given):
    """The definitions that the script uses, and those that they use, without those given already."""
    words = set(re.findall(r"\w+", without_comments(script)))
    while True:
        found = [(names, text) for names, text in known if names & words and not names & given]
        more = words.union(*(re.findall(r"\w+", text) for _, text in found))
        if more == words:
            return found
        words = more


def with_definitions(known, script):
    """The script with what it needs of the prelude: on its top, and on the top of its rare parts."""
    parts = re.split(r"(?m)^ *-- (rarely:|end)\n", script)[::2]  # every second part is a rare one
    top = needed(known, "".join(parts[::2]), set())
    given = set().union(*(names for names, _ in top))
    text = ["".join(text for _, text in top)]
    for i, part in enumerate(parts):
        text += [text for _, text in needed(known, part, given)] if i % 2 else []
        text.append(part)
    return "".join(text)


def main(out_c, out_h, prelude, *scripts):
    with open(prelude, encoding="ascii") as f:
        known = list(definitions(f.read()))
    names = [os.path.basename(path)[: -len(".lua")] for path in scripts]
    with open(out_h, "w", encoding="ascii") as h:
        h.write(HEADER.replace("ENUM", "".join(f"    SCRIPT_{n.upper()},\n" for n in names)))
    with open(out_c, "w", encoding="ascii") as c:
        c.write(HEAD + '#include "queue/scripts.h"\n\n')
        c.write("const struct script_text script_texts[] = {\n")
        for name, path in zip(names, scripts):
            with open(path, encoding="ascii") as f:
                script = f.read()
            text = with_definitions(known, script)
            sha1 = hashlib.sha1(text.encode()).hexdigest()
            c.write(f'    {{"{name}",\n{literal(text)},\n     "{sha1}", {len(text)}}},\n')
        c.write("};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
