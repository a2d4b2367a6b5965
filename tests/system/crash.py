#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Helpers of the crash tests.

crash.py tree DIR FILES MIB   makes a tree of FILES files, empty to MIB MiB
crash.py delays SEED N LEAST MOST   N random seconds, evenly over the orders
crash.py ledger STATE OUT     what the ledgers in STATE have as finished
                              (the target's prefix is the task's name)
crash.py requests LOG BUCKET FINISHED-DIR
                              what the server's log says was sent twice
crash.py visible SRC DST SEEN  every file that DST shows is whole
"""
import glob
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import urllib.parse

M = 1 << 20


def tree(root, count, biggest):
    count, biggest = int(count), int(biggest) * M
    rng = random.Random(7)
    pool = os.urandom(biggest + 11 * M)
    big = [biggest, biggest // 2 + 1, biggest // 2 + 1]
    big += [biggest // 4 - 1] * 6 + [biggest // 10] * 10
    big += [biggest // 22 + 13] * 20 + [8 * M, 8 * M - 1, 5 * M]
    for i in range(count):
        where = os.path.join(root, "d%02d" % (i % 37), "e%d" % (i % 3))
        os.makedirs(where, exist_ok=True)
        if i < len(big):
            size = big[i]
        elif i % 50 == 0:
            size = 0
        elif i % 15 == 0:
            size = rng.randrange(M)
        else:
            size = rng.randrange(64 << 10)
        at = rng.randrange(len(pool) - size)
        with open(os.path.join(where, "f%04d" % i), "wb") as f:
            f.write(memoryview(pool)[at:at + size])


def delays(seed, count, least, most):
    rng = random.Random(int(seed))
    least, most = float(least), float(most)
    for _ in range(int(count)):
        print("%.4f" % (least * (most / least) ** rng.random()))


def ledger(state, out):
    """Reads a copy: looking must not repair what the crash left."""
    done, parts = [], []
    for db in glob.glob(os.path.join(state, "*", "ledger.db")):
        task = os.path.basename(os.path.dirname(db))

        def path(folder, name):
            return os.path.join(task, os.fsdecode(folder), os.fsdecode(name))

        with tempfile.TemporaryDirectory() as tmp:
            for f in glob.glob(db + "*"):
                if not f.endswith("-shm"):
                    shutil.copy(f, tmp)
            c = sqlite3.connect(os.path.join(tmp, "ledger.db"))
            if c.execute("PRAGMA user_version").fetchone()[0] == 0:
                continue
            if c.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                sys.exit(db + ": integrity_check")

            done += [path(*r) for r in c.execute(
                "SELECT d.path,f.name FROM file f JOIN dir d ON d.id=f.dir_id"
                " WHERE f.state=2 AND f.type=1")]
            parts += [(path(*r[:2]), r[2]) for r in c.execute(
                "SELECT d.path,u.name,p.number FROM part p"
                " JOIN upload u ON u.id=p.upload_id"
                " JOIN dir d ON d.id=u.dir_id")]
            c.close()
    with open(out, "w", encoding="utf-8", errors="surrogateescape") as f:
        json.dump({"done": done, "parts": parts}, f)


LINE = re.compile(r' beast: .*"([A-Z]+) /([^/? ]+)/?([^? "]*)\??([^ "]*) '
                  r'HTTP/1.1" (\d+) ')


def requests(log, bucket, finished):
    done, parts = set(), set()          # committed at the kills so far
    counts, bad, kills, again, most = {}, [], 0, 0, 0
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = LINE.search(line)
            if m is None:
                continue
            verb, first, key, query, status = m.groups()
            if first.startswith("killed-" + bucket + "-"):
                name = os.path.join(finished, first.split("-")[-1])
                with open(name, encoding="utf-8",
                          errors="surrogateescape") as k:
                    s = json.load(k)
                done |= set(s["done"])
                parts |= {tuple(p) for p in s["parts"]}
                kills += 1
                most, again = max(most, again), 0
                continue
            if first != bucket or verb != "PUT" or status != "200":
                continue
            key = urllib.parse.unquote(key)
            q = dict(urllib.parse.parse_qsl(query))
            if "partNumber" in q:
                item = (key, int(q["partNumber"]))
                if item in parts or key in done:
                    bad.append("part %d of %s" % (item[1], key))
            else:
                item = (key, 0)
                if key in done:
                    bad.append(key)
            counts[item] = counts.get(item, 0) + 1
            again += counts[item] > 1 and not key.endswith("/")
    most = max(most, again)
    n = [c for (k, p), c in counts.items() if p > 0]
    small = [c for (k, p), c in counts.items()
             if p == 0 and not k.endswith("/")]
    print("%d kills: %d parts in %d requests, %d whole files in %d; sent again"
          " after one kill: %d at most; finished and sent again: %d" %
          (kills, len(n), sum(n), len(small), sum(small), most, len(bad)))
    print(json.dumps({"kills": kills, "again": sum(n) - len(n),
                      "most": most, "bad": len(bad)}))
    for b in bad[:10]:
        print("finished, and sent again: " + b, file=sys.stderr)
    sys.exit(1 if bad else 0)


def visible(src, dst, seen_file):
    try:
        with open(seen_file, encoding="utf-8") as f:
            seen = json.load(f)
    except FileNotFoundError:
        seen = {}
    now = {}
    for where, _, files in os.walk(dst):
        for name in files:
            if name.startswith(".dray-"):
                continue
            path = os.path.join(where, name)
            key = os.path.relpath(path, dst)
            st = os.stat(path)
            now[key] = [st.st_ino, st.st_size, st.st_ctime_ns]
            if seen.get(key) == now[key]:
                continue
            with open(path, "rb") as a, \
                    open(os.path.join(src, key), "rb") as b:
                if a.read() != b.read():
                    sys.exit("half written: " + key)
    with open(seen_file, "w", encoding="utf-8") as f:
        json.dump(now, f)
    print(len(now))


if __name__ == "__main__":
    {"tree": tree, "delays": delays, "ledger": ledger, "requests": requests,
     "visible": visible}[sys.argv[1]](*sys.argv[2:])
