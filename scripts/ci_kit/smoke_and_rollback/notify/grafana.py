"""An annotation in Grafana, and on request a dashboard with the error rate of each version.

API: https://grafana.com/docs/grafana/latest/developers/http_api/
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ci_kit.smoke_and_rollback.notify.event import Event
from ci_kit.smoke_and_rollback.notify.web import Answered, Web
from ci_kit.smoke_and_rollback.spec import Grafana as Settings
from ci_kit.smoke_and_rollback.spec import Metrics

ROLE = "a service account's token with the role Editor"
_LONGEST_UID = 40  # Grafana takes no more


class Grafana:
    """`metrics` are what the dashboard shows; without them it shows the annotations."""

    name = "grafana"
    reaches_people = False

    def __init__(self, web: Web, settings: Settings, environment: str, metrics: Metrics | None) -> None:
        self._web = web
        self._settings = settings
        self._environment = environment
        self._metrics = metrics

    def check(self) -> None:
        """Read an annotation, and where a dashboard is wanted write that."""
        self._demand("GET", "/api/annotations?limit=1")
        if self._settings.dashboard:
            body = {"dashboard": dashboard(self._environment, self._metrics), "overwrite": True, "message": "ci-kit"}
            self._demand("POST", "/api/dashboards/db", body)

    def send(self, event: Event) -> None:
        """One annotation; the marker is one of its tags."""
        tag = f"event:{event.marker}"
        if self._demand("GET", f"/api/annotations?tags={quote(tag)}&limit=1"):
            return
        body = {
            "time": int(event.at.timestamp() * 1000),
            "tags": ["ci-kit", "deployment", self._environment, str(event.kind), tag],
            "text": f"{event.headline}: {event.why}",
        }
        self._demand("POST", "/api/annotations", body)

    def _demand(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - any JSON
        headers = {"Authorization": f"Bearer {self._settings.token}"}
        answer: Answered = self._web.ask(method, self._settings.url + path, body, headers)
        return answer.demand(f"Grafana, {method} {path.partition('?')[0]}", ROLE)


def dashboard(environment: str, metrics: Metrics | None) -> dict[str, Any]:
    """The whole dashboard; its identifier follows from the environment, so that the next deployment updates it."""
    source = {"type": "prometheus", "uid": "${source}"}
    panels = [
        {
            "id": number,
            "type": "timeseries",
            "title": title,
            "datasource": source,
            "gridPos": {"x": 12 * (number - 1), "y": 0, "w": 12, "h": 9},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": "AB"[index], "datasource": source, "expr": query, "legendFormat": legend}
                for index, (legend, query) in enumerate(queries)
            ],
        }
        for number, (title, unit, queries) in enumerate(_shown(metrics), 1)
    ]
    return {
        "uid": f"ci-kit-{environment}"[:_LONGEST_UID],
        "title": f"Deployments to {environment}",
        "tags": ["ci-kit", "deployment"],
        "timezone": "utc",
        "schemaVersion": 39,
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "annotations": {
            "list": [
                {
                    "name": "Deployments",
                    "enable": True,
                    "iconColor": "red",
                    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
                    "target": {"type": "tags", "tags": ["ci-kit", environment], "limit": 100, "matchAny": False},
                }
            ]
        },
        "panels": panels,
    }


def _shown(metrics: Metrics | None) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Title, unit and queries of each panel, the queries with their legends."""
    if metrics is None:
        return []
    versions = [("new", metrics.requests, metrics.errors)]
    if metrics.baseline_requests and metrics.baseline_errors:
        versions.append(("baseline", metrics.baseline_requests, metrics.baseline_errors))
    rate = {text: f"sum(rate({text}[5m]))" for _, *texts in versions for text in texts}
    return [
        ("Requests a second", "reqps", [(name, rate[requests]) for name, requests, _ in versions]),
        (
            "Share of errors",
            "percentunit",
            [(name, f"{rate[errors]} / {rate[requests]}") for name, requests, errors in versions],
        ),
    ]
