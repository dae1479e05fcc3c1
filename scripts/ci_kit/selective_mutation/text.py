"""A source file's text by lines and offsets, as Python's parser counts them, with nothing changed on the way."""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right

from ci_kit.errors import CallerMistake

NEWLINE = re.compile(r"\r\n|\r|\n")
BOM = "\ufeff"


def decode(data: bytes, path: str) -> str:
    """A source file's bytes as text, by its coding comment. Newlines stay as they are, a byte order mark is left out.

    Raises `CallerMistake` where the bytes are not what the file says they are.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise CallerMistake(
            f"the file cannot be read as Python source: {error}.",
            next_step="Save it as UTF-8, or leave it out of the mutation targets.",
            file=path,
        ) from error


def encode(text: str, unchanged: bytes) -> bytes:
    """The bytes of a changed `text`, in the encoding of the `unchanged` file, for writing a mutant to a copy."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(unchanged).readline)
    return text.encode(encoding, "surrogateescape")


class Lines:
    """Offsets in characters of a text's lines; lines are counted from 1. Only what Python calls a newline ends one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(match.end() for match in NEWLINE.finditer(text))]
        self._plain = text.isascii()

    def __len__(self) -> int:
        return len(self._starts)

    def start(self, line: int) -> int:
        """The offset of the first character of a line."""
        return self._starts[line - 1]

    def line(self, line: int) -> str:
        """A line with what ends it."""
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return self.text[self._starts[line - 1] : end]

    def at(self, line: int, column: int) -> int:
        """The offset of a column in characters."""
        return self._starts[line - 1] + column

    def at_byte(self, line: int, column: int) -> int:
        """The offset of a column in UTF-8 bytes, as `ast` counts them."""
        if self._plain:
            return self._starts[line - 1] + column
        before = self.line(line).encode("utf-8", "surrogatepass")[:column]
        return self._starts[line - 1] + len(before.decode("utf-8", "surrogatepass"))

    def of(self, offset: int) -> int:
        """The line that an offset is on."""
        return bisect_right(self._starts, offset)

    def indent(self, line: int) -> str:
        """The white space that a line begins with."""
        text = self.line(line)
        return text[: len(text) - len(text.lstrip(" \t\f"))]
