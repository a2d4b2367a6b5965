#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Helpers of the matrix test.

matrix.py tree DIR [KIND...]      makes the nasty tree; KIND: what only some
                                  stores can hold: bytes (not UTF-8), deep
matrix.py same A B [BUT...]       whether B is A: names, types, bytes, links,
                                  modes, owners, times; BUT: root (the root's
                                  own metadata), owners, early (times before
                                  1970), fractions (of seconds), linktimes
matrix.py stat FILE NAME[=N]...   of the summary in dray's JSON lines: checks
                                  or prints
matrix.py kill STATE TASK LEAST MOST COMMAND...
                                  kill -9 while the ledger has so many parts;
                                  exit 3 if it came too late
matrix.py during STATE TASK LEAST DO COMMAND...
                                  hold COMMAND once the ledger has so many
                                  parts, run DO in a shell, let it go on; its
                                  exit status, or 99 if it ended before
"""
import glob
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time

S = 10 ** 9
NAMES = [b"new\nline", b"tab\there", b"-rf", b"x" * 255, b"\x01\x02ctl", b"trailing ",
         b" ", b"*", b"%2F", b"%2e%2e", b"a%00b", b"CON", b"..hidden", b"a\\b",
         b"q'\"`$(x)", b"&amp;<x>]]>", b"+ +", b"?#;=", b"\x7f", b"caf\xc3\xa9",
         b"cafe\xcc\x81", b"\xe6\x97\xa5\xe6\x9c\xac\xf0\x9f\x9a\x9a", b"\xef\xbf\xbe"]
NOT_UTF8 = [b"\xff\xfe not utf-8", b"\xc3", b"\xed\xa0\x80"]
TIMES = [0, 1, 1234567890123456789, -1, -1500000001, (1 << 31) * S - 1,
         (1 << 31) * S, 4102444800 * S + 7]
MODES = [0o644, 0o600, 0o444, 0o777, 0o4755, 0o2711]


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def tree(root, *kinds):
    root = os.fsencode(root)
    rng = random.Random(3)
    os.makedirs(root)
    os.chdir(root)
    names = NAMES + (NOT_UTF8 if "bytes" in kinds else [])
    for d in (b"names", b"dir \n %2F", b"dir \n %2F/" + b"y" * 255, b"empty dir",
              b"times", b"modes", b"links", b"sizes", b"sticky", b"closed"):
        os.mkdir(d)
    for n in names:
        write(b"names/" + n, b"content of " + n)
        write(b"dir \n %2F/" + n, n)
    for i, t in enumerate(TIMES):
        write(b"times/%d" % i, b"%d" % t)
        os.utime(b"times/%d" % i, ns=(t, t))
    for m in MODES:
        p = b"modes/%o" % m
        write(p, p)
        if os.geteuid() == 0:
            os.chown(p, 1000, 65534)
        os.chmod(p, m)
    for size in (0, 1, 4095, 4096, 65536, 65537, 262144, 262145, 1 << 20):
        write(b"sizes/%d" % size, rng.randbytes(size))
    write(b"sizes/over the threshold", rng.randbytes((12 << 20) + 17))
    write(b"empty", b"")
    for i, to in enumerate([b"../empty", b"/nonexistent", b"..", b".", b"2",
                            b"../empty dir", b"/etc", b"t" * 1000, b"a\nb%2F "]):
        os.symlink(to, b"links/%d" % i)
        os.utime(b"links/%d" % i, ns=(5 * S, i * S + 6), follow_symlinks=False)
    here = os.open(b".", os.O_RDONLY)
    for i in range(17 if "deep" in kinds else 30):
        name = (b"d" * 240) if "deep" in kinds else b"deep-%d" % i
        os.mkdir(name)
        os.chdir(name)
    write(b"at the bottom", b"deep")
    os.fchdir(here)
    write(b"closed/in it", b"x")
    os.chmod(b"closed", 0o555)
    os.chmod(b"sticky", 0o1777)
    os.utime(b"empty dir", ns=(7, 1111111111222222222))
    os.utime(b"names", ns=(7, -3 * S))


def walk(a, b, rel, but, bad):
    na, nb = set(os.listdir(a)), set(os.listdir(b))
    for n in sorted(na | nb):
        where = repr(rel + "/" + n)[-150:]
        if n not in na or n not in nb:
            bad.append(("missing " if n in na else "too much ") + where)
            continue
        sa, sb = (os.stat(n, dir_fd=d, follow_symlinks=False) for d in (a, b))
        metadata(sa, sb, where, but, bad)
        if stat.S_IFMT(sa.st_mode) != stat.S_IFMT(sb.st_mode):
            continue
        if stat.S_ISLNK(sa.st_mode):
            if os.readlink(n, dir_fd=a) != os.readlink(n, dir_fd=b):
                bad.append("target of " + where)
            continue
        flags = os.O_RDONLY | os.O_NOFOLLOW
        fa, fb = (os.open(n, flags, dir_fd=d) for d in (a, b))
        if stat.S_ISDIR(sa.st_mode):
            walk(fa, fb, rel + "/" + n, but, bad)
        else:
            while True:
                x, y = os.read(fa, 1 << 20), os.read(fb, 1 << 20)
                if x != y:
                    bad.append("bytes of " + where)
                if x != y or not x:
                    break
        os.close(fa)
        os.close(fb)


def metadata(sa, sb, where, but, bad):
    if sa.st_mode != sb.st_mode:
        bad.append("mode of %s: %o, not %o" % (where, sb.st_mode, sa.st_mode))
    ta, tb = sa.st_mtime_ns, sb.st_mtime_ns
    if "early" in but:
        ta, tb = max(ta, 0), max(tb, 0)
    if "fractions" in but:
        ta, tb = ta // S, tb // S
    if ta != tb and not ("linktimes" in but and stat.S_ISLNK(sa.st_mode)):
        bad.append("mtime of %s: %d, not %d" % (where, sb.st_mtime_ns, sa.st_mtime_ns))
    if "owners" not in but and (sa.st_uid, sa.st_gid) != (sb.st_uid, sb.st_gid):
        bad.append("owner of " + where)


def same(a, b, *but):
    sys.setrecursionlimit(10000)
    bad = []
    fa, fb = (os.open(p, os.O_RDONLY | os.O_DIRECTORY) for p in (a, b))
    if "root" not in but:
        metadata(os.fstat(fa), os.fstat(fb), "the root", but, bad)
    walk(fa, fb, "", but, bad)
    for line in bad[:20]:
        print("differs:", line)
    sys.exit(bool(bad))


def stats(path, *claims):
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        lines = [json.loads(line) for line in f if line.startswith("{")]
    last = lines[-1]
    if last.get("type") != "summary":
        sys.exit("no summary in " + path)
    bad = 0
    for c in claims:
        name, _, want = c.partition("=")
        got = last["stats"].get(name, last.get(name))
        if not want:
            print(got)
        elif str(got) != want:
            print("%s is %s, not %s" % (name, got, want))
            bad = 1
    sys.exit(bad)


def parts_in(state, task):
    for db in glob.glob(os.path.join(state, task, "ledger.db")):
        try:
            c = sqlite3.connect("file:%s?mode=ro" % db, uri=True, timeout=1)
            n = c.execute("SELECT count(*) FROM part").fetchone()[0]
            c.close()
            return n
        except sqlite3.Error:
            pass
    return 0


def start(state, task, least, command):
    p = subprocess.Popen(command)
    while p.poll() is None and parts_in(state, task) < int(least):
        time.sleep(0.003)
    return p


def kill(state, task, least, most, *command):
    p = start(state, task, least, command)
    p.send_signal(signal.SIGKILL)
    # a file that is complete, or about to be, has nothing to go on with
    if p.wait() != -signal.SIGKILL or not (
            int(least) <= parts_in(state, task) <= int(most)):
        sys.exit(3)


def during(state, task, least, do, *command):
    p = start(state, task, least, command)
    if p.poll() is not None:
        sys.exit(99)
    p.send_signal(signal.SIGSTOP)
    done = subprocess.run(do, shell=True, check=False).returncode
    p.send_signal(signal.SIGCONT)
    rc = p.wait()
    sys.exit(98 if done else rc)


{"tree": tree, "same": same, "stat": stats, "kill": kill, "during": during}[
    sys.argv[1]](*sys.argv[2:])
