#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the wire sees: a relay that tells what goes over it and when.

    wire.py relay PORT-FILE LOG TARGET-PORT
    wire.py rate LOG up|down FROM-S TO-S

relay: LOG gets a line for each 50 ms in which something moved: the time in ms
since the relay began, bytes to the server, bytes from it; whole at any time.
rate: bytes a second in that stretch, counted from the first line with data,
and the same in the busiest quarter of a second of all.
"""
import os
import selectors
import socket
import sys
import time

BIN_MS = 50
DATA = 2000  # more than requests take in that time


def close(sel, *sockets):
    for s in sockets:
        try:
            sel.unregister(s)
        except (KeyError, ValueError):
            pass
        s.close()


def connect(sel, listener, target):
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", target))
    for s in (near, far):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What waits here has not been on the wire.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
    sel.register(near, selectors.EVENT_READ, (far, 0))
    sel.register(far, selectors.EVENT_READ, (near, 1))


def carry(sel, source, other):
    """Bytes that were moved."""
    try:
        data = source.recv(65536)
        if data:
            other.sendall(data)
            return len(data)
    except OSError:
        pass
    close(sel, source, other)
    return 0


def relay(port_file, log, target):
    out = open(log, "w", buffering=1)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    with open(port_file + ".new", "w") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(port_file + ".new", port_file)
    sel = selectors.DefaultSelector()
    sel.register(listener, selectors.EVENT_READ, None)
    begun = time.monotonic()
    at, counts = 0, [0, 0]
    while True:
        events = sel.select(BIN_MS / 1000)
        now = int((time.monotonic() - begun) * 1000) // BIN_MS
        if now != at:
            if any(counts):
                out.write("%d %d %d\n" % (at * BIN_MS, *counts))
            at, counts = now, [0, 0]
        for key, _ in events:
            if key.data is None:
                connect(sel, listener, target)
            else:
                counts[key.data[1]] += carry(sel, key.fileobj, key.data[0])


def rate(log, way, from_s, to_s):
    column = {"up": 1, "down": 2}[way]
    bins = {}
    with open(log) as f:
        for line in f:
            row = [int(x) for x in line.split()]
            bins[row[0] // BIN_MS] = row[column]
    first = min(t for t, n in bins.items() if n > DATA)
    begin, end = (first + int(float(s) * 1000) // BIN_MS for s in (from_s, to_s))
    moved = sum(bins.get(t, 0) for t in range(begin, end))
    quarter = 250 // BIN_MS
    busiest = max(sum(bins.get(t + i, 0) for i in range(quarter))
                  for t in range(min(bins), max(bins) + 1))
    print(moved * 1000 // ((end - begin) * BIN_MS), busiest * 4)


if sys.argv[1] == "relay":
    relay(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    rate(*sys.argv[2:])
