"""Read the smoke specification: YAML, variables, schema, rules, and then the data of `spec`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.errors import CallerMistake
from ci_kit.inputs import short_name
from ci_kit.schema import Place
from ci_kit.smoke_and_rollback import rules
from ci_kit.smoke_and_rollback.build import Given, build
from ci_kit.smoke_and_rollback.redact import redact
from ci_kit.smoke_and_rollback.spec import Spec
from ci_kit.smoke_and_rollback.variables import Replaced, replace_variables, unsafe_in_promql
from ci_kit.yaml_file import Document, read_yaml

DEFAULT_PATH = Path(".github/ci-kit-smoke.yml")
_SELECTORS = ("requests", "errors")
_MOST_PROBLEMS = 20


def load_spec(path: Path, environment: Mapping[str, str], *, env_name: str, shown: str | None = None) -> Spec:
    """The specification at `path` for the deployment environment `env_name`; `environment` has the variables.

    `shown` is the path as people read it. Raises `CallerMistake` with file and line for every problem that the file has,
    a variable that is not set among them; no message holds a variable's value that sounds secret.
    """
    name = shown or str(path)
    try:
        short_name(env_name)
    except ValueError as error:
        raise CallerMistake(
            f"input environment: expected {error}, found {env_name!r}.", next_step="Name the environment so."
        ) from error
    document = _read(path, name)
    if not isinstance(document.data, dict):
        raise CallerMistake("is no mapping.", next_step="See docs/smoke.md.", file=name)
    found, skipped, baseline = _replaced(document.data, environment)
    secrets = tuple(sorted(found.secrets))
    wrong = [*rules.passwords_in_the_file(document.data), *found.wrong, *_unset(found.missing)]
    _refuse(document, name, wrong, secrets)
    wrong = [(each.place, each.message) for each in schema.problems(found.data, schema.load("smoke"))]
    _refuse(document, name, wrong, secrets)
    _refuse(document, name, [*rules.contradictions(found.data, env_name), *rules.placeholders(found.data)], secrets)
    lines = {key: document.line(("rollback", key)) for key in found.data.get("rollback", {})}
    given = Given(name, env_name, environment, baseline, lines)
    return build(found.data, given, skipped=skipped, secrets=found.secrets)


def _read(path: Path, name: str) -> Document:
    try:
        return read_yaml(path, name)
    except CallerMistake as error:
        if error.line is None or "${" not in _line(path, error.line):
            raise
        raise CallerMistake(
            error.message,
            next_step='Quote a variable that stands within braces or brackets: {user: "${SMOKE_USER}"}.',
            file=error.file,
            line=error.line,
        ) from error


def _line(path: Path, number: int) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[number - 1] if number <= len(lines) else ""


def _replaced(data: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Replaced, list[str], Mapping[str, str]]:
    """The data with its variables replaced, without the optional parts whose variable is not set (said in sentences).

    And the selectors of the baseline.
    """
    skipped: list[str] = []
    baseline: Mapping[str, str] = {}
    selectors, rest = _without_selectors(data)
    found = replace_variables(rest, environment)
    found.missing += _named(found.data, environment)
    if (name := _missing_at(found, ("metrics", "prometheus", "url"))) is not None:
        skipped.append(f"The error rate is not watched: {name}, for metrics.prometheus.url, is not set.")
        _drop(found, ("metrics",))
    elif selectors:
        if (name := _missing_at(found, ("metrics", "baseline-version"))) is not None:
            skipped.append(f"There is no baseline to compare with: {name}, for metrics.baseline-version, is not set.")
            _drop(found, ("metrics", "baseline-version"))
        metrics = found.data["metrics"]
        metrics |= _selectors(found, selectors, environment, _version(found.data))
        if "baseline-version" in metrics:
            baseline = _selectors(found, selectors, environment, metrics["baseline-version"])
    notify = found.data.get("notify")
    for channel in list(notify) if isinstance(notify, dict) else []:
        if (name := _missing_at(found, ("notify", channel))) is not None:
            skipped.append(f"Nobody is told by {channel}: {name} is not set.")
            _drop(found, ("notify", channel))
    return found, skipped, baseline


def _without_selectors(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The selectors apart: their ${VERSION} is the deployed version or the baseline's."""
    metrics = data.get("metrics")
    if not isinstance(metrics, dict):
        return {}, dict(data)
    kept = {key: value for key, value in metrics.items() if key not in _SELECTORS}
    return {key: metrics[key] for key in _SELECTORS if key in metrics}, {**data, "metrics": kept}


def _version(data: Mapping[str, Any]) -> object:
    target = data.get("target")
    expected = target.get("expect-version") if isinstance(target, dict) else None
    return expected.get("equals") if isinstance(expected, dict) else None


def _selectors(
    found: Replaced, selectors: Mapping[str, Any], environment: Mapping[str, str], version: object
) -> dict[str, Any]:
    """The selectors for one version; what is wrong with them goes to `found`."""
    given = {**environment, "VERSION": version} if isinstance(version, str) else environment
    made: dict[str, Any] = {}
    for key, text in selectors.items():
        place: Place = ("metrics", key)
        if name := unsafe_in_promql(text, given):
            found.wrong.append((place, f"the value of {name} has a quote, a brace or a line's end"))
        one = replace_variables(text, given, place)
        made[key] = one.data
        found.missing += one.missing
        found.wrong += one.wrong
        found.secrets |= one.secrets
    return made


def _named(data: Mapping[str, Any], environment: Mapping[str, str]) -> list[tuple[Place, str]]:
    """The variable that `auth.token` names, when it is not set."""
    auth = data.get("auth")
    token = auth.get("token") if isinstance(auth, dict) else None
    name = token.get("variable") if isinstance(token, dict) else None
    unset = isinstance(name, str) and not environment.get(name, "").strip()
    return [(("auth", "token", "variable"), str(name))] if unset else []


def _missing_at(found: Replaced, place: Place) -> str | None:
    return next((name for at, name in found.missing if at[: len(place)] == place), None)


def _drop(found: Replaced, place: Place) -> None:
    """Leave a part out, and all that is said of it."""
    *way, last = place
    owner = found.data
    for part in way:
        owner = owner[part]
    owner.pop(last, None)
    found.missing = [each for each in found.missing if each[0][: len(place)] != place]
    found.wrong = [each for each in found.wrong if each[0][: len(place)] != place]


def _unset(missing: Iterable[tuple[Place, str]]) -> list[tuple[Place, str]]:
    return [(place, f"the variable {name} is not set, or is empty") for place, name in missing]


def _refuse(document: Document, name: str, wrong: list[tuple[Place, str]], secrets: tuple[str, ...]) -> None:
    if not wrong:
        return
    rows = [(document.line(place), schema.dotted(place), redact(message, secrets)) for place, message in wrong]
    first, *rest = [(line, f"{place}: {message}." if place else f"{message}.") for line, place, message in rows]
    more = "".join(f"\n{name}:{line}: {text}" for line, text in rest[:_MOST_PROBLEMS])
    raise CallerMistake(first[1] + more, next_step="See docs/smoke.md.", file=name, line=first[0])
