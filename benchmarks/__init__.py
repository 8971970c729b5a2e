"""Speed and memory beside peers, and long searches for faults (docs/benchmarks.md)."""

import os

# Nobody collected static files for them, and each process would say so.
os.environ.setdefault("PYTHONWARNINGS", "ignore:No directory at:UserWarning")
