"""The smallest server that the stack's health check and a reverse proxy are happy with."""

import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers the health check, and one sentence to all else."""

    def do_GET(self):
        body = b"ok\n" if self.path == "/health" else b"Bookings at the North Clinic\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def stop(*_):
    raise SystemExit(0)


signal.signal(signal.SIGTERM, stop)
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
