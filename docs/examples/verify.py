import hashlib
import hmac
import time


def verify(secret, signature, body, now=None):
    """Whether a delivery comes from the manager that has this secret, and is not a copy of an old one."""
    sent, fits = 0, False
    for part in signature.split(","):
        name, _, value = part.partition("=")
        if name == "t" and value.isascii() and value.isdigit():
            sent = int(value)
        elif name == "v1":
            wanted = hmac.new(secret.encode(), b"%d." % sent + body, hashlib.sha256).hexdigest()
            fits = hmac.compare_digest(wanted.encode(), value.encode()) or fits
    return fits and abs((time.time() if now is None else now) - sent) <= 300
