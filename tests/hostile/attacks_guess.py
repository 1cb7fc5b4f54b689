"""Guessing: join tokens and API keys."""

import base64
import os
import re
import struct
import time
import zlib

import http2
import manager
from attack import attack, must
from http2 import DATA, END_HEADERS, END_STREAM, HEADERS, frame

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# Five at once and one a second (manager/access/enroller.h), and one for a second that began meanwhile.
BURST = 5


def word(size):
    return "".join(ALPHABET[byte % 32] for byte in os.urandom(size))


def request_for_signature(cluster):
    path = f"{cluster.dir}/guess.key"
    manager.certificates.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    return manager.certificates.openssl("req", "-new", "-key", path, "-subj", "/CN=guess")


@attack("enrollment", recorded="TOKEN_INVALID",
        audited=r"node.enroll TOKEN_INVALID unknown 127.0.3.1$ & node.enroll RATE_LIMITED unknown 127.0.3.10$")
def join_tokens(cluster, port):
    """A thousand join tokens from ten addresses, half with an identifier that exists: none fits, each address soon has to wait, and
    the log does not fill."""
    token = re.search(r"hqj_(\w{10})_\w{40}", cluster.add("guess1", "127.0.0.31"))
    csr = request_for_signature(cluster)
    seen = {}
    start = time.monotonic()
    for source in range(1, 11):
        passed = 0
        connection = cluster.http2(port, source=f"127.0.3.{source}")
        for index in range(100):
            guess = f"hqj_{token[1] if index % 2 else word(10)}_{word(40)}"
            try:
                status = connection.call(port.path, http2.field(1, guess) + http2.field(2, csr), stream=2 * index + 1)
            except http2.Closed:
                connection = cluster.http2(port, source=f"127.0.3.{source}")
                continue
            # The second time names come from the table, so not every answer is readable here.
            seen[status] = seen.get(status, 0) + 1
            must(status != "0", "a guess has fitted")
            passed += status == "7"
        allowed = BURST + 1 + time.monotonic() - start
        must(passed <= allowed, f"{passed} guesses of one address were looked at")
    must("8" in seen, f"nobody has to wait: {seen}")
    must(cluster.alarms().get("token/guess1") == "TOKEN_MISUSED", f"no alarm: {cluster.alarms()}")
    cluster.hostq("node", "remove", "guess1")
    return str(seen)


@attack("enrollment", recorded="INVALID_ARGUMENT|REQUEST_TOO_LARGE|TOKEN_INVALID|RATE_LIMITED",
        audited="node.enroll (INVALID_ARGUMENT|REQUEST_TOO_LARGE|TOKEN_INVALID) unknown 127.0.4.")
def wrong_enrolments(cluster, port):
    """Requests for a certificate that are none, too large, of a key that is none; tokens of a megabyte."""
    for index, (token, csr) in enumerate((("", ""), ("hqj_", "x"), ("h" * 1_000_000, ""), ("hqj_none", "-" * 3_000_000),
                                          ("\0" * 250, "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"))):
        try:
            connection = cluster.http2(port, source=f"127.0.4.{index + 1}")
            body = http2.message(http2.field(1, token) + http2.field(2, csr))
            connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.request(port.path)))
            for at in range(0, len(body), 16_000):
                connection.send(http2.frame(http2.DATA, 0, 1, body[at:at + 16_000]))
                connection.receive(0.001)
            connection.send(http2.frame(http2.DATA, http2.END_STREAM, 1))
            status = connection.status(1, 5)
        except http2.Closed:
            continue
        must(status not in ("0", "timeout"), f"a request for nothing: {status}")


def key_text(id_, secret):
    """The text of a key, its checksum right (docs/reference/keys.md)."""
    body = f"{id_}_{secret}"
    checksum = base64.b32encode(struct.pack(">I", zlib.crc32(body.encode()))).decode().rstrip("=").lower()
    return f"hostq_{body}{checksum}"


def with_key(cluster, port, key, source=None, header="authorization", path=None):
    try:
        connection = cluster.http2(port, source=source)
        return connection.call(path or port.path, extra=[(header, f"Bearer {key}" if header == "authorization" else key)])
    except http2.Closed:
        return "closed"


def guess_from_many(cluster, port, network, guesses):
    """Sixty guesses from each of ten addresses, each on a connection of its own: what they got."""
    seen = {}
    for source in range(1, 11):
        looked_at, start = 0, time.monotonic()
        for index in range(60):
            status = with_key(cluster, port, guesses(index), f"{network}.{source}")
            must(status in ("8", "16", "closed"), f"a guessed key gets {status}")
            seen[status] = seen.get(status, 0) + 1
            looked_at += status == "16"
        # Ten, one a second, and one for a second that began meanwhile (docs/reference/api.md).
        allowed = 11 + time.monotonic() - start
        must(looked_at <= allowed, f"{looked_at} guesses of one address were looked at")
    must(seen.get("8", 0) > 100, f"nobody has to wait: {seen}")
    return seen


def must_be_few(cluster, head, network):
    """A first entry of each sort from each address, and one a minute, however many guesses there were."""
    entries = [line for line in cluster.refusals(head) if f" {network}." in line]
    must(10 <= len(entries) <= 50, f"{len(entries)} entries in the audit of 10 addresses: {sorted(set(entries))[:5]}")
    for reason in ("KEY_INVALID", "RATE_LIMITED"):
        must(any(f" {reason} " in entry for entry in entries), f"no entry with {reason}")
    return len(entries)


def eventually_alarmed(cluster, subject):
    until = time.monotonic() + 5
    while (alarms := cluster.alarms()).get(subject) != "KEY_GUESSED":
        must(time.monotonic() < until, f"no alarm KEY_GUESSED of {subject}: {alarms}")
        time.sleep(0.1)


@attack("api", recorded="KEY_INVALID")
def guessed_secrets(cluster, port):
    """The right id with six hundred wrong secrets, from ten addresses: not let in, each soon has to wait, an alarm of the key,
    few entries in the audit; who has the right key is let in meanwhile."""
    head = cluster.audit_head()
    key = cluster.new_key("guessed")
    id_ = key.split("_")[1]
    must(with_key(cluster, port, key) == "0", "the right key is not let in")
    seen = guess_from_many(cluster, port, "127.0.5", lambda index: key_text(id_, word(40)))
    must(with_key(cluster, port, key) == "0", "who has the right key is kept out by who guesses")
    eventually_alarmed(cluster, "key/guessed")
    entries = must_be_few(cluster, head, "127.0.5")
    must(key.rsplit("_", 1)[1] not in cluster.log_since(0), "the key is in the log")
    return f"{seen}, {entries} entries"


@attack("api", recorded="KEY_INVALID")
def guessed_keys(cluster, port):
    """Six hundred keys that nobody has, half of them with a wrong checksum, from ten addresses: an alarm of each address."""
    head = cluster.audit_head()
    seen = guess_from_many(cluster, port, "127.0.6",
                           lambda index: key_text(word(10), word(40)) if index % 2 else f"hostq_{word(10)}_{word(47)}")
    # One address goes on, at the pace it is let: twenty failures are an alarm.
    until = time.monotonic() + 15
    while f"source/127.0.6.1" not in cluster.alarms() and time.monotonic() < until:
        with_key(cluster, port, key_text(word(10), word(40)), "127.0.6.1")
        time.sleep(0.5)
    eventually_alarmed(cluster, "source/127.0.6.1")
    return f"{seen}, {must_be_few(cluster, head, '127.0.6')} entries"


@attack("api", recorded="UNAUTHENTICATED", audited="NodeService.ListNodes UNAUTHENTICATED .* ATTACKER")
def key_elsewhere(cluster, port):
    """A good key in a cookie, in other headers, in the path: is none."""
    for header in ("cookie", "x-api-key", "proxy-authorization", "hostq-actor"):
        must(with_key(cluster, port, cluster.key, header=header) == "16", f"a key in {header} is taken")
    must(with_key(cluster, port, "", path=f"{port.path}?key={cluster.key}") in ("12", "16"), "a key in the path is taken")
    must(cluster.key.rsplit("_", 1)[1] not in cluster.log_since(0), "the key is in the log")


@attack("api", recorded="KEY_REVOKED", audited="NodeService.ListNodes KEY_REVOKED .* ATTACKER & ListNodes KEY_EXPIRED .* ATTACKER & "
        "ListNodes SOURCE_NOT_ALLOWED .* ATTACKER & CreateNode OUT_OF_SCOPE key/narrow ATTACKER")
def void_keys(cluster, port):
    """A key that was revoked (its open stream ends too), one that has expired, the old secret of one that was replaced, one from a foreign
    address, one for a method that it has no scope for."""
    revoked, narrow, replaced = (cluster.new_key(name) for name in ("revoked", "narrow", "replaced"))
    foreign = cluster.new_key("foreign", "--source", "192.0.2.0/24")
    expired = cluster.new_key("expired", "--expires", "5s")
    made = time.monotonic()
    for key in (expired, revoked, narrow, replaced):
        must(with_key(cluster, port, key) == "0", "a good key is not let in")
    stream = cluster.http2(port)
    stream.send(frame(HEADERS, END_HEADERS, 1, http2.request("/hostq.v1.EventService/WatchEvents",
                                                             [("authorization", f"Bearer {revoked}")])),
                frame(DATA, END_STREAM, 1, http2.message(b"")))
    must(stream.status(1, 0.5) == "timeout", "events cannot be watched with a good key")
    must(cluster.hostq("key", "revoke", "revoked").returncode == 0, "the key cannot be revoked")
    start = time.monotonic()
    status, took = stream.status(1, 5), time.monotonic() - start
    must(status == "16" and took < 1.5, f"the stream of a revoked key ends with {status} after {took:.1f} s")
    must(cluster.hostq("key", "rotate", "replaced", "--keep", "0s").returncode == 0, "the key cannot be replaced")
    time.sleep(max(0, made + 5.1 - time.monotonic()))
    for what, key, wanted in (("a revoked key", revoked, "16"), ("an expired key", expired, "16"), ("a replaced secret", replaced, "16"),
                              ("a key from a foreign address", foreign, "7")):
        got = with_key(cluster, port, key)
        must(got == wanted, f"{what} gets {got}")
    got = with_key(cluster, port, narrow, path="/hostq.v1.NodeService/CreateNode")
    must(got == "7", f"a key that may only read gets {got} for CreateNode")


@attack("api", recorded="UNAUTHENTICATED|KEY_INVALID", audited="NodeService.ListNodes KEY_INVALID .* ATTACKER")
def malformed_keys(cluster, port):
    """Headers that are no key: empty, too large, of another scheme, with NUL, twice, two different ones of which one is good."""
    good = f"Bearer {cluster.key}"
    for index, values in enumerate((("",), ("Bearer",), ("Bearer ",), ("bearer hostq_",), ("Basic YTpi",), ("Bearer " + "h" * 6000,),
                                    ("Bearer \0",), ("Bearer hostq___",), ("Bearer hostq_aaaaaaaaaa_" + "a" * 47,), (good, good),
                                    (good, "Bearer x"), ("Bearer x", good), (good + " ",), (good + "\t",), (good.upper(),))):
        try:
            connection = cluster.http2(port, source=f"127.0.8.{index + 1}" if index % 2 else None)
            status = connection.call(port.path, extra=[("authorization", value) for value in values])
        except http2.Closed:
            continue
        must(status in ("7", "8", "16") or status.startswith(("reset", "http")), f"{values!r:.60}: {status}")
