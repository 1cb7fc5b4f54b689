"""The HTTPS port: requests that two readers could read in two ways, that are too large or too slow; pages of other sites; guesses."""

import json
import os
import re
import time

import http2
from attack import attack, must
from attacks_guess import word
from attacks_slow import trickle

HOST = b"Host: 127.0.0.1\r\n"
FORGED = "FORGED"


def secured(cluster, port, source=None, timeout=10):
    return cluster.secured(port, source, timeout=timeout)


def say(cluster, port, data, source=None, timeout=6):
    """What comes back for these bytes until the other side closes, or nothing comes for a second."""
    out = b""
    try:
        with secured(cluster, port, source) as sock:
            sock.settimeout(timeout)
            sock.sendall(data)
            sock.settimeout(1)
            while part := sock.recv(65536):
                out += part
    except OSError:
        pass
    return out


def statuses(answer):
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", answer, re.MULTILINE)]


def request(line, *headers, body=b""):
    return line + b" HTTP/1.1\r\n" + HOST + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def key_header(port):
    return f"Authorization: {dict(port.headers)['authorization']}".encode()


@attack("https")
def smuggling(cluster, port):
    """Content-Length against Transfer-Encoding in every variant, lengths twice, signed, in hexadecimal, chunks that lie, bare line
    feeds, folded lines, blanks before colons, two hosts: no request hidden in another is ever answered."""
    hidden = request(b"GET /healthz")
    chunked = b"0\r\n\r\n"
    for headers, body in (
            ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), chunked), ((b"Transfer-Encoding: chunked", b"Content-Length: 5"), chunked),
            ((b"Content-Length: 0", b"Content-Length: %d" % len(hidden)), b""), ((b"Content-Length: 0, %d" % len(hidden),), b""),
            ((b"Content-Length: +0",), b""), ((b"Content-Length: -1",), b""), ((b"Content-Length: 0x0",), b""), ((b"Content-Length: ",), b""),
            ((b"Content-Length: 0 0",), b""), ((b"Content-Length: 99999999999999999999999",), b""),
            ((b"Transfer-Encoding: xchunked",), chunked), ((b"Transfer-Encoding: chunked, identity",), chunked),
            ((b"Transfer-Encoding: gzip, chunked",), chunked), ((b"Transfer-Encoding : chunked",), chunked),
            ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), chunked), ((b"Transfer-Encoding:\x0bchunked",), chunked),
            ((b"Transfer-Encoding: \x00chunked",), chunked), ((b"X: y\nTransfer-Encoding: chunked",), chunked),
            ((b"Transfer-Encoding:\r\n chunked",), b"zz\r\n"), ((b"Transfer-Encoding: chunked",), b"-1\r\n\r\n"),
            ((b"Transfer-Encoding: chunked",), b"0x0\r\n\r\n"), ((b"Transfer-Encoding: chunked",), b"ffffffffffffffffff\r\n\r\n"),
            ((b"Transfer-Encoding: chunked",), b"2\r\nxxx\r\n0\r\n\r\n"), ((b"Host: evil.example",), b""), ((b"Connection: content-length",
                                                                                                          b"Content-Length : 0"), b"")):
        data = request(b"POST /v1/commands:nothing", b"Content-Type: application/json", *headers, body=body)
        got = statuses(say(cluster, port, data + hidden))
        must(200 not in got and len(got) <= 1, f"{headers} {body!r} is answered with {got}")
    # What is allowed hides nothing either: its body is its own.
    data = request(b"POST /session", b"Content-Type: application/json", b"Transfer-Encoding: chunked",
                   body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden))
    must(statuses(say(cluster, port, data)) == [400], "a body is read as a request")


@attack("https")
def malformed_requests(cluster, port):
    """No method, no version, versions of others, NUL, bytes above 127, no host, absolute and authority forms, ten thousand
    different openings: a problem or the end, and never a 2xx."""
    for data in (b"\r\n" * 50_000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                 b"GET / FTP/1.1\r\n\r\n", b"\0" * 5000, b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n", b"G\xffT / HTTP/1.1\r\n" + HOST + b"\r\n",
                 b"GET https://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n", b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
                 b"GET /healthz HTTP/1.1\r\n: x\r\n" + HOST + b"\r\n", b"GET /healthz HTTP/1.1\r\nno colon\r\n" + HOST + b"\r\n",
                 b"GET /healthz HTTP/1.1\r\nX: \0\r\n" + HOST + b"\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
                 b"SSH-2.0-x\r\n", b"\x16\x03\x01\x02\x00\x01\x00", request(b"TRACE /healthz"), request(b"GET *"), request(b"OPTIONS *"),
                 request(b"POST /session", b"Expect: 200-ok", b"Content-Length: 2", body=b"{}"), os.urandom(20_000)):
        got = statuses(say(cluster, port, data))
        must(all(status >= 400 for status in got), f"{data[:40]!r} is answered with {got}")
    websocket = (b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
    got = statuses(say(cluster, port, request(b"GET /v1/events", *websocket)))
    must(got == [401], f"a websocket is answered with {got}")


@attack("https")
def header_bombs(cluster, port):
    """A request line of a megabyte, a header of a megabyte, ten thousand headers, a body that says it has a terabyte: refused or cut
    off after what is allowed."""
    many = [b"X-%d: y" % index for index in range(10_000)]
    for data, wanted in ((request(b"GET /" + b"a" * 1_000_000), (431, 400)), (request(b"GET /healthz", b"X: " + b"y" * 1_000_000), (431,)),
                         (request(b"GET /healthz", *many), (431,)), (request(b"GET /healthz", b"Cookie: " + b"a=b; " * 4000), (431,)),
                         (request(b"POST /session", b"Content-Length: 1099511627776", b"Content-Type: application/json", body=b"{"), (413,)),
                         (request(b"POST /session", b"Content-Length: 400000", body=b"x" * 400_000), (413,)),
                         (request(b"POST /session", b"Transfer-Encoding: chunked", body=b"60000\r\n" + b"x" * 0x60000), (413,))):
        got = statuses(say(cluster, port, data))
        must(not got or (len(got) == 1 and got[0] in wanted), f"{data[:30]!r} is answered with {got}")


@attack("https")
def traversal(cluster, port):
    """Paths that lead out of a folder, in every encoding: there is no folder behind them."""
    for path in ("/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/....//....//etc/passwd",
                 "/..\\..\\etc\\passwd", "/..%5c..%5cetc%5cpasswd", "/%c0%ae%c0%ae/etc/passwd", "/index.html%00.png", "/index.html/../../etc/passwd",
                 "//etc/passwd", "/./", "/assets/../../manager.toml", "/v1/../v1/nodes", "/v1/nodes/..%2f..%2fetc%2fpasswd",
                 "/v1/accounts/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/file:///etc/passwd", "/" + "a/" * 5000, "/v1/commands/%", "/v1/commands/%ff"):
        answer = say(cluster, port, request(b"GET " + path.encode(), key_header(port)))
        got = statuses(answer)
        must(b"root:" not in answer and all(status >= 400 for status in got), f"{path[:60]} is answered with {got}")


@attack("https")
def headers_of_others(cluster, port):
    """Line feeds, NUL and bytes above 127 in headers; headers that name a caller, an address, a gateway's call: no answer or line of
    the log is forged, and nobody is let in for them."""
    before = cluster.log_size()
    for name in (b"hostq-request-id", b"authorization", b"cookie", b"origin", b"traceparent", b"last-event-id", b"if-none-match", b"x"):
        for value in (b"a\r\n" + FORGED.encode() + b": 1", b"a\n" + FORGED.encode() + b" x", b"a\rb", b"a\0b", b"\xff\xfe" * 20, b"v" * 3000):
            answer = say(cluster, port, request(b"GET /v1/nodes", name + b": " + value, b"Connection: close"))
            must(b"\n" + FORGED.encode() not in answer, f"{name!r} forges a header of the answer")
            must(200 not in statuses(answer), f"{name!r} lets in")
    good = key_header(port).split(b" ")[-1]
    for header in (b"hostq-gateway-call: x", b"hostq-actor: root", b"x-forwarded-for: 127.0.0.1", b"x-hostq-key: " + good,
                   b"x-ssl-client-cert: admin", b"proxy-authorization: Bearer " + good, b"cookie: authorization=" + good):
        got = statuses(say(cluster, port, request(b"GET /v1/nodes", header, b"Connection: close")))
        must(got == [401], f"{header[:30]!r} gets {got}")
    for line in cluster.log_since(before).splitlines():
        must(not line.startswith(FORGED), f"a forged line in the log: {line}")


@attack("api", audited="NodeService.ListNodes UNAUTHENTICATED .* ATTACKER")
def gateway_metadata(cluster, port):
    """On the API's own port the metadata by which the HTTPS port's gateway names its calls is worth nothing."""
    for value in ("x", "", word(32), "a" * 3000):
        connection = cluster.http2(port)
        status = connection.call(port.path, extra=[("hostq-gateway-call", value)])
        must(status in ("16", "8"), f"it gets {status}")


@attack("https", audited="session.open KEY_INVALID .* ATTACKER & FOREIGN_ORIGIN|KEY_INVALID")
def other_sites(cluster, port):
    """Pages of other sites in a browser that has signed in, or shows a certificate: forms, fetches, navigation, signing in as
    somebody else. None changes or reads anything."""
    bad = json.dumps({"key": f"hostq_{word(10)}_{word(47)}"}).encode()
    say(cluster, port, request(b"POST /session", b"Content-Type: application/json", b"Content-Length: %d" % len(bad), body=bad))
    key = json.dumps({"key": cluster.key}).encode()
    answer = say(cluster, port, request(b"POST /session", b"Content-Type: application/json", b"Content-Length: %d" % len(key), body=key))
    must(statuses(answer) == [200], f"one cannot sign in: {answer[:300]!r}")
    cookie = re.search(rb"set-cookie: ([^;]+);", answer)[1]
    for line in (b"GET /v1/nodes", b"GET /v1/events", b"GET /session", b"POST /session", b"DELETE /session", b"POST /v1/tasks:retry"):
        for extra in ((b"Origin: https://evil.example",), (b"Origin: null",), (b"Origin: https://127.0.0.1:%d.evil.example" % cluster.https,),
                      (b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: no-cors"), (b"Sec-Fetch-Site: same-site",),
                      (b"Origin: https://evil.example", b"Origin: https://127.0.0.1:%d" % cluster.https)):
            got = statuses(say(cluster, port, request(line, b"Cookie: " + cookie, b"Connection: close", *extra)))
            must(got == [403], f"{line!r} with {extra} gets {got}")
    for line in (b"DELETE /session", b"POST /v1/tasks:retry"):
        for token in (b"x-csrf-token: ", b"x-csrf-token: x", b"x: y"):
            got = statuses(say(cluster, port, request(line, b"Cookie: " + cookie, b"Connection: close", token)))
            must(got == [403], f"{line!r} with {token!r} gets {got}")
    preflight = say(cluster, port, request(b"OPTIONS /v1/nodes", b"Origin: https://evil.example", b"Access-Control-Request-Method: POST"))
    must(b"access-control" not in preflight.lower(), "another site is allowed in")


def guess(cluster, port, source, key, sign_in):
    if sign_in:
        body = json.dumps({"key": key}).encode()
        data = request(b"POST /session", b"Content-Type: application/json", b"Content-Length: %d" % len(body), b"Connection: close", body=body)
    else:
        data = request(b"GET /v1/nodes", b"Authorization: Bearer " + key.encode(), b"Connection: close")
    got = statuses(say(cluster, port, data, source))
    return got[0] if got else 0


@attack("https", recorded="KEY_INVALID")
def guesses(cluster, port):
    """Thirty guesses of a key from each of six addresses, half of them at the sign-in: none fits, each address soon has to wait, and the
    audit has some of both."""
    head = cluster.audit_head()
    id_ = cluster.key.split("_")[1]
    seen = {}
    for source in range(1, 7):
        looked_at, start = 0, time.monotonic()
        for index in range(30):
            status = guess(cluster, port, f"127.0.21.{source}", f"hostq_{id_ if index % 2 else word(10)}_{word(47)}", index % 4 < 2)
            must(status in (401, 429), f"a guess gets {status}")
            seen[status] = seen.get(status, 0) + 1
            looked_at += status == 401
        allowed = 11 + time.monotonic() - start
        must(looked_at <= allowed, f"{looked_at} guesses of one address were looked at")
    must(seen.get(429, 0) > 60, f"nobody has to wait: {seen}")
    entries = [line for line in cluster.refusals(head) if " 127.0.21." in line]
    for reason in ("KEY_INVALID", "RATE_LIMITED"):
        must(any(f" {reason} " in entry for entry in entries), f"no entry with {reason}: {entries[:5]}")
    return str(seen)


@attack("https", heavy=True)
def pipelines(cluster, port):
    """Two thousand requests at once on each of five connections, the answers unread, with a key and without: answered in order or
    cut off, and others are served."""
    total = 0
    for source in range(1, 6):
        header = key_header(port) if source % 2 else b"X: y"
        answer = say(cluster, port, request(b"GET /v1/nodes", header) * 2000 + request(b"GET /none", b"Connection: close"),
                     f"127.0.22.{source}")
        got = statuses(answer)
        must(set(got) <= {200, 401, 404, 429}, f"answers are {set(got)}")
        total += len(got)
    return f"{total} answers"


@attack("https", together=True)
def slow_request(cluster, port):
    """The headers of a request, byte by byte."""
    sock = secured(cluster, port)
    return f"{trickle(sock, request(b'GET /v1/nodes', b'X: ' + b'y' * 5000)):.0f} s"


@attack("https", together=True)
def slow_request_body(cluster, port):
    """The body of a request, byte by byte, as one and in chunks."""
    sock = secured(cluster, port)
    sock.sendall(request(b"POST /session", b"Content-Type: application/json", b"Content-Length: 5000"))
    first = trickle(sock, b"x" * 5000)
    sock = secured(cluster, port)
    sock.sendall(request(b"POST /session", b"Content-Type: application/json", b"Transfer-Encoding: chunked"))
    return f"{first:.0f} and {trickle(sock, b'1' + bytes((13, 10)) + b'x' + bytes((13, 10)) + b'00000000' * 500):.0f} s"


@attack("https", together=True)
def slow_answer(cluster, port):
    """Answers that nobody reads: many large ones, and streams of events while much happens."""
    socks = []
    for index in range(40):
        sock = secured(cluster, port, f"127.0.23.{index % 4 + 1}")
        sock.sendall(request(b"GET /v1/audit?pageSize=1000", key_header(port)) * 50 if index % 2 else
                     request(b"GET /v1/events", key_header(port)))
        socks.append(sock)
    for index in range(60):
        words = ("pause", "resume")[index % 2]
        cluster.hostq("node", words, "web2", *(["--note", "x" * 200] if words == "pause" else []))
    for sock in socks:
        sock.close()


@attack("https", together=True)
def says_nothing(cluster, port):
    """A connection that finishes its handshake and waits; one that waits between requests; both without showing who they are."""
    for first in (b"", request(b"GET /healthz")):
        start = time.monotonic()
        with secured(cluster, port, timeout=45) as sock:
            sock.sendall(first)
            try:
                while sock.recv(4096):
                    pass
            except TimeoutError:
                must(False, f"still open after {time.monotonic() - start:.0f} s")
            except OSError:
                pass


@attack("https", heavy=True)
def http2_on_https(cluster, port):
    """HTTP/2 on a port that speaks HTTP/1.1: the handshake names no protocol in common, or the first bytes are no request."""
    context = cluster.context(port)
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(port.tcp(), server_hostname="hostq-manager") as sock:
            must(sock.selected_alpn_protocol() != "h2", "h2 is agreed on")
    except OSError:
        pass
    got = statuses(say(cluster, port, http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0)))
    must(all(status >= 400 for status in got), f"it is answered with {got}")
