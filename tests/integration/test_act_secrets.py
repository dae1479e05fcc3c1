"""A whole run through act whose secrets are awkward to spell: nothing that is kept or printed holds them."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from ci_kit.act.request import Request
from ci_kit.act.run import run_act

MASKED = 'm%sk"ed&::<\\é'
LINES = ['first%"&\\<é', "second-line"]
CI_KIT_ENV = f"# ours\nTOKEN={LINES[0]}\nOTHER = {LINES[1]}\n"
WORKFLOW = r"""
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - env:
          LINES: ${{ secrets.CI_KIT_ENV }}
        run: |
          value="$(printf %s "$ENCODED" | base64 -d)"
          printf '::add-mask::%s\n' "${value//\%/%25}"
          printf 'said %s and %s\n' "$value" "$LINES"
          printf '%s\n' "$LINES" | cut -d= -f2
          escaped="${value//\%/%25}"
          printf '::error title=%s::%s\n' "${escaped//:/%3A}" "${value//\%/%25} is wrong"
          printf 'out=%s\n' "$value" >> "$GITHUB_OUTPUT"
          printf '# %s\n' "$value" >> "$GITHUB_STEP_SUMMARY"
          printf '%s\n' "$LINES" | cut -d= -f2 >> "$GITHUB_STEP_SUMMARY"
          exit 1
"""


def test_nothing_kept_or_printed_holds_a_secret(tmp_path: Path) -> None:
    repo = tmp_path / "shop"
    (repo / ".github" / "workflows").mkdir(parents=True)
    (repo / ".github" / "workflows" / "ci.yml").write_text(WORKFLOW)
    subprocess.run(["git", "init", "-q", "-b", "main", str(repo)], check=True, timeout=60)
    printed: list[str] = []
    encoded = base64.b64encode(MASKED.encode()).decode()
    request = Request(
        repo, secrets={"CI_KIT_ENV": CI_KIT_ENV}, env={"ENCODED": encoded}, output=tmp_path / "out",
        cache=tmp_path / "caches", actions="stand-ins",
    )  # fmt: skip
    result = run_act(request, write=printed.append)
    job = result.one("job")
    assert job.result == "failure"
    assert job.log.splitlines()[0] == "said *** and ***"
    assert [(note.title, note.message) for note in job.annotations] == [("***", "*** is wrong")]
    assert (job.steps[0].outputs, job.summary) == ({"out": "***"}, ["# ***\n***\n***\n ***\n\n"])
    kept = [path for path in result.folder.rglob("*") if path.is_file()]
    assert {"act.log", "act.json"} <= {path.name for path in kept}
    texts = ["\n".join(printed), *(path.read_text(encoding="utf-8") for path in kept)]
    log = (result.folder / "act.log").read_text(encoding="utf-8").splitlines()
    texts += [repr(json.loads(line)) for line in log if line.startswith("{")]
    for secret in (MASKED, *LINES):
        escaped = secret.replace("%", "%25")
        for spelling in {secret, escaped, *(json.dumps(s)[1:-1] for s in (secret, escaped)), repr(secret)[1:-1]}:
            assert [text for text in texts if spelling in text] == []
    assert '"command": "add-mask"' in "\n".join(log)
