"""The tables in the documentation that are made from the files they describe.

A block `<!-- inputs -->` … `<!-- /inputs -->` in a page is the table of the inputs of the action or workflow that the
page is about; likewise `outputs` and `secrets`, and `keys` for the configuration file.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ci_kit.config import BUDGETS, Config

from tooling.yaml_files import ROOT, YamlFile, all_files

BLOCK = re.compile(r"(<!-- (?P<kind>inputs|outputs|secrets|keys) -->\n).*?(<!-- /(?P=kind) -->)", re.DOTALL)
PAGES = {
    "docs/single-job.md": "action.yml",
    "docs/python-ci.md": ".github/workflows/python-ci.yml",
    "docs/deploy.md": ".github/workflows/deploy.yml",
    "docs/smoke-workflow.md": ".github/workflows/smoke.yml",
    "docs/configuration.md": "schemas/config.json",
}


def pages() -> dict[Path, str]:
    """Every page with tables, and the file that it describes."""
    found = {ROOT / page: described for page, described in PAGES.items()}
    for file in all_files():
        if file.name.startswith("actions/"):
            found[file.path.parent / "README.md"] = file.name
    return found


def filled(text: str, described: str) -> str:
    """The page with its blocks made anew."""
    return BLOCK.sub(lambda match: f"{match[1]}{table(match['kind'], described)}\n{match[3]}", text)


def table(kind: str, described: str) -> str:
    """One table as Markdown."""
    if kind == "keys":
        return "\n".join(_keys())
    file = next(file for file in all_files() if file.name == described)
    return "\n".join(_declared(file, kind))


def _declared(file: YamlFile, kind: str) -> Iterator[str]:
    if kind == "outputs":
        yield from ("| output | meaning |", "|---|---|")
        yield from (f"| `{name}` | {_cell(data['description'])} |" for name, data in file.outputs.items())
        return
    declared: Mapping[str, Mapping[str, Any]] = file.inputs if kind == "inputs" else file.secrets
    yield from (f"| {kind[:-1]} | default | meaning |", "|---|---|---|")
    for name, data in declared.items():
        default = "required" if data.get("required") else _code(data.get("default", ""))
        yield f"| `{name}` | {default} | {_cell(data['description'])} |"


def _keys() -> Iterator[str]:
    schema = json.loads((ROOT / "schemas" / "config.json").read_text(encoding="utf-8"))
    yield from ("| key | value | default | meaning |", "|---|---|---|---|")
    for place, rule in _rules(schema, schema, ""):
        yield f"| `{place}` | {_cell(_value(rule, schema))} | {_code(_defaults().get(place, ''))} | {_cell(rule.get('description', ''))} |"


def _rules(rule: Mapping[str, Any], root: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every key below `rule` with its own rule, in the order of the schema."""
    rule = _resolved(rule, root)
    for key, part in rule.get("properties", {}).items():
        here = f"{place}.{key}" if place else key
        yield here, part
        yield from _rules(part, root, here)
    others = rule.get("additionalProperties")
    if isinstance(others, Mapping) and "properties" in _resolved(others, root):
        yield from _rules(others, root, f"{place}.<name>")
    if "items" in rule and "properties" in _resolved(rule["items"], root):
        yield from _rules(rule["items"], root, f"{place}[]")


def _resolved(rule: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in rule:
        rule = {**root["$defs"][rule["$ref"].rpartition("/")[2]], **{k: v for k, v in rule.items() if k != "$ref"}}
    return rule


def _value(rule: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    rule = _resolved(rule, root)
    if "title" in rule:
        return str(rule["title"])
    if "const" in rule:
        return f"`{rule['const']}`"
    if "enum" in rule:
        return " or ".join(f"`{value}`" for value in rule["enum"])
    if "anyOf" in rule:
        return " or ".join(_value(choice, root) for choice in rule["anyOf"])
    if rule.get("type") == "array":
        return f"a list; each {_value(rule.get('items', {}), root)}"
    names = {"object": "a mapping", "string": "text", "integer": "a whole number", "boolean": "`true` or `false`"}
    return names.get(rule.get("type", ""), "a value")


@cache
def _defaults() -> dict[str, str]:
    """Defaults by key, read from the dataclasses that hold them."""
    config = Config()
    found = {"history": config.history}
    for section in ("test", "gates", "coverage", "mutation"):
        settings = getattr(config, section)
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            key = f"{section}.{field.name.removesuffix('_seconds').replace('_', '-')}"
            if key == "gates.duration":
                found |= {f"{key}.{what}": _duration(seconds) for what, seconds in BUDGETS.items()}
            else:
                found[key] = _shown(field.name, value)
    return found


def _shown(name: str, value: object) -> str:
    if name == "workers" and value is None:
        return "auto"
    if value is None or value in ((), {}):
        return ""
    if name.endswith("_seconds") and isinstance(value, float):
        return _duration(value)
    if name.endswith("_rate") and isinstance(value, float):
        return f"{value:.0%}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g}m" if seconds >= 60 else f"{seconds:g}s"


def _code(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else ""


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
