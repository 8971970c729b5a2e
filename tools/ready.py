"""Exits with 0 when the console on this machine is ready, for health checks: `python tools/ready.py [port]`.

Asks over loopback the way the proxy does, with the first of ALLOWED_HOSTS as the host and as if over HTTPS; what
isn't ready is printed.
"""

import http.client
import json
import os
import sys


def main(port: int) -> int:
    """0 when `/readyz` says ok, else 1."""
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip() or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz", headers={"Host": host, "X-Forwarded-Proto": "https"})
        response = connection.getresponse()
        answer = response.read(10_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer on port {port}: {type(error).__name__}")
        return 1
    print(answer)
    return 0 if response.status == 200 and json.loads(answer).get("status") == "ok" else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ.get("PORT", "8000"))))
