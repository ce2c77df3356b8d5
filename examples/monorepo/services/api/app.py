"""Answers every request with JSON."""

from http.server import BaseHTTPRequestHandler, HTTPServer


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"service": "api"}\n')


if __name__ == "__main__":
    HTTPServer(("", 8000), Api).serve_forever()
