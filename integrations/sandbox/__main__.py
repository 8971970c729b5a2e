"""`python -m integrations.sandbox --port P --people N --seed S`: the stand-in vendors, without Django."""

import argparse
import sys

from integrations.sandbox.server import serve
from integrations.sandbox.world import SandboxConfig


def main() -> int:
    """Run until stopped."""
    parser = argparse.ArgumentParser(prog="python -m integrations.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8100, help="port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--people", type=int, default=20_000, help="size of the crowd")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other people")
    options = parser.parse_args()
    try:
        serve(SandboxConfig.for_demo(options.people, options.seed), options.port, _say)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on 127.0.0.1:{options.port}: {error.strerror}. Choose another --port.\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
