"""A client of the HTTPS port, and a cluster to call."""

import collections
import http.client
import json
import os
import re
import ssl
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests/hostile"))

import attacks_guess  # noqa: E402,F401  pylint: disable=unused-import
import manager  # noqa: E402  (tests/hostile: starts a manager and agents)

eventually = manager.eventually


class Answer(collections.namedtuple("Answer", "status headers body")):
    @property
    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        return self.json["reason"] if self.headers.get("content-type") == "application/problem+json" else ""


class Client:
    """Calls with a key, a client certificate, a session's cookie, or nothing; a new connection for each, unless `keep`."""

    def __init__(self, cluster, key=None, identity=None, source=None, keep=False):
        self.cluster, self.key, self.source, self.keep = cluster, key, source, keep
        self.context = ssl.create_default_context(cafile=f"{cluster.dir}/state/ca/trusted.pem")
        if identity:
            self.context.load_cert_chain(identity)
        self.connection = None
        self.headers = {}

    def connect(self, timeout=30):
        return http.client.HTTPSConnection("127.0.0.1", self.cluster.https, timeout=timeout, context=self.context,
                                           source_address=(self.source, 0) if self.source else None)

    def call(self, method, path, body=None, headers=None, raw=None):
        """`body` is sent as JSON, `raw` as it is. Header values may be None: then it is not sent."""
        send = {"authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            raw = json.dumps(body)
            send["content-type"] = "application/json"
        send.update(self.headers)
        send.update(headers or {})
        send = {name: value for name, value in send.items() if value is not None}
        connection = self.connection or self.connect()
        connection.request(method, path, raw, send)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, headers, response.read())
        if self.keep:
            self.connection = connection
        else:
            connection.close()
        return answer

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def events(self, query="", headers=None, timeout=30):
        return Events(self, query, headers, timeout)


Event = collections.namedtuple("Event", "id type data")


class Events:
    """An open stream of events."""

    def __init__(self, client, query="", headers=None, timeout=30):
        self.connection = client.connect(timeout)
        send = {"authorization": f"Bearer {client.key}"} if client.key else {}
        send.update(client.headers)
        send.update(headers or {})
        self.connection.request("GET", f"/v1/events{query}", headers=send)
        self.sock = self.connection.sock  # of which the connection lets go
        self.response = self.connection.getresponse()
        if self.response.status != 200:
            raise AssertionError(f"no stream: {self.response.status} {self.response.read()}")
        self.comments = 0

    def next(self):
        """The next event, or block; None: the stream has ended."""
        block = {"id": None, "event": None, "data": None}
        while line := self.response.readline():
            line = line.decode().rstrip("\n")
            if not line:
                if any(value is not None for value in block.values()):
                    return Event(block["id"], block["event"], json.loads(block["data"]) if block["data"] else None)
            elif line.startswith(":"):
                self.comments += 1
            else:
                name, value = re.match(r"(\w+): ?(.*)", line).groups()
                block[name] = value
        return None

    def close(self):
        self.response.close()
        self.connection.close()
