#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An SFTP server on standard input and output, with faults to order.

	sftpfake.py [RULE...] [what ssh gets: -o... -s -- HOST sftp]

Given to dray as --sftp-ssh "python3 sftpfake.py RULE...".  Paths are the
machine's own.  Rules:

	bare            no extensions at all
	handles=N       opening fails while N handles are open
	closeat=N       it ends when one more is to be opened while N are open
	told=N          and tells by limits@openssh.com that it takes N
	readonly        nothing can be changed
	room=N          writes fail once N bytes were written in all
	quota=N         the same, by the status that later versions have for it
	lie=N           files are told to be N bytes longer (-N: shorter)
	short=N         at most N bytes in an answer to READ
	shuffle         answers in another order than the requests
	noowner         setting an owner is refused
	noowner=UID     setting this one is
	FAULT@TYPE=N    at the Nth request of TYPE (open, write, rename, ...,
	                extended: any extension; posix-rename, fsync, ...: it):
	                cut (end before it is done), done-cut (end after it),
	                silent (answer nothing more), wrong-id, huge, short-packet,
	                long-data, bad-type, status-ok, flip (another byte than
	                was written, in an answer to read or in the file), fail
	                (FAILURE), late (a cut, but it and what came with it is
	                done once go=FILE is there; FILE.done says when), kill,
	                done-kill (its parent is killed before or after it)
	go=FILE         see late
	early           a server without faults makes go=FILE by its first write,
	                which is done half a second later
	noread          reading is refused
	nonames         directories have no end, and no names
	badname=NAME    each directory has this name, too
	greeting=TEXT   that before all
	once=FILE       faults only if FILE isn't there yet; it is made at the first
"""
import errno
import os
import random
import signal
import stat
import struct
import sys
import time

NAMES = {1: "init", 3: "open", 4: "close", 5: "read", 6: "write", 7: "lstat",
         8: "fstat", 9: "setstat", 10: "fsetstat", 11: "opendir",
         12: "readdir", 13: "remove", 14: "mkdir", 15: "rmdir",
         16: "realpath", 17: "stat", 18: "rename", 19: "readlink",
         20: "symlink", 200: "extended"}
OK, EOF, NO_FILE, DENIED, FAILURE, BAD, UNSUPPORTED = 0, 1, 2, 3, 4, 5, 8
QUOTA = 15
EXTENSIONS = {"posix-rename@openssh.com": "1", "fsync@openssh.com": "1",
              "statvfs@openssh.com": "2", "lsetstat@openssh.com": "1"}

rules, faults = {}, []
for a in sys.argv[1:]:
    if a.startswith("-"):
        break
    name, _, value = a.partition("=")
    if "@" in name:
        faults.append((name.split("@")[0], name.split("@")[1], int(value)))
    else:
        rules[name] = value
# A command, not SFTP.
if sys.argv[-1] == "sh" and "-s" not in sys.argv:
    print("Welcome to the fake\nno newline here: ", end="", flush=True)
    os.execvp("sh", ["sh"])
if "once" in rules:
    try:
        os.close(os.open(rules["once"], os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        faults = []

if "told" in rules:
    EXTENSIONS["limits@openssh.com"] = "1"

inp, out = sys.stdin.buffer, sys.stdout.buffer
handles, seen, written, next_handle = {}, {}, 0, 0
held = []


def u32(n):
    return struct.pack(">I", n)


def string(b):
    return u32(len(b)) + b


class Packet:
    def __init__(self, data):
        self.data, self.at = data, 0

    def u32(self):
        self.at += 4
        return struct.unpack(">I", self.data[self.at - 4:self.at])[0]

    def u64(self):
        return self.u32() << 32 | self.u32()

    def string(self):
        n = self.u32()
        self.at += n
        return self.data[self.at - n:self.at]

    def attrs(self):
        a, flags = {}, self.u32()
        if flags & 1:
            a["size"] = self.u64()
        if flags & 2:
            a["owner"] = (self.u32(), self.u32())
        if flags & 4:
            a["mode"] = self.u32()
        if flags & 8:
            a["times"] = (self.u32(), self.u32())
        return a


def attrs(st):
    size = st.st_size
    if stat.S_ISREG(st.st_mode):
        size = max(0, size + int(rules.get("lie", 0)))
    return (u32(15) + struct.pack(">Q", size) + u32(st.st_uid) +
            u32(st.st_gid) + u32(st.st_mode) + u32(int(st.st_atime)) +
            u32(int(st.st_mtime)))


def send(kind, ident, body):
    packet = bytes([kind]) + u32(ident) + body
    held.append(u32(len(packet)) + packet)


def flush():
    if "shuffle" in rules:
        random.shuffle(held)
    for p in held:
        out.write(p)
    held.clear()
    out.flush()


def status(ident, code, text=""):
    send(101, ident, u32(code) + string(text.encode()) + string(b""))


def apply(target, a, follow=True):
    if "owner" in a:
        if rules.get("noowner") in ("", str(a["owner"][0])):
            raise PermissionError(errno.EPERM, "no owner")
        os.chown(target, *a["owner"],
                 **({} if follow else {"follow_symlinks": False}))
    if "mode" in a and follow:
        os.chmod(target, a["mode"] & 0o7777)
    if "times" in a:
        os.utime(target, a["times"],
                 **({} if follow else {"follow_symlinks": False}))


def new_handle(what):
    global next_handle
    if "handles" in rules and len(handles) >= int(rules["handles"]):
        raise OSError(errno.EMFILE, "too many")
    next_handle += 1
    h = b"h%d" % next_handle
    handles[h] = what
    return h


def names(entries):
    return u32(len(entries)) + b"".join(
        string(n) + string(n) + a for n, a in entries)


def may_write():
    if "readonly" in rules:
        raise PermissionError(errno.EACCES, "read-only")


def handle_open(ident, p):
    path, flags = p.string(), p.u32()
    a = p.attrs()
    mode = os.O_RDWR if flags & 3 == 3 else \
        os.O_WRONLY if flags & 2 else os.O_RDONLY
    if flags & 2:
        may_write()
    for bit, o in ((8, os.O_CREAT), (16, os.O_TRUNC), (32, os.O_EXCL)):
        if flags & bit:
            mode |= o
    if "handles" in rules and len(handles) >= int(rules["handles"]):
        raise OSError(errno.EMFILE, "too many")
    fd = os.open(path, mode, a.get("mode", 0o666))
    send(102, ident, string(new_handle(fd)))


def handle_readdir(ident, p):
    entries = handles[p.string()]
    if "nonames" in rules:
        send(104, ident, u32(0))
        return
    if not entries:
        status(ident, EOF)
        return
    send(104, ident, names(entries[:20]))
    del entries[:20]


def handle_opendir(ident, p):
    path = p.string()
    entries = []
    for n in [b".", b".."] + os.listdir(path):
        entries.append((n, attrs(os.lstat(os.path.join(path, n)))))
    if "badname" in rules:
        entries.append((rules["badname"].encode(), attrs(os.lstat(path))))
    send(102, ident, string(new_handle(entries)))


def handle_write(ident, p, fault):
    global written
    fd, offset, data = handles[p.string()], p.u64(), p.string()
    written += len(data)
    if "room" in rules and written > int(rules["room"]):
        raise OSError(errno.ENOSPC, "no space")
    if "quota" in rules and written > int(rules["quota"]):
        status(ident, QUOTA)
        return
    if fault == "flip" and data:
        data = bytes([data[0] ^ 1]) + data[1:]
    if "early" in rules and not faults and not os.path.exists(rules["go"]):
        open(rules["go"], "w").close()
        time.sleep(0.5)
    os.pwrite(fd, data, offset)
    status(ident, OK)


def handle_read(ident, p, fault):
    fd, offset, n = handles[p.string()], p.u64(), p.u32()
    if "noread" in rules:
        raise PermissionError(errno.EACCES, "no reading")
    data = os.pread(fd, min(n, int(rules.get("short", n))), offset)
    if fault == "flip" and data:
        data = bytes([data[0] ^ 1]) + data[1:]
    if fault == "long-data":
        data += b"x" * n
    if data:
        send(103, ident, string(data))
    else:
        status(ident, EOF)


def handle_extended(ident, p):
    name = p.string().decode()
    if name not in EXTENSIONS or "bare" in rules:
        status(ident, UNSUPPORTED)
    elif name.startswith("posix-rename"):
        may_write()
        os.rename(p.string(), p.string())
        status(ident, OK)
    elif name.startswith("fsync"):
        os.fsync(handles[p.string()])
        status(ident, OK)
    elif name.startswith("limits"):
        send(201, ident, struct.pack(
            ">4Q", 262144, 32768, 32768, int(rules["told"])))
    elif name.startswith("lsetstat"):
        apply(p.string(), p.attrs(), follow=False)
        status(ident, OK)
    else:
        v = os.statvfs(p.string())
        full = "room" in rules and written >= int(rules["room"])
        send(201, ident, struct.pack(
            ">11Q", v.f_bsize, v.f_frsize, v.f_blocks,
            0 if full else v.f_bfree, 0 if full else v.f_bavail, v.f_files,
            v.f_ffree, v.f_favail, 0, 0, 255))


def handle(kind, ident, p, fault):
    name = NAMES[kind]
    if name in ("setstat", "mkdir", "remove", "rmdir", "rename", "symlink"):
        may_write()
    if name == "open":
        handle_open(ident, p)
    elif name == "read":
        handle_read(ident, p, fault)
    elif name == "write":
        handle_write(ident, p, fault)
    elif name == "opendir":
        handle_opendir(ident, p)
    elif name == "readdir":
        handle_readdir(ident, p)
    elif name == "extended":
        handle_extended(ident, p)
    elif name in ("lstat", "stat"):
        send(105, ident, attrs(getattr(os, name)(p.string())))
    elif name == "fstat":
        send(105, ident, attrs(os.fstat(handles[p.string()])))
    elif name == "realpath":
        send(104, ident, names([(os.path.realpath(p.string()), u32(0))]))
    elif name == "readlink":
        send(104, ident, names([(os.readlink(p.string()), u32(0))]))
    else:
        if name == "close":
            fd = handles.pop(p.string())
            if isinstance(fd, int):
                os.close(fd)
        elif name == "setstat":
            apply(p.string(), p.attrs())
        elif name == "fsetstat":
            apply(handles[p.string()], p.attrs())
        elif name == "remove":
            os.unlink(p.string())
        elif name == "rmdir":
            os.rmdir(p.string())
        elif name == "mkdir":
            path = p.string()
            os.mkdir(path, p.attrs().get("mode", 0o777))
        elif name == "rename":
            a, b = p.string(), p.string()
            if os.path.lexists(b):
                raise FileExistsError(errno.EEXIST, "is there")
            os.rename(a, b)
        elif name == "symlink":
            os.symlink(p.string(), p.string())
        status(ident, OK)


def code_of(e):
    if e.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return NO_FILE
    if e.errno in (errno.EACCES, errno.EPERM):
        return DENIED
    if e.errno in (errno.EINVAL, errno.ENAMETOOLONG):
        return BAD
    return FAILURE


def spoil(fault, ident):
    """What is sent in place of an answer; false: the answer itself."""
    flush()
    if fault in ("cut", "late"):
        sys.exit(0)
    elif fault == "silent":
        while inp.read(4096):
            pass
        sys.exit(0)
    elif fault == "wrong-id":
        status(ident ^ 0x5555, OK)
    elif fault == "huge":
        out.write(u32(1 << 30) + b"x" * 100)
    elif fault == "short-packet":
        out.write(u32(9) + bytes([103]) + u32(ident) + u32(5000))
    elif fault == "bad-type":
        send(105, ident, u32(0))
    elif fault == "status-ok":
        status(ident, OK)
    elif fault == "fail":
        status(ident, FAILURE, "made to fail")
    else:
        return False
    flush()
    return True


def in_time(kind, ident, p):
    """Goes on behind the client's back: true in the process that does."""
    if os.fork() != 0:
        return False
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    for _ in range(600):
        if os.path.exists(rules["go"]):
            break
        time.sleep(0.05)
    while True:
        try:
            handle(kind, ident, p, None)
        except (OSError, KeyError):
            pass
        head = inp.read(4)
        if len(head) < 4:
            break
        body = inp.read(struct.unpack(">I", head)[0])
        kind, p = body[0], Packet(body[1:])
        ident = p.u32()
    open(rules["go"] + ".done", "w").close()
    return True


def main():
    if "greeting" in rules:
        out.write(rules["greeting"].encode() + b"\n")
        out.flush()
    while True:
        head = inp.read(4)
        if len(head) < 4:
            return
        body = inp.read(struct.unpack(">I", head)[0])
        kind = body[0]
        if kind == 1:
            ext = b"" if "bare" in rules else b"".join(
                string(k.encode()) + string(v.encode())
                for k, v in EXTENSIONS.items())
            packet = bytes([2]) + u32(3) + ext
            out.write(u32(len(packet)) + packet)
            out.flush()
            continue
        p = Packet(body[1:])
        ident = p.u32()
        name = NAMES.get(kind, "?")
        if name in ("open", "opendir") and \
                len(handles) >= int(rules.get("closeat", 1 << 30)):
            sys.exit(0)
        own = [name]
        if name == "extended":
            own.append(Packet(body[5:]).string().decode().split("@")[0])
        for t in own:
            seen[t] = seen.get(t, 0) + 1
        fault = next((f for f, t, n in faults
                      if t in own and n == seen[t]), None)
        if fault == "late" and in_time(kind, ident, p):
            return
        if fault == "kill":
            os.kill(os.getppid(), signal.SIGKILL)
            return
        if fault not in (None, "flip", "long-data", "done-cut",
                         "done-kill") and spoil(fault, ident):
            continue
        try:
            handle(kind, ident, p, fault)
        except OSError as e:
            status(ident, code_of(e), os.strerror(e.errno))
        except KeyError:
            status(ident, FAILURE, "no such handle")
        if fault == "done-kill":
            os.kill(os.getppid(), signal.SIGKILL)
        if fault in ("done-cut", "done-kill"):
            held.clear()
            sys.exit(0)
        if "shuffle" not in rules or len(held) >= 4 or not more():
            flush()


def more():
    import select
    return bool(select.select([inp], [], [], 0.005)[0])


main()
