"""The report as one HTML file: the web component of mutation-testing-elements and the data, both inlined.

https://github.com/stryker-mutator/mutation-testing-elements/tree/master/packages/elements
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from ci_kit.errors import KitError
from ci_kit.process import run_checked
from ci_kit.report import write_text
from ci_kit.tools import Tools

PACKAGES = Path("requirements", "mutation-viewer")
COMPONENT = Path("node_modules", "mutation-testing-elements", "dist", "mutation-test-elements.js")
FETCH_SECONDS = 60.0
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body>
<mutation-test-report-app title-postfix="{title}">This report needs a browser with JavaScript.</mutation-test-report-app>
<script nonce="{nonce}" src="data:text/javascript;charset=utf-8;base64,{component}"></script>
<script nonce="{nonce}">
const app = document.querySelector("mutation-test-report-app");
app.addEventListener("theme-changed", () => {{ document.body.style.backgroundColor = app.themeBackgroundColor; }});
app.report = {data};
</script>
</body>
</html>
"""
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def fetch_component(tools: Tools) -> str:
    """The web component's script, in the version and with the digest of the lock. Raises `KitError` without npm."""
    with tempfile.TemporaryDirectory(prefix="ci-kit-viewer-") as name:
        folder = Path(name)
        for file in ("package.json", "package-lock.json"):
            shutil.copy2(tools.kit_root / PACKAGES / file, folder)
        argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        argv += ["--fetch-retries=1", "--fetch-timeout=20000"]
        run_checked(
            tools.runner, argv, what="npm ci", timeout_seconds=FETCH_SECONDS, cwd=folder, env=_environ(tools.environ)
        )
        return (folder / COMPONENT).read_text(encoding="utf-8")


def render(component: str, elements: Mapping[str, Any], title: str) -> str:
    """The whole page. Sources, names of tests and replacements are text of a pull request: nothing of them can run.

    The component is a `data:` address, so nothing in it can end its element; in the data no `<` is left to begin one. Of
    what the page runs both scripts are named in its policy, by a word that depends on all of them.
    """
    data = json.dumps(elements, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    nonce = hashlib.sha256(f"{component}\0{data}".encode()).hexdigest()[:32]
    return _PAGE.format(
        policy=_POLICY.format(nonce=nonce),
        nonce=nonce,
        title=escape(title),
        component=base64.b64encode(component.encode()).decode("ascii"),
        data=data,
    )


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    """What npm needs of the step's environment, its settings included, where a registry's token may be; nothing else."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
    settings = ("npm_config_", "http_proxy", "https_proxy", "no_proxy")
    return {name: value for name, value in environ.items() if name in kept or name.lower().startswith(settings)}


def wants_html(asked: str, *, failed: bool, waits: bool) -> bool:
    """As in actions/coverage-combine: on a green pull request, where somebody `waits`, nobody fetches the component."""
    return asked == "true" or (asked == "auto" and (failed or not waits))


def write_html(path: Path, elements: Mapping[str, Any], title: str, tools: Tools) -> str:
    """Write the page, and answer why it could not be made (empty: it was)."""
    try:
        component = fetch_component(tools)
    except (KitError, OSError, UnicodeDecodeError) as error:
        why = error.message if isinstance(error, KitError) else str(error)
        return f"The HTML report was not made, because its viewer could not be fetched from npm: {why.partition(chr(10))[0]}"
    write_text(path, render(component, elements, title))
    return ""
