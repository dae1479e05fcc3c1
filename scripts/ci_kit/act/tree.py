"""Read, change and write a workflow file as a tree of YAML nodes, so that nothing but the wanted change happens to it.

Loading into Python values and dumping them again would turn `on:` into `true:` and lose the difference between text and
numbers; nodes keep every scalar as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from ci_kit.errors import CallerMistake


def load(path: Path, name: str) -> yaml.MappingNode:
    """The top mapping of a file; `name` is how people know it. Raises `CallerMistake` with the line."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise CallerMistake(
            f"is not YAML: {problem}.", next_step="Mend the file.", file=name, line=mark.line + 1 if mark else None
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CallerMistake(f"cannot be read: {error}.", next_step="Check the file.", file=name) from error
    if not isinstance(node, yaml.MappingNode):
        raise CallerMistake("is not a mapping.", next_step="Mend the file.", file=name, line=1)
    return node


def dump(node: yaml.Node) -> str:
    """The YAML text of a tree."""
    return str(yaml.serialize(node, Dumper=yaml.SafeDumper, width=10**6, allow_unicode=True))


def get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value under `key`, or None (also when `node` is no mapping)."""
    return next((value for name, value in items(node) if name == key), None)


def mapping(node: yaml.Node | None, key: str) -> yaml.MappingNode | None:
    """The mapping under `key`, or None."""
    value = get(node, key)
    return value if isinstance(value, yaml.MappingNode) else None


def text(node: yaml.Node | None, key: str) -> str | None:
    """The scalar under `key` as written, or None."""
    value = get(node, key)
    return str(value.value) if isinstance(value, yaml.ScalarNode) else None


def items(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """The entries of a mapping, nothing for anything else."""
    if isinstance(node, yaml.MappingNode):
        for key, value in list(node.value):
            yield str(key.value), value


def entries(node: yaml.Node | None, key: str) -> list[yaml.Node]:
    """The entries of the list under `key`, nothing for anything else."""
    value = get(node, key)
    return list(value.value) if isinstance(value, yaml.SequenceNode) else []


def put(node: yaml.MappingNode, key: str, value: str) -> None:
    """Set `key` to a text."""
    delete(node, key)
    node.value.append((scalar(key), scalar(value)))


def delete(node: yaml.Node | None, key: str) -> bool:
    """Remove `key`; whether it was there."""
    if not isinstance(node, yaml.MappingNode):
        return False
    before = len(node.value)
    node.value = [(name, value) for name, value in node.value if name.value != key]
    return len(node.value) != before


def scalar(value: str) -> yaml.ScalarNode:
    """A text node, quoted so that it stays text."""
    return yaml.ScalarNode("tag:yaml.org,2002:str", value, style='"')


def new_mapping(values: Mapping[str, str]) -> yaml.MappingNode:
    """A mapping of texts."""
    node = yaml.MappingNode("tag:yaml.org,2002:map", [])
    for key, value in values.items():
        put(node, key, value)
    return node


def scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Every scalar value below `node` (keys left out)."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from scalars(entry)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from scalars(value)
