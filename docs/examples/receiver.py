"""receiver.py PORT: takes deliveries of a webhook on loopback, and prints them.

HOSTQ_SECRET_FILE: what "hostq webhook create" showed.
"""

import http.server
import json
import os
import sys

from verify import verify

with open(os.environ["HOSTQ_SECRET_FILE"], encoding="ascii") as file:
    SECRET = file.read().strip()
seen = set()  # a real receiver has a table with a unique key


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not verify(SECRET, self.headers.get("hostq-signature") or "", body):
            self.send_error(401, "the signature does not fit")
            return
        # Answer first: the manager waits 15 s at most.
        self.send_response(204)
        self.end_headers()
        delivery = json.loads(body)
        if delivery["id"] in seen:
            return
        seen.add(delivery["id"])
        command = delivery.get("command", {})
        print(delivery["type"], command.get("account", ""), command.get("kind", ""), command.get("state", ""), flush=True)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
