"""Service containers as local servers: which image, which port."""

from __future__ import annotations

import pytest
from ci_kit.act.servers import Service, service_of


@pytest.mark.parametrize(
    ("image", "ports", "expected"),
    [
        ("redis:7", ["6379"], Service("redis:7", 6379)),
        ("redis:7", ["16379:6379"], Service("redis:7", 16379)),
        ("postgres:16", ["127.0.0.1:5433:5432/tcp"], Service("postgres:16", 5433)),
        ("redis:7", [], None),
        ("", ["6379"], None),
        ("${{ matrix.image }}", ["6379"], None),
        ("redis:7", ["${{ matrix.port }}"], None),
    ],
)
def test_service_of(image: str, ports: list[str], expected: Service | None) -> None:
    """The port of this machine counts; what is only known at run time is left out."""
    assert service_of(image, ports, {}) == expected


@pytest.mark.parametrize(
    ("image", "kind"),
    [("redis", "redis"), ("docker.io/library/redis:7-alpine", "redis"), ("postgres@sha256:ab", "postgres")],
)
def test_kind(image: str, kind: str) -> None:
    """Registry, tag and digest say nothing about the kind of server."""
    assert Service(image, 1).kind == kind
