"""The first Python that runs: `python -I -S start.py FOUND CACHE LOCALE LAUNCHER [argument …]`, from `scripts/ci-kit`.

`start.py --probe` says why this interpreter does not suit, with exit code 1, or nothing. It is read by interpreters
that are too old, so its syntax stays that of Python 3.6.
"""

import os
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)  # what requirements/runtime.txt has wheels for


def unsuitable() -> str:
    """Why the kit cannot run on this interpreter; empty when it can."""
    version = sys.version_info[:2]
    name = sys.implementation.name
    if name != "cpython" or not OLDEST <= version <= NEWEST:
        return "{} {}.{}".format(name, *version)
    if "t" in getattr(sys, "abiflags", ""):
        return "{} {}.{} without the GIL".format(name, *version)
    return ""


def base_interpreter() -> "str | None":
    """The interpreter behind this one when this one belongs to a virtual environment."""
    folder = Path(sys.executable).parent
    base = getattr(sys, "_base_executable", None)
    in_venv = any((place / "pyvenv.cfg").exists() for place in (folder, folder.parent))
    return base if in_venv and base and folder.resolve() != Path(base).parent.resolve() else None


def tell(message: str) -> None:
    """One line, in which the runner finds no command, and an annotation. `ci_kit.github` may be too new to import."""
    line = message.replace("\r", " ").replace("\n", " ").replace("##[", "## [")
    print(f"ci-kit: {line}", file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        print("::error title=ci-kit::{}".format(line.replace("%", "%25")))


def start() -> int:
    """Answer a probe, or run the verb."""
    why = unsuitable()
    if sys.argv[1] == "--probe":
        print(why)
        return 1 if why else 0
    found, cache, locale, launcher, *argv = sys.argv[1:]
    if why:  # only the remembered one was not asked: there is another one at its path now
        try:
            Path(cache, "python").unlink()
        except OSError:
            tell(f"{cache}/python names an interpreter that is now {why}. Remove that file.")
            return 3
        os.execv(launcher, [launcher, *argv])  # noqa: S606 - an argument list, no shell wanted
    base = base_interpreter()
    if base:
        os.execv(base, [base, "-I", "-S", "-X", "utf8", *sys.argv])  # noqa: S606 - as above
    if not locale:
        os.environ.pop("LC_CTYPE", None)
    sys.argv = ["ci-kit", *argv]
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from ci_kit.launcher.launch import launch  # noqa: PLC0415 - found only now

    return launch(argv, cache, remember=found == "searched")


if __name__ == "__main__":
    code = start()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to clean up, and taking the interpreter down takes a tenth of a warm start
