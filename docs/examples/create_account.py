"""create_account.py DOMAIN USER ADDRESS: creates an account, and waits for it by the events."""

import sys

from hostq import Hostq, Problem


def main(domain, user, address):
    hostq = Hostq.from_environment()
    try:
        command = hostq.submit("createAccount", {
            "domain": domain, "user": user, "address": address, "quotaBytes": 10 << 30}, "create-" + domain)
        for name, event in hostq.events(command["id"]):
            print(name, event["node"], event["message"])
        command = hostq.call("GET", "/v1/commands/" + command["id"])
    except Problem as problem:
        print(f"{problem.reason}: {problem}\n{problem.remedy}", file=sys.stderr)
        return 2
    print(f"{domain}: {command['state']}")
    return 0 if command["state"] == "SUCCEEDED" else 1


sys.exit(main(*sys.argv[1:]))
