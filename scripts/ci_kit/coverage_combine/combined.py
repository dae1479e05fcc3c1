"""Combine proven copies with coverage.py's public API, in the checkout, with the settings of `read_settings`."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from coverage import Coverage, CoverageData
from coverage.exceptions import CoverageException, DataError, NoDataError

from ci_kit.coverage_combine import copies, mapping
from ci_kit.coverage_combine.checkout import checkout_files, to_measure
from ci_kit.coverage_combine.delivery import Manifest
from ci_kit.coverage_combine.proof import Proven
from ci_kit.coverage_combine.settings import Settings
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.source_digest import digest

MOST_STRANGERS = 200
_ALSO = {"report:exclude_also": "report:exclude_lines", "report:partial_also": "report:partial_branches"}


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in `folder`: coverage resolves relative files from the current folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _unconfigured(data_file: Path) -> Coverage:
    found = Coverage(data_file=str(data_file), config_file=False, messages=False)
    # Variables of the job can set these too.
    found.set_option("run:debug", [])
    found.set_option("run:debug_file", None)
    found.set_option("run:plugins", [])
    # One spelling for every file, whatever the shards used: relative to the checkout.
    found.set_option("run:relative_files", True)
    return found


class Combined:
    """The data of all legs as one. Everything here must run `inside` the checkout `here` (no symbolic links)."""

    def __init__(self, here: Path, data_file: Path, settings: Settings) -> None:
        """`settings` as `read_settings` gives them: coverage itself reads no configuration file."""
        self.here = here
        self.notes: list[str] = list(settings.notes)
        self._proven: tuple[Proven, ...] = ()
        self.places: dict[str, str] = {}
        """Each path as any leg measured it → the combined data's, relative to the checkout where it is a file of it."""
        given = dict(settings.options)
        self.coverage = _unconfigured(data_file)
        # What `coverage run` would not have measured must not come in as uncovered.
        given["report:omit"] = [*given.get("report:omit", ()), *given.pop("run:omit", ())]
        for also, option in _ALSO.items():
            given[option] = [*given.get(option, self._list(option)), *given.pop(also, ())]
        for option, value in given.items():
            self.coverage.set_option(option, value)
        self._check_expressions()

    def _check_expressions(self) -> None:
        """Each is sound, but coverage searches for all at once, where flags such as `(?i)` cannot stand."""
        for option in _ALSO.values():
            expressions = self._list(option)
            try:
                re.compile("|".join(f"(?:{each})" for each in expressions) if len(expressions) > 1 else "".join(expressions))  # fmt: skip
            except (re.error, RecursionError, OverflowError) as error:
                raise CallerMistake(
                    f"coverage's configuration cannot be used: {option} cannot be searched for together: {error}.",
                    next_step="Write flags such as (?i) around their part only, as in (?i:todo).",
                ) from error

    @property
    def include_namespaces(self) -> bool:
        """Whether folders without `__init__.py` count as importable."""
        return bool(self.coverage.get_option("report:include_namespace_packages"))

    def _list(self, option: str) -> list[str]:
        found = self.coverage.get_option(option)
        return [str(entry) for entry in found] if isinstance(found, list | tuple) else []

    def combine(self, proven: Sequence[Proven]) -> None:
        """Add all copies; raises `InfrastructureFailure` when coverage leaves any of them out."""
        manifests = [leg.delivery.manifest for leg in proven if leg.delivery.manifest]
        self._proven = tuple(proven)
        names = {name for leg in proven for name in (*leg.measured, *(name for name, _ in leg.sources))}
        homes = self._installed(proven, names)
        configured = self.coverage.get_option("paths")
        paths = mapping.aliases(
            {name: [str(entry) for entry in entries] for name, entries in configured.items()}
            if isinstance(configured, dict)
            else {},
            [manifest.root for manifest in manifests],
            str(self.here),
        )
        paths |= copies.aliases(homes, mapping.literal)
        self.coverage.set_option("paths", paths)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # coverage only warns of a file that it leaves out
                self.coverage.combine([str(copy) for leg in proven for copy in leg.copies], strict=True, keep=True)
        except (CoverageException, Warning, sqlite3.Error, ValueError, TypeError, OverflowError) as error:
            raise InfrastructureFailure(
                f"the data files are sound one by one, but coverage cannot combine them: {error}.",
                next_step="Re-run the test jobs; if it stays, compare the coverage versions and [paths] of the legs.",
            ) from error
        self.places = self._find_places(names, paths)
        self.coverage.set_option("paths", {})  # done: reporting would map everything once more, for every report
        self._touch(manifests, homes)

    def _find_places(self, names: AbstractSet[str], paths: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Where coverage's own mapping led each name: what it did not leave as it was is combined once more, tagged.

        The jump that is "run" in a file is the number of its name, so that the mapped file tells who it was. A jump is one
        row of the data; a line would be a bit, behind as many bytes as its number asks for.
        """
        data = self.coverage.get_data()
        found = {name: name for name in names & data.measured_files()}
        others = sorted(names - found.keys())
        if not others:
            return found
        folder = Path(data.data_filename()).parent
        tagged = CoverageData(str(folder / "tagged"))
        tagged.add_arcs({name: [(number, number)] for number, name in enumerate(others, 1)})
        tagged.write()
        tagged.close()
        again = _unconfigured(folder / "led")
        again.set_option("paths", dict(paths))
        again.combine([str(folder / "tagged")], strict=True, keep=True)
        led = again.get_data()
        return found | {
            others[number - 1]: place for place in led.measured_files() for number, _ in led.arcs(place) or ()
        }

    def _touch(self, manifests: Iterable[Manifest], homes: Iterable[str]) -> None:
        """Files that no leg imported are uncovered, as after `coverage run --source`."""
        data = self.coverage.get_data()
        wanted = to_measure(self.here, manifests, list(homes), namespaces=self.include_namespaces)
        self.notes += wanted.notes
        with contextlib.suppress(DataError):  # data in which nothing was run; the missing number will say so
            data.touch_files(sorted(wanted.files - data.measured_files()))

    def _installed(self, proven: Sequence[Proven], names: AbstractSet[str]) -> dict[str, list[str]]:
        """The folders of the checkout of which copies were measured, with the places of these (`copies.homes`)."""
        found = [copy for copy in copies.installed(names) if not self._is_here(copy.name)]
        if not found:
            return {}
        said = {entry for leg in proven for entry in leg.sources}
        own: dict[str, str | None] = {}

        def same(name: str, file: str) -> bool:
            if file not in own:
                own[file] = digest(self.here / file)
            return (name, own[file]) in said

        return copies.homes(found, checkout_files(self.here), same)

    def strangers(self) -> list[str]:
        """Measured files that count but are not files of this checkout, at most `MOST_STRANGERS`."""
        suspects = [path for path in sorted(self.coverage.get_data().measured_files()) if not self._is_here(path)]
        found: list[str] = []
        for start in range(0, len(suspects), MOST_STRANGERS):  # asking for one at a time takes milliseconds each
            some = suspects[start : start + MOST_STRANGERS]
            if self._counts(*some):
                found += [path for path in some if self._counts(path)]
            if len(found) >= MOST_STRANGERS:
                break
        return found[:MOST_STRANGERS]

    def measured_by(self, paths: Collection[str]) -> list[str]:
        """The legs that measured one of `paths`, which are the combined data's."""
        wanted = set(paths)
        return [
            str(leg.delivery.leg)
            for leg in self._proven
            if any(self.places.get(name, name) in wanted for name in leg.measured)
        ]

    def _is_here(self, path: str) -> bool:
        place = self.here / path
        return place.is_file() and place.resolve().is_relative_to(self.here)

    def _counts(self, *paths: str) -> bool:
        """Whether the configuration's include and omit let any of `paths` into a report."""
        # Not os.devnull: coverage deletes its output file when a report fails, and as root that is the device itself.
        try:
            with tempfile.TemporaryDirectory() as folder:
                self.coverage.lcov_report(morfs=list(paths), outfile=str(Path(folder, "report")), ignore_errors=False)
        except NoDataError:
            return False
        except CoverageException:
            return True
        return True
