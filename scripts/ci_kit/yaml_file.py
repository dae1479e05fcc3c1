"""Read YAML with PyYAML, keeping the line of every key and entry for messages.

Plain values mean what YAML 1.2 says, as everywhere on GitHub. PyYAML itself reads YAML 1.1, where `on` is true, `22:22`
is 1342 and `0755` is 493.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ci_kit.errors import CallerMistake
from ci_kit.schema import Place

LIMIT_BYTES = 1_000_000
LIMIT_NODES = 100_000


class _Loader(yaml.SafeLoader):
    """The core schema of YAML 1.2 (chapter 10.3.2), without infinity and "not a number"."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern in (
    ("null", r"null|Null|NULL|~|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), None)


@dataclass
class Document:
    """`data` as plain Python values; `lines[place]` is the 1-based line of a key or list entry."""

    data: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest enclosing value that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_yaml(path: Path, name: str) -> Document:
    """Read one YAML document; `name` is the path as shown to people.

    Raises `CallerMistake` with the line for a file that cannot be read, is not YAML, has a key twice, is larger than
    1 MB, or unfolds (through aliases) to more than 100,000 values.
    """
    hint = "Mend the file; https://yaml.org/spec/1.2.2/ describes the format."
    try:
        raw = path.read_bytes()
        if len(raw) > LIMIT_BYTES:
            raise CallerMistake(
                f"{len(raw)} bytes; at most {LIMIT_BYTES} are read.", next_step="Shorten it.", file=name
            )
        node = yaml.compose(raw.decode("utf-8-sig"), Loader=_Loader)
        return _Reader(name).document(node)
    except OSError as error:
        raise CallerMistake(f"cannot be read: {error.strerror}.", next_step="Check the path.", file=name) from error
    except UnicodeDecodeError as error:
        raise CallerMistake(
            f"is not UTF-8 text (byte {error.start}).", next_step="Save it as UTF-8.", file=name
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = None if mark is None else mark.line + 1
        raise CallerMistake(f"is not YAML: {problem}.", next_step=hint, file=name, line=line) from error
    except (RecursionError, ValueError) as error:
        raise CallerMistake(f"cannot be read as YAML: {error}.", next_step=hint, file=name) from error


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._constructor = yaml.constructor.SafeConstructor()
        self._nodes = 0
        self._lines: dict[Place, int] = {}

    def document(self, node: yaml.Node | None) -> Document:
        data = None if node is None else self._value(node, ())
        return Document(data, self._lines)

    def _value(self, node: yaml.Node, place: Place) -> Any:  # noqa: ANN401 - YAML holds anything
        self._nodes += 1
        if self._nodes > LIMIT_NODES:
            raise CallerMistake(
                f"holds more than {LIMIT_NODES} values.", next_step="Use fewer aliases.", file=self._name
            )
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:  # noqa: ANN401 - YAML holds anything
        if node.tag == "tag:yaml.org,2002:int":
            return int(node.value, 0 if node.value[:2] in {"0o", "0x"} else 10)
        value = self._constructor.construct_object(node)
        # A date or a binary is text to a configuration: nobody means a date object.
        return value if isinstance(value, str | int | float | bool | type(None)) else node.value

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise CallerMistake("a key is not text.", next_step="Use plain text keys.", file=self._name, line=line)
            key = self._scalar(key_node)
            key = key if isinstance(key, str | int) else str(key_node.value)
            if key in found:
                raise CallerMistake(
                    f"the key {key!r} stands twice.", next_step="Keep one of them.", file=self._name, line=line
                )
            self._lines[(*place, key)] = line
            found[key] = self._value(value_node, (*place, key))
        return found
