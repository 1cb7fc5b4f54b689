"""What all operations have in common: errors, entity tags, repeating, methods, headers, keep-alive (docs/reference/rest.md)."""

import gzip
import json

import contract
from client import Client, eventually


def check_health(cluster):
    """Anybody gets the health, and nothing more without showing who they are."""
    nobody = Client(cluster)
    assert nobody.get("/healthz").body == b"ok\n"
    assert nobody.get("/readyz").body == b"ready\n"
    for path in ("/v1/nodes", "/v1/events", "/v1/commands/x:retry"):
        answer = nobody.call("POST" if ":" in path else "GET", path)
        assert (answer.status, answer.reason) == (401, "UNAUTHENTICATED"), answer
        assert answer.headers["www-authenticate"].startswith("Bearer")


def check_problems(cluster):
    """Every sort of mistake is a problem with its reason, and says what is wrong and what to do."""
    client = Client(cluster, cluster.key)
    for method, path, body, raw, headers, status, reason, detail in (
            ("GET", "/v1/nothing", None, None, {}, 404, "UNKNOWN_ROUTE", "/v1/nothing"),
            ("GET", "/nothing", None, None, {}, 404, "UNKNOWN_ROUTE", "/nothing"),
            ("PUT", "/v1/nodes", None, None, {}, 405, "METHOD_NOT_ALLOWED", "GET, HEAD, POST, OPTIONS"),
            ("POST", "/v1/commands", None, "{}", {}, 415, "UNSUPPORTED_MEDIA_TYPE", "no type"),
            ("POST", "/v1/commands", None, "{", {"content-type": "application/json"}, 400, "INVALID_ARGUMENT", "not JSON"),
            ("POST", "/v1/commands", {"spec": {"bindAdress": {}}}, None, {}, 400, "INVALID_ARGUMENT", "bindAdress"),
            ("GET", "/v1/commands?page_size=1", None, None, {}, 400, "INVALID_ARGUMENT", "pageSize"),
            ("GET", "/v1/commands?pageSize=-1", None, None, {}, 400, "INVALID_ARGUMENT", "page"),
            ("GET", "/v1/commands?pageToken=x", None, None, {}, 400, "PAGE_TOKEN_INVALID", ""),
            ("GET", "/v1/commands/no-id", None, None, {}, 400, "INVALID_ARGUMENT", ""),
            ("GET", "/v1/nodes/web99", None, None, {}, 404, "UNKNOWN_NODE", "web99"),
            ("GET", "/v1/events?sinceSequence=9999999", None, None, {}, 400, "INVALID_ARGUMENT", "beyond the last"),
            ("GET", "/v1/events", None, None, {"last-event-id": "x"}, 400, "INVALID_ARGUMENT", "last-event-id"),
            ("POST", "/v1/nodes", {"name": "x"}, None, {}, 403, "OUT_OF_SCOPE", ""),
            ("GET", "/v1/nodes", None, None, {"authorization": "Bearer hostq_x"}, 401, "KEY_INVALID", ""),
            ("GET", "/v1/nodes", None, None, {"authorization": "Basic eDp5"}, 401, "KEY_INVALID", "")):
        answer = client.call(method, path, body, headers, raw)
        assert (answer.status, answer.reason) == (status, reason), f"{method} {path}: {answer}"
        problem = answer.json
        contract.must_fit(problem, {"$ref": "#/components/schemas/Problem"})
        assert detail in problem["detail"], problem
        assert problem["status"] == status and problem["remedy"], problem
        assert problem["requestId"] == answer.headers["hostq-request-id"]
    assert client.call("PUT", "/v1/nodes").headers["allow"] == "GET, HEAD, POST, OPTIONS"


def check_rate(cluster):
    """Above the rate of a key the answer is 429, and says when to come again."""
    client = Client(cluster, cluster.new_key("slow", "--rate", "1/s"), keep=True)
    answers = [client.get("/v1/nodes") for _ in range(5)]
    assert answers[0].status == 200
    last = answers[-1]
    assert (last.status, last.reason) == (429, "RATE_LIMITED"), last
    assert int(last.headers["retry-after"]) >= 1 and 0 < last.json["retryAfter"] <= 2, last


def check_headers(cluster):
    """The request's id comes back; no answer may be kept by others, framed, or read by other sites."""
    client = Client(cluster, cluster.key)
    answer = client.get("/v1/nodes", headers={"hostq-request-id": "mine-17"})
    assert answer.headers["hostq-request-id"] == "mine-17"
    stranger = Client(cluster, source="127.0.6.9")
    assert any(entry["requestId"] == "mine-18" for entry in audit_after(cluster, lambda: stranger.get(
        "/v1/nodes", headers={"hostq-request-id": "mine-18"})))
    for path in ("/v1/nodes", "/", "/healthz", "/v1/none", "/session"):
        answer = client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "no-referrer", path
        assert answer.headers["strict-transport-security"].startswith("max-age="), path
        assert answer.headers["date"].endswith(" GMT"), path
        assert not [name for name in answer.headers if name.startswith("access-control")], path
    assert len(client.get("/v1/nodes", headers={"hostq-request-id": "x" * 65}).headers["hostq-request-id"]) < 60


def audit_after(cluster, act):
    """The entries of the audit since, after what is gathered was written."""
    since = cluster.audit_head()
    act()
    eventually(20, lambda: cluster.audit(since), "nothing is in the audit")
    return cluster.audit(since)


def check_entity_tags(cluster):
    """An answer that is known is not sent again; a change of what has changed is not made."""
    client = Client(cluster, identity=contract.administrator(cluster, "tags"))
    first = client.get("/v1/keys")
    tag = first.headers["etag"]
    for said in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = client.get("/v1/keys", headers={"if-none-match": said})
        assert again.status == 304 and not again.body and again.headers["etag"] == tag, (said, again)
    client.post("/v1/keys", {"name": "tagged", "scopes": ["read"]})
    assert client.get("/v1/keys", headers={"if-none-match": tag}).status == 200
    old = client.get("/v1/keys/tagged").headers["etag"]
    assert client.post("/v1/keys/tagged:rotate", {}, headers={"if-match": old}).status == 200
    late = client.post("/v1/keys/tagged:revoke", {"note": "x"}, headers={"if-match": old})
    assert (late.status, late.reason) == (412, "PRECONDITION_FAILED"), late
    new = client.get("/v1/keys/tagged").headers["etag"]
    assert late.headers["etag"] == new != old
    assert client.post("/v1/keys/tagged:revoke", {"note": "x"}, headers={"if-match": new}).status == 200
    odd = client.post("/v1/keys", {"name": "odd", "scopes": ["read"]}, headers={"if-match": "*"})
    assert (odd.status, odd.reason) == (400, "INVALID_ARGUMENT"), odd


def check_repeating(cluster):
    """The same request with the same key gets the first answer; another one with it is a mistake."""
    client = Client(cluster, identity=contract.administrator(cluster, "again"))
    body = {"spec": contract.bind("192.0.2.41"), "nodes": ["web2"]}
    first = client.post("/v1/commands", body, headers={"idempotency-key": "again-1"})
    second = client.post("/v1/commands", {**body, "requestId": "again-1"})
    assert (first.status, second.status) == (201, 200)
    assert first.json["command"]["id"] == second.json["command"]["id"]
    other = client.post("/v1/commands", {**body, "priority": 5}, headers={"idempotency-key": "again-1"})
    assert (other.status, other.reason) == (409, "REQUEST_ID_REUSED"), other
    both = client.post("/v1/commands", {**body, "requestId": "a"}, headers={"idempotency-key": "b"})
    assert both.status == 400, both
    client.post(f"/v1/commands/{first.json['command']['id']}:cancel")


def check_pages(cluster):
    """Every command is on one page and one page only."""
    client = Client(cluster, identity=contract.administrator(cluster, "pages"))
    ids = []
    for index in range(5):
        made = client.post("/v1/commands", {"spec": contract.bind(f"192.0.2.{50 + index}"), "nodes": ["web2"]})
        ids.append(made.json["command"]["id"])
    seen, token = [], ""
    while True:
        page = client.get(f"/v1/commands?pageSize=2&pageToken={token}").json
        assert len(page["commands"]) <= 2
        seen += [command["id"] for command in page["commands"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert len(seen) == len(set(seen)) and set(ids) <= set(seen)
    for command in ids:
        client.post(f"/v1/commands/{command}:cancel")


def check_head_and_files(cluster):
    """HEAD says what GET would; files come packed to who can unpack."""
    client = Client(cluster, cluster.key)
    for path in ("/v1/nodes", "/", "/healthz"):
        got, head = client.get(path), client.call("HEAD", path)
        assert head.status == 200 and not head.body
        assert head.headers["content-length"] == got.headers["content-length"], path
    plain, packed = client.get("/"), client.get("/", headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.body) == plain.body and packed.headers["content-encoding"] == "gzip"
    assert "default-src 'none'" in plain.headers["content-security-policy"]
    assert client.get("/", headers={"if-none-match": plain.headers["etag"]}).status == 304
    assert client.call("HEAD", "/v1/events").status == 405


def check_keep_alive(cluster):
    """Many requests on one connection, also sent before the answer to the one before, are answered in order."""
    client = Client(cluster, cluster.key, keep=True)
    for _ in range(20):
        assert client.get("/v1/nodes").status == 200
    sock = client.connection.sock
    ask = f"Host: x\r\nAuthorization: Bearer {cluster.key}\r\n"
    sock.sendall("".join(f"GET {path} HTTP/1.1\r\n{ask}\r\n" for path in ("/v1/nodes/web1", "/healthz", "/v1/nodes/web2", "/v1/none"))
                 .encode() + f"GET /v1/nodes HTTP/1.1\r\n{ask}Connection: close\r\n\r\n".encode())
    text = b""
    while part := sock.recv(65536):
        text += part
    order = [text.find(mark) for mark in (b'"name":"web1"', b"\r\n\r\nok\n", b'"name":"web2"', b"UNKNOWN_ROUTE", b'{"nodes":')]
    assert -1 not in order and order == sorted(order), (order, text)


def check_large_bodies(cluster):
    """The largest request of the API is taken, a larger one is refused, and the answer comes, whoever still sends."""
    client = Client(cluster, identity=contract.administrator(cluster, "large"))
    body = {"spec": contract.bind("192.0.2.60"), "nodes": ["x" * 100] * 2000}
    assert client.post("/v1/commands", body).status in (400, 404)
    for size in (400_000, 20_000_000):
        try:
            answer = client.call("POST", "/v1/commands", raw=" " * size, headers={"content-type": "application/json"})
        except OSError:  # of a client that does not look before it has sent everything
            assert size > 1_000_000
            continue
        assert (answer.status, answer.reason) == (413, "REQUEST_TOO_LARGE"), answer
        assert answer.headers["hostq-request-id"] and answer.headers["x-content-type-options"] == "nosniff", answer
    slow = client.call("POST", "/v1/commands", raw=json.dumps(body), headers={"content-type": "application/json",
                                                                           "expect": "100-continue"})
    assert slow.status in (400, 404), slow
