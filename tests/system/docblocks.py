#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The commands and files of a page of documentation, as it has them.

    docblocks.py PAGE OUT [FROM=TO ...]

Each fenced block of PAGE becomes OUT/NNNN.KIND, where NNNN is its line: "sh"
for commands; "file", whose first line "# /path" says where it goes, for ini.
Each FROM, of what is one word there, is TO then.  Any other kind of block is
an error, so that no command is left out by mistake.
"""
import os
import re
import sys

page, out = sys.argv[1:3]
table = [s.split("=", 1) for s in sys.argv[3:]]
os.makedirs(out)
kind = None
for number, line in enumerate(open(page, encoding="utf-8"), 1):
    fence = re.match(r"```(\w*)$", line)
    if fence and kind is None:
        kind, begun, text = fence.group(1), number, []
    elif fence:
        whole = "".join(text)
        if kind == "ini" and not re.match(r"# /\S+\n", whole):
            sys.exit("%s:%d: no path" % (page, begun))
        if kind not in ("sh", "ini"):
            sys.exit("%s:%d: a block of %r" % (page, begun, kind))
        for was, becomes in table:
            whole = re.sub(
                re.escape(was) + r"(?![\w.-])", lambda _: becomes, whole)
        name = "%04d.%s" % (begun, "sh" if kind == "sh" else "file")
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(whole)
        kind = None
    elif kind is not None:
        text.append(line)
    elif re.match(r"\s*(\$|sudo|dray) ", line) or "```" in line:
        sys.exit("%s:%d: a command outside of a block" % (page, number))
if kind is not None:
    sys.exit("%s:%d: no end of the block" % (page, begun))
