"""The application that a server loads: `uvicorn app.main:app`."""

from __future__ import annotations

import os

from app.core.config import Settings
from app.factory import create_app

app = create_app(Settings.from_environ(os.environ))
