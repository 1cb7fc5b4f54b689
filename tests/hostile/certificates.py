"""Certificates of every wrong sort, made with the openssl program."""

import collections
import os
import subprocess
import time

Identity = collections.namedtuple("Identity", "certificate key")


def openssl(*words):
    out = subprocess.run(["openssl", *words], capture_output=True, text=True, timeout=60, check=False)
    if out.returncode:
        raise RuntimeError(f"openssl {' '.join(words)}: {out.stderr}")
    return out.stdout


def stamp(offset):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset))


class Workshop:
    """Makes certificates in `directory`; `authority` and `authority_key` are the cluster's own."""

    def __init__(self, directory, authority, authority_key):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        self.own = Identity(authority, authority_key)
        self.count = 0

    def key(self, name):
        path = f"{self.dir}/{name}.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        return path

    def other_authority(self):
        key = self.key("other")
        path = f"{self.dir}/other.pem"
        openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=hostile hostq authority", "-days", "30", "-out", path,
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        return Identity(path, key)

    def issue(self, uri, use="clientAuth", issuer=None, start=-3600, end=86400, chain=()):
        """Signed by `issuer` (the cluster's authority), valid from `start` to `end` seconds from now. `chain`: what else
        is in the file."""
        issuer = issuer or self.own
        self.count += 1
        base = f"{self.dir}/{self.count}"
        key = self.key(str(self.count))
        openssl("req", "-new", "-key", key, "-subj", "/CN=web1", "-out", f"{base}.csr")
        with open(f"{base}.cnf", "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=d\n[d]\nnew_certs_dir={self.dir}\ndatabase={base}.txt\nrand_serial=yes\n"
                       f"default_md=sha256\npolicy=p\nunique_subject=no\nemail_in_dn=no\n[p]\nCN=supplied\n"
                       f"[e]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                       f"extendedKeyUsage={use}\nsubjectAltName=URI:{uri},DNS:hostq-manager\n")
        open(f"{base}.txt", "w", encoding="ascii").close()
        openssl("ca", "-batch", "-notext", "-config", f"{base}.cnf", "-extensions", "e", "-in", f"{base}.csr",
                "-cert", issuer.certificate, "-keyfile", issuer.key, "-startdate", stamp(start), "-enddate", stamp(end),
                "-out", f"{base}.crt")
        with open(f"{base}.crt", "a", encoding="ascii") as file:
            for path in chain:
                with open(path, encoding="ascii") as part:
                    file.write(part.read())
        return Identity(f"{base}.crt", key)

    def self_signed(self, uri):
        key = self.key("self")
        openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=web1", "-days", "30", "-out", f"{self.dir}/self.crt",
                "-addext", f"subjectAltName=URI:{uri}")
        return Identity(f"{self.dir}/self.crt", key)
