"""A build with the faults that FAULT_* variables ask for; nothing that users should meet."""

from __future__ import annotations

import os
import time

from app.core.config import Settings
from app.faults import Faults, create_faulty_app

app = create_faulty_app(
    Faults.from_environ(os.environ), Settings.from_environ(os.environ), time.time
)
