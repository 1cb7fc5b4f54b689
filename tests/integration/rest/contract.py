"""docs/openapi.yaml against the server, in both directions."""

import copy
import http.server
import re
import threading
import time
import urllib.parse

import jsonschema
import yaml

from client import ROOT, Client, attacks_guess, eventually

with open(f"{ROOT}/docs/openapi.yaml", encoding="utf-8") as file:
    DOCUMENT = yaml.safe_load(file)
METHODS = ("get", "post", "delete")
OPERATIONS = {operation["operationId"]: (method, path, operation) for path, item in DOCUMENT["paths"].items()
              for method, operation in item.items() if method in METHODS}


def strict(schema):
    """The same schema, where nothing may be there that it does not name."""
    if isinstance(schema, dict):
        schema = {key: strict(value) for key, value in schema.items()}
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        return schema
    return [strict(each) for each in schema] if isinstance(schema, list) else schema


COMPONENTS = strict(copy.deepcopy(DOCUMENT["components"]))


def resolve(part):
    while "$ref" in part:
        kind, name = part["$ref"].removeprefix("#/components/").split("/", 1)
        part = COMPONENTS[kind][name]
    return part


def must_fit(instance, schema):
    validator = jsonschema.Draft202012Validator({**strict(schema), "components": COMPONENTS},
                                                format_checker=jsonschema.FormatChecker())
    for error in validator.iter_errors(instance):
        raise AssertionError(f"at {list(error.absolute_path)}: {error.message[:300]}")


def must_be_known(operation_id, answer):
    """That the document has this answer of the operation."""
    responses = OPERATIONS[operation_id][2]["responses"]
    response = resolve(responses.get(str(answer.status)) or responses["default"])
    where = f"{operation_id} {answer.status}"
    assert str(answer.status) in responses or answer.status >= 400, f"{where} is not in the document"
    content = response.get("content", {})
    kind = answer.headers.get("content-type", "").split(";")[0]
    if not content:
        assert not answer.body, f"{where} has a body"
        return
    assert kind in content, f"{where} is {kind}; the document has {list(content)}"
    for name in response.get("headers", {}):
        assert name in answer.headers or name in ("retry-after", "allow", "location"), f"{where} has no {name}"
    if kind.endswith("json"):
        try:
            must_fit(answer.json, content[kind]["schema"])
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}: {answer.body[:600]}") from error


class Caller:
    """Calls operations by their id, and notes which were answered well."""

    def __init__(self, client):
        self.client = client
        self.done = set()

    def __call__(self, operation_id, body=None, query=None, headers=None, status=None, **in_path):
        method, path, operation = OPERATIONS[operation_id]
        for name, value in in_path.items():
            path = path.replace(f"{{{name}}}", urllib.parse.quote(value, safe=""))
        assert "{" not in path, path
        if body is not None and "requestBody" in operation:
            must_fit(body, operation["requestBody"]["content"]["application/json"]["schema"])
        if query:
            known = {resolve(each)["name"] for each in operation["parameters"]}
            assert set(query) <= known, f"{operation_id} has no {set(query) - known}"
            path += "?" + urllib.parse.urlencode(query)
        answer = self.client.call(method.upper(), path, body, headers=headers)
        must_be_known(operation_id, answer)
        assert answer.status == (status or answer.status), f"{operation_id}: {answer.status} {answer.body[:500]}"
        if answer.status < 300:
            self.done.add(operation_id)
        return answer


def bind(address):
    return {"bindAddress": {"address": address}}


def commands(call):
    made = call("createCommand", {"spec": bind("192.0.2.31"), "nodes": ["web1"]}, status=201,
                headers={"Idempotency-Key": "contract-1"})
    command = made.json["command"]["id"]
    assert made.headers["location"] == f"/v1/commands/{command}"
    again = call("createCommand", {"spec": bind("192.0.2.31"), "nodes": ["web1"]}, status=200,
                 headers={"Idempotency-Key": "contract-1"})
    assert again.json["repeated"] and again.json["command"]["id"] == command
    call("createCommand", {"spec": bind("192.0.2.32"), "nodes": ["web1"], "validateOnly": True}, status=200)
    call("createCommand", {"spec": {}}, status=400)
    call("listCommands", query={"pageSize": 1, "activeOnly": "true"}, status=200)
    call("getCommand", id=command, status=200)
    call("getCommand", id="00000000000aa", status=404)
    call("explainCommand", id=command, status=200)
    call("listFindings", query={"includeAll": "true"}, status=200)

    # A kernel without NFS keeps a node from being sent anything, so that there is nothing here to be retried or skipped.
    call("retryTasks", {"node": "web1"}, status=200)
    call("retryCommand", {}, id=command, status=409)
    call("skipCommand", {"node": "web1", "note": "contract"}, id=command, status=409)
    # web2 has joined and is not connected: what is for it waits.
    waiting = call("createCommand", {"spec": bind("192.0.2.33"), "nodes": ["web2"]}, status=201).json["command"]["id"]
    call("cancelCommand", id=waiting, status=200)
    call("cancelCommand", id=waiting, status=409)
    some = call("createCommands", {"requests": [{"spec": bind("192.0.2.34"), "nodes": ["web2"]}, {"spec": {}}]}, status=200)
    made, refused = some.json["outcomes"]
    assert refused["reason"] == "INVALID_ARGUMENT" and not refused["id"], refused
    call("cancelCommand", id=made["id"], status=200)
    call("listPauses", status=200)
    call("pauseCommands", {"kind": "bind_address", "note": "contract"}, status=200)
    call("listPauses", status=200)
    call("resumeCommands", {"kind": "bind_address"}, status=200)
    call("listOrphans", query={"limit": 5}, status=200)
    call("watchEvents", query={"commandId": command, "noFollow": "true"}, status=200)


def accounts(call):
    call("listAccounts", query={"pageSize": 10}, status=200)
    call("listShares", status=200)
    call("createCommand", {"spec": {"mountShare": {"share": "home", "source": "192.0.2.9:/chroot/home",
                                                   "mountPoint": "/home"}}}, status=201)
    call("createCommand", {"spec": {"createAccount": {"domain": "contract.example", "user": "contract",
                                                      "address": "192.0.2.80", "quotaBytes": "1073741824"}}},
         status=201)
    call("listAccounts", status=200)
    call("listShares", status=200)
    call("getAccount", domain="contract.example", status=200)
    call("getAccount", domain="nowhere.example", status=404)
    call("describeAccount", domain="contract.example", status=200)
    call("describeAccount", domain="nowhere.example", status=404)


def nodes(call):
    made = call("createNode", {"name": "contract1", "roles": ["APP"], "address": "192.0.2.90", "tokenTtl": "600s"}, status=201)
    assert made.headers["location"] == "/v1/nodes/contract1"
    call("listNodes", status=200)
    call("getNode", name="web1", status=200)
    call("getNode", name="web99", status=404)
    for operation, body in (("pauseNode", {"note": "contract"}), ("resumeNode", {}), ("banNode", {"note": "contract"}),
                            ("unbanNode", {}), ("rejoinNode", {})):
        call(operation, body, name="web2", status=200)
    call("approveNode", {}, name="web2")
    call("removeNode", name="contract1", query={"force": "true"}, status=200)
    call("getBalancing", status=200)


def keys(call, cluster):
    made = call("createKey", {"name": "contract", "scopes": ["read"], "expiresIn": "3600s"}, status=201)
    assert made.headers["location"] == "/v1/keys/contract" and made.json["text"].startswith("hostq_")
    call("createKey", {"name": "contract", "scopes": ["read"]}, status=409)
    call("listKeys", query={"includeRevoked": "true"}, status=200)
    call("getKey", name="contract", status=200)
    call("rotateKey", {"keep": "60s"}, name="contract", status=200)
    call("revokeKey", {"note": "contract"}, name="contract", status=200)
    cluster.hostq("administrator", "add", "leaving", "--out", f"{cluster.dir}/leaving.pem")
    call("listAdministrators", status=200)
    call("revokeAdministrator", {"note": "contract"}, name="leaving", status=200)
    call("getAuthority", status=200)


def wrong_secret(key):
    """A key with this one's id and another secret, well-formed."""
    return attacks_guess.key_text(key.split("_")[1], attacks_guess.word(40))


def trust(call, cluster):
    for _ in range(3):
        Client(cluster, wrong_secret(cluster.key), source="127.0.5.1").get("/v1/nodes")
    eventually(20, lambda: call("listAlarms", status=200).json["alarms"], "guessing raises no alarm")
    call("clearAlarm", {"subject": call("listAlarms").json["alarms"][0]["subject"]}, status=200)
    call("clearAlarm", {"subject": "key/nothing"}, status=404)
    page = call("listAuditEntries", query={"pageSize": 2, "newestFirst": "true"}, status=200).json
    call("listAuditEntries", query={"pageSize": 2, "newestFirst": "true", "pageToken": page["nextPageToken"]}, status=200)
    call("getAuditHead", status=200)


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes whatever it is sent."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def webhooks(call):
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/"
    made = call("createWebhook", {"name": "contract", "url": url, "events": ["command.finished"]}, status=201)
    assert made.headers["location"] == "/v1/webhooks/contract"
    call("createWebhook", {"name": "contract", "url": url, "events": ["command.finished"]}, status=409)
    call("createWebhook", {"name": "private", "url": "https://10.0.0.1/", "events": ["command.finished"]}, status=403)
    call("listWebhooks", status=200)
    call("getWebhook", name="contract", status=200)
    call("getWebhook", name="nobody", status=404)
    call("testWebhook", name="contract", status=200)
    waiting = call("createCommand", {"spec": bind("192.0.2.34"), "nodes": ["web2"]}, status=201).json["command"]["id"]
    call("cancelCommand", id=waiting, status=200)
    eventually(20, lambda: call("listDeliveries", webhook="contract", status=200).json["deliveries"], "nothing is delivered")
    delivery = call("listDeliveries", webhook="contract", query={"pageSize": 1}).json["deliveries"][0]["id"]
    call("getDelivery", id=delivery, status=200)
    call("getDelivery", id="nothing-1", status=404)
    call("replayDelivery", {"id": delivery}, status=200)
    call("rotateWebhook", {"keep": "60s"}, name="contract", status=200)
    call("pauseWebhook", {"note": "contract"}, name="contract", status=200)
    call("resumeWebhook", {"skip": True}, name="contract", status=200)
    call("deleteWebhook", name="contract", status=200)
    receiver.shutdown()


def own(call, cluster):
    call("getHealth", status=200)
    call("getReadiness", status=200)
    call("openSession", {"key": "hostq_wrong"}, status=401)
    opened = call("openSession", {"key": cluster.key}, status=200)
    # The key counts more than a cookie; so it has to go.
    cookie = opened.headers["set-cookie"].split(";")[0]
    headers = {"authorization": None, "cookie": cookie}
    call("getSession", headers=headers, status=200)
    call("endSession", headers={**headers, "x-csrf-token": opened.json["csrfToken"]}, status=204)
    call("getSession", headers=headers, status=401)


def administrator(cluster, name):
    path = f"{cluster.dir}/{name}.pem"
    out = cluster.hostq("administrator", "add", name, "--out", path)
    assert out.returncode == 0, out.stderr
    return path


def check_every_operation(cluster):
    """Every operation of the document is answered as it says, and well at least once."""
    call = Caller(Client(cluster, identity=administrator(cluster, "contract")))
    start = time.monotonic()
    commands(call)
    accounts(call)
    nodes(call)
    keys(call, cluster)
    trust(call, cluster)
    webhooks(call)
    call("getOverview", status=200)
    call("diagnose", status=200)
    own(call, cluster)
    # Approving is for certificates that have been expired for long. These are refused, as the document says.
    missing = set(OPERATIONS) - call.done - {"approveNode", "retryCommand", "skipCommand"}
    assert not missing, f"never answered well: {sorted(missing)}"
    assert time.monotonic() - start < 600


def check_every_route(cluster):
    """What the server takes at each path is what the document has there, and it has no other routes."""
    client = Client(cluster, cluster.key)
    for path, item in DOCUMENT["paths"].items():
        if path in ("/healthz", "/readyz", "/metrics"):
            continue
        answer = client.call("OPTIONS", re.sub(r"\{\w+\}", "x", path))
        assert answer.status == 204 and not answer.body, f"{path}: {answer}"
        assert not [name for name in answer.headers if name.startswith("access-control")], f"{path} allows other sites"
        taken = set(answer.headers["allow"].split(", ")) - {"HEAD", "OPTIONS"}
        # /v1/alarms and /v1/alarms:clear are one line of the table each.
        assert taken == {method.upper() for method in item}, f"{path} takes {taken}"
    with open(f"{ROOT}/manager/http/routes.cc", encoding="utf-8") as source:
        for method, path in re.findall(r'\{"(GET|POST|DELETE|PUT|PATCH)", "([^"]+)"', source.read()):
            assert method.lower() in DOCUMENT["paths"][path], f"{method} {path} is not in the document"
