"""Interleaved rounds, ratios, and how they are shown."""

import json
import os
import statistics

from cluster import DATA, load


def anchor(seconds=0.5):
    """4 KiB appends with fdatasync: how many a second, and the median of one in milliseconds."""
    return load("anchor", "--directory", DATA, "--seconds", seconds)


def median(values):
    return statistics.median(values) if values else 0.0


def rounds(count, contenders):
    """Each contender once in each round, in turn (A B A B): {name: [what it returned, ...]}. `contenders`: {name: function}."""
    results = {name: [] for name in contenders}
    for _ in range(count):
        for name, measure in contenders.items():
            before = anchor()
            result = measure()
            result["anchor_per_second"] = (before["per_second"] + anchor()["per_second"]) / 2
            results[name].append(result)
    return results


def ratios(results, one, other, key="tasks_per_second"):
    """Of each round."""
    return [a[key] / b[key] for a, b in zip(results[one], results[other]) if b[key]]


def table(results, keys):
    """Medians, with the least and the most in brackets."""
    lines = [" ".join([f"{'':<28}"] + [f"{title:>26}" for title, _, _ in keys])]
    for name, list_of in results.items():
        cells = []
        for _, key, form in keys:
            values = [one[key] for one in list_of if key in one]
            cells.append(f"{form % median(values)} ({form % min(values)}-{form % max(values)})" if values else "-")
        lines.append(" ".join([f"{name:<28}"] + [f"{cell:>26}" for cell in cells]))
    return "\n".join(lines)


class Verdict:
    """A goal's: the ratio that counts, what it must be at least (or at most), and what we mean to reach."""

    def __init__(self, goal, what, ratios, must, aim, at_least=True, unit=" x"):
        self.goal, self.what, self.ratios, self.must, self.aim, self.at_least, self.unit = goal, what, ratios, must, aim, at_least, unit

    @property
    def value(self):
        return median(self.ratios)

    def reaches(self, limit):
        return self.value >= limit if self.at_least else self.value <= limit

    def line(self):
        sign = ">=" if self.at_least else "<="
        spread = f"({min(self.ratios):.2f}-{max(self.ratios):.2f})" if self.ratios else ""
        state = "goal reached" if self.reaches(self.aim) else "must reached" if self.reaches(self.must) else "NOT REACHED"
        return (f"{self.goal}  {self.what:<58} {self.value:8.2f}{self.unit} {spread:<16} must {sign} {self.must:g}, "
                f"goal {sign} {self.aim:g}: {state}")


def write(goal, data):
    with open(os.path.join(DATA, f"goal-{goal}.json"), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
