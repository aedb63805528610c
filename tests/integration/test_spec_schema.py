#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The JSON Schema and the parser agree on what a spec is.

tests/unit/specs/good and bad hold the specs. tests/unit/test_spec.c shows that the parser takes every good one and
refuses every bad one; this test shows that the schema takes every good one too, and refuses every bad one but those
listed below, each with the reason why a schema cannot see it. A bad spec that is neither refused nor listed fails, and
so does one that is listed and refused: the list stays exact.
"""
import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed: the schema is not compared with the parser")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPECS = ROOT / "tests" / "unit" / "specs"

NOT_JSON = "an editor's JSON reader refuses it before the schema is asked"
NAME_ELSEWHERE = "the name must stand in another place of the document"
TABLE_KIND = "whether that table has time or key stands in another place of the document"
TEMPLATE = "what the name template must say depends on the other members"
EQUAL_NAMES = "names are equal only after lists, grids and ages have made their columns"
MADE_NAMES = "the name is too long only with what lists, grids and ages add to it"
BYTES = "a schema counts characters, not bytes"
BEYOND_SCHEMA = {
    "doubled_feature.json": NOT_JSON, "doubled_member.json": NOT_JSON, "empty.json": NOT_JSON,
    "not_json.json": NOT_JSON, "not_utf8.json": NOT_JSON, "text_after_end.json": NOT_JSON,
    "target_table_unknown.json": NAME_ELSEWHERE, "over_unknown.json": NAME_ELSEWHERE,
    "over_no_windows.json": NAME_ELSEWHERE, "from_unknown.json": NAME_ELSEWHERE,
    "window_from_unknown.json": NAME_ELSEWHERE, "asof_unknown_table.json": NAME_ELSEWHERE,
    "target_table_static.json": TABLE_KIND, "from_static.json": TABLE_KIND,
    "asof_static.json": TABLE_KIND, "lookup_timed.json": TABLE_KIND,
    "grid_missing_placeholder.json": TEMPLATE, "grid_unknown_placeholder.json": TEMPLATE,
    "grid_absent_placeholder.json": TEMPLATE, "grid_open_brace.json": TEMPLATE,
    "grid_close_brace.json": TEMPLATE, "grid_empty_result_name.json": TEMPLATE,
    "grid_comment_axis.json": "the object is empty only once its comments are left out",
    "grid_too_large.json": "a schema cannot multiply",
    "equal_fan_out.json": EQUAL_NAMES, "equal_keep.json": EQUAL_NAMES,
    "equal_time.json": EQUAL_NAMES, "equal_label.json": EQUAL_NAMES, "equal_age.json": EQUAL_NAMES,
    "equal_grid.json": EQUAL_NAMES,
    "grid_touching_names.json": EQUAL_NAMES,
    "feature_name_long_utf8.json": BYTES,
    "fill_too_large.json": "a reader that makes it infinity is content with it",
    "grid_others_in_lists.json": "which calculations meet which others is for whoever multiplies",
    "age_name_long.json": MADE_NAMES, "list_name_long.json": MADE_NAMES, "grid_name_long.json": MADE_NAMES,
}


def refusal(validator, path):
    """Why an editor would mark the file, or None."""
    def no_doubles(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a member is given twice")
        return dict(pairs)

    try:
        document = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=no_doubles)
    except ValueError:
        return NOT_JSON
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    return error and error.message


def main():
    schema = json.loads((ROOT / "lib" / "features" / "spec.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong = []
    good = sorted((SPECS / "good").glob("*.json"))
    bad = sorted((SPECS / "bad").glob("*.json"))
    for path in good:
        why = refusal(validator, path)
        if why:
            wrong.append(f"good/{path.name}: the schema refuses what the parser reads: {why}")
    for path in bad:
        why, listed = refusal(validator, path), BEYOND_SCHEMA.get(path.name)
        if listed is None and (why is None or why == NOT_JSON):
            wrong.append(f"bad/{path.name}: the parser refuses it, the schema does not")
        if listed and why and why != listed:
            wrong.append(f"bad/{path.name}: listed as beyond a schema, but it says: {why}")
    for name in sorted(set(BEYOND_SCHEMA) - {path.name for path in bad}):
        wrong.append(f"{name}: listed as beyond a schema, but there is no such file")
    print("\n".join(wrong))
    print(f"{len(good)} good and {len(bad)} bad specs, {len(BEYOND_SCHEMA)} of them beyond a schema, "
          f"{len(wrong)} disagreements")
    return 1 if wrong or len(good) < 25 or len(bad) < 60 else 0


if __name__ == "__main__":
    sys.exit(main())
