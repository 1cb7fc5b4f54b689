"""What every attack has in common: its name, where it goes, and what must hold during and after it."""

import collections

Attack = collections.namedtuple("Attack", "name about ports run recorded audited together heavy")
ALL = []


class Broken(Exception):
    """What should have held does not."""


def attack(ports, recorded=None, audited=None, together=False, heavy=False):
    """A function (cluster, port) is an attack on these ports (words). `recorded`: a pattern that the manager's log must
    have afterwards. `audited`: one that the audit must have, as "ACT OUTCOME ACTOR SOURCE"; ATTACKER in it stands for the
    address that this attack comes from; {port: pattern} if ports differ. `together`: it mostly waits, so all of these run at once. `heavy`: it takes all the machine has, so
    memory is held to the limit of floods."""

    def add(function):
        about = " ".join(function.__doc__.split())
        ALL.append(Attack(function.__name__, about, ports.split(), function, recorded, audited, together, heavy))
        return function

    return add


def must(condition, what):
    if not condition:
        raise Broken(what)
