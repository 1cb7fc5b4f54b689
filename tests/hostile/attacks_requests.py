"""Requests that are not what they seem: paths, headers, methods, other protocols, browsers of other sites."""


import http2
from attack import attack, must
from http2 import DATA, END_HEADERS, END_STREAM, HEADERS, frame

EVERYWHERE = "agents enrollment socket api"
FORGED = "FORGED"


def answer(cluster, port, block):
    try:
        connection = cluster.http2(port)
        connection.send(frame(HEADERS, END_HEADERS, 1, block), frame(DATA, END_STREAM, 1, http2.message(b"")))
        return connection.status(1, 5)
    except http2.Closed:
        return "closed"


@attack(EVERYWHERE)
def paths(cluster, port):
    """Path traversal, encodings, absolute URLs, NUL, very long paths: nothing is there."""
    for path in ("/../../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/hostq.v1.NodeService/../NodeService/ListNodes",
                 "/hostq.v1.NodeService/ListNodes/", "/hostq.v1.NodeService/ListNodes?x=1", "/hostq.v1.NodeService/ListNodes\0",
                 "/hostq.v1.NodeService/List%4eodes", "/HOSTQ.V1.NodeService/ListNodes", "hostq.v1.NodeService/ListNodes",
                 "http://127.0.0.1/hostq.v1.NodeService/ListNodes", "https://evil.example/", "*", "", "/", "/\r\nFORGED: 1",
                 "/" + "a" * 7000, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                 "/grpc.channelz.v1.Channelz/GetServers", "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus"):
        got = answer(cluster, port, http2.request(path))
        if port.name == "socket" and "ServerReflection" in path:
            continue  # it is there, for whom the kernel knows
        must(got not in ("0", "timeout"), f"{path[:60]!r} is answered with {got}")


@attack("agents enrollment api")
def foreign_services(cluster, port):
    """What belongs to another port is not on this one."""
    own = {"agents": "SessionService", "enrollment": "EnrollmentService"}.get(port.name, "hostq.v1")
    for path in ("/hostq.v1.NodeService/ListNodes", "/hostq.v1.CommandService/ListCommands",
                 "/hostq.agent.v1.SessionService/Connect", "/hostq.agent.v1.EnrollmentService/Enroll"):
        if own not in path:
            got = answer(cluster, port, http2.request(path))
            must(got == "12", f"{path}: {got}")


@attack(EVERYWHERE)
def header_injection(cluster, port):
    """CR, LF, NUL and bytes above 127 in headers, pseudo headers twice, missing, late and unknown: no line of the log is
    forged, and nothing that lacks what it needs is served."""
    before = cluster.log_size()
    evil = f"x\r\n{FORGED} injected=yes\n{FORGED}\0"
    for name in ("hostq-actor", "user-agent", "x-other", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding", "authorization",
                 "hostq-request-id", "trace-bin", "cookie", "x-forwarded-for", "content-type"):
        for value in (evil, "\xff\xfe\x80" * 20, "v" * 3000):
            answer(cluster, port, http2.request(port.method, [(name, value)]))
    for name in ("X-Upper", "x y", "x:y", "x\r\nz", "", "\0", ":unknown", "connection", "transfer-encoding", "host"):
        answer(cluster, port, http2.request(port.method, [(name, "chunked")]))
    for extra in ([(":path", "/other/Method")], [(":authority", "evil")], [(":method", "GET")], [(":status", "200")]):
        answer(cluster, port, http2.request(port.method, extra))
    fields = [(":method", "POST"), (":scheme", "http"), (":path", port.method), ("content-type", "application/grpc"),
              ("te", "trailers")]
    for missing in (":method", ":path"):
        block = b"".join(http2.literal(*field) for field in fields if field[0] != missing)
        got = answer(cluster, port, block)
        must(got not in ("0", "timeout"), f"without {missing}: {got}")
    for line in cluster.log_since(before).splitlines():
        must(not line.startswith(FORGED), f"a forged line in the log: {line}")


@attack(EVERYWHERE)
def methods(cluster, port):
    """GET, PUT, HEAD, CONNECT, TRACE, OPTIONS and nonsense instead of POST; content types of others (gRPC-web, JSON)."""
    for method in ("GET", "PUT", "HEAD", "CONNECT", "TRACE", "OPTIONS", "DELETE", "post", "", "POST "):
        got = answer(cluster, port, http2.request(port.method, method=method))
        must(got not in ("0", "timeout"), f"method {method!r}: {got}")
    for content in ("application/grpc-web+proto", "application/json", "text/html", "multipart/form-data; boundary=x"):
        got = answer(cluster, port, http2.request(port.method, content=content))
        must(port.name == "socket" or got not in ("0", "timeout"), f"content type {content}: {got}")


@attack(EVERYWHERE)
def other_protocols(cluster, port):
    """HTTP/1.1, a websocket's upgrade, h2c's, SSH, an old TLS within, on the inside of the port's TLS: closed, and not a word of HTTP."""
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /hostq.v1.NodeService/ListNodes HTTP/1.1\r\nHost: x\r\n"
                 b"Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
                 b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://evil.example\r\n"
                 b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
                 b"SSH-2.0-x\r\n", b"\x16\x03\x01\x02\x00\x01\x00"):
        out = b""
        try:
            with cluster.secured(port) as sock:
                sock.settimeout(5)
                sock.sendall(data)
                while part := sock.recv(4096):
                    out += part
        except TimeoutError:
            must(len(data) < 20, f"{data[:20]!r} is left standing")
        except OSError:
            pass
        must(b"HTTP/1.1 2" not in out and b"HTTP/1.1 101" not in out, f"{data[:20]!r} is answered: {out[:60]!r}")


@attack("api", recorded="FOREIGN_ORIGIN", audited="NodeService.ListNodes FOREIGN_ORIGIN .* ATTACKER")
def foreign_origins(cluster, port):
    """A browser page of another site calls the API: refused, whatever key it carries."""
    good = list(port.headers)
    must(answer(cluster, port, http2.request(port.path, good)) == "0", "the key is not let in")
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "https://hostq-manager.evil.example", "https://hostq-manager",
                   "", "*"):
        for headers in (good, []):
            got = answer(cluster, port, http2.request(port.path, [("origin", origin), ("referer", origin + "/"), *headers]))
            must(got == "7", f"origin {origin!r}: {got}")
