"""Where this interpreter looks for packages, and what is installed: `python -I probe.py` prints one line of JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, List, Set


def editable() -> List[str]:
    """The folders that an editable installation maps package names to (setuptools' finders have such a mapping)."""
    found: Set[str] = set()
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", ""))
        mapping: Any = getattr(module, "MAPPING", None)
        for place in mapping.values() if isinstance(mapping, dict) else ():
            found.add(str(Path(str(place)).parent))
    return sorted(found)


def installed() -> List[str]:
    """Names with versions, as the metadata folders have them."""
    places = [Path(place) for place in sys.path]
    entries = [entry.name for place in places if place.is_dir() for entry in place.iterdir()]
    return sorted({name for name in entries if name.endswith((".dist-info", ".egg-info"))})


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "version": sys.version,
                "path": [*sys.path, *editable()],
                "installed": installed(),
                "posix": os.name == "posix",
            }
        )
    )
