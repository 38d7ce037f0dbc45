"""A host in a process of its own that says far too much: ``python -m tests.gui.flood RATE``.

Prints its port, waits for a line on standard input, then publishes until the next; prints how many events it
was, and stays until a third.
"""

from __future__ import annotations

import sys
import threading
import time

from realtime.web.server import WebSocketServer
from tests.fixtures.engine import FakeEngine


def main() -> None:
    """Serve and flood."""
    rate = float(sys.argv[1])
    engine = FakeEngine()
    engine.bus.set("level.rms", 0.0, -20.0)
    server = WebSocketServer(engine, port=0)
    server.start()
    print(server.port, flush=True)
    sys.stdin.readline()
    told = threading.Thread(target=sys.stdin.readline, daemon=True)
    told.start()
    begin, sent = time.monotonic(), 0
    while told.is_alive():
        now = time.monotonic() - begin
        while sent < rate * now:
            engine.bus.publish(now, now, "onset", "onset", 0.5)
            sent += 1
        engine.bus.set("level.rms", now, -20.0)
        time.sleep(0.002)
    print(sent, flush=True)
    sys.stdin.readline()
    server.stop()


if __name__ == "__main__":
    main()
