"""The programs of a site with releases behind a link: `small_site.py deploy|restart|stop FOLDER …`.

`deploy-group` deploys to the folder of the group that haproxy sends no traffic to.

They are what a consumer would write. The standard library is enough, so that a start takes no time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SERVICE = Path(__file__).with_name("small_service.py")


def deploy(folder: Path, version: str, fault: str) -> None:
    """A new folder, the link, the restart."""
    release = folder / "releases" / f"{version}-{fault}"
    release.mkdir(exist_ok=True)
    (release / "build.json").write_text(json.dumps({"version": version, "fault": fault}))
    draft = folder / "draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(release)
    draft.replace(folder / "current")
    restart(folder)


def deploy_group(folder: Path, version: str, fault: str) -> None:
    """As `deploy`, where the kit says that there is no traffic."""
    deploy(folder / os.environ["CI_KIT_GROUP"], version, fault)


def restart(folder: Path) -> None:
    """Stop what runs, start what the link points to, and wait until the port answers or the process has ended."""
    stop(folder)
    port = int((folder / "port").read_text())
    argv, options = _server(folder, port)
    with (folder / "service.log").open("ab") as log:
        service = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options
        )
    (folder / "pid").write_text(str(service.pid))
    while service.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)


def identity(folder: Path) -> None:
    """What runs."""
    print((folder / "current").resolve().name)


def put_back(folder: Path) -> None:
    """The release that the kit names."""
    draft = folder / "draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(folder / "releases" / os.environ["CI_KIT_IDENTITY"])
    draft.replace(folder / "current")
    restart(folder)


def _server(folder: Path, port: int) -> tuple[list[str], dict[str, Any]]:
    """The small service, or what `server.json` describes: argv, cwd, env, and the variables of each fault."""
    release, described = Path(os.path.realpath(folder / "current")), folder / "server.json"
    if not described.exists():
        return [sys.executable, "-I", "-S", str(SERVICE), str(port), str(release)], {}
    server, build = json.loads(described.read_text()), json.loads((release / "build.json").read_text())
    env = {**server["env"], "GIT_SHA": build["version"], **server["faults"].get(build["fault"], {})}
    return [*server["argv"], str(port)], {"cwd": server["cwd"], "env": env}


def stop(folder: Path) -> None:
    """End the service that runs, if one does, and wait until nobody listens: threads end a little after their process."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
        port = int((folder / "port").read_text())
        while True:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            time.sleep(0.005)


if __name__ == "__main__":
    verb, where, *rest = sys.argv[1:]
    verbs = (deploy, deploy_group, restart, stop, identity, put_back)
    {each.__name__.replace("_", "-"): each for each in verbs}[verb](Path(where), *rest)
