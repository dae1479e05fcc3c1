"""The JSON Schemas: valid ones, read alike by the kit's small validator and by `jsonschema`, and by the configuration."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ci_kit import schema
from ci_kit.config import (
    Component,
    Config,
    Coverage,
    Depth,
    Gates,
    Mutation,
    MutationPolicy,
    TestSettings,
    Tier,
    load_config,
)
from ci_kit.service import Service
from hypothesis import given, settings
from hypothesis import strategies as st
from tooling.reads import Reads
from tooling.schema_data import ANYTHING, SchemaData, near, small_schemas
from tooling.yaml_files import ROOT

SCHEMAS = sorted((ROOT / "schemas").glob("*.json"))
each_schema = pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
# Keys of the configuration that become a field of another name.
RENAMED = {
    "timeout": "timeout_seconds",
    "test-timeout": "test_seconds",
    "target": "target_seconds",
    "budget": "budget_seconds",
    "duration": "duration_seconds",
    "min": "min_percent",
    "secrets": "required_secrets",
}


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@each_schema
def test_is_valid_json_schema_2020_12(path: Path) -> None:
    loaded = load(path)
    assert loaded["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert loaded["$id"] == f"ci-kit/{path.stem}/1"
    jsonschema.Draft202012Validator.check_schema(loaded)


@each_schema
def test_a_report_names_its_schema_and_allows_no_other_key(path: Path) -> None:
    loaded = load(path)
    if loaded["type"] == "array":  # the quarantine file: a person writes it, and its entries are closed instead
        loaded = loaded["items"]
    assert loaded["additionalProperties"] is False
    if path.stem not in {"config", "quarantine", "smoke"}:  # these a person writes
        assert loaded["properties"]["schema"]["const"] == f"ci-kit/{path.stem}/1"
        assert "schema" in loaded["required"]


@each_schema
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_kit_judges_as_jsonschema_does(path: Path, data: st.DataObject) -> None:
    loaded = load(path)
    value = data.draw(strategy(path))
    found = list(schema.problems(value, loaded))
    complaints = [error.message for error in REFERENCE(loaded).iter_errors(value)]
    assert (found == []) == (complaints == []), [str(problem) for problem in found] or complaints


@settings(max_examples=600, deadline=None)
@given(rule=small_schemas(), value=ANYTHING)
def test_each_keyword_means_what_jsonschema_says(rule: dict[str, Any], value: object) -> None:
    assert (list(schema.problems(value, rule)) == []) == REFERENCE(rule).is_valid(value)


def test_a_keyword_that_nobody_enforces_cannot_be_written() -> None:
    with pytest.raises(NotImplementedError, match="multipleOf"):
        list(schema.problems(4, {"multipleOf": 3}))


def _ends_where_it_says(_validator: object, pattern: str, value: object, _rule: object) -> Iterator[Exception]:
    """ECMA's `$`, which JSON Schema means, is the very end; the package uses Python's."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


REFERENCE = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _ends_where_it_says})


@cache
def strategy(path: Path) -> st.SearchStrategy[Any]:
    loaded = load(path)
    return near(SchemaData(loaded).valid(loaded))


def fields(cls: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


PLACES: list[tuple[tuple[str, ...], type[Any], set[str]]] = [
    ((), Config, {"file"}),
    (("test",), TestSettings, set()),
    (("gates",), Gates, set()),
    (("coverage",), Coverage, set()),
    (("mutation",), Mutation, set()),
    (("mutation", "policies", "*"), MutationPolicy, set()),
    (("coverage", "components", "*"), Component, {"name"}),
    (("$defs", "tier"), Tier, set()),
    (("$defs", "service"), Service, set()),
    (("$defs", "depth"), Depth, set()),
]


def keys_at(place: tuple[str, ...]) -> dict[str, str]:
    """The schema's keys at a place, each with the field that it becomes."""
    node: Any = load(ROOT / "schemas" / "config.json")
    for part in place:
        node = node["additionalProperties"] if part == "*" else (node if part in node else node["properties"])[part]
    return {key: RENAMED.get(key, key.replace("-", "_")) for key in node["properties"]}


@pytest.mark.parametrize(("place", "cls", "extra"), PLACES)
def test_every_key_of_the_configuration_becomes_a_field(
    place: tuple[str, ...], cls: type[Any], extra: set[str]
) -> None:
    assert set(keys_at(place).values()) == fields(cls) - extra


def test_an_empty_configuration_is_the_default_one(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "ci-kit.yml").write_text("test: {}\ngates: {}\ncoverage: {}\nmutation: {}\n")
    assert load_config(tmp_path) == dataclasses.replace(Config(), file=".github/ci-kit.yml")


def test_every_key_is_read() -> None:
    """Every key of the schema, against every read in the code; `_not_judged` reads only to say so."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "scripts" / "ci_kit").rglob("*.py")}
    maker = trees.pop(ROOT / "scripts" / "ci_kit" / "config.py")
    found = Reads([*trees.values()], maker, [cls for _, cls, _ in PLACES], without=["_not_judged"]).found
    unread = {
        ".".join([*place, key])
        for place, cls, _ in PLACES
        for key, field in keys_at(place).items()
        if (cls.__name__, field) not in found
    }
    assert not unread


def test_the_documented_configuration_is_valid(tmp_path: Path) -> None:
    """The whole example in the documentation goes through the real loader."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"<!-- whole example -->\n```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "ci-kit.yml").write_text(example)
    assert load_config(tmp_path).tiers
