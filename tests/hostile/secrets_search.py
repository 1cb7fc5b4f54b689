"""A whole run of a cluster with real programs, at log level debug; then every secret that was used is looked for everywhere it must
not be: logs, databases, what programs print, error texts, command lines. Called by run.sh --secrets.

Whoever adds a kind of secret adds where it comes from (`Search.secret`) and where it may be (`Search.homes`); whoever adds an
output adds a call that makes it (`story`)."""

import base64
import glob
import hashlib
import os
import re
import subprocess
import sys

import attacks_guess
import attacks_https
import http2
import manager

# Shorter pieces would be found by chance.
SHORTEST = 16


class Search:
    def __init__(self, cluster):
        self.cluster = cluster
        self.secrets = {}  # name: every form of it
        self.outputs = []  # (what printed it, text, secrets that it is meant to show)
        self.failures = []
        self.owners_files = set()  # where a program keeps its key

    def secret(self, name, value):
        """A secret in every form that somebody might have printed it."""
        raw = value if isinstance(value, bytes) else value.encode()
        forms = {raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw).rstrip(b"="),
                 base64.urlsafe_b64encode(raw).rstrip(b"=")}
        self.secrets[name] = [form for form in forms if len(form) >= SHORTEST]

    def private_key(self, name, pem):
        """Its number, and each line of its text."""
        der = subprocess.run(["openssl", "pkey", "-outform", "DER"], input=pem, capture_output=True, check=True).stdout
        text = subprocess.run(["openssl", "pkey", "-noout", "-text"], input=pem, capture_output=True, check=True).stdout
        number = re.search(rb"priv:\s*((?:[0-9a-f]{2}:?\s*)+)", text)
        if number:
            self.secret(f"{name}, the number", bytes.fromhex(re.sub(rb"[\s:]", b"", number[1]).decode())[-32:])
        self.secret(f"{name}, DER", der)
        for index, line in enumerate(pem.split(b"\n")):
            # The first lines of two keys are the same but for their last characters: what they are, not which.
            if not line.startswith(b"-----") and index > 1 and len(line) >= SHORTEST:
                self.secrets[f"{name}, line {index}"] = [line]

    def keys_on_disk(self):
        """Every file below the cluster's directory that has a private key: it is the home of that secret, which others are not."""
        homes = {}
        for path in self.files():
            for block in re.findall(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n", content(path), re.S):
                if path.startswith((f"{self.cluster.dir}/state/ca/", f"{self.cluster.dir}/guess")) or \
                        re.search(r"/identity[^/]*/node\.key$|\.identity$", path):
                    # One that takes the place of another is another secret.
                    which = hashlib.sha256(block).hexdigest()[:8]
                    self.private_key(f"{os.path.relpath(path, self.cluster.dir)} {which}", block)
                    homes[path] = mode_of(path)
                else:
                    self.failures.append(f"a private key in {path}")
        for path, mode in homes.items():
            if mode not in ("0o600", "0o400") and "guess" not in path:
                self.failures.append(f"{path} has mode {mode}")
        return set(homes)

    def files(self):
        return [path for path in glob.glob(f"{self.cluster.dir}/**", recursive=True, include_hidden=True) if os.path.isfile(path)]

    def hostq(self, *words, shows=()):
        out = self.cluster.hostq(*words)
        self.outputs.append((f"hostq {' '.join(words)}", (out.stdout + out.stderr).encode(), shows))
        return out

    def remote(self, *words):
        """hostq over the API."""
        out = subprocess.run([f"{manager.BIN}/hostq", "--manager", f"127.0.0.1:{self.cluster.api}", *words], capture_output=True,
                             text=True, timeout=60, check=False)
        self.printed(f"hostq --manager {' '.join(words)}", out.stdout + out.stderr)
        return out

    def printed(self, what, text, shows=()):
        self.outputs.append((what, text if isinstance(text, bytes) else text.encode(), shows))

    def look(self):
        """Every secret in every place."""
        homes = self.keys_on_disk()
        places = [(what, text, shows) for what, text, shows in self.outputs]
        for path in self.files():
            if path not in homes and path not in self.owners_files:
                places.append((os.path.relpath(path, self.cluster.dir), content(path), ()))
        for program in self.cluster.programs.values():
            for name in ("cmdline", "environ"):
                with open(f"/proc/{program.pid}/{name}", "rb") as file:
                    places.append((f"{name} of {program.args[0]}", file.read(), ()))
        for what, text, shows in places:
            for name, forms in self.secrets.items():
                if name not in shows and any(form in text for form in forms):
                    self.failures.append(f"{name} is in {what}")
        return len(places)


def content(path):
    """Of a file that may be gone since it was seen: an agent that renews moves folders."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def mode_of(path):
    try:
        return oct(os.stat(path).st_mode & 0o777)
    except FileNotFoundError:
        return "0o600"


def token_in(search, name, line):
    token = re.search(r"hqj_\w{10}_(\w{40})", line)
    search.secret(name, token[1])
    return token[0]


def story(search):
    """What happens to a cluster, mistakes included."""
    cluster = search.cluster
    for index, name in enumerate(("app1", "app2")):
        secret = f"join token of {name}"
        out = search.hostq("node", "add", name, "--role", "app", "--address", f"127.0.0.{41 + index}", "--output", "json",
                           shows=(secret,))
        line = manager.json.loads(out.stdout)["joinCommand"]
        token = token_in(search, secret, line)
        wrong_joins(search, cluster, line, token, f"{name}, refused")
        search.printed(f"join of {name}", cluster.join(name, "", line))
        wrong_joins(search, cluster, line, token, f"{name}, again")
    out = search.hostq("node", "add", "app3", "--role", "app", "--address", "127.0.0.43", shows=("join token of app3",))
    token_in(search, "join token of app3", out.stdout)
    # The agent's own user starts it in no case as root: the executor is root's.
    for program in ("executor", "agent"):
        cluster.start_program(program, [f"{manager.BIN}/hostq-{program}", "run", "--config", f"{cluster.dir}/app1/agent.toml"])
    manager.eventually(20, lambda: "node connected" in cluster.log_since(0), "no session")
    out = search.hostq("node", "rejoin", "app2", "--output", "json", shows=("second join token of app2",))
    line = manager.json.loads(out.stdout)["joinCommand"]
    token_in(search, "second join token of app2", line)
    search.printed("second join of app2", cluster.join("app2", "", line))
    out = search.hostq("address", "bind", "203.0.113.9", "--node", "app1")
    if out.returncode:
        search.failures.append(f"the executor does nothing: {out.stdout}{out.stderr}")
    administrators(search)
    keys(search)
    authorities(search)
    for words in (("node", "list"), ("node", "show", "app1"), ("node", "show", "app3"), ("command", "list"), ("stuck",), ("node", "ban", "app3", "--note", "x"),
                  ("node", "unban", "app3"), ("node", "approve", "app1"), ("node", "remove", "app3"), ("node", "show", "nobody"),
                  ("node", "add", "app1", "--role", "app", "--address", "127.0.0.41"), ("alarm", "list"), ("alarm", "clear", "token/app1"),
                  ("authority", "show"), ("key", "list", "--all"), ("administrator", "list"), ("audit", "list", "--limit", "10000"),
                  ("audit", "head"), ("audit", "verify"), ("audit", "export"), ("events", "--limit", "10000")):
        search.hostq(*words, "--output", "json")
        search.hostq(*words)


def authorities(search):
    """The authority is replaced, there and back: keys of all of them, and of the nodes' certificates of each."""
    cluster = search.cluster
    search.keys_on_disk()
    key = f"{cluster.dir}/app1/state/identity/node.key"
    with open(key, "rb") as file:
        before = file.read()
    for words in (("prepare",), ("show",), ("activate", "--force"), ("show",)):
        out = search.hostq("authority", *words)
        if out.returncode:
            search.failures.append(f"authority {words[0]}: {out.stderr}")

    def renewed():
        return content(key) not in (b"", before)

    manager.eventually(100, renewed, "the agent does not renew")
    search.keys_on_disk()
    for words in (("retire", "--force"), ("show",), ("undo",), ("undo",), ("undo",), ("undo",), ("show",), ("prepare",), ("undo",)):
        search.hostq("authority", *words, "--output", "json")
        search.keys_on_disk()


def wrong_joins(search, cluster, line, token, what):
    """The right token with another key, a wrong secret, a broken request: what the port and the program say."""
    port = cluster.port("enrollment")
    csr = attacks_guess.request_for_signature(cluster)
    half = token[:-4] + "aaaa"
    bodies = [(token, "no request"), (half, csr)] + ([(token, csr)] if "again" in what else [])
    for index, (text, request) in enumerate(bodies):
        connection = cluster.http2(port, source=f"127.0.6.{len(search.outputs) % 200 + 1}")
        connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.request(port.path)),
                        http2.frame(http2.DATA, http2.END_STREAM, 1, http2.message(http2.field(1, text) + http2.field(2, request))))
        answer = b""
        try:
            ended = False
            while not ended and (frames := connection.receive(5)):
                answer += b"".join(payload for *_, payload in frames)
                ended = any(kind == http2.HEADERS and flags & http2.END_STREAM for kind, flags, *_ in frames)
        except http2.Closed:
            pass
        search.printed(f"answer {index} to a join of {what}", answer)
    words = line.replace(token, half).split()
    os.makedirs(f"{cluster.dir}/wrong", exist_ok=True)
    with open(f"{cluster.dir}/wrong/agent.toml", "w", encoding="utf-8") as file:
        file.write(f'user = "nobody"\nstate_dir = "{cluster.dir}/wrong/state"\n[log]\nlevel = "debug"\n')
    out = subprocess.run([f"{manager.BIN}/{words[0]}", *words[1:], "--config", f"{cluster.dir}/wrong/agent.toml"], capture_output=True,
                         timeout=60, check=False)
    search.printed(f"hostq-agent join of {what}", out.stdout + out.stderr)


def keys(search):
    """API keys: two live secrets, good and wrong ones shown, by hand and by hostq."""
    cluster = search.cluster
    port = cluster.port("api")
    texts = []
    for words in (("key", "create", "billing", "--scope", "read", "--output", "json"), ("key", "rotate", "billing")):
        name = " ".join(words[:3])
        out = search.hostq(*words, shows=(name,))
        text = re.search(r"hostq_([a-z2-7]{10})_([a-z2-7]{47})", out.stdout)
        if not text:
            search.failures.append(f"no key in the answer of hostq {name}: {out.stderr}")
            continue
        # With its checksum and without.
        search.secret(name, text[2][:40])
        texts.append(text[0])
    for index, text in enumerate(texts):
        for key in (text, text[:-5] + "aaaaa"):
            search.printed("a call with a key", attacks_guess.with_key(cluster, port, key))
        path = f"{cluster.dir}/{index}.key-file"
        search.owners_files.add(path)
        for content in (text, text[:-5] + "aaaaa"):
            with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(content + "\n")
            for words in (("node", "list"), ("node", "list", "--output", "json"), ("node", "add", "app9", "--role", "app", "--address", "127.0.0.49"),
                          ("node", "list", "--key-file", path, "--output", "xml")):
                search.remote("--key-file", path, "--ca-cert", f"{cluster.dir}/state/ca/ca.pem", *words)
    for text in texts:
        browser(search, text)
    search.hostq("key", "show", "billing", "--output", "json")
    search.hostq("key", "revoke", "billing", "--output", "json")
    for text in texts:
        search.printed("a call with a revoked key", attacks_guess.with_key(cluster, port, text))


def browser(search, key):
    """The same at the HTTPS port: shown in a header, good and wrong, and signed in with; then the session's own secrets."""
    cluster = search.cluster
    port = cluster.port("https")

    def say(line, *headers, body=b""):
        length = (b"Content-Type: application/json", b"Content-Length: %d" % len(body)) if body else ()
        return attacks_https.say(cluster, port, attacks_https.request(line, *headers, *length, b"Connection: close", body=body))

    for text in (key, key[:-5] + "aaaaa"):
        search.printed("a request with a key", say(b"GET /v1/nodes", b"Authorization: Bearer " + text.encode()))
        search.printed("a request with a key in the wrong place", say(b"GET /v1/nodes?key=" + text.encode()))
        name = f"session {len(search.secrets)}"
        answer = say(b"POST /session", body=manager.json.dumps({"key": text}).encode())
        cookie = re.search(rb"set-cookie: (__Host-hostq=([a-z2-7]+))", answer)
        if not cookie:
            search.printed("signing in with a wrong key", answer)
            continue
        search.secret(name, cookie[2])
        search.secret(f"{name}, its token", re.search(rb'"csrfToken":"([^"]+)"', answer)[1])
        search.printed("signing in", answer, shows=(name, f"{name}, its token"))
        header = b"Cookie: " + cookie[1]
        for line in (b"GET /v1/keys", b"GET /v1/none", b"POST /v1/nodes", b"DELETE /session"):
            search.printed("a request with a cookie", say(line, header))
        search.printed("the session", say(b"GET /session", header), shows=(f"{name}, its token",))


def administrators(search):
    """An administrator's certificate, used, revoked, used."""
    path = f"{search.cluster.dir}/alice.identity"
    search.hostq("administrator", "add", "alice", "--out", path, "--output", "json")
    search.hostq("administrator", "add", "alice", "--out", path)
    for _ in range(2):
        search.remote("--identity", path, "node", "list")
        search.remote("--identity", path, "administrator", "add", "bob", "--out", f"{search.cluster.dir}/bob.identity")
        search.hostq("administrator", "revoke", "alice", "--output", "json")
    search.hostq("administrator", "list", "--output", "json")


def main():
    cluster = manager.Cluster()
    search = Search(cluster)
    try:
        cluster.start_manager("debug")
        search.printed("hostq-manager init", cluster.init_output)
        story(search)
        places = search.look()
        for name in list(cluster.programs):
            cluster.stop_program(name)
        places += search.look()
        # A search that finds nothing has to be able to find something.
        for secret, shown in (("join token of app1", "hostq node add app1"), ("key create billing", "hostq key create"),
                              ("key rotate billing", "hostq key rotate")):
            if not any(what.startswith(shown) and any(form in text for form in search.secrets[secret])
                       for what, text, _ in search.outputs):
                search.failures.append(f"the search itself: {secret} is not even where it is meant to be")
        for wanted in ("state/ca/ca", "app1/state/identity/node.key", "alice.identity"):
            if not any(name.startswith(wanted) for name in search.secrets):
                search.failures.append(f"the search itself: no key {wanted}")
        if len({name.split(",")[0] for name in search.secrets if name.startswith("app1/state/identity")}) < 2:
            search.failures.append("the search itself: the agent's renewed key is not among the secrets")
        for failure in sorted(set(search.failures)):
            print(f"FAIL {failure}")
        print(f"{len(search.secrets)} secrets, {places} places")
        failed = len(set(search.failures))
        print(f"{1 if not failed else 0} passed, {failed} failed")
        return 1 if failed else 0
    except (RuntimeError, OSError, http2.Closed) as error:
        print(f"secrets: {error}\n0 passed, 1 failed")
        return 1
    finally:
        cluster.remove()


if __name__ == "__main__":
    sys.exit(main())
