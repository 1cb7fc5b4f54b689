"""Runs the checks of rest.sh: each function below with a name that begins with "check_", in the modules named."""

import os
import re
import subprocess
import sys
import traceback

import behaviour
import client
import contract
import sessions
import streams


def check_document(cluster):
    """docs/openapi.yaml is what its generator makes, and good OpenAPI."""
    subprocess.run(["docs/openapi/generate.py", "--check"], check=True)
    linter = os.path.abspath(sys.argv[1])
    subprocess.run(["node", f"{linter}/lint.mjs", os.path.abspath("docs/openapi.yaml")], check=True, cwd=linter)


def checks():
    yield "document", check_document
    for module in (contract, behaviour, sessions, streams):
        for name, function in list(vars(module).items()):
            if name.startswith("check_"):
                yield f"{module.__name__} {name.removeprefix('check_')}", function


def main():
    os.chdir(client.ROOT)
    cluster = client.manager.Cluster('[webhooks]\nallow = ["127.0.0.0/8"]\n')
    passed = failed = 0
    try:
        cluster.start()
        for name, function in checks():
            if not re.search(sys.argv[2], name):
                continue
            try:
                function(cluster)
                if not cluster.alive():
                    raise RuntimeError("a program has died")
            except Exception:  # whatever it is, it has failed
                failed += 1
                print(f"FAILED {name}: {function.__doc__}")
                traceback.print_exc(file=sys.stdout)
            else:
                passed += 1
                print(f"  ok   {name}")
            sys.stdout.flush()
        if cluster.stop_program("manager") != 0:
            failed += 1
            print("FAILED the manager does not stop as it should")
    except Exception:
        failed += 1
        traceback.print_exc(file=sys.stdout)
    finally:
        if failed:
            print(cluster.log_since(0)[-3000:])
        cluster.remove()
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0 or passed == 0)


main()
