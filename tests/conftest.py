"""Settings of the whole suite: quiet libraries, a cache of its own."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Tests must neither use nor change what the user has cached or run.
os.environ["STOPWATCH_CACHE"] = tempfile.mkdtemp(prefix="stopwatch-cache-")
os.environ["STOPWATCH_RUNS"] = tempfile.mkdtemp(prefix="stopwatch-runs-")
