#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The nasty tree of the metadata test.

metadata.py tree DIR [BIG]     makes it; BIG: bytes of the biggest attribute
metadata.py atimes A B [seconds]
                               whether the files of B have the times of access
                               that A's have; to the second
"""
import os
import stat
import struct
import subprocess
import sys

S = 10 ** 9
TIMES = [0, 1, 1234567890123456789, -1, -1500000001, (1 << 31) * S - 1,
         (1 << 31) * S, 4102444800 * S + 7]
NAMES = [b"new\nline", b"x" * 255, b" ", b"-rf", b"%2F+ &=?", b"caf\xc3\xa9", b"CON"]
VALUES = [b"", b"text", b"\0\xff\n\0", bytes(range(256)), b"=" * 700]


def write(path, data=b"x"):
    with open(path, "wb") as f:
        f.write(data)


def setfacl(*args):
    subprocess.run(["setfacl", *args], check=True)


def tree(root, big="3500"):
    os.makedirs(root)
    os.chdir(root)
    for d in ("modes", "times", "names", "empty", "attrs", "acls", "acls/shared",
              "acls/shared/below", "acls/closed", "links", "holes", "linked"):
        os.mkdir(d)
    for m in (0o644, 0o600, 0o444, 0o777, 0o4755, 0o2711, 0o6111, 0):
        p = "modes/%o" % m
        write(p, p.encode())
        os.chown(p, 1000, 65534)
        os.chmod(p, m)
        os.mkdir(p + ".d")
        os.chmod(p + ".d", m | 0o1000)
    for i, t in enumerate(TIMES):
        write("times/%d" % i)
        os.mkdir("times/%d.d" % i)
    for n in NAMES:
        write(b"names/" + n, n)
        os.setxattr(b"names/" + n, b"user." + n[:200], n)
    for i, v in enumerate(VALUES):
        for p in ("attrs/%d" % i, "attrs/%d.d" % i):
            os.mkdir(p) if p.endswith("d") else write(p)
            os.setxattr(p, "user.value", v)
            os.setxattr(p, b"user.\xff odd =\"\n", v)
            os.setxattr(p, "trusted.value", v)
    write("attrs/capable")
    # cap_net_raw+p
    os.setxattr("attrs/capable", "security.capability",
                struct.pack("<IIIII", 0x2000000, 1 << 13, 0, 0, 0))
    os.chmod("attrs/capable", 0o755)
    write("attrs/big")
    os.setxattr("attrs/big", "user.big", os.urandom(int(big)))
    os.mkdir("attrs/big.d")
    os.setxattr("attrs/big.d", "user.big", os.urandom(int(big)))
    write("attrs/many")
    for i in range(60):
        os.setxattr("attrs/many", "user.%d" % i, b"%d" % i)
    write("attrs/closed")
    os.setxattr("attrs/closed", "user.x", b"x")
    os.chmod("attrs/closed", 0o400)
    write("acls/user")
    setfacl("-m", "u:4321:rw,g:77:r,m::rw", "acls/user")
    write("acls/masked")
    os.chmod("acls/masked", 0o664)
    setfacl("-m", "u:0:rwx,u:1:x,m::r", "acls/masked")
    write("acls/setid")
    os.chmod("acls/setid", 0o6755)
    setfacl("-m", "u:2:rx", "acls/setid")
    setfacl("-d", "-m", "u:4321:rwx,g::-,o::-", "acls/shared")
    write("acls/shared/inherits")
    write("acls/shared/plain")
    setfacl("-b", "acls/shared/plain")
    write("acls/shared/below/inherits too")
    setfacl("-m", "u:9:-", "acls/closed")
    os.chmod("acls/closed", 0o500)
    for i, to in enumerate(["../empty", "/nonexistent", "..", "t" * 1000]):
        os.symlink(to, "links/%d" % i)
        os.setxattr("links/%d" % i, "trusted.link", b"%d" % i, follow_symlinks=False)
        os.utime("links/%d" % i, ns=(5 * S, i * S + 6), follow_symlinks=False)
    write("linked/a", b"of three names")
    os.setxattr("linked/a", "user.shared", b"by all")
    os.setxattr("linked/a", "user.big", b"b" * 2000)
    os.link("linked/a", "linked/b")
    os.link("linked/a", "attrs/c")
    with open("holes/sparse", "wb") as f:
        f.truncate(24 << 20)
        f.seek(12 << 20)
        f.write(b"island")
    os.setxattr("holes/sparse", "user.in parts", b"yes")
    setfacl("-m", "u:3:r", "holes/sparse")
    with open("holes/small", "wb") as f:
        f.truncate(200000)
    write("holes/zeros", bytes(1 << 20))
    os.mkdir("empty/in it")
    for i, t in enumerate(TIMES):
        os.utime("times/%d" % i, ns=(978307200 * S + i * S + 123456789, t))
        os.utime("times/%d.d" % i, ns=(0, t))
    os.utime("names", ns=(7, -3 * S))


def atimes(a, b, unit=None):
    bad = []
    unit = S if unit else 1
    for d, _, files in os.walk(a):
        for f in files:
            p = os.path.join(d, f)
            q = os.path.join(b, os.path.relpath(p, a))
            x, y = os.lstat(p), os.lstat(q)
            if stat.S_ISREG(x.st_mode) and x.st_atime_ns // unit != y.st_atime_ns // unit:
                bad.append("%r: %d, not %d" % (p, y.st_atime_ns, x.st_atime_ns))
    print("\n".join(bad[:10]))
    sys.exit(bool(bad))


if __name__ == "__main__":
    {"tree": tree, "atimes": atimes}[sys.argv[1]](*sys.argv[2:])
