#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""archivemake.py KIND FILE: archives that nobody should make."""
import io
import sys
import tarfile
import zipfile


def member(name, data=b"", kind=tarfile.REGTYPE, link=""):
    t = tarfile.TarInfo(name)
    t.type, t.linkname, t.size, t.mode = kind, link, len(data), 0o644
    t.mtime = 1600000000
    return t, io.BytesIO(data)


def hostile():
    yield member("good/first", b"first\n")
    yield member("../up", b"up\n")
    yield member("good/../../up2", b"up\n")
    yield member("/tmp/absolute", b"absolute\n")
    yield member("out", kind=tarfile.SYMTYPE, link="../../etc")
    yield member("good/abs", kind=tarfile.SYMTYPE, link="/etc/passwd")
    yield member("good/in", kind=tarfile.SYMTYPE, link="../good/first")
    yield member("hard-out", kind=tarfile.LNKTYPE, link="../../etc/passwd")
    yield member("hard-none", kind=tarfile.LNKTYPE, link="good/none")
    yield member("good/hard", kind=tarfile.LNKTYPE, link="good/first")
    yield member("null", kind=tarfile.CHRTYPE)
    yield member("disk", kind=tarfile.BLKTYPE)
    yield member("pipe", kind=tarfile.FIFOTYPE)
    yield member("twice", b"one\n")
    yield member("twice", b"two\n")
    yield member("through", kind=tarfile.SYMTYPE, link="good")
    yield member("through/it", b"through\n")
    yield member("./good//last/", kind=tarfile.DIRTYPE)
    yield member("good/last/file", b"last\n")


def make_tar(path, members):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as out:
        for t, data in members:
            out.addfile(t, data)


def make_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a", "first\n" * 100)
        out.writestr("../up", "up\n")
        out.writestr("/abs", "absolute\n")
        out.writestr("b", bytes(range(256)) * 400)
        out.writestr("c", "last\n" * 100)


kind, path = sys.argv[1:3]
if kind == "hostile":
    make_tar(path, hostile())
elif kind == "zip":
    make_zip(path)
elif kind == "many":
    make_tar(path, (member(f"d{i % 100:02}/f{i:07}")
                    for i in range(int(sys.argv[3]))))
