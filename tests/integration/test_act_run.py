"""Whole runs through act: small throwaway consumers and a small throwaway kit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ci_kit.act.copies import Wanted
from ci_kit.act.request import Request, Result
from ci_kit.act.run import run_act
from ci_kit.act.servers import Servers
from ci_kit.act.services import Service
from ci_kit.act.session import marked
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.tools import KIT_ROOT

SHA = "0123456789012345678901234567890123456789"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
CACHE = "actions/cache@55cc8345863c7cc4c66a329aec7e433d2d1c52a9"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"
SETUP_UV = "astral-sh/setup-uv@1c37ad07a6a961277cf70c0d37d6f313000f5884"

Runs = Callable[..., Result]


def repository(folder: Path, files: dict[str, str]) -> Path:
    """A git repository with these files, uncommitted: that is what the harness takes too."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    if not (folder / ".git").exists():
        subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True, timeout=60)
    return folder


def workflow(steps: str, *, on: str = "push", head: str = "") -> dict[str, str]:
    """A workflow with one job `job`; `steps` is its YAML list."""
    lines = "\n".join(f"      {line}" for line in steps.strip("\n").splitlines())
    text = f"name: CI\non: {on}\njobs:\n  job:\n    runs-on: ubuntu-latest\n{head}    steps:\n{lines}\n"
    return {".github/workflows/ci.yml": text}


@pytest.fixture
def run(tmp_path: Path) -> Runs:
    """Run files as a consumer's repository; keyword arguments of `Request`, `Wanted` as `wanted`."""

    def go(files: dict[str, str], *, kit: Path = KIT_ROOT, **request: object) -> Result:
        repo = repository(tmp_path / "shop", files)
        settings: dict[str, object] = {"output": tmp_path / "out", "cache": tmp_path / "caches", "actions": "stand-ins"}
        return run_act(Request(repo, **(settings | request)), kit_root=kit)  # type: ignore[arg-type]

    return go


KIT = {
    ".github/workflows/ci.yml": """
name: Called
on:
  workflow_call:
    inputs: {legs: {type: string, required: true}}
    secrets: {token: {required: false}}
concurrency: {group: g, queue: max}
jobs:
  plan:
    runs-on: ubuntu-latest
    outputs: {matrix: "${{ steps.plan.outputs.matrix }}"}
    steps:
      - id: plan
        run: echo 'matrix={"include":${{ inputs.legs }}}' >> "$GITHUB_OUTPUT"
  test:
    name: test ${{ matrix.n }}
    needs: plan
    runs-on: ubuntu-latest
    strategy: {fail-fast: false, matrix: "${{ fromJSON(needs.plan.outputs.matrix) }}"}
    services: {one: "${{ matrix.service || '' }}"}
    steps:
      - uses: CHECKOUT
      - id: act
        uses: $/actions/outer
        with: {n: "${{ matrix.n }}"}
        env: {TOKEN: "${{ secrets.token }}"}
      - if: always()
        uses: UPLOAD
        with: {name: "result-${{ matrix.n }}", path: result.txt}
  gate:
    needs: [plan, test]
    if: always()
    runs-on: ubuntu-latest
    steps:
      - uses: DOWNLOAD
        with: {pattern: result-*, path: in, merge-multiple: true}
      - run: |
          echo "tests: ${{ needs.test.result }}"
          test "${{ needs.test.result }}" = success
  never:
    if: ${{ inputs.legs == 'x' }}
    runs-on: ubuntu-latest
    steps: [{run: exit 1}]
""".replace("CHECKOUT", CHECKOUT)
    .replace("UPLOAD", UPLOAD)
    .replace("DOWNLOAD", DOWNLOAD),
    "actions/outer/action.yml": """
name: outer
inputs: {n: {required: true}}
outputs: {said: {value: "${{ steps.inner.outputs.said }}"}}
runs:
  using: composite
  steps:
    - id: inner
      uses: $/actions/inner
      with: {n: "${{ inputs.n }}"}
    - shell: bash
      env: {N: "${{ inputs.n }}"}
      run: '"$GITHUB_ACTION_PATH/../../scripts/judge" "$N"'
""",
    "actions/inner/action.yml": """
name: inner
inputs: {n: {required: true}}
outputs: {said: {value: "${{ steps.say.outputs.said }}"}}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: '"$GITHUB_ACTION_PATH/say.sh" "${{ inputs.n }}"'
""",
    "actions/inner/say.sh": """#!/bin/sh
echo "said=n$1" >> "$GITHUB_OUTPUT"
echo "# leg $1" >> "$GITHUB_STEP_SUMMARY"
echo "::warning file=a.py,line=$1,title=Careful::leg $1 of $(git rev-parse --short HEAD)"
echo "token is $TOKEN"
echo "leg $1" > result.txt
""",
    "scripts/judge": '#!/bin/sh\ntest "$1" -ne 2\n',
}
CALLER = """
on: push
jobs:
  call:
    uses: corp/ci-kit/.github/workflows/ci.yml@SHA
    with: {legs: '[{"n":1},{"n":OTHER}]'}
    secrets: {token: "${{ secrets.TOKEN }}"}
""".replace("SHA", SHA)


@pytest.fixture
def small_kit(tmp_path: Path) -> Path:
    """A kit of one reusable workflow and two composite actions."""
    folder = repository(tmp_path / "kit", KIT)
    for program in ("actions/inner/say.sh", "scripts/judge"):
        (folder / program).chmod(0o755)
    return folder


def test_a_called_workflow_with_composite_actions(run: Runs, small_kit: Path) -> None:
    files = {".github/workflows/ci.yml": CALLER.replace("OTHER", "3")}
    result = run(files, kit=small_kit, secrets={"TOKEN": "secret-token\nsecond-line"})
    assert result.verdict == "success"
    assert [(j.id, j.caller, j.result) for j in result.jobs if j.id != "test"] == [
        ("plan", "call", "success"), ("gate", "call", "success"), ("never", "call", "skipped"),
    ]  # fmt: skip
    leg = result.one("test", n=3)
    assert (leg.name, leg.leg, leg.result, leg.step("act").outputs) == ("test 3", 2, "success", {"said": "n3"})
    (note,) = leg.annotations
    assert (note.level, note.file, note.line, note.title) == ("warning", "a.py", 3, "Careful")
    assert note.message == f"leg 3 of {result.occasion.sha[:7]}"
    assert "token is ***" in leg.log
    assert [a.name for a in sorted(result.artifacts, key=lambda a: a.name)] == ["result-1", "result-3"]
    assert (result.folder / "artifacts" / "result-3" / "result.txt").read_text() == "leg 3\n"
    assert (result.folder / leg.summary_file).read_text() == "# leg 3\n"
    kept = "".join(p.read_text(errors="replace") for p in result.folder.rglob("*") if p.is_file())
    assert "secret-token" not in kept
    assert "second-line" not in kept
    report = json.loads((result.folder / "act.json").read_text())
    assert {t["name"] for t in report["translations"]} >= {"self-reference", "concurrency-queue", "services"}
    assert (report["schema"], report["actions"], report["mode"]) == ("ci-kit/act/1", "stand-ins", "host")


def test_one_failing_leg_is_red_and_the_others_are_not(run: Runs, small_kit: Path) -> None:
    result = run({".github/workflows/ci.yml": CALLER.replace("OTHER", "2")}, kit=small_kit)
    assert (result.verdict, int(result.exit)) == ("failure", 1)
    assert (result.one("test", n=1).result, result.one("test", n=2).result) == ("success", "failure")
    assert result.one("gate").result == "failure"
    assert "tests: failure" in result.one("gate").log
    assert {a.name for a in result.artifacts} == {"result-1", "result-2"}, "always() uploads after a failure"


RULES = f"""
- uses: {CHECKOUT}
- run: mkdir -p out/deep && echo 1 > out/deep/a.txt && echo 2 > out/.hidden
- uses: {UPLOAD}
  id: up
  with: {{name: one, path: out}}
- uses: {UPLOAD}
  id: twice
  continue-on-error: true
  with: {{name: one, path: out}}
- uses: {UPLOAD}
  id: nothing
  continue-on-error: true
  with: {{name: two, path: absent, if-no-files-found: error}}
- uses: {UPLOAD}
  with: {{name: one, path: "out/**/*.txt", overwrite: true}}
- uses: {DOWNLOAD}
  with: {{pattern: "on*", path: down}}
- run: test -f down/deep/a.txt
- uses: {DOWNLOAD}
  id: absent
  continue-on-error: true
  with: {{name: absent}}
- run: test "${{{{ steps.twice.outcome }}}} ${{{{ steps.nothing.outcome }}}} ${{{{ steps.absent.outcome }}}}" = "failure failure failure"
- uses: nobody/nothing@v1
  id: unknown
  continue-on-error: true
"""


def test_artifacts_keep_githubs_rules(run: Runs) -> None:
    result = run(workflow(RULES))
    job = result.one("job")
    assert result.verdict == "success", job.log
    assert "already exists on the workflow run" in job.step("twice").annotations[0].message
    assert "No files were found" in job.step("nothing").annotations[0].message
    assert "There is no stand-in for nobody/nothing@v1" in job.step("unknown").annotations[0].message
    assert len(job.step("up").outputs["artifact-digest"]) == 64
    (artifact,) = result.artifacts
    assert artifact.path is not None
    assert [p.name for p in artifact.path.rglob("*") if p.is_file()] == ["a.txt"]


CACHED = f"""
- uses: {CACHE.replace("@", "/restore@")}
  id: first
  with: {{path: ~/kept, key: "k-${{{{ vars.KEY }}}}", restore-keys: k-}}
- run: echo "matched [${{{{ steps.first.outputs.cache-matched-key }}}}] hit [${{{{ steps.first.outputs.cache-hit }}}}] $(cat ~/kept/f)"
- uses: {CACHE}
  with: {{path: ~/kept, key: "k-${{{{ vars.KEY }}}}", restore-keys: k-}}
- run: mkdir -p ~/kept && echo "of ${{{{ vars.KEY }}}}" > ~/kept/f
"""


def test_a_cache_misses_then_hits_by_prefix_then_exactly(run: Runs) -> None:
    def once(key: str) -> tuple[list[str], str]:
        result = run(workflow(CACHED), variables={"KEY": key})
        assert result.verdict == "success"
        return [t.what for t in result.transfers], result.one("job").log

    transfers, log = once("1")
    assert (transfers, "matched [] hit []" in log) == (["miss", "miss", "saved"], True)
    transfers, log = once("2")
    assert (transfers, "matched [k-1] hit [false] of 1" in log) == (["prefix", "prefix", "saved"], True)
    transfers, log = once("2")
    assert (transfers, "matched [k-2] hit [true] of 2" in log) == (["exact", "exact"], True)


ABSOLUTE = f"""
- uses: {CACHE}
  id: kept
  with: {{path: "${{{{ runner.temp }}}}/kept", key: whole}}
- run: echo "hit [${{{{ steps.kept.outputs.cache-hit }}}}]"; mkdir -p "$RUNNER_TEMP/kept"; ls "$RUNNER_TEMP/kept"; touch "$RUNNER_TEMP/kept/left"
"""


def test_a_cache_of_an_absolute_path_is_found_by_another_job(run: Runs) -> None:
    run(workflow(ABSOLUTE))
    log = run(workflow(ABSOLUTE)).one("job").log
    assert "hit [true]" in log
    assert "left" in log.splitlines()


SURROUNDINGS = f"""
- run: |
    env | sort > env.txt
    test -z "$(env | grep ^ACTIONS_)"
    test ! -t 0 && test ! -t 1
    test "$(ls -A "$HOME")" = ""
    case "$RUNNER_TOOL_CACHE" in "${{{{ runner.tool_cache }}}}") ;; *) exit 1;; esac
    echo "sha $GITHUB_SHA repo $GITHUB_REPOSITORY event $GITHUB_EVENT_NAME"
    touch "$HOME/left-by-${{{{ matrix.i }}}}"
- run: test ! -e "$HOME/left-by-$((3 - ${{{{ matrix.i }}}}))"
- run: import os; assert "ACTIONS_RUNTIME_TOKEN" not in os.environ; print("python here")
  shell: python
- uses: {UPLOAD}
  with: {{name: "env-${{{{ matrix.i }}}}", path: env.txt}}
"""


def test_each_job_is_as_cold_and_bare_as_on_github(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_KIT_NAME", "leaked")
    monkeypatch.setenv("PYTHONPATH", "/leaked")
    result = run(workflow(SURROUNDINGS, head="    strategy: {matrix: {i: [1, 2]}}\n"), env={"GIVEN": "yes"})
    assert result.verdict == "success", [j.log for j in result.jobs]
    env = (result.folder / "artifacts" / "env-1" / "env.txt").read_text()
    assert "leaked" not in env
    assert "XDG_CACHE_HOME" not in env
    assert "\nGIVEN=yes" in env
    assert f"sha {result.occasion.sha} repo local/shop event push" in result.one("job", i=2).log


SETUP = f"""
- uses: {SETUP_PYTHON}
  id: plain
  with: {{python-version: "3.11", update-environment: false}}
- run: '"${{{{ steps.plain.outputs.python-path }}}}" -c "import sys; assert sys.version_info[:2] == (3, 11)"; echo "before $(command -v python)"'
- uses: {SETUP_PYTHON}
  id: own
  with: {{python-version: "3.11"}}
- run: test "$(command -v python)" = "${{{{ steps.own.outputs.python-path }}}}"; python -m pip --version; case "$(command -v python)" in "$RUNNER_TOOL_CACHE"/*) ;; *) exit 1;; esac
- uses: {SETUP_PYTHON}
  id: absent
  continue-on-error: true
  with: {{python-version: "3.2"}}
- uses: {SETUP_UV}
  id: uv
  with: {{enable-cache: false}}
- run: uv --version | grep -F "${{{{ steps.uv.outputs.uv-version }}}}"
"""


def test_interpreters_and_uv_of_this_machine(run: Runs) -> None:
    result = run(workflow(SETUP))
    job = result.one("job")
    assert result.verdict == "success", job.log
    assert job.step("own").outputs["python-version"].startswith("3.11.")
    assert "The version '3.2'" in job.step("absent").annotations[0].message


PULL = f"""
- uses: {CHECKOUT}
- run: |
    test -z "${{{{ secrets.TOKEN }}}}"
    test -z "${{{{ github.token }}}}"
    test "$(git rev-parse HEAD)" = "$GITHUB_SHA"
    git fetch -q origin "$GITHUB_BASE_REF"
    echo "ref $GITHUB_REF_NAME fork ${{{{ github.event.pull_request.head.repo.fork }}}} label ${{{{ github.event.pull_request.labels[0].name }}}}"
"""


def test_a_pull_request_from_a_fork_gets_no_secret(run: Runs) -> None:
    wanted = Wanted(event="pull_request", fork=True, labels=("mutation-test",), number=12)
    result = run(workflow(PULL, on="pull_request"), wanted=wanted, secrets={"TOKEN": "x1y2z3", "GITHUB_TOKEN": "t0k3n"})
    assert result.verdict == "success", result.one("job").log
    assert "ref 12/merge fork true label mutation-test" in result.one("job").log
    assert result.report()["fork"] is True


DEPTHS = f"""
- uses: {CHECKOUT}
- run: test "$(git rev-list --count HEAD)" = 1; test "$(git rev-parse HEAD)" = "$GITHUB_SHA"; test -z "$(git tag)"
- uses: {CHECKOUT}
  with: {{fetch-depth: 0, path: whole}}
- run: test "$(git -C whole rev-list --count HEAD)" = 3; test "$(git -C whole tag)" = v1; test -f whole/new
- uses: {CHECKOUT}
  id: old
  with: {{ref: v1, path: old}}
- run: test "$(git -C old rev-list --count HEAD) ${{{{ steps.old.outputs.commit }}}}" = "1 $(git -C whole rev-parse v1)"
- uses: {CHECKOUT}
  id: absent
  continue-on-error: true
  with: {{ref: absent, path: absent}}
- uses: {CHECKOUT}
  id: other
  continue-on-error: true
  with: {{repository: other/shop, path: other}}
- run: touch left && git fetch -q origin main
- uses: {CHECKOUT}
- run: test ! -e left && test ! -e whole
"""


def test_checkout_fetches_no_more_than_asked(run: Runs, tmp_path: Path) -> None:
    repo = repository(tmp_path / "shop", {"a": "1"} | workflow(DEPTHS))
    who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for words in (
        ["add", "."],
        [*who, "commit", "-qm", "one"],
        ["tag", "v1"],
        [*who, "commit", "-qm", "two", "--allow-empty"],
    ):
        subprocess.run(["git", "-C", str(repo), *words], check=True, timeout=60)
    result = run({"new": "1"})
    job = result.one("job")
    assert result.verdict == "success", [(s.name, s.result, s.log) for s in job.steps]
    assert "'absent' could not be found" in job.step("absent").annotations[0].message
    assert "has only local/shop, not other/shop" in job.step("other").annotations[0].message


CALLS = """
on: push
jobs:
  call:
    uses: corp/ci-kit/.github/workflows/ci.yml@SHA
    with: {legs: '[]', lges: 1}
""".replace("SHA", SHA)


def test_what_a_call_passes_is_held_against_what_is_declared(run: Runs, small_kit: Path) -> None:
    with pytest.raises(CallerMistake, match=r"ci\.yml:6: input 'lges' is not defined .*did you mean 'legs'"):
        run({".github/workflows/ci.yml": CALLS}, kit=small_kit)
    with pytest.raises(CallerMistake, match=r"ci\.yml:5: the called workflow requires the input 'legs'"):
        run({".github/workflows/ci.yml": CALLS.replace("    with: {legs: '[]', lges: 1}\n", "")}, kit=small_kit)
    with pytest.raises(CallerMistake, match=r"there is no \.github/workflows/x\.yml in corp/ci-kit"):
        run({".github/workflows/ci.yml": CALLS.replace("/ci.yml@", "/x.yml@")}, kit=small_kit)
    unknown = workflow(f"- uses: corp/ci-kit/actions/inner@{SHA}\n  with: {{n: 3, m: 1}}")
    result = run(unknown, kit=small_kit)
    assert any("Unexpected input(s) 'm', valid inputs are ['n']" in note for note in result.notes)


def test_a_service_is_served_by_a_local_server(run: Runs, require_server: Callable[[str], str]) -> None:
    require_server("redis-server")
    port = free_port()
    ping = f"python3 -c \"import socket; s = socket.create_connection(('127.0.0.1', {port})); s.send(b'PING\\r\\n'); print(s.recv(9))\""
    head = f"    services: {{redis: {{image: 'redis:7', ports: ['{port}:6379']}}}}\n"
    files = workflow(f"- run: |\n    {ping}", head=head)
    result = run(files)
    assert "PONG" in result.one("job").log
    assert result.services == [f"redis:7 as redis-server on 127.0.0.1:{port}"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(InfrastructureFailure, match=f"port {port} is in use"):
            run(files)


def test_two_runs_with_one_port_take_turns(require_server: Callable[[str], str], tmp_path: Path) -> None:
    require_server("redis-server")
    service, said = Service("redis:7", free_port()), list[str]()
    first, second = (Servers(tmp_path / name, tmp_path / "locks", said.append) for name in ("first", "second"))
    try:
        first.start([service], os.environ, 30)
        with pytest.raises(InfrastructureFailure, match=f"another run holds port {service.port}"):
            second.start([service], os.environ, 0.3)
        assert said == [f"waiting for another run's service on port {service.port}"]
        first.stop()
        second.stop()
        second.start([service], os.environ, 30)
    finally:
        first.stop()
        second.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_time_limit_stops_everything(run: Runs) -> None:
    started = time.monotonic()
    result = run(workflow("- run: echo $RUNNER_TRACKING_ID; sleep 500 & sleep 500"), limit_seconds=4.0)
    assert time.monotonic() - started < 60
    assert (result.verdict, result.one("job").result, int(result.exit)) == ("cancelled", "cancelled", 3)
    left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if readable(p) == b"sleep\x00500\x00"]
    assert not left


def test_the_time_limit_of_the_command_leaves_a_report(tmp_path: Path) -> None:
    """The launcher's own `--timeout` would end the command without one."""
    repo, output = repository(tmp_path / "shop", workflow("- run: sleep 600")), tmp_path / "out"
    argv: list[str | Path] = [KIT_ROOT / "scripts" / "ci-kit", "act", "run", "--repo", repo, "--actions", "stand-ins"]
    ran = subprocess.run(
        [*argv, "--output", output, "--limit", "8s"], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 3, ran.stdout
    assert "the time limit of 8 s (--limit) is over; everything was stopped" in ran.stdout
    report = json.loads((output / "act.json").read_text())
    assert (report["timed-out"], report["verdict"]) == (True, "cancelled")


def readable(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    repo = repository(tmp_path / "shop", workflow(f"- run: echo $RUNNER_TRACKING_ID > {seen}; sleep 400"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(KIT_ROOT / "scripts"), "TMPDIR": str(temporary)}
    argv = [sys.executable, "-m", "ci_kit", "act", "run", "--repo", str(repo), "--actions", "stand-ins"]
    child = subprocess.Popen(
        [*argv, "--output", str(tmp_path / "out")], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + 120
        while (
            not (seen.is_file() and seen.read_text().strip()) and time.monotonic() < deadline and child.poll() is None
        ):
            time.sleep(0.05)
        marker = f"RUNNER_TRACKING_ID={seen.read_text().strip()}"
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, output.decode()
    assert marked(marker) == set()
    assert not list(temporary.iterdir())


def test_two_runs_at_once_do_not_meet(run: Runs, tmp_path: Path) -> None:
    repo = repository(tmp_path / "two", workflow(f"- run: echo $$ > f; sleep 1\n- uses: {UPLOAD}\n  with: {{path: f}}"))
    argv = [sys.executable, "-m", "ci_kit", "act", "run", "--repo", str(repo), "--actions", "stand-ins"]
    environment = {**os.environ, "PYTHONPATH": str(KIT_ROOT / "scripts")}
    children = [
        subprocess.Popen([*argv, "--output", str(tmp_path / name)], env=environment, stdout=subprocess.DEVNULL)
        for name in ("a", "b")
    ]
    assert [child.wait(120) for child in children] == [0, 0]
    assert (tmp_path / "a/artifacts/artifact/f").read_text() != (tmp_path / "b/artifacts/artifact/f").read_text()


@pytest.mark.parametrize(
    ("files", "request_", "message"),
    [
        ({"a.txt": "x"}, {}, "there is no workflow in"),
        (workflow("- run: 'true'", on="schedule"), {}, "no workflow runs on push"),
        (workflow("- run: 'true'"), {"job": "jbo"}, r"there is no job 'jbo'.*'job'"),
        (workflow("- run: 'true'"), {"workflow": "ic.yml"}, "there is no workflow 'ic.yml'"),
        ({".github/workflows/ci.yml": "on: push\njobs: [\n"}, {}, r"ci\.yml:3: is not YAML"),
        (
            {".github/workflows/ci.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, stepz: []}}\n"},
            {},
            "act cannot read",
        ),
    ],
)
def test_mistakes_of_the_caller(run: Runs, files: dict[str, str], request_: dict[str, str], message: str) -> None:
    with pytest.raises(CallerMistake, match=message):
        run(files, **request_)


def test_a_workflow_that_lies_elsewhere_cannot_run_offline(run: Runs) -> None:
    files = {".github/workflows/ci.yml": f"on: push\njobs: {{a: {{uses: other/repo/.github/workflows/x.yml@{SHA}}}}}\n"}
    with pytest.raises(InfrastructureFailure, match=r"lies on github\.com"):
        run(files)


def test_own_references_of_the_consumer(run: Runs) -> None:
    """A reusable workflow and an action of the consumer's own repository, by `./` and by `$/`."""
    called = "on: workflow_call\njobs: {inner: {runs-on: ubuntu-latest, steps: [{uses: $/.github/actions/hello}]}}\n"
    action = "name: x\nruns: {using: composite, steps: [{run: echo hello from $GITHUB_ACTION_PATH, shell: bash}]}\n"
    top = "on: push\njobs: {outer: {uses: ./.github/workflows/called.yml}}\n"
    files = {
        ".github/workflows/ci.yml": top,
        ".github/workflows/called.yml": called,
        ".github/actions/hello/action.yml": action,
    }
    result = run(files)
    assert (result.verdict, result.one("inner").caller) == ("success", "outer")
    assert "hello from /" in result.one("inner").log


def test_act_that_is_no_program(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_KIT_ACT", "/nowhere/act")
    with pytest.raises(CallerMistake, match=r"CI_KIT_ACT=/nowhere/act is not a program"):
        run(workflow("- run: 'true'"))


def test_a_dispatch_with_inputs_and_a_matrix_choice(run: Runs) -> None:
    on = "{workflow_dispatch: {inputs: {depth: {type: string}}}}"
    files = workflow(
        '- run: echo "depth ${{ inputs.depth }} ${{ matrix.i }}"', on=on, head="    strategy: {matrix: {i: [1, 2]}}\n"
    )
    result = run(files, wanted=Wanted(event="workflow_dispatch", inputs=(("depth", "9"),)), matrix=("i:2",))
    assert "depth 9 2" in result.one("job").log
