"""Signing in at the dashboard, and what keeps other sites out."""

import contract
from behaviour import audit_after
from client import Client, eventually


def signed_in(cluster, key=None, identity=None):
    client = Client(cluster, identity=identity)
    answer = client.post("/session", {"key": key} if key else None)
    assert answer.status == 200, answer
    cookie = answer.headers["set-cookie"]
    for rule in ("__Host-hostq=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"):
        assert rule in cookie, cookie
    client.headers = {"cookie": cookie.split(";")[0], "x-csrf-token": answer.json["csrfToken"]}
    return client, answer


def check_key(cluster):
    """A session of a key may what the key may, until the key is revoked."""
    client, opened = signed_in(cluster, cluster.new_key("person"))
    assert opened.json["actor"] == "key/person"
    assert client.get("/session").json == opened.json
    assert client.get("/v1/nodes").status == 200
    assert client.post("/v1/nodes", {"name": "x"}).reason == "OUT_OF_SCOPE"
    stream = client.events("?fromNow=true")
    stream.next()
    cluster.hostq("key", "revoke", "person")
    assert stream.next().data["reason"] == "KEY_REVOKED"
    assert stream.next() is None
    answer = client.get("/v1/nodes")
    assert answer.status == 401 and answer.reason in ("KEY_REVOKED", "SESSION_EXPIRED"), answer
    assert client.get("/v1/nodes").reason == "SESSION_EXPIRED"


def check_certificate(cluster):
    """A session of a certificate needs the certificate, too, and ends with it."""
    identity = contract.administrator(cluster, "visitor")
    client, opened = signed_in(cluster, identity=identity)
    assert opened.json["actor"] == "visitor"
    assert client.get("/v1/keys").status == 200
    made = client.post("/v1/keys", {"name": "by-visitor", "scopes": ["read"]})
    assert made.status == 201 and made.json["key"]["createdBy"] == "visitor", made
    thief = Client(cluster)
    thief.headers = client.headers
    assert thief.get("/v1/keys").reason == "SESSION_EXPIRED"
    cluster.hostq("administrator", "revoke", "visitor")
    assert client.get("/v1/keys").status == 401


def check_sign_out(cluster):
    """After signing out the cookie is worth nothing, and streams end."""
    client, _ = signed_in(cluster, cluster.key)
    stream = client.events("?fromNow=true")
    stream.next()
    entries = audit_after(cluster, lambda: client.call("DELETE", "/session"))
    assert any(entry["act"] == "session.end" for entry in entries), entries
    assert client.get("/v1/nodes").reason == "SESSION_EXPIRED"
    assert client.get("/session").reason == "SESSION_EXPIRED"
    stream.sock.settimeout(20)
    try:
        assert stream.next() is None
    except ConnectionError:
        pass


def check_audit(cluster):
    """Who signs in, or tries to, is in the audit."""
    entries = audit_after(cluster, lambda: signed_in(cluster, cluster.key))
    assert [entry for entry in entries if entry["act"] == "session.open" and entry["actor"] == "key/others"], entries
    entries = audit_after(cluster, lambda: Client(cluster, source="127.0.6.1").post("/session", {"key": "hostq_no"}))
    assert [entry for entry in entries if entry["act"] == "session.open" and entry["outcome"] == "KEY_INVALID"], entries


def check_cross_site(cluster):
    """Requests that another site has a browser send are refused: by the origin, by the fetch metadata, for lack of the token."""
    client, _ = signed_in(cluster, cluster.key)
    own = f"https://127.0.0.1:{cluster.https}"
    act = "/v1/commands/00000000000aa:retry"
    for headers, reason in (({"origin": "https://evil.example"}, "FOREIGN_ORIGIN"), ({"origin": "null"}, "FOREIGN_ORIGIN"),
                            ({"origin": own.replace("https", "http")}, "FOREIGN_ORIGIN"), ({"origin": own + "0"}, "FOREIGN_ORIGIN"),
                            ({"sec-fetch-site": "cross-site"}, "CROSS_SITE_REQUEST"), ({"sec-fetch-site": "same-site"}, "CROSS_SITE_REQUEST"),
                            ({"x-csrf-token": None}, "CROSS_SITE_REQUEST"), ({"x-csrf-token": "x"}, "CROSS_SITE_REQUEST")):
        answer = client.post(act, headers=headers)
        assert (answer.status, answer.reason) == (403, reason), (headers, answer)
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        for method, path in (("GET", "/v1/nodes"), ("GET", "/v1/events"), ("POST", "/session"), ("DELETE", "/session"), ("GET", "/session")):
            assert client.call(method, path, headers=headers).status == 403, (method, path)
    # A certificate alone, which a browser shows to whichever page asks: no.
    person = Client(cluster, identity=contract.administrator(cluster, "surfer"))
    assert person.post(act, headers={"origin": own}).reason == "CROSS_SITE_REQUEST"
    assert person.post(act).reason != "CROSS_SITE_REQUEST"
    good = client.post(act, headers={"origin": own, "sec-fetch-site": "same-origin"})
    assert good.status in (403, 404) and good.reason not in ("CROSS_SITE_REQUEST", "FOREIGN_ORIGIN"), good
    # Forms can send these.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = Client(cluster, cluster.key).call("POST", "/v1/commands", raw="{}", headers={"content-type": kind})
        assert answer.status == 415, answer


def check_bad_sign_in(cluster):
    """Whatever is no key is refused; guesses are counted, and somebody else is not stopped by them."""
    client = Client(cluster, source="127.0.6.2")
    for raw, kind, status in (("[]", "application/json", 400), ("{", "application/json", 400), ('{"key": 1}', "application/json", 400),
                              ('{"key": "a", "b": 1}', "application/json", 400), ("key=a", "application/x-www-form-urlencoded", 415),
                              ('{"key": ""}', "application/json", 401), ("{}", "application/json", 401)):
        answer = client.call("POST", "/session", raw=raw, headers={"content-type": kind})
        assert answer.status == status, (raw, answer)
    guesser = Client(cluster, source="127.0.6.3")
    answers = [guesser.post("/session", {"key": contract.wrong_secret(cluster.key)}).status for _ in range(15)]
    assert answers[0] == 401 and answers[-1] == 429, answers
    # The same bucket as for keys in requests; who shows a good one is let in: one bad program locks out no other at its address.
    assert Client(cluster, contract.wrong_secret(cluster.key), source="127.0.6.3").get("/v1/nodes").status == 429
    assert Client(cluster, cluster.key, source="127.0.6.3").get("/v1/nodes").status == 200
    assert Client(cluster, cluster.key).get("/v1/nodes").status == 200
    eventually(20, lambda: "key/others" in cluster.alarms(), "guessing raises no alarm")


def check_cookies(cluster):
    """Cookies that are none of ours are refused, or ignored where they mean nothing."""
    for cookie in ("__Host-hostq=", "__Host-hostq=x", "a=b; __Host-hostq=\"\"", "__Host-hostq=" + "x" * 4000):
        assert Client(cluster).get("/v1/nodes", headers={"cookie": cookie}).reason == "SESSION_EXPIRED", cookie
    assert Client(cluster).get("/v1/nodes", headers={"cookie": "a=b"}).reason == "UNAUTHENTICATED"
    assert Client(cluster, cluster.key).get("/v1/nodes", headers={"cookie": "__Host-hostq=x"}).status == 200
