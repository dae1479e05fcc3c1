"""A small Kubernetes API on loopback for a real kubectl: discovery, get, list, watch, create, patch, and a controller.

Sources: Kubernetes API Concepts (watch, resourceVersion, patch types), RFC 6902, RFC 7386, and what kubectl asks for.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tooling.kubernetes_objects import PLURALS, Cluster, Conflict, Thing

GROUPS = {"apps": ["deployments", "replicasets"], "": ["pods", "configmaps"]}
STEP_SECONDS = 0.02


class Api(ThreadingHTTPServer):
    """`refused`: verbs that these credentials may not use. `on_patch` is called once, before a patch is applied.

    `away`: so many requests for objects are answered with 503.
    """

    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster = cluster
        self.refused: set[str] = set()
        self.patches = 0
        self.away = 0
        self.on_patch: list[Callable[[], None]] = []
        self.closing = threading.Event()


@contextmanager
def kubernetes(cluster: Cluster, kubeconfig: Path) -> Iterator[Api]:
    """The API and its controller until the block ends; `kubeconfig` is written."""
    api = Api(cluster)
    server = {"name": "double", "cluster": {"server": f"http://127.0.0.1:{api.server_port}"}}
    context = {"name": "double", "context": {"cluster": "double", "user": "nobody", "namespace": "default"}}
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "double", "clusters": [server],
                "contexts": [context], "users": [{"name": "nobody", "user": {}}],
            }
        )
    )  # fmt: skip
    threads = [threading.Thread(target=api.serve_forever, args=(0.05,)), threading.Thread(target=_control, args=(api,))]
    for thread in threads:
        thread.start()
    try:
        yield api
    finally:
        api.closing.set()
        with cluster.changed:
            cluster.changed.notify_all()
        api.shutdown()
        for thread in threads:
            thread.join()
        api.server_close()


def _control(api: Api) -> None:
    while not api.closing.wait(STEP_SECONDS):
        api.cluster.step()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        found = _discovery(url.path)
        if found is not None:
            self._answer(200, found)
            return
        plural, name = _address(url.path)
        if self.server.away:
            self.server.away -= 1
            self._error(503, "ServiceUnavailable", "the server is currently unable to handle the request")
        elif name:
            thing = self.server.cluster.things.get((plural, name))
            self._answer(200, thing) if thing else self._error(404, "NotFound", f'{plural} "{name}" not found')
        elif query.get("watch") in {"true", "1"}:
            self._watch(plural, query)
        else:
            items = [thing for thing in self.server.cluster.all(plural) if _selected(thing, query)]
            kind = f"{PLURALS[plural]}List"
            version = "apps/v1" if plural in GROUPS["apps"] else "v1"
            meta = {"resourceVersion": str(self.server.cluster.version)}
            self._answer(200, {"kind": kind, "apiVersion": version, "metadata": meta, "items": items})

    def do_POST(self) -> None:
        if "selfsubjectaccessreviews" in self.path:
            # kubectl sends Protocol Buffers here; the verb stands in them as it is.
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            allowed = not any(verb.encode() in asked for verb in self.server.refused)
            review = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
            self._answer(201, {**review, "spec": {}, "status": {"allowed": allowed}})
            return
        body = self._body()
        plural, _ = _address(urlsplit(self.path).path)
        name = body["metadata"]["name"]
        with self.server.cluster.changed:
            if (plural, name) in self.server.cluster.things:
                self._error(409, "AlreadyExists", f'{plural} "{name}" already exists')
                return
            self._answer(201, self.server.cluster.put(plural, body))

    def do_PATCH(self) -> None:
        patch = self._body()
        if self.server.on_patch:
            self.server.on_patch.pop()()
        plural, name = _address(urlsplit(self.path).path)
        cluster = self.server.cluster
        with cluster.changed:
            old = cluster.things.get((plural, name))
            if old is None:
                self._error(404, "NotFound", f'{plural} "{name}" not found')
                return
            try:
                new = _patched(self.headers["Content-Type"], old, patch)
                wanted = new["metadata"]["resourceVersion"]
                thing = cluster.put(plural, new, version=wanted)
            except Conflict:
                self._error(
                    409, "Conflict", f'Operation cannot be fulfilled on {plural} "{name}": the object has been modified'
                )
                return
            except (ValueError, KeyError) as error:
                self._error(422, "Invalid", f"the server rejected our request due to an error in our request: {error}")
                return
            self.server.patches += 1
            self._answer(200, thing)

    def _watch(self, plural: str, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        seen = int(query.get("resourceVersion") or 0)
        cluster = self.server.cluster
        try:
            if query.get("sendInitialEvents") == "true":
                seen = self._initial_events(plural, query)
            while not self.server.closing.is_set():
                with cluster.changed:
                    news = [event for event in cluster.events if event[0] > seen]
                    if not news:
                        cluster.changed.wait(0.2)
                for version, kind, what, thing in news:
                    seen = version
                    if kind == plural and _selected(thing, query):
                        self._event(what, thing)
        except OSError:  # the client has gone, as watchers do
            self.close_connection = True

    def _initial_events(self, plural: str, query: dict[str, str]) -> int:
        """A streaming list: what is there, and a bookmark that ends it. kubectl 1.37 asks for one, 1.32 does not."""
        with self.server.cluster.changed:
            things, version = self.server.cluster.all(plural), self.server.cluster.version
        for thing in things:
            if _selected(thing, query):
                self._event("ADDED", thing)
        end = {"resourceVersion": str(version), "annotations": {"k8s.io/initial-events-end": "true"}}
        kinds = {"kind": PLURALS[plural], "apiVersion": "apps/v1" if plural in GROUPS["apps"] else "v1"}
        self._event("BOOKMARK", {**kinds, "metadata": end})
        return version

    def _event(self, what: str, thing: Thing) -> None:
        line = json.dumps({"type": what, "object": thing}).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def _body(self) -> Any:  # noqa: ANN401 - JSON holds anything
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, code: int, thing: object) -> None:
        body = json.dumps(thing).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _error(self, code: int, reason: str, message: str) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
        self._answer(code, {**status, "metadata": {}, "code": code})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


def _address(path: str) -> tuple[str, str]:
    """The plural and the name in `/apis/apps/v1/namespaces/default/deployments/web`."""
    _, _, rest = path.partition("/namespaces/default/")
    plural, _, name = (rest or path.rpartition("/")[2]).partition("/")
    return plural, name


def _discovery(path: str) -> Thing | None:
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = []
        for name in ("apps", "authorization.k8s.io"):
            version = {"groupVersion": f"{name}/v1", "version": "v1"}
            groups.append({"name": name, "versions": [version], "preferredVersion": version})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path == "/apis/authorization.k8s.io/v1":
        review = {"name": "selfsubjectaccessreviews", "singularName": "", "namespaced": False, "verbs": ["create"]}
        resources = [{**review, "kind": "SelfSubjectAccessReview"}]
        return {"kind": "APIResourceList", "groupVersion": "authorization.k8s.io/v1", "resources": resources}
    for group, plurals in GROUPS.items():
        group_version = f"{group}/v1" if group else "v1"
        if path == (f"/apis/{group_version}" if group else "/api/v1"):
            verbs = ["create", "get", "list", "patch", "update", "watch"]
            resources = [
                {"name": p, "singularName": p[:-1], "namespaced": True, "kind": PLURALS[p], "verbs": verbs}
                for p in plurals
            ]
            return {"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}
    return None


def _selected(thing: Thing, query: dict[str, str]) -> bool:
    labels = thing["metadata"].get("labels", {})
    wanted = dict(part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part)
    field = query.get("fieldSelector", "")
    named = not field or field == f"metadata.name={thing['metadata']['name']}"
    return named and all(labels.get(key) == value for key, value in wanted.items())


def _patched(kind: str, old: Thing, patch: Any) -> Thing:  # noqa: ANN401 - JSON holds anything
    new = copy.deepcopy(old)
    if kind == "application/json-patch+json":
        for change in patch:
            _apply(new, change)
        return new
    merged: Thing = _merge(new, patch, by_name=kind == "application/strategic-merge-patch+json")
    return merged


def _apply(thing: Any, change: Thing) -> None:  # noqa: ANN401 - JSON holds anything
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in change["path"].split("/")[1:])
    for part in way:
        thing = thing[int(part) if isinstance(thing, list) else part]
    if change["op"] == "test":
        if thing[last] != change["value"]:
            raise ValueError(f"testing path {change['path']} failed")
    elif change["op"] in {"add", "replace"}:
        thing[last] = change["value"]
    else:
        raise ValueError(f"unknown operation {change['op']}")


def _merge(old: Any, patch: Any, *, by_name: bool) -> Any:  # noqa: ANN401 - JSON holds anything
    if isinstance(patch, list) and by_name and all(isinstance(item, dict) and "name" in item for item in patch):
        items = {item["name"]: item for item in old or []}
        for item in patch:
            items[item["name"]] = _merge(items.get(item["name"], {}), item, by_name=True)
        return list(items.values())
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value, by_name=by_name)
    return result
