"""A client of the manager's REST API, of the standard library only: what an integration needs, and no more."""

import json
import os
import ssl
import time
import urllib.error
import urllib.request


class Problem(Exception):
    """What the manager says when it refuses: look at the reason, show the rest to a person."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail", "no answer"))
        self.status = status
        self.reason = problem.get("reason", "")
        self.remedy = problem.get("remedy", "")


class Hostq:
    PATIENCE = 5

    def __init__(self, url, key, ca):
        self.url = url
        self.key = key
        self.tls = ssl.create_default_context(cafile=ca)

    @classmethod
    def from_environment(cls):
        with open(os.environ["HOSTQ_KEY_FILE"], encoding="ascii") as file:
            return cls(os.environ["HOSTQ_URL"], file.read().strip(), os.environ["HOSTQ_CA"])

    def open(self, method, path, body=None, headers=None, timeout=60):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={
            "authorization": "Bearer " + self.key, "content-type": "application/json", **(headers or {})})
        return urllib.request.urlopen(request, context=self.tls, timeout=timeout)

    def call(self, method, path, body=None, idempotency_key=None):
        """The answer, decoded. Asks again when the manager says "later" or does not answer: a command is the same
        command as long as its idempotency key is."""
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        for attempt in range(1, self.PATIENCE + 1):
            try:
                with self.open(method, path, body, headers) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    problem = json.load(error)
                status, delay = error.code, int(error.headers.get("retry-after") or 1)
            except OSError as error:
                status, problem, delay = 0, {"detail": str(error)}, 1
            if status not in (0, 429, 503, 504) or attempt == self.PATIENCE:
                raise Problem(status, problem)
            time.sleep(delay)

    def submit(self, kind, parameters, idempotency_key):
        return self.call("POST", "/v1/commands", {"spec": {kind: parameters}}, idempotency_key)["command"]

    def wait(self, command, seconds=60):
        """The command when it has ended, or as it is after so many seconds: asks once a second."""
        end = time.monotonic() + seconds
        while command["state"] == "ACTIVE" and time.monotonic() < end:
            time.sleep(1)
            command = self.call("GET", "/v1/commands/" + command["id"])
        return command

    def events(self, command_id, last=0):
        """What happens to a command, until it has ended: (name, event). Comes back by itself after an interruption."""
        while True:
            try:
                path = "/v1/events?commandId=" + command_id
                with self.open("GET", path, headers={"last-event-id": str(last)}, timeout=40) as stream:
                    name, data = "", ""
                    for line in stream:
                        field, _, value = line.decode().rstrip("\r\n").partition(": ")
                        if field == "id":
                            last = value
                        elif field == "event":
                            name = value
                        elif field == "data":
                            data = value
                        elif not field and data:
                            if name == "problem":
                                raise Problem(0, json.loads(data))
                            yield name, json.loads(data)
                            if name == "COMMAND_FINISHED":
                                return
                            name, data = "", ""
            except urllib.error.HTTPError as error:
                with error:
                    raise Problem(error.code, json.load(error)) from error
            except OSError:
                pass
            time.sleep(2)
