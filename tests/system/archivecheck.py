# SPDX-License-Identifier: ISC
"""Whether an archive has each event once, in objects that are named rightly.

    archivecheck.py EVENTS DIR [MOST]

EVENTS is what `dray events tail` says, DIR has the objects of the archive, each
of at most about MOST bytes.
"""
import json, os, re, sys

want = set(open(sys.argv[1], encoding="utf-8"))
root = sys.argv[2]
most = int(sys.argv[3]) if len(sys.argv) > 3 else 5 << 20
got, objects = [], 0
for d, _, names in os.walk(root):
    for name in names:
        path = os.path.join(d, name)
        at = os.path.relpath(path, root)
        m = re.fullmatch(r"(\d{4}/\d\d/\d\d/\d\d)/"
                         r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
                         r"-(\d{20})-(\d{20})\.jsonl", at)
        assert m, "a wrong name: " + at
        lines = open(path, encoding="utf-8").readlines()
        events = [json.loads(l) for l in lines]
        assert events and lines[-1].endswith("\n"), at
        assert {e["source"] for e in events} == {"urn:uuid:" + m[2]}, at
        seqs = [e["sequence"] for e in events]
        assert seqs == sorted(seqs), "out of order: " + at
        assert (seqs[0], seqs[-1]) == (m[3], m[4]), at
        hours = {e["time"][:13].replace("-", "/").replace("T", "/")
                 for e in events}
        assert hours == {m[1]}, "of another hour: %s %s" % (at, hours)
        assert os.path.getsize(path) < most + 10000, "too big: " + at
        got += lines
        objects += 1
print(len(want), "events,", len(got), "in", objects, "objects")
assert len(got) == len(set(got)), "an event is there twice"
lost = want - set(got)
assert not lost, "lost: %s" % sorted(lost)[:3]
assert not set(got) - want, "made up"
