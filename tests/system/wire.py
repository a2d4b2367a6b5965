#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A relay that tells what goes over it and when: what the wire sees.

    wire.py PORT-FILE LOG TARGET-PORT

LOG gets a line for each 50 ms in which something moved: the time in ms since
the relay began, bytes to the server, bytes from it.  The file is whole at any
time.
"""
import os
import selectors
import socket
import sys
import time

BIN_MS = 50


def main():
    port_file, log, target = sys.argv[1], sys.argv[2], int(sys.argv[3])
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
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", target))
                for s in (near, far):
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    # What waits here has not been on the wire.
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
                sel.register(near, selectors.EVENT_READ, (far, 0))
                sel.register(far, selectors.EVENT_READ, (near, 1))
                continue
            other, way = key.data
            try:
                data = key.fileobj.recv(65536)
                if data:
                    counts[way] += len(data)
                    other.sendall(data)
                    continue
            except OSError:
                pass
            for s in (key.fileobj, other):
                try:
                    sel.unregister(s)
                except (KeyError, ValueError):
                    pass
                s.close()


main()
