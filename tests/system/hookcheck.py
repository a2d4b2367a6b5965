# SPDX-License-Identifier: ISC
"""Whether a receiver got what the ledger has.

    hookcheck.py EVENTS LOG FILES PATH

EVENTS is what `dray events tail` says, LOG is hookfake.py's; FILES is how many
files there are; PATH is where they were sent, one by one or in batches.
"""
import collections, hashlib, json, sys


def split(body):
    """The events of a request, as the bytes that they are."""
    if body[0] != "[":
        return [body]
    texts, at = [], 1
    while body[at:] != "":
        end = json.JSONDecoder().raw_decode(body, at)[1]
        texts.append(body[at:end])
        assert body[end] in ",]"
        at = end + 1
    return texts


want = {}
for line in open(sys.argv[1], encoding="utf-8"):
    line = line.rstrip("\n")
    want[json.loads(line)["id"]] = hashlib.sha256(line.encode()).hexdigest()
rows = [json.loads(l) for l in open(sys.argv[2], encoding="utf-8")]
assert not any("bad" in r for r in rows), "a wrong signature"
rows = [r for r in rows if r.get("path") == sys.argv[4] and "sha256" in r]
got = collections.defaultdict(set)
requests = collections.defaultdict(set)
firsts = []
for r in rows:
    requests[r["id"]].add(r["sha256"])
    for text in split(r["body"]):
        event = json.loads(text)
        if event["id"] not in got:
            firsts.append(event)
        got[event["id"]].add(hashlib.sha256(text.encode()).hexdigest())
print(len(want), "events,", len(rows), "requests,", len(requests), "of them "
      "unique,", len(got), "events received")
assert all(len(s) == 1 for s in requests.values()), "not the same twice"
lost = set(want) - set(got)
assert not lost, "lost: %s" % sorted(lost)[:5]
made_up = set(got) - set(want)
assert not made_up, "made up: %s" % sorted(made_up)[:5]
assert all(got[i] == {want[i]} for i in want), "not the same in all"
last = {}
for e in firsts:
    key = e["partitionkey"]
    assert last.get(key, "") < e["sequence"], "out of order: " + e["id"]
    last[key] = e["sequence"]
ended = set()
for e in firsts:
    run = e["data"]["run"]
    assert run not in ended, "after the end of its run: " + e["id"]
    if e["type"] in ("dray.run.completed.v1", "dray.run.failed.v1"):
        ended.add(run)
assert ended, "no run ended"
paths = {e["subject"] for e in firsts if e["type"].endswith("file.completed.v1")}
assert len(paths) == int(sys.argv[3]), "%d files were told of" % len(paths)
