"""Tell the kit about this interpreter: `python probe.py [--coverage CONFIG]` prints one line of JSON.

Run as a script in the consumer's environment, from the workspace. With `--coverage` it also reads coverage.py's
configuration through coverage.py itself, so that every file, format and default counts exactly as in a plain run;
CONFIG is a file, or empty for what coverage.py finds by itself.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
from importlib import metadata
from typing import Any, Dict, Optional

DISTRIBUTIONS = ("pytest", "pytest-xdist", "pytest-reportlog", "pytest-rerunfailures", "pytest-cov", "coverage")


def versions() -> Dict[str, str]:
    """The installed releases of what the kit works with."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def coverage_settings(file: Optional[str]) -> Dict[str, Any]:
    """Every option that differs from coverage.py's default, by `section:option`, or `error`."""
    try:
        import coverage  # noqa: PLC0415 - may be absent
        from coverage.config import CoverageConfig  # noqa: PLC0415
        from coverage.exceptions import CoverageException  # noqa: PLC0415
    except ImportError as error:
        return {"error": f"coverage.py cannot be imported: {error}"}
    try:
        config = coverage.Coverage(config_file=file or True, data_file=None).config
    except CoverageException as error:
        return {"error": str(error)}
    default = CoverageConfig()
    options = {}
    for attribute, where, *_ in CoverageConfig.CONFIG_FILE_OPTIONS:
        value = getattr(config, attribute, None)
        if value is not None and value != getattr(default, attribute, None):
            options[where] = sorted(value) if isinstance(value, (set, frozenset)) else value
    return {
        "options": options,
        "paths": {name: list(values) for name, values in config.paths.items()},
        "plugins": {name: dict(values) for name, values in config.plugin_options.items()},
        "file": config.config_file,
        "c-tracer": importlib.util.find_spec("coverage.tracer") is not None,
    }


def main() -> None:
    """Print what there is."""
    answer: Dict[str, Any] = {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "in-venv": sys.prefix != sys.base_prefix,
        "distributions": versions(),
    }
    if sys.argv[1:2] == ["--coverage"]:
        answer["coverage"] = coverage_settings(sys.argv[2])
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main()
