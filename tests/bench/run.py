"""The driver of tests/bench/run.sh: measures the goals, prints a table each, and at the end one line a goal."""

import argparse
import importlib
import os
import time

from cluster import DATA

GOALS = [1, 2, 3, 4, 5]


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh")
    parser.add_argument("goals", nargs="*", type=int, choices=GOALS, metavar="GOAL")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    os.makedirs(DATA, exist_ok=True)
    verdicts = []
    for goal in options.goals or GOALS:
        module = importlib.import_module(f"goal_{goal}")
        print(f"\n== {module.__doc__.strip()}", flush=True)
        begun = time.monotonic()
        verdicts.append(module.measure(options.quick))
        print(f"   {time.monotonic() - begun:.0f} s", flush=True)
    print()
    for verdict in verdicts:
        print(verdict.line())
    failed = sum(not verdict.reaches(verdict.must) for verdict in verdicts)
    print(f"{len(verdicts) - failed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
