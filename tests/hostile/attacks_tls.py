"""Who stands at the door: without TLS, with an old one, with the wrong certificate, with one that is no longer good."""

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import certificates
import http2
import manager
from attack import Broken, attack, must

REFUSED = "[Hh]andshake failed|session refused|UNAUTHENTICATED|NOT_AUTHORIZED"
# On the API's port somebody is refused at each call, on the agents' when a session begins.
REFUSED_BY_NAME = {"agents": "node.connect (UNAUTHENTICATED|NOT_AUTHORIZED) .* ATTACKER",
                   "api": "NodeService.ListNodes UNAUTHENTICATED .* ATTACKER"}
URI = "hostq://node/web2/1"
# What a call with a certificate that is not good may end in, beside a closed connection.
NOT_LET_IN = ("7", "16")


def workshop(cluster):
    folder = f"{cluster.dir}/state/ca"
    return certificates.Workshop(f"{cluster.dir}/workshop", f"{folder}/ca.pem", f"{folder}/ca.key")


def hello():
    """An agent's first message (proto/hostq/agent/v1/session.proto), as a good one sends it."""
    seconds, clock = int(time.time()), bytearray(b"\x08")
    while seconds > 127:
        clock.append(seconds & 127 | 128)
        seconds >>= 7
    clock.append(seconds)
    return http2.field(1, b"\x08\x01" + http2.field(2, "hostile") + b"\x20\x08" + http2.field(5, bytes(clock)))


def enter(cluster, port, identity):
    """What the port's own method answers to somebody with this certificate."""
    try:
        connection = cluster.http2(port, identity=identity)
        return connection.call(port.method, hello() if port.mutual else port.body, timeout=8)  # no key: the certificate counts
    except http2.Closed:
        return "closed"


def must_stay_out(cluster, port, identity, who):
    answer = enter(cluster, port, identity)
    must(answer == "closed" or answer in NOT_LET_IN, f"{who} gets the answer {answer}")


@attack("agents enrollment api https", recorded=REFUSED)
def plaintext(cluster, port):
    """HTTP/2, HTTP/1.1 and noise without TLS: closed, and no word of HTTP comes back."""
    for data in (http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(70_000),
                 b"\x16\x03\x01\xff\xff", b"\x80\x2e\x01\x00\x02", b"\0" * 100):
        with port.tcp() as sock:
            answer = b""
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while part := sock.recv(4096):
                    answer += part
            except OSError:
                pass
            must(len(answer) < 200 and b"HTTP" not in answer, f"plaintext is answered: {answer[:60]!r}")


@attack("agents enrollment api https", recorded=REFUSED)
def old_tls(cluster, port):
    """TLS 1.2 and 1.1: no handshake."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1):
        try:
            cluster.secured(port, version=version).close()
        except OSError:
            continue
        must(False, f"{version.name} is let in")


@attack("agents")
def right_certificate(cluster, port):
    """No attack: a good certificate and the same message begin a session, so what stays out below does so for its certificate."""
    session(cluster, port, cluster.node).close()


@attack("agents api", recorded=REFUSED, audited=REFUSED_BY_NAME)
def wrong_certificates(cluster, port):
    """None, expired, not valid yet, of another authority, self-signed, a server's, of nobody, of an incarnation that never
    was, of an administrator nobody knows: all stay out."""
    shop = workshop(cluster)
    if port.mutual:
        must_stay_out(cluster, port, None, "who has no certificate")
    for who, identity in (
            ("an expired certificate", shop.issue(URI, start=-7200, end=-3600)),
            ("one not valid yet", shop.issue(URI, start=3600)),
            ("another authority's", shop.issue(URI, issuer=shop.other_authority())),
            ("a self-signed one", shop.self_signed(URI)),
            ("a server's", shop.issue(URI, use="serverAuth")),
            ("one of nobody", shop.issue("hostq://node/web99/1")),
            ("one of no incarnation", shop.issue("hostq://node/web2/999")),
            ("one with a foreign URI", shop.issue("https://example.com/web2")),
            ("an administrator's that nobody knows", shop.issue("hostq://admin/mallory"))):
        must_stay_out(cluster, port, identity, who)


@attack("agents")
def huge_chain(cluster, port):
    """A good certificate with two thousand others behind it (over 1 MiB): refused or ignored, at a bounded cost."""
    with open(cluster.node.certificate, encoding="ascii") as file:
        own = file.read()
    path = f"{cluster.dir}/chain.pem"
    with open(f"{cluster.dir}/state/ca/ca.pem", encoding="ascii") as file, open(path, "w", encoding="ascii") as out:
        out.write(own + file.read() * 2000)
    answer = enter(cluster, port, certificates.Identity(path, cluster.node.key))
    must(answer != "0", "a session ended well that never began")


@attack("agents api", recorded=REFUSED, audited=REFUSED_BY_NAME)
def revoked(cluster, port):
    """The certificates of a node that was removed, and of an incarnation before the current one."""
    name = f"gone{port.name[0]}"
    cluster.join(name, "127.0.0.20")
    old = copy_of(cluster, name)
    line = cluster.hostq("node", "rejoin", name, "--output", "json")
    must(line.returncode == 0, line.stderr)
    cluster.join(name, "", manager.json.loads(line.stdout)["joinCommand"])
    must_stay_out(cluster, port, old, "an earlier incarnation")
    out = cluster.hostq("node", "remove", name)
    must(out.returncode == 0, out.stderr)
    must_stay_out(cluster, port, cluster.identity(name), "a removed node")


@attack("agents", recorded="NODE_BANNED", audited="node.connect NODE_BANNED .* ATTACKER & node.renew NODE_BANNED .* ATTACKER")
def banned(cluster, port):
    """A banned node: its session ends within a second, it gets no other, and no other certificate."""
    cluster.join("bad1", "127.0.0.21")
    identity = cluster.identity("bad1")
    connection = session(cluster, port, identity)
    start = time.monotonic()
    out = cluster.hostq("node", "ban", "bad1", "--note", "attacks")
    must(out.returncode == 0, out.stderr)
    status, took = connection.status(1, 5), time.monotonic() - start
    must(status == "7" and took < 1, f"the session of a banned node ends with {status} after {took:.1f} s")
    must_stay_out(cluster, port, identity, "a banned node")
    status = renew(cluster, identity)
    must(status == "7", f"a banned node's request for another certificate gets {status}")
    must(cluster.hostq("node", "remove", "bad1", "--force").returncode == 0, "the banned node cannot be removed")
    return f"its session ended after {took * 1000:.0f} ms"


@attack("api", recorded="UNAUTHENTICATED", audited="NodeService.ListNodes UNAUTHENTICATED .* ATTACKER")
def revoked_administrator(cluster, port):
    """An administrator's certificate: let in, and not any more once it is revoked, on the connection that it has either; one that was
    made by hand with the right name, by the authority's own key, neither."""
    path = f"{cluster.dir}/mallory.identity"
    out = cluster.hostq("administrator", "add", "mallory", "--out", path)
    must(out.returncode == 0, out.stderr)
    identity = certificates.Identity(path, path)
    must(enter(cluster, port, identity) == "0", "an administrator's certificate is not let in")
    connection = cluster.http2(port, identity=identity)
    must(connection.call(port.path) == "0", "an administrator's certificate is not let in")
    forged = workshop(cluster).issue("hostq://admin/mallory")
    must_stay_out(cluster, port, forged, "another certificate of an administrator's name")
    out = cluster.hostq("administrator", "revoke", "mallory")
    must(out.returncode == 0, out.stderr)
    must_stay_out(cluster, port, identity, "a revoked administrator")
    # Names come from the table the second time: what matters is that it is no OK.
    answer = connection.call(port.path, stream=3)
    must(answer != "0" and not answer.startswith("timeout"), f"the connection of a revoked administrator goes on: {answer}")


def session(cluster, port, identity):
    """A node's session that was welcomed."""
    connection = cluster.http2(port, identity=identity)
    connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.request(port.method)),
                    http2.frame(http2.DATA, 0, 1, http2.message(hello())))
    until = time.monotonic() + 8
    while time.monotonic() < until:
        for kind, flags, stream, payload in connection.receive(1):
            if stream == 1 and kind == http2.HEADERS:
                must(not flags & http2.END_STREAM, f"refused: {http2.status_in(payload)}")
            if stream == 1 and kind == http2.DATA:
                must(b"hostile" in payload, f"no welcome: {payload!r}")
                return connection
    raise Broken("no answer")


def renew(cluster, identity):
    """What a good request for another certificate gets (proto/hostq/agent/v1/enrollment.proto)."""
    directory = f"{cluster.dir}/renewal"
    os.makedirs(directory, exist_ok=True)
    with open(identity.certificate, encoding="ascii") as file:
        certificate = file.read()
    certificates.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{directory}/new.key")
    csr = certificates.openssl("req", "-new", "-key", f"{directory}/new.key", "-subj", "/CN=bad1")
    der = subprocess.run(["openssl", "pkey", "-in", f"{cluster.dir}/state/ca/ca.key", "-pubout", "-outform", "DER"],
                         capture_output=True, check=True).stdout
    pin = "sha256:" + hashlib.sha256(der).hexdigest()
    text = f"{directory}/text"
    with open(text, "w", encoding="ascii") as file:
        file.write(f"hostq-renewal-1\n{pin}\n{csr}")
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", identity.key, text], capture_output=True,
                               check=True).stdout
    body = http2.field(1, certificate) + http2.field(2, csr) + http2.field(3, pin) + http2.field(4, signature)
    port = cluster.port("enrollment")
    return cluster.http2(port).call("/hostq.agent.v1.EnrollmentService/Renew", body)


def copy_of(cluster, node):
    identity = cluster.identity(node)
    out = certificates.Identity(f"{cluster.dir}/{node}.old.crt", f"{cluster.dir}/{node}.old.key")
    for source, target in zip(identity, out):
        with open(source, "rb") as file, open(target, "wb") as copy:
            copy.write(file.read())
    return out


@attack("agents")
def node_as_manager(cluster, port):
    """A node's certificate shown by a server: the agent does not talk to it."""
    shop = workshop(cluster)
    identity = shop.issue(URI)  # has the manager's name, as no node's has: only the purpose is wrong
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    context.set_alpn_protocols(["h2"])
    heard, tries = [], []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve():
            try:
                while True:
                    sock, _ = listener.accept()
                    sock.settimeout(2)
                    tries.append(1)
                    try:
                        with context.wrap_socket(sock, server_side=True) as tls:
                            heard.append(tls.recv(4096))
                    except OSError:
                        pass
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        directory = f"{cluster.dir}/fooled"
        os.makedirs(f"{directory}/state/identity", exist_ok=True)
        for name in ("node.key", "node.crt", "ca.crt"):
            with open(f"{cluster.dir}/web2/state/identity/{name}", "rb") as file:
                with open(f"{directory}/state/identity/{name}", "wb") as out:
                    os.chmod(out.name, 0o600)
                    out.write(file.read())
        with open(f"{directory}/state/identity/manager", "w", encoding="ascii") as file:
            file.write(f"127.0.0.1:{listener.getsockname()[1]}\n")
        for path, _, names in os.walk(f"{directory}/state"):
            for name in ("", *names):
                shutil.chown(os.path.join(path, name), "nobody")
        with open(f"{directory}/agent.toml", "w", encoding="ascii") as file:
            file.write(f'user = "nobody"\nstate_dir = "{directory}/state"\n[executor]\nrun_dir = "{directory}/run"\n')
        with open(f"{directory}/log", "wb") as log:
            agent = subprocess.Popen([f"{manager.BIN}/hostq-agent", "run", "--config", f"{directory}/agent.toml"],
                                     stdout=log, stderr=log)
            until = time.monotonic() + 8
            while not tries and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(0.5)
            agent.terminate()
            agent.wait()
        thread.join()
    with open(f"{directory}/log", encoding="utf-8", errors="replace") as log:
        must(tries, f"the agent did not even try: {log.read()[-500:]}")
    must(not any(heard), f"the agent talks to a node that poses as the manager: {heard}")
