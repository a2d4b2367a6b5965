#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What event patterns mean, said a second time: tests compare dray with it.

    patternref.py SEED N    N lines: pattern, event, and "yes", "no" or
                            "invalid", with a tab between them

The semantics are EventBridge's, as aws/event-ruler 2.0.1 has them, but for what
agent/events/pattern.h says is different.  Objects are ("O", pairs), numbers Num.
"""
import ipaddress
import itertools
import json
import random
import re
import sys
from decimal import Decimal


class Bad(Exception):
    """A pattern that is none."""


class Num:
    """Its text, and its value if a double has that."""

    def __init__(self, text):
        self.text, self.value = text, None
        number = Decimal(text)
        try:
            near = float(number)
        except OverflowError:
            return
        if abs(near) != float("inf") and Decimal(repr(near)) == number:
            self.value = near + 0.0 if near != 0 else 0.0


def load(text):
    return json.loads(text, parse_float=Num, parse_int=Num,
                      object_pairs_hook=lambda pairs: ("O", pairs))


def is_object(x):
    return isinstance(x, tuple)


IP4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\Z")
IP6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*\Z")


def address(s):
    try:
        if IP4.match(s):
            octets = [int(x) for x in s.split(".")]
            return ipaddress.IPv4Address(".".join(map(str, octets)))
        if IP6.match(s):
            a = ipaddress.IPv6Address(s)
            return a.ipv4_mapped or a
    except ValueError:
        pass
    return None


def alike(pattern, s):
    """Each character of S is that of PATTERN in lower or upper case."""
    return len(pattern) == len(s) and all(
        c in (p.lower(), p.upper()) for p, c in zip(pattern, s))


def wild_parts(text):
    parts, i = [], 0
    while i < len(text):
        c = text[i]
        if c == "\\":
            if text[i + 1:i + 2] not in ("*", "\\"):
                raise Bad("escape")
            parts.append(text[i + 1])
            i += 1
        elif c == "*":
            if parts and parts[-1] is None:
                raise Bad("**")
            parts.append(None)
        else:
            parts.append(c)
        i += 1
    return parts


def wild(parts, s):
    expression = "".join(".*" if p is None else re.escape(p) for p in parts)
    return re.compile(expression, re.S).fullmatch(s) is not None


def text_test(op, a):
    """The test that takes strings by OP and A; None if it is none of these."""
    if op == "prefix" and isinstance(a, str):
        return lambda v: v.startswith(a)
    if op == "suffix" and isinstance(a, str):
        return lambda v: v.endswith(a)
    if op in ("prefix", "suffix") and is_object(a) and len(a[1]) == 1:
        key, b = a[1][0]
        if key != "equals-ignore-case" or not isinstance(b, str):
            return None
        if op == "prefix":
            return lambda v: alike(b, v[:len(b)])
        return lambda v: len(v) >= len(b) and alike(b, v[len(v) - len(b):])
    if op == "equals-ignore-case" and isinstance(a, str):
        return lambda v: alike(a, v)
    if op == "wildcard" and isinstance(a, str):
        parts = wild_parts(a)
        return lambda v: wild(parts, v)
    return None


def cidr_test(a):
    base, _, bits = a.partition("/")
    base = address(base)
    if base is None or not bits.isdigit() or int(bits) > base.max_prefixlen:
        raise Bad("cidr")
    net = ipaddress.ip_network((base, int(bits)), strict=False)

    def test(v):
        at = address(v) if isinstance(v, str) else None
        return at is not None and at.version == net.version and at in net
    return test


COMPARE = {"=": lambda v, c: v == c, "<": lambda v, c: v < c,
           "<=": lambda v, c: v <= c, ">": lambda v, c: v > c,
           ">=": lambda v, c: v >= c}


def numeric_test(a):
    ops, numbers = a[0::2], a[1::2]
    if len(a) not in (2, 4) or not all(isinstance(n, Num) and
                                       n.value is not None for n in numbers):
        raise Bad("numeric")
    if not all(isinstance(o, str) and o in COMPARE for o in ops):
        raise Bad("numeric")
    limits = [n.value for n in numbers]
    if len(a) == 4 and (ops[0] not in (">", ">=") or ops[1] not in ("<", "<=")
                        or not limits[0] < limits[1]):
        raise Bad("numeric")
    return lambda v: isinstance(v, Num) and v.value is not None and all(
        COMPARE[o](v.value, c) for o, c in zip(ops, limits))


def but_test(a):
    op = None
    if is_object(a):
        if len(a[1]) != 1:
            raise Bad("anything-but")
        op, a = a[1][0]
        if op not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise Bad("anything-but")
    words = a if isinstance(a, list) else [a]
    texts = all(isinstance(w, str) for w in words)
    numbers = all(isinstance(w, Num) for w in words)
    if not words or not (texts or (op is None and numbers)):
        raise Bad("anything-but")
    if op in ("prefix", "suffix") and "" in words:
        raise Bad("anything-but")
    if op is not None:
        tests = [text_test(op, w) for w in words]
        return lambda v: not (isinstance(v, str) and any(t(v) for t in tests))
    if texts:
        return lambda v: not (isinstance(v, str) and v in words)
    if any(w.value is None for w in words):
        raise Bad("anything-but")
    return lambda v: not (isinstance(v, Num) and
                          v.value in [w.value for w in words])


ABSENT = "absent"


def value_test(x):
    """The test of one element of a list; ABSENT: that there is no value."""
    if isinstance(x, str):
        at = address(x)
        if at is None:
            return lambda v: isinstance(v, str) and v == x
        return lambda v: isinstance(v, str) and address(v) == at
    if isinstance(x, Num):
        return lambda v: isinstance(v, Num) and (
            v.text == x.text or (x.value is not None and v.value == x.value))
    if x is None or isinstance(x, bool):
        return lambda v: v is x
    if not is_object(x) or len(x[1]) != 1:
        raise Bad("value")
    op, a = x[1][0]
    test = text_test(op, a)
    if test is not None:
        return lambda v: isinstance(v, str) and test(v)
    if op == "exists" and isinstance(a, bool):
        return (lambda v: True) if a else ABSENT
    if op == "cidr" and isinstance(a, str):
        return cidr_test(a)
    if op == "numeric" and isinstance(a, list):
        return numeric_test(a)
    if op == "anything-but":
        return but_test(a)
    raise Bad(op)


RESERVED = {"exactly", "equals-ignore-case", "prefix", "suffix", "anything-but",
            "exists", "wildcard", "numeric", "cidr"}


def add_rules(o, path, rules, within_or):
    if not o[1]:
        raise Bad("empty")
    for key, v in o[1]:
        if key == "$or":
            if not isinstance(v, list) or len(v) < 2 or \
                    not all(map(is_object, v)):
                raise Bad("$or")
            rules = [r for one in v for r in
                     add_rules(one, path, [dict(x) for x in rules], True)]
            continue
        if within_or and key in RESERVED:
            raise Bad("reserved")
        if is_object(v):
            rules = add_rules(v, path + [key], rules, within_or)
            continue
        if not isinstance(v, list) or not v:
            raise Bad("list")
        tests, name = [value_test(x) for x in v], ".".join(path + [key])
        for r in rules:
            if name in r:
                raise Bad("twice")
            r[name] = tests
    return rules


def compile_pattern(text):
    d = load(text)
    if not is_object(d):
        raise Bad("no object")
    return add_rules(d, [], [{}], False)


def flatten(event):
    """Path: its values, each with the elements of arrays that it is in."""
    fields, arrays = {}, itertools.count()

    def walk(v, path, within):
        if is_object(v):
            for key, x in v[1]:
                walk(x, path + [key], within)
        elif isinstance(v, list):
            array = next(arrays)
            for i, x in enumerate(v):
                walk(x, path, {**within, array: i})
        else:
            fields.setdefault(".".join(path), []).append((v, within))
    walk(event, [], {})
    return fields


def solve(conditions, fields, chosen):
    """Conditions on one array are met by one and the same element."""
    if not conditions:
        return True
    (path, tests), rest = conditions[0], conditions[1:]
    values = fields.get(path, [])
    if ABSENT in tests and not values and solve(rest, fields, chosen):
        return True
    return any(
        any(t is not ABSENT and t(v) for t in tests) and
        all(chosen.get(a, i) == i for a, i in within.items()) and
        solve(rest, fields, {**chosen, **within}) for v, within in values)


STRINGS = ["", "x", "X", "xy", "yx", "xx", "\u00e9", "\u00c9", "\u00df", "SS",
           "\u212a", "k", "10.0.0.1", "10.0.0.01", "10.0.1.7", "10.128.0.1",
           "255.0.0.1", "256.0.0.1", "::1", "0:0::1", "2001:db8::7",
           "2001:db8:1000::7", "::ffff:a00:1", "1", "true", "null", "x*y", "x\\y",
           "a.dat", "b/a.DAT", "\U0001f600"]
NUMBERS = ["0", "-0.0", "1", "1.0", "1e0", "-1", "300", "3.0e2", "0.1", "5e9",
           "9007199254740993", "1e-7", "-2.5"]
WORDS = ["null", "true", "false"]
WILD = ["*", "x*", "*y", "x*y", "*.dat", "x\\*y", "x\\\\y", "*x*"]
BAD_WILD = ["**", "x\\y", "x\\"]
NETS = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "::1/128", "2001:db8::/32",
        "10.0.0.0/0", "::/0", "10.0.0.0/9", "10.0.0.0/23", "255.0.0.0/7",
        "2001:db8::/35", "::ffff:a00:0/9"]
BAD_NETS = ["10.0.0.0/33", "x/8", "10.0.0.0", "10.0.0.1/", "::/129"]
KEYS = ["a", "b", "c", "a.b"]  # the more frequent, the earlier


class Maker:
    """Random JSON, as text, of which patterns and events share a lot."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def text(self):
        return json.dumps(self.r.choice(STRINGS), ensure_ascii=False)

    def leaf(self):
        kind = self.r.random()
        if kind < 0.6:
            return self.text()
        return self.r.choice(NUMBERS if kind < 0.85 else WORDS)

    def some(self, make, most):
        return [make() for _ in range(self.r.randint(1, most))]

    def one_of(self, values):
        return json.dumps(self.r.choice(values), ensure_ascii=False)

    def rarely(self):
        return self.r.random() < 0.03

    def wild(self):
        return self.one_of(BAD_WILD if self.rarely() else WILD)

    def but(self):
        kind = self.r.random()
        if kind < 0.3:
            return self.leaf() if self.rarely() else self.text()
        if kind < 0.5:
            return "[%s]" % ",".join(self.some(
                self.text if kind < 0.4 else
                lambda: self.r.choice(NUMBERS), 3))
        op = "numeric" if self.rarely() else self.r.choice(
            ["prefix", "suffix", "equals-ignore-case", "wildcard"])
        words = self.some(self.wild if op == "wildcard" else self.text, 2)
        return '{"%s":%s}' % (op, words[0] if kind < 0.8 else
                              "[%s]" % ",".join(words))

    def numeric(self):
        ops = ["!="] if self.rarely() else ["=", "<", "<=", ">", ">="]
        words = ['"%s",%s' % (self.r.choice(ops), self.r.choice(NUMBERS))]
        if self.r.random() < 0.5:
            low, high = sorted(self.r.sample(NUMBERS, 2), key=float)
            words = ['"%s",%s' % (self.r.choice([">", ">="]), low),
                     '"%s",%s' % (self.r.choice(["<", "<="]), high)]
        return "[%s]" % ",".join(words)

    def test(self):
        kind = self.r.random()
        if kind < 0.35:
            return self.leaf()
        op = self.r.choice(["prefix", "suffix", "equals-ignore-case",
                            "wildcard", "exists", "numeric", "cidr",
                            "anything-but"])
        if op == "exists":
            a = self.r.choice(["true", "false"])
        elif op == "numeric":
            a = self.numeric()
        elif op == "cidr":
            a = self.one_of(BAD_NETS if self.rarely() else NETS)
        elif op == "wildcard":
            a = self.wild()
        elif op == "anything-but":
            a = self.but()
        elif op != "equals-ignore-case" and self.r.random() < 0.3:
            a = '{"equals-ignore-case":%s}' % self.text()
        else:
            a = self.leaf() if self.rarely() else self.text()
        return '{"%s":%s}' % (op, a)

    def members(self, make, most):
        keys = []
        for _ in range(self.r.randint(1, most)):
            keys.append(KEYS[min(int(self.r.expovariate(1)), len(KEYS) - 1)])
        keys = sorted(set(keys)) if not self.rarely() else keys
        return ['"%s":%s' % (k, make()) for k in keys]

    def pattern(self, depth=0):
        def below():
            if depth < 2 and self.r.random() < 0.3:
                return self.pattern(depth + 1)
            return "[%s]" % ",".join(self.some(self.test, 4))
        members = self.members(below, 2)
        if depth < 2 and self.r.random() < 0.12:
            members.append('"$or":[%s]' % ",".join(
                [self.pattern(depth + 1)] * (not self.rarely()) +
                self.some(lambda: self.pattern(depth + 1), 2)))
        return "{%s}" % ",".join(members)

    def value(self, depth):
        kind = self.r.random()
        if depth < 3 and kind < 0.25:
            return self.event(depth + 1)
        if depth < 4 and kind < 0.45:
            return "[%s]" % ",".join(
                self.value(depth + 1) for _ in range(self.r.randint(0, 3)))
        return self.leaf()

    def event(self, depth=0):
        return "{%s}" % ",".join(self.members(lambda: self.value(depth), 4))


EVENTS = 4  # of each pattern


def pairs(seed, n):
    make = Maker(seed)
    for i in range(n):
        if i % EVENTS == 0:
            pattern = make.pattern()
            try:
                rules = compile_pattern(pattern)
            except Bad:
                rules = None
        event = make.event()
        if rules is None:
            verdict = "invalid"
        else:
            fields = flatten(load(event))
            verdict = "yes" if any(solve(sorted(r.items(), key=lambda c: c[0]),
                                         fields, {}) for r in rules) else "no"
        yield "%s\t%s\t%s" % (pattern, event, verdict)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write("\n".join(pairs(int(sys.argv[1]), int(sys.argv[2]))))
    sys.stdout.write("\n")
