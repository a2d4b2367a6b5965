#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A small, correct S3 server in memory that can be told to misbehave.

    s3fake.py [--port 0] [--port-file F] [--bucket test] [--rules FILE]
              [--checksums crc64nvme|crc32c|md5|none] [--region R]
              [--page N] [--clock-offset SECONDS] [--cert F --key F]

It prints its port.  Path style only.  Signatures are not checked (the real
servers do that), the region in the credential scope is with --region.
--checksums: the strongest that it verifies and returns; what it doesn't know
it ignores, as older servers do.  Content-MD5 is verified unless "none".

Faults are rules: a list of JSON objects, from --rules FILE or sent with
POST /_fake/rules.  For each request the first rule that matches and still has
shots left acts.  Fields, all optional:

    op      glob: PutObject UploadPart CreateMultipartUpload ListParts
            CompleteMultipartUpload AbortMultipartUpload ListMultipartUploads
            ListObjectsV2 HeadObject GetObject HeadBucket CreateBucket
            GetBucketLocation DeleteObject DeleteObjects CopyObject
            UploadPartCopy
    method  GET PUT ...      key  glob      query  text found in the query
    after   matches to let pass first (0)
    count   how often it acts (1); 0: always
    do      what happens, see below, with its own fields

    error           status code message headers body effect(false: not done)
    delay           seconds, then as usual
    hang            reads the body, never replies (at most seconds, 3600)
    hold            waits for POST /_fake/release (at most seconds, 60) after
                    bytes (0) of the body, then as usual
    slow            reads the body at rate bytes a second, then as usual
    cut-body        resets the connection after bytes (0) of the body
    cut-before      reads all, does nothing, closes without a reply
    lost-reply      does it, closes without a reply
    cut-reply       does it, closes after half of the reply
    truncate-xml    does it, replies with half of the XML
    body            does it, replies 200 with body (and headers)
    entity-bomb endless-xml wrong-charset    replies of hostile XML; with
                    effect true it is done as well; endless stops at mb (64)
    wrong-etag wrong-checksum                does it, but says so wrongly
    corrupt         stores other bytes than were sent, says all is well
    headers         does it, with these headers set (null removes one)
    clock-skew      403 RequestTimeTooSkewed, Date is seconds (7200) off
    wrong-region    400 AuthorizationHeaderMalformed with region, unless the
                    request was signed for that region
    redirect        301 PermanentRedirect with region
    expired-token   400 ExpiredToken
    slow-down       503 SlowDown, Retry-After seconds (1)
    forget-upload   drops the upload first, then as usual (NoSuchUpload)
    forget-after    does it, replies 500, then answers NoSuchUpload

GET /_fake/log       the requests, as JSON; DELETE empties it
GET /_fake/objects   key, size, sha256, etag, headers of each object
GET /_fake/uploads   unfinished uploads      GET /_fake/held   a number
GET /_fake/rules     with how often each acted; DELETE removes all
POST /_fake/release  lets those go that are on hold
Keys are percent-encoded in all of these.
"""
import argparse
import base64
import email.utils
import fnmatch
import hashlib
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse
from xml.etree import ElementTree
from xml.sax.saxutils import escape


class Crc:
    """A reflected CRC, computed over many stretches of the data side by side:
    bytes.translate() and long integers are what plain Python is fast at."""
    BLOCK = 1024

    def __init__(self, bits, poly):
        self.size = bits // 8
        self.ones = (1 << bits) - 1
        self.table = []
        for i in range(256):
            for _ in range(8):
                i = (i >> 1) ^ poly if i & 1 else i >> 1
            self.table.append(i)
        # table split by byte of the result, for translate()
        self.planes = [bytes((v >> (8 * k)) & 255 for v in self.table)
                       for k in range(self.size)]
        self.shift = self._shift_tables()

    def _raw(self, crc, data):
        table = self.table
        for b in data:
            crc = table[(crc ^ b) & 255] ^ (crc >> 8)
        return crc

    def _shift_tables(self):
        """What BLOCK zero bytes do to a CRC, byte by byte of it."""
        zeros = bytes(self.BLOCK)
        ones = [self._raw(1 << i, zeros) for i in range(8 * self.size)]
        out = []
        for k in range(self.size):
            row = [0] * 256
            for v in range(256):
                for i in range(8):
                    if v >> i & 1:
                        row[v] ^= ones[8 * k + i]
            out.append(row)
        return out

    def __call__(self, data):
        n = len(data) // self.BLOCK
        crc = self.ones
        if n >= 16:
            view = bytes(data)
            end = n * self.BLOCK
            state = [0] * self.size
            for i in range(self.BLOCK):
                col = int.from_bytes(view[i:end:self.BLOCK], "little")
                index = (state[0] ^ col).to_bytes(n, "little")
                state = [int.from_bytes(index.translate(p), "little")
                         for p in self.planes]
                for k in range(self.size - 1):
                    state[k] ^= old[k + 1] if i else 0
                old = state
            lanes = [s.to_bytes(n, "little") for s in state]
            for lane in zip(*lanes):
                v = 0
                for k in range(self.size):
                    v ^= self.shift[k][(crc >> (8 * k)) & 255]
                crc = v ^ int.from_bytes(bytes(lane), "little")
            data = view[end:]
        return self._raw(crc, data) ^ self.ones

    def b64(self, data):
        return base64.b64encode(
            self(data).to_bytes(self.size, "big")).decode()


CRCS = {"crc64nvme": Crc(64, 0x9A6C9329AC4BC9B5),
        "crc32c": Crc(32, 0x82F63B78)}
LEVELS = {"crc64nvme": ("crc64nvme", "crc32c", "md5"),
          "crc32c": ("crc32c", "md5"), "md5": ("md5",), "none": ()}
XML_NAMES = {"crc64nvme": "ChecksumCRC64NVME", "crc32c": "ChecksumCRC32C"}
KEPT_HEADERS = ("content-type", "cache-control", "content-encoding",
                "x-amz-storage-class", "x-amz-server-side-encryption")


class S3Error(Exception):
    def __init__(self, status, code, message="", extra=""):
        super().__init__(code)
        self.status, self.code = status, code
        self.message, self.extra = message or code, extra
        self.headers = {}


class Reply:
    def __init__(self, status=200, body=b"", headers=None):
        self.status, self.headers = status, dict(headers or {})
        self.body = body.encode() if isinstance(body, str) else body


class Thing:
    """An object, or a part of one."""

    def __init__(self, data, headers=None, etag=None, checksums=None):
        self.data, self.headers = data, headers or {}
        self.etag = etag or hashlib.md5(data).hexdigest()
        self.checksums = checksums or {}
        self.time = time.time()


class Upload:
    def __init__(self, key, headers):
        self.key, self.headers, self.parts = key, headers, {}
        self.time = time.time()


class Hangup(Exception):
    """The connection ends here; True: by a reset."""


def quote(key):
    return urllib.parse.quote(key, safe="")


def iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(t))


class Fake:
    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.objects = {}
        self.uploads = {}
        self.log = []
        self.rules = []
        self.checksums = LEVELS[options.checksums]
        self.release = threading.Condition(self.lock)
        self.held = 0
        self.released = 0
        self.serial = 0
        if options.rules:
            with open(options.rules, encoding="utf-8") as f:
                self.add_rules(json.load(f))

    def add_rules(self, rules):
        with self.lock:
            for r in rules if isinstance(rules, list) else [rules]:
                if "do" not in r:
                    raise ValueError("a rule without do")
                self.rules.append(dict(r, seen=0, acted=0))

    def rule_for(self, req):
        with self.lock:
            for r in self.rules:
                if not (fnmatch.fnmatchcase(req.op, r.get("op", "*")) and
                        r.get("method", req.method) == req.method and
                        fnmatch.fnmatchcase(req.key.decode("latin-1"),
                                            r.get("key", "*")) and
                        r.get("query", "") in req.raw_query):
                    continue
                if (r["do"] == "wrong-region" and
                        req.region == r.get("region", "eu-west-1")):
                    continue
                r["seen"] += 1
                count = r.get("count", 1)
                if r["seen"] > r.get("after", 0) and (
                        count == 0 or r["acted"] < count):
                    r["acted"] += 1
                    return r
        return None

    # What S3 does

    def verify(self, req):
        """The body against all digests that came with it."""
        h, data = req.headers, req.body
        want = h.get("x-amz-content-sha256", "")
        if re.fullmatch("[0-9a-fA-F]{64}", want):
            if hashlib.sha256(data).hexdigest() != want.lower():
                raise S3Error(400, "XAmzContentSHA256Mismatch")
        elif want.startswith("STREAMING"):
            raise S3Error(501, "NotImplemented", "aws-chunked")
        sums = {}
        if "md5" in self.checksums and "content-md5" in h:
            md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
            if h["content-md5"] != md5:
                raise S3Error(400, "BadDigest", "Content-MD5")
        for name, crc in CRCS.items():
            given = h.get("x-amz-checksum-" + name)
            if name in self.checksums and given is not None:
                if crc.b64(data) != given:
                    raise S3Error(400, "BadDigest", "The " + name +
                                  " you specified did not match")
                sums[name] = given
        return sums

    @staticmethod
    def keep(req):
        return {k: v for k, v in req.headers.items()
                if k.startswith("x-amz-meta-") or k in KEPT_HEADERS}

    def upload(self, req):
        u = self.uploads.get(req.query["uploadId"])
        if u is None or u.key != req.key:
            raise S3Error(404, "NoSuchUpload")
        return u

    def sum_headers(self, sums, kind=None):
        out = {"x-amz-checksum-" + k: v for k, v in sums.items()}
        if sums and kind:
            out["x-amz-checksum-type"] = kind
        return out

    def HeadBucket(self, req):
        return Reply(headers={"x-amz-bucket-region": self.options.region or
                              "us-east-1"})

    def GetBucketLocation(self, req):
        return Reply(body="<LocationConstraint>%s</LocationConstraint>" %
                     (self.options.region or ""))

    def CreateBucket(self, req):
        return Reply()

    def check_conditions(self, req):
        old = self.objects.get(req.key)
        if req.headers.get("if-none-match") == "*" and old is not None:
            raise S3Error(412, "PreconditionFailed")
        match = req.headers.get("if-match")
        if match is not None and old is None:
            raise S3Error(404, "NoSuchKey")
        if match is not None and match != '"%s"' % old.etag:
            raise S3Error(412, "PreconditionFailed")

    def PutObject(self, req):
        sums = self.verify(req)
        if len(req.key) > 1024:
            raise S3Error(400, "KeyTooLongError")
        with self.lock:
            self.check_conditions(req)
            o = Thing(req.body, self.keep(req), checksums=sums)
            self.objects[req.key] = o
        return Reply(headers=dict(self.sum_headers(sums, "FULL_OBJECT"),
                                  ETag='"%s"' % o.etag))

    def CopyObject(self, req):
        src = urllib.parse.unquote_to_bytes(
            req.headers["x-amz-copy-source"]).lstrip(b"/")
        src = src.partition(b"/")[2]
        with self.lock:
            old = self.objects.get(src)
            if old is None:
                raise S3Error(404, "NoSuchKey")
            if req.headers.get("x-amz-copy-source-if-match",
                               '"%s"' % old.etag) != '"%s"' % old.etag:
                raise S3Error(412, "PreconditionFailed")
            replace = req.headers.get("x-amz-metadata-directive") == "REPLACE"
            if src == req.key and not replace:
                raise S3Error(400, "InvalidRequest", "copy onto itself")
            o = Thing(old.data, self.keep(req) if replace else old.headers,
                      checksums=old.checksums)
            self.objects[req.key] = o
        return Reply(body="<CopyObjectResult><LastModified>%s</LastModified>"
                     "<ETag>&quot;%s&quot;</ETag></CopyObjectResult>" %
                     (iso(o.time), o.etag))

    def object(self, req):
        with self.lock:
            o = self.objects.get(req.key)
        if o is None:
            raise S3Error(404, "NoSuchKey")
        return o

    def HeadObject(self, req):
        return self.GetObject(req)

    def GetObject(self, req):
        o = self.object(req)
        h = dict(o.headers, ETag='"%s"' % o.etag)
        h["Last-Modified"] = email.utils.formatdate(o.time, usegmt=True)
        h["Accept-Ranges"] = "bytes"
        if req.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            h.update(self.sum_headers(o.checksums, "FULL_OBJECT"))
        m = re.fullmatch(r"bytes=(\d*)-(\d*)", req.headers.get("range", ""))
        if m is None or m.group(1) == m.group(2) == "":
            return Reply(body=o.data, headers=h)
        size = len(o.data)
        if m.group(1):
            first = int(m.group(1))
            last = min(int(m.group(2) or size - 1), size - 1)
        else:
            first, last = max(size - int(m.group(2)), 0), size - 1
        if first > last:
            raise S3Error(416, "InvalidRange")
        h["Content-Range"] = "bytes %d-%d/%d" % (first, last, size)
        return Reply(206, o.data[first:last + 1], h)

    def DeleteObject(self, req):
        with self.lock:
            self.objects.pop(req.key, None)
        return Reply(204)

    def DeleteObjects(self, req):
        self.verify(req)
        if not any(k == "content-md5" or k.startswith("x-amz-checksum-")
                   for k in req.headers):
            raise S3Error(400, "InvalidRequest", "Missing Content-MD5")
        out = []
        quiet = False
        with self.lock:
            for e in self.parse(req.body):
                name = e.tag.rpartition("}")[2]
                if name == "Quiet":
                    quiet = (e.text or "").lower() == "true"
                if name != "Object":
                    continue
                for k in e:
                    if k.tag.rpartition("}")[2] == "Key":
                        key = (k.text or "").encode()
                        self.objects.pop(key, None)
                        out.append("<Deleted><Key>%s</Key></Deleted>" %
                                   escape(key.decode()))
        return Reply(body="<DeleteResult>%s</DeleteResult>" %
                     ("" if quiet else "".join(out)))

    @staticmethod
    def parse(body):
        try:
            return ElementTree.fromstring(body)
        except ElementTree.ParseError as e:
            raise S3Error(400, "MalformedXML") from e

    def name_of(self, req, key):
        if req.query.get("encoding-type") == "url":
            return urllib.parse.quote(key, safe="/-_.~")
        return escape(key.decode("utf-8", "replace"))

    def ListObjectsV2(self, req):
        q = req.query
        prefix = q.get("prefix", "").encode("utf-8", "surrogateescape")
        delim = q.get("delimiter", "").encode()
        limit = min(int(q.get("max-keys", 1000)), self.options.page)
        after = q.get("start-after", "").encode("utf-8", "surrogateescape")
        if "continuation-token" in q:
            after = bytes.fromhex(q["continuation-token"])
        out, seen, last, more = [], set(), None, False
        with self.lock:
            for key in sorted(self.objects):
                if not key.startswith(prefix) or key <= after:
                    continue
                common = None
                if delim and delim in key[len(prefix):]:
                    end = key.index(delim, len(prefix)) + len(delim)
                    common = key[:end]
                    if common in seen or after.startswith(common):
                        last = key
                        continue
                if len(out) >= limit:
                    more = True
                    break
                last = key
                if common is not None:
                    seen.add(common)
                    out.append("<CommonPrefixes><Prefix>%s</Prefix>"
                               "</CommonPrefixes>" %
                               self.name_of(req, common))
                    continue
                o = self.objects[key]
                out.append("<Contents><Key>%s</Key><LastModified>%s"
                           "</LastModified><ETag>&quot;%s&quot;</ETag>"
                           "<Size>%d</Size><StorageClass>STANDARD"
                           "</StorageClass></Contents>" % (
                               self.name_of(req, key), iso(o.time), o.etag,
                               len(o.data)))
        head = ("<Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount>"
                "<MaxKeys>%d</MaxKeys><IsTruncated>%s</IsTruncated>" % (
                    req.bucket, self.name_of(req, prefix), len(out), limit,
                    "true" if more else "false"))
        if q.get("encoding-type") == "url":
            head += "<EncodingType>url</EncodingType>"
        if more:
            head += ("<NextContinuationToken>%s</NextContinuationToken>" %
                     last.hex())
        return Reply(body='<?xml version="1.0" encoding="UTF-8"?>\n'
                     '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/'
                     '2006-03-01/">%s%s</ListBucketResult>' %
                     (head, "".join(out)))

    def CreateMultipartUpload(self, req):
        with self.lock:
            self.serial += 1
            uid = "upload-%d-%s" % (self.serial, os.urandom(8).hex())
            self.uploads[uid] = Upload(req.key, dict(
                self.keep(req),
                algo=req.headers.get("x-amz-checksum-algorithm", ""),
                type=req.headers.get("x-amz-checksum-type", "")))
        return Reply(body="<InitiateMultipartUploadResult><Bucket>%s</Bucket>"
                     "<Key>%s</Key><UploadId>%s</UploadId>"
                     "</InitiateMultipartUploadResult>" % (
                         req.bucket,
                         escape(req.key.decode("utf-8", "replace")), uid))

    def UploadPart(self, req):
        number = int(req.query["partNumber"])
        if not 1 <= number <= 10000:
            raise S3Error(400, "InvalidArgument", "part number")
        sums = self.verify(req)
        with self.lock:
            p = Thing(req.body, checksums=sums)
            self.upload(req).parts[number] = p
        return Reply(headers=dict(self.sum_headers(sums),
                                  ETag='"%s"' % p.etag))

    def UploadPartCopy(self, req):
        src = urllib.parse.unquote_to_bytes(
            req.headers["x-amz-copy-source"]).lstrip(b"/").partition(b"/")[2]
        with self.lock:
            old = self.objects.get(src)
            if old is None:
                raise S3Error(404, "NoSuchKey")
            data = old.data
            m = re.fullmatch(r"bytes=(\d+)-(\d+)",
                             req.headers.get("x-amz-copy-source-range", ""))
            if m:
                data = data[int(m.group(1)):int(m.group(2)) + 1]
            u = self.upload(req)
            algo = u.headers["algo"].lower()
            sums = ({algo: CRCS[algo].b64(data)}
                    if algo in self.checksums and algo in CRCS else {})
            p = Thing(data, checksums=sums)
            u.parts[int(req.query["partNumber"])] = p
        return Reply(body="<CopyPartResult><ETag>&quot;%s&quot;</ETag>%s"
                     "</CopyPartResult>" % (p.etag, self.sum_xml(sums)))

    @staticmethod
    def sum_xml(sums):
        return "".join("<%s>%s</%s>" % (XML_NAMES[k], v, XML_NAMES[k])
                       for k, v in sums.items())

    def ListParts(self, req):
        limit = min(int(req.query.get("max-parts", 1000)), self.options.page)
        after = int(req.query.get("part-number-marker") or 0)
        with self.lock:
            parts = sorted(self.upload(req).parts.items())
        parts = [x for x in parts if x[0] > after]
        more, parts = len(parts) > limit, parts[:limit]
        body = "".join(
            "<Part><PartNumber>%d</PartNumber><LastModified>%s</LastModified>"
            "<ETag>&quot;%s&quot;</ETag><Size>%d</Size>%s</Part>" % (
                n, iso(p.time), p.etag, len(p.data),
                self.sum_xml(p.checksums)) for n, p in parts)
        return Reply(body="<ListPartsResult><UploadId>%s</UploadId>"
                     "<IsTruncated>%s</IsTruncated>"
                     "<NextPartNumberMarker>%d</NextPartNumberMarker>%s"
                     "</ListPartsResult>" % (
                         req.query["uploadId"], "true" if more else "false",
                         parts[-1][0] if parts else 0, body))

    def CompleteMultipartUpload(self, req):
        asked = []
        for e in self.parse(req.body):
            if e.tag.rpartition("}")[2] == "Part":
                asked.append({c.tag.rpartition("}")[2]: (c.text or "").strip()
                              for c in e})
        with self.lock:
            u = self.upload(req)
            numbers = [int(p["PartNumber"]) for p in asked]
            if not numbers:
                raise S3Error(400, "MalformedXML", "no parts")
            if numbers != sorted(set(numbers)):
                raise S3Error(400, "InvalidPartOrder")
            parts = []
            for p in asked:
                got = u.parts.get(int(p["PartNumber"]))
                if got is None or got.etag != p.get("ETag", "").strip('"'):
                    raise S3Error(400, "InvalidPart")
                for name, tag in XML_NAMES.items():
                    if (name in self.checksums and tag in p and
                            p[tag] != got.checksums.get(name, p[tag])):
                        raise S3Error(400, "InvalidPart", tag)
                parts.append(got)
            if any(len(p.data) < self.options.min_part for p in parts[:-1]):
                raise S3Error(400, "EntityTooSmall")
            data = b"".join(p.data for p in parts)
            if req.headers.get("x-amz-mp-object-size",
                               str(len(data))) != str(len(data)):
                raise S3Error(400, "InvalidRequest", "x-amz-mp-object-size")
            sums = {}
            for name, crc in CRCS.items():
                given = req.headers.get("x-amz-checksum-" + name)
                used = u.headers["algo"].lower() == name
                if name not in self.checksums or not (given or used):
                    continue
                sums[name] = crc.b64(data)
                if given and given != sums[name]:
                    raise S3Error(400, "BadDigest", name)
            self.check_conditions(req)
            md5s = b"".join(bytes.fromhex(p.etag) for p in parts)
            headers = {k: v for k, v in u.headers.items()
                       if k not in ("algo", "type")}
            o = Thing(data, headers, "%s-%d" % (
                hashlib.md5(md5s).hexdigest(), len(parts)), sums)
            self.objects[req.key] = o
            del self.uploads[req.query["uploadId"]]
        return Reply(body='<?xml version="1.0" encoding="UTF-8"?>\n'
                     "<CompleteMultipartUploadResult><Bucket>%s</Bucket>"
                     "<Key>%s</Key><ETag>&quot;%s&quot;</ETag>%s"
                     "</CompleteMultipartUploadResult>" % (
                         req.bucket,
                         escape(req.key.decode("utf-8", "replace")), o.etag,
                         self.sum_xml(sums)))

    def AbortMultipartUpload(self, req):
        with self.lock:
            self.upload(req)
            del self.uploads[req.query["uploadId"]]
        return Reply(204)

    def ListMultipartUploads(self, req):
        q = req.query
        prefix = q.get("prefix", "").encode("utf-8", "surrogateescape")
        marker = (q.get("key-marker", "").encode("utf-8", "surrogateescape"),
                  q.get("upload-id-marker", ""))
        limit = min(int(q.get("max-uploads", 1000)), self.options.page)
        with self.lock:
            all_ = sorted((u.key, uid, u) for uid, u in self.uploads.items())
        rows = [r for r in all_ if r[0].startswith(prefix) and
                (r[:2] > marker if marker[1] else r[0] > marker[0] or
                 not marker[0])]
        more, rows = len(rows) > limit, rows[:limit]
        body = "".join("<Upload><Key>%s</Key><UploadId>%s</UploadId>"
                       "<Initiated>%s</Initiated></Upload>" % (
                           self.name_of(req, k), i, iso(u.time))
                       for k, i, u in rows)
        if more:
            body += ("<NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>%s"
                     "</NextUploadIdMarker>" % (
                         self.name_of(req, rows[-1][0]), rows[-1][1]))
        if q.get("encoding-type") == "url":
            body += "<EncodingType>url</EncodingType>"
        return Reply(body="<ListMultipartUploadsResult><IsTruncated>%s"
                     "</IsTruncated>%s</ListMultipartUploadsResult>" % (
                         "true" if more else "false", body))

    # What is asked of the fake itself

    def admin(self, method, what, body):
        if what == "rules" and method == "POST":
            self.add_rules(json.loads(body))
            return {}
        with self.lock:
            if what == "rules" and method == "DELETE":
                self.rules.clear()
                return {}
            if what == "rules":
                return self.rules
            if what == "log" and method == "DELETE":
                self.log.clear()
                return {}
            if what == "log":
                return self.log
            if what == "held":
                return self.held
            if what == "release":
                self.released += 1
                self.release.notify_all()
                return {}
            if what == "uploads":
                return [{"key": quote(u.key), "id": i,
                         "parts": sorted(u.parts)}
                        for i, u in self.uploads.items()]
            if what == "objects":
                return [{"key": quote(k), "size": len(o.data),
                         "sha256": hashlib.sha256(o.data).hexdigest(),
                         "etag": o.etag, "headers": o.headers,
                         "checksums": o.checksums}
                        for k, o in sorted(self.objects.items())]
        raise KeyError(what)


class Request:
    """One request, its body not yet read."""

    def __init__(self, handler):
        line = handler.raw_requestline.decode("latin-1").split()
        self.method = handler.command
        target = line[1] if len(line) > 1 else "/"
        path, _, self.raw_query = target.partition("?")
        self.path = path
        bucket, _, key = path.lstrip("/").partition("/")
        self.bucket = urllib.parse.unquote(bucket)
        self.key = urllib.parse.unquote_to_bytes(key)
        self.query = dict(urllib.parse.parse_qsl(
            self.raw_query, keep_blank_values=True,
            errors="surrogateescape"))
        self.headers = {k.lower(): v for k, v in handler.headers.items()}
        self.length = int(self.headers.get("content-length", 0) or 0)
        self.body = b""
        m = re.search(r"Credential=[^/]*/\d+/([^/]+)/s3/",
                      self.headers.get("authorization", ""))
        self.region = m.group(1) if m else ""
        self.op = self._op()

    def _op(self):
        m, q, copy = self.method, self.query, "x-amz-copy-source" in \
            self.headers
        if not self.key:
            if m == "GET":
                if "uploads" in q:
                    return "ListMultipartUploads"
                if "location" in q:
                    return "GetBucketLocation"
                return "ListObjectsV2"
            if m == "POST" and "delete" in q:
                return "DeleteObjects"
            return {"HEAD": "HeadBucket", "PUT": "CreateBucket"}.get(m, "?")
        if "uploadId" in q:
            if m == "PUT":
                return "UploadPartCopy" if copy else "UploadPart"
            return {"POST": "CompleteMultipartUpload", "GET": "ListParts",
                    "DELETE": "AbortMultipartUpload"}.get(m, "?")
        if m == "POST" and "uploads" in q:
            return "CreateMultipartUpload"
        if m == "PUT":
            return "CopyObject" if copy else "PutObject"
        return {"GET": "GetObject", "HEAD": "HeadObject",
                "DELETE": "DeleteObject"}.get(m, "?")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 600

    def log_message(self, *args):
        pass

    def read_body(self, req, upto=None, rate=0):
        upto = req.length if upto is None else min(upto, req.length)
        step = max(rate // 20, 1) if rate else 1 << 20
        chunks = []
        have = len(req.body)
        while have < upto:
            b = self.rfile.read(min(step, upto - have))
            if not b:
                raise Hangup(False)
            have += len(b)
            chunks.append(b)
            if rate:
                time.sleep(len(b) / rate)
        req.body += b"".join(chunks)

    def hang_up(self, reset):
        self.close_connection = True
        try:
            self.wfile.flush()
            if reset:
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
                # rfile and wfile hold the descriptor too; only the last
                # close resets
                self.server.reset(self.connection)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def date(self):
        return email.utils.formatdate(
            time.time() + self.server.fake.options.clock_offset, usegmt=True)

    def head(self, reply, length):
        lines = ["HTTP/1.1 %d %s" % (
            reply.status, self.responses.get(reply.status, ("Odd",))[0])]
        h = {"Date": self.date(), "Server": "s3fake",
             "x-amz-request-id": "%08X" % id(reply)}
        if length is not None and reply.status != 204:
            h["Content-Length"] = str(length)
        if reply.body.startswith(b"<"):
            h["Content-Type"] = "application/xml"
        h.update(reply.headers)
        lines += ["%s: %s" % kv for kv in h.items() if kv[1] is not None]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send(self, reply):
        """All of the reply, or the first CUT of its bytes."""
        self.wfile.write(self.head(reply, len(reply.body)))
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def error_reply(self, e):
        body = ('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s'
                "</Code><Message>%s</Message>%s<RequestId>0</RequestId>"
                "</Error>" % (e.code, escape(e.message), e.extra))
        return Reply(e.status, "" if self.command == "HEAD" else body,
                     e.headers)

    def perform(self, req):
        fake = self.server.fake
        try:
            if req.bucket != fake.options.bucket:
                raise S3Error(404, "NoSuchBucket")
            if fake.options.region and req.region not in (
                    "", fake.options.region):
                raise self.region_error(req, fake.options.region)
            if req.op == "?":
                raise S3Error(405, "MethodNotAllowed")
            return getattr(fake, req.op)(req)
        except S3Error as e:
            req.code = e.code
            return self.error_reply(e)

    @staticmethod
    def region_error(req, region):
        e = S3Error(400, "AuthorizationHeaderMalformed",
                    "The authorization header is malformed; the region '%s' "
                    "is wrong; expecting '%s'" % (req.region, region),
                    "<Region>%s</Region>" % region)
        e.headers["x-amz-bucket-region"] = region
        return e

    def answer(self):
        fake = self.server.fake
        req = Request(self)
        if req.path.startswith("/_fake/"):
            self.read_body(req)
            try:
                out = fake.admin(req.method, req.path[7:], req.body)
                self.send(Reply(body=json.dumps(out) + "\n"))
            except (KeyError, ValueError) as e:
                self.send(Reply(404, repr(e) + "\n"))
            return
        entry = {"method": req.method, "op": req.op, "bucket": req.bucket,
                 "key": quote(req.key), "query": req.raw_query,
                 "length": req.length, "bytes": 0, "status": 0, "code": "",
                 "rule": "", "time": time.time(),
                 "headers": {k: v for k, v in req.headers.items()
                             if k not in ("authorization",
                                          "x-amz-security-token")}}
        with fake.lock:
            fake.log.append(entry)
        req.code = ""
        rule = fake.rule_for(req)
        reply = None
        try:
            if rule is None:
                self.read_body(req)
                reply = self.perform(req)
                entry.update(status=reply.status, code=req.code,
                             bytes=len(req.body))
                self.send(reply)
            else:
                entry["rule"] = rule["do"]
                reply = self.misbehave(req, rule, entry)
        except Hangup as e:
            self.hang_up(e.args[0])
        except (OSError, ssl.SSLError):
            self.close_connection = True
        finally:
            entry["bytes"] = len(req.body)

    def finish_with(self, reply, entry, req):
        entry.update(status=reply.status, code=req.code or entry["code"],
                     bytes=len(req.body))
        self.send(reply)

    def fail_with(self, e, req, entry):
        self.read_body(req)
        entry["code"] = e.code
        self.finish_with(self.error_reply(e), entry, req)

    def misbehave(self, req, rule, entry):
        do, fake = rule["do"], self.server.fake
        get = rule.get
        if do == "hold":
            self.read_body(req, get("bytes", 0))
            with fake.release:
                seen = fake.released
                fake.held += 1
                fake.release.wait_for(lambda: fake.released != seen,
                                      get("seconds", 60))
                fake.held -= 1
            self.read_body(req)
            self.finish_with(self.perform(req), entry, req)
        elif do == "delay":
            self.read_body(req)
            time.sleep(get("seconds", 1))
            self.finish_with(self.perform(req), entry, req)
        elif do == "slow":
            self.read_body(req, rate=get("rate", 1 << 20))
            self.finish_with(self.perform(req), entry, req)
        elif do == "hang":
            self.read_body(req)
            self.connection.settimeout(get("seconds", 3600))
            self.connection.recv(1)
            raise Hangup(False)
        elif do == "cut-body":
            self.read_body(req, get("bytes", 0))
            raise Hangup(True)
        elif do == "cut-before":
            self.read_body(req)
            raise Hangup(False)
        elif do == "lost-reply":
            self.read_body(req)
            reply = self.perform(req)
            entry.update(status=reply.status, code=req.code)
            raise Hangup(False)
        elif do == "cut-reply":
            self.read_body(req)
            reply = self.perform(req)
            entry.update(status=reply.status, code=req.code)
            head = self.head(reply, len(reply.body))
            if reply.body:
                self.wfile.write(head + reply.body[:len(reply.body) // 2])
            else:
                self.wfile.write(head[:len(head) // 2])
            raise Hangup(False)
        elif do == "error":
            self.read_body(req)
            if get("effect"):
                self.perform(req)
            e = S3Error(get("status", 500), get("code", "InternalError"),
                        get("message", ""))
            reply = self.error_reply(e)
            reply.headers.update(get("headers", {}))
            if "body" in rule:
                reply.body = rule["body"].encode()
            entry["code"] = e.code
            self.finish_with(reply, entry, req)
        elif do == "slow-down":
            e = S3Error(503, "SlowDown", "Please reduce your request rate.")
            e.headers["Retry-After"] = str(get("seconds", 1))
            self.fail_with(e, req, entry)
        elif do == "expired-token":
            self.fail_with(S3Error(400, "ExpiredToken",
                                   "The provided token has expired."),
                           req, entry)
        elif do == "clock-skew":
            e = S3Error(403, "RequestTimeTooSkewed",
                        "The difference between the request time and the "
                        "current time is too large.")
            e.headers["Date"] = email.utils.formatdate(
                time.time() + get("seconds", 7200), usegmt=True)
            self.fail_with(e, req, entry)
        elif do == "wrong-region":
            self.fail_with(self.region_error(req, get("region", "eu-west-1")),
                           req, entry)
        elif do == "redirect":
            region = get("region", "eu-west-1")
            e = S3Error(301, "PermanentRedirect", "", "<Endpoint>s3.%s"
                        ".example.com</Endpoint>" % region)
            e.headers["x-amz-bucket-region"] = region
            self.fail_with(e, req, entry)
        elif do in ("forget-upload", "forget-after"):
            self.read_body(req)
            if do == "forget-after":
                self.perform(req)
            with fake.lock:
                fake.uploads.pop(req.query.get("uploadId"), None)
            if do == "forget-after":
                self.fail_with(S3Error(500, "InternalError"), req, entry)
            else:
                self.finish_with(self.perform(req), entry, req)
        else:
            self.read_body(req)
            body = req.body
            if do == "corrupt":
                return self.corrupt(req, entry)
            if do in ("body", "truncate-xml", "wrong-etag", "headers",
                      "wrong-checksum") or get("effect"):
                reply = self.perform(req)
            else:
                reply = Reply()
            assert req.body is body
            self.bend(do, rule, reply)
            if do == "endless-xml":
                return self.endless(reply, rule, entry, req)
            self.finish_with(reply, entry, req)
        return None

    def corrupt(self, req, entry):
        """As a store with a bad disk: another byte, the right answer."""
        reply = self.perform(req)
        fake = self.server.fake
        with fake.lock:
            if "partNumber" in req.query:
                u = fake.uploads.get(req.query["uploadId"])
                thing = u and u.parts.get(int(req.query["partNumber"]))
            else:
                thing = fake.objects.get(req.key)
            if thing is not None and thing.data:
                thing.data = bytes([thing.data[0] ^ 1]) + thing.data[1:]
        self.finish_with(reply, entry, req)

    @staticmethod
    def bend(do, rule, reply):
        if do == "truncate-xml":
            reply.body = reply.body[:len(reply.body) // 2]
        elif do == "body":
            reply.status = rule.get("status", 200)
            reply.body = rule.get("body", "").encode()
        elif do == "wrong-etag":
            bad = "0123456789abcdef" * 2
            if "ETag" in reply.headers:
                reply.headers["ETag"] = '"%s"' % bad
            reply.body = re.sub(rb"&quot;[0-9a-f]{32}",
                                b"&quot;" + bad.encode(), reply.body)
        elif do == "wrong-checksum":
            for k in reply.headers:
                if re.fullmatch("x-amz-checksum-(crc64nvme|crc32c)", k):
                    n = len(base64.b64decode(reply.headers[k]))
                    reply.headers[k] = base64.b64encode(b"\1" * n).decode()
            reply.body = re.sub(
                rb"(<ChecksumCRC64NVME>)[^<]*", rb"\1AQEBAQEBAQE=",
                re.sub(rb"(<ChecksumCRC32C>)[^<]*", rb"\1AQEBAQ==",
                       reply.body))
        elif do == "entity-bomb":
            reply.body = (
                '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "dray">' +
                "".join('<!ENTITY a%d "%s">' % (i, "&a%d;" % (i - 1) * 10)
                        for i in range(1, 12)) +
                "]><ListBucketResult><Name>&a11;</Name>"
                "</ListBucketResult>").encode()
        elif do == "wrong-charset":
            reply.body = (b'<?xml version="1.0" encoding="x-none"?>'
                          b"<ListBucketResult><Contents><Key>\xff\xfe\x80"
                          b"</Key></Contents></ListBucketResult>")
        elif do not in ("headers", "endless-xml"):
            raise ValueError("unknown action: " + do)
        reply.headers.update(rule.get("headers", {}))

    def endless(self, reply, rule, entry, req):
        entry.update(status=reply.status)
        reply.headers["Transfer-Encoding"] = "chunked"
        reply.headers["Content-Type"] = "application/xml"
        self.wfile.write(self.head(reply, None))
        chunk = b"<Contents><Key>" + b"x" * 65000 + b"</Key></Contents>"
        chunk = b"%x\r\n%s\r\n" % (len(chunk), chunk)
        start = b"<ListBucketResult>"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(start), start))
        for _ in range(rule.get("mb", 64) * 16):
            self.wfile.write(chunk)
        raise Hangup(False)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, fake):
        super().__init__(("127.0.0.1", fake.options.port), Handler)
        self.fake = fake

    def server_bind(self):
        # HTTPServer's looks up the host's name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address

    @staticmethod
    def reset(connection):
        if isinstance(connection, ssl.SSLSocket):
            connection.shutdown(socket.SHUT_RDWR)
            return
        # disconnecting a socket aborts its connection, whoever holds it
        libc_connect(connection.fileno())

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        e = sys.exc_info()[1]
        if not isinstance(e, (OSError, ssl.SSLError)):
            super().handle_error(request, client_address)


def libc_connect(fd):
    """connect(fd, AF_UNSPEC): the peer sees a reset at once."""
    import ctypes
    libc = ctypes.CDLL(None)
    libc.connect(fd, struct.pack("H14x", socket.AF_UNSPEC), 16)


def options(argv):
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--port-file")
    p.add_argument("--bucket", default="test")
    p.add_argument("--rules")
    p.add_argument("--checksums", default="crc64nvme", choices=LEVELS)
    p.add_argument("--region", default="")
    p.add_argument("--page", type=int, default=1000)
    p.add_argument("--min-part", type=int, default=5 << 20)
    p.add_argument("--clock-offset", type=float, default=0)
    p.add_argument("--cert")
    p.add_argument("--key")
    return p.parse_args(argv)


def main():
    o = options(sys.argv[1:])
    server = Server(Fake(o))
    if o.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(o.cert, o.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    if o.port_file:
        with open(o.port_file + ".new", "w", encoding="ascii") as f:
            f.write("%d\n" % port)
        os.rename(o.port_file + ".new", o.port_file)
    print(port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
