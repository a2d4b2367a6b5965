# SPDX-License-Identifier: ISC
"""sbomcheck.py SPDX-FILE [PROGRAM]: the file is SPDX 2.3 and lists the libraries
that the program is linked with, and no others."""
import json
import re
import subprocess
import sys
import uuid

OF_SYSTEM = {"c", "m"}
NAMES = {"crypto": "openssl", "sqlite3": "sqlite", "ssh2": "libssh2",
         "nfs": "libnfs", "archive": "libarchive"}

with open(sys.argv[1]) as f:
    doc = json.load(f)
assert doc["spdxVersion"] == "SPDX-2.3" and doc["dataLicense"] == "CC0-1.0"
assert doc["SPDXID"] == "SPDXRef-DOCUMENT" and doc["name"]
assert doc["documentNamespace"].startswith("urn:uuid:")
uuid.UUID(doc["documentNamespace"][9:])
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                    doc["creationInfo"]["created"])
assert doc["creationInfo"]["creators"]

packages = {p["name"]: p for p in doc["packages"]}
for p in packages.values():
    assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", p["SPDXID"]), p
    assert re.match(r"(>= )?\d", p["versionInfo"]), p
    assert p["licenseDeclared"] != "NOASSERTION" and p["downloadLocation"], p

relations = {(r["spdxElementId"], r["relationshipType"],
              r["relatedSpdxElement"]) for r in doc["relationships"]}
assert ("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-dray") in relations
ids = {p["SPDXID"] for p in packages.values()} - {"SPDXRef-dray"}
assert {r[2] for r in relations if r[1] == "DEPENDS_ON"} == ids, relations

if len(sys.argv) == 2:
    sys.exit()
said = subprocess.run(["readelf", "-d", sys.argv[2]], check=True,
                      capture_output=True, text=True).stdout
linked = set(re.findall(r"\(NEEDED\).*\[lib(\w+)\.so", said)) - OF_SYSTEM
linked = {NAMES.get(name, name) for name in linked}
assert linked | {"dray"} == set(packages), (linked, set(packages))
