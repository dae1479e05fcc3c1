"""Whether the service lives, is ready, and which build it is."""

from __future__ import annotations

import logging
import secrets
import sqlite3

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.deps import ServicesDep
from app.services import Services

LOG = logging.getLogger(__name__)
router = APIRouter()


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers. It says nothing about what the process depends on."""
    return {"status": "ok"}


@router.get("/healthz/db")
def healthz_db(response: Response, parts: ServicesDep) -> dict[str, str]:
    """A value was written to the database and read back."""
    good = database_works(parts)
    response.status_code = 200 if good else 503
    return {"db": "ok" if good else "down"}


@router.get("/readyz")
def readyz(response: Response, parts: ServicesDep) -> dict[str, str]:
    """Ready needs the database. Without Redis the service limits in memory, and says so."""
    ready = database_works(parts)
    response.status_code = 200 if ready else 503
    return {
        "status": "ready" if ready else "not-ready",
        "db": "ok" if ready else "down",
        "redis": redis_state(parts),
    }


@router.get("/version")
def version(response: Response, parts: ServicesDep) -> dict[str, str]:
    response.headers["Cache-Control"] = "no-store"
    return {"git_sha": parts.settings.git_sha}


@router.get("/metrics")
def metrics(parts: ServicesDep) -> Response:
    return Response(parts.metrics.render(), media_type=CONTENT_TYPE_LATEST)


def database_works(parts: Services) -> bool:
    try:
        return parts.store.write_and_read(secrets.token_hex(8))
    except sqlite3.Error as error:
        LOG.error("The database does not work: %s", error)
        return False


def redis_state(parts: Services) -> str:
    if parts.settings.redis_url is None:
        return "not-used"
    return "ok" if parts.limiter.ping() else "down"
