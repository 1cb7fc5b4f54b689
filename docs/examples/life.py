"""life.py DOMAIN USER ADDRESS: an account from its first day to its last, and the refusals on the way."""

import sys

from hostq import Hostq, Problem


def main(domain, user, address):
    hostq = Hostq.from_environment()

    def run(kind, order, **parameters):
        command = hostq.wait(hostq.submit(kind, {"domain": domain, **parameters}, order))
        print(f"{kind}: {command['state']}")
        assert command["state"] == "SUCCEEDED", command

    def state():
        return hostq.call("GET", "/v1/accounts/" + domain)["state"]

    def refused(kind, order, **parameters):
        try:
            hostq.submit(kind, {"domain": domain, **parameters}, order)
        except Problem as problem:
            print(f"{kind}: refused: {problem.status} {problem.reason}")
            return problem.reason
        raise AssertionError(kind + " was not refused")

    run("createAccount", "order-1", user=user, address=address, quotaBytes=1 << 30)
    assert state() == "ACTIVE"
    # The same order again is the same command; another one for the same domain is refused.
    run("createAccount", "order-1", user=user, address=address, quotaBytes=1 << 30)
    assert refused("createAccount", "order-2", user=user, address=address) == "ACCOUNT_EXISTS"
    # Another request under the id of the first one.
    assert refused("createAccount", "order-1", user=user + "2", address=address) == "REQUEST_ID_REUSED"

    run("setAccountQuota", "upgrade-1", quotaBytes=2 << 30)
    assert hostq.call("GET", "/v1/accounts/" + domain)["quotaBytes"] == str(2 << 30)
    run("suspendAccount", "suspend-1", note="not paid")
    assert state() == "SUSPENDED"
    run("unsuspendAccount", "unsuspend-1")
    assert state() == "ACTIVE"

    run("deleteAccount", "terminate-1")
    assert refused("suspendAccount", "suspend-2", note="gone") == "UNKNOWN_ACCOUNT"
    return 0


sys.exit(main(*sys.argv[1:]))
