#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A webhook receiver that checks what it gets, and can be told to misbehave.

    hookfake.py --port-file F --log F --secret whsec_... [--port N]
                [--cert F --key F] [--flaky P] [--seed N]
                [--client-secret S] [--token-prefix S]

Each request that is processed is a line of JSON in the log: id, headers, body,
its SHA-256, the event, the time.  A signature (Standard Webhooks, v1) that is
wrong is an answer of 401 and a line with "bad".  What the path says happens,
one word a request, separated by commas, the last one for ever:

    /ok         204
    /503        that status; /503:2 with Retry-After: 2; also a date or text
    /abort      500 and webhook-delivery: abort-message; /disable likewise
    /drop       closes without an answer; /lost: processes, then so
    /cut        200, half of the body it announced
    /big        200 and 50 MB of body
    /endless    200 and body for ever (60 s); /flood: 500 and that
    /meta       302 to http://169.254.169.254/, where clouds keep secrets
    /hang       never answers (60 s)
    /early      100 Continue, for ever (60 s)
    /headers    a header without an end
    /redirect   302 to /elsewhere, which logs "elsewhere"
    /poison     400 for events whose subject has "poison", else 204
    /max4       413 for a batch of more than so many events, else 204

What stands behind a '?' is asked of a request before that:

    /ok?bearer=1       401 without a token of /token that is still good
    /ok?bearer=1&lose=N  no token is good any more at each Nth that had one
    /ok?wait=S         that many seconds
    /ok?echo=1         500, and the request's headers as text
    /ok?consent=O&rate=N  OPTIONS answers with these; without: with nothing

POST /token gives tokens (OAuth 2.0 client credentials) to client "an id" with
the secret of --client-secret; ?ttl=S says how long they are good; ?how=WORD:
500, 503, hang, huge, words, crlf, none, mac, redirect.

--flaky P: with that probability one of 500, 503, drop, lost instead.
"""
import argparse
import base64
import hashlib
import hmac
import json
import random
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

args = None
lock = threading.Lock()
served = {}  # path: requests so far
tokens = {}  # token: until when


def log(entry):
    entry["time"] = time.time()
    with lock:
        args.out.write(json.dumps(entry) + "\n")
        args.out.flush()


def signed(headers, body):
    """Whether one of the signatures is right, and fresh."""
    key = base64.b64decode(args.secret[len("whsec_"):])
    stamp = headers.get("webhook-timestamp", "")
    text = b".".join([headers.get("webhook-id", "").encode(),
                      stamp.encode(), body])
    want = "v1," + base64.b64encode(
        hmac.new(key, text, hashlib.sha256).digest()).decode()
    return (stamp.isdigit() and abs(time.time() - int(stamp)) < 300 and
            want in headers.get("webhook-signature", "").split(" "))


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def word(self):
        """What this request is to get."""
        words = self.path.partition("?")[0].strip("/").split(",")
        with lock:
            n = served[self.path] = served.get(self.path, 0) + 1
            if args.flaky and args.random.random() < args.flaky:
                return args.random.choice(["500", "503", "drop", "lost"])
        return words[min(n, len(words)) - 1]

    def process(self, body):
        event = json.loads(body)
        log({"id": self.headers["webhook-id"], "event": event,
             "sha256": hashlib.sha256(body).hexdigest(), "path": self.path,
             "headers": {k.lower(): v for k, v in self.headers.items()},
             "body": body.decode()})
        return event

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(2)

    def stream(self, first, chunk, seconds):
        try:
            self.wfile.write(first)
            end = time.time() + seconds
            while time.time() < end:
                self.wfile.write(chunk)
                if len(chunk) < 100:
                    time.sleep(0.2)
        except OSError:
            pass
        self.hang_up()

    def asked(self):
        return dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))

    def has_token(self, lose):
        word, _, token = self.headers.get("authorization", "").partition(" ")
        with lock:
            if word != "Bearer" or tokens.get(token, 0) <= time.time():
                return False
            n = served["", self.path] = served.get(("", self.path), 0) + 1
            if lose and n % lose == 0:
                tokens.clear()
                return False
            return True

    def give_token(self, form, asked):
        """An answer to a request for a token."""
        how = asked.get("how", "ok")
        log({"token": form, "auth": self.headers.get("authorization"),
             "how": how})
        if how.isdigit():
            return self.answer(int(how), [("Retry-After", "2")])
        if how == "hang":
            time.sleep(60)
            return self.hang_up()
        if how == "huge":
            return self.stream(b"HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"",
                               b"x" * 65536, 5)
        if how == "redirect":
            return self.answer(302, [("Location", "http://169.254.169.254/")])
        if self.headers.get("authorization"):
            ours = base64.b64encode(
                (urllib.parse.quote("an id") + ":" +
                 urllib.parse.quote(args.client_secret, "")).encode())
            right = self.headers["authorization"] == "Basic " + ours.decode()
        else:
            right = (form.get("client_id") == "an id" and
                     form.get("client_secret") == args.client_secret)
        if not right or form.get("grant_type") != "client_credentials":
            return self.answer(401, body=b'{"error":"invalid_client"}')
        token = args.token_prefix + base64.b64encode(
            args.random.randbytes(24)).decode()
        ttl = float(asked.get("ttl", 3600))
        with lock:
            tokens[token] = time.time() + ttl
        reply = {"access_token": token, "token_type": "bearer",
                 "expires_in": int(ttl)}
        if how == "crlf":
            reply["access_token"] = "x\r\nx-evil: 1"
        if how == "none":
            del reply["access_token"]
        if how == "mac":
            reply["token_type"] = "mac"
        text = json.dumps(reply) if how != "words" else "no token today"
        return self.answer(200, [("Content-Type", "application/json")],
                           text.encode())

    def do_OPTIONS(self):
        asked = self.asked()
        log({"options": {k.lower(): v for k, v in self.headers.items()}})
        headers = []
        if "consent" in asked:
            headers.append(("WebHook-Allowed-Origin", asked["consent"]))
        if "rate" in asked:
            headers.append(("WebHook-Allowed-Rate", asked["rate"]))
        return self.answer(200, headers)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/elsewhere":
            log({"elsewhere": True})
        asked = self.asked()
        if self.path.startswith("/token"):
            return self.give_token(
                dict(urllib.parse.parse_qsl(body.decode())), asked)
        time.sleep(float(asked.get("wait", 0)))
        if asked.get("bearer") and not self.has_token(
                int(asked.get("lose", 0))):
            log({"unauthorized": self.headers.get("authorization")})
            return self.answer(401, body=b"a token is needed")
        if asked.get("echo"):
            return self.answer(500, body=str(self.headers).encode())
        if not signed(self.headers, body):
            log({"bad": dict(self.headers)})
            return self.answer(401)
        word = self.word()
        status, _, after = word.partition(":")
        if status.isdigit():
            log({"refused": self.headers["webhook-id"], "status": status})
            return self.answer(
                int(status), [("Retry-After", after)] if after else [],
                b"as told\n\x1b[31m")
        if word in ("abort", "disable"):
            value = "abort-message" if word == "abort" else word
            return self.answer(500, [("webhook-delivery", value)])
        if word == "drop":
            return self.hang_up()
        if word == "hang":
            log({"hang": True})
            time.sleep(60)
            return self.hang_up()
        if word == "early":
            return self.stream(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 60)
        if word == "headers":
            return self.stream(b"HTTP/1.1 200 OK\r\nx: ", b"x" * 65536, 60)
        if word == "flood":
            return self.stream(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536, 60)
        if word in ("redirect", "meta"):
            return self.answer(302, [
                ("Location", "/elsewhere" if word == "redirect" else
                 "http://169.254.169.254/latest/meta-data/")])
        most = int(word[3:]) if word.startswith("max") else 0
        if 0 < most < len(json.loads(body)):
            log({"too many": self.headers["webhook-id"]})
            return self.answer(413)
        event = self.process(body)
        if word == "poison" and "poison" in str(event):
            return self.answer(400, body=b"poison")
        if word == "lost":
            return self.hang_up()
        if word == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx")
            return self.hang_up()
        if word == "endless":
            return self.stream(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 60)
        if word == "big":
            return self.stream(
                b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n",
                b"x" * 65536, 5)
        return self.answer(204)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


def main():
    global args
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--port-file", required=True)
    p.add_argument("--log", required=True)
    p.add_argument("--secret", required=True)
    p.add_argument("--cert")
    p.add_argument("--key")
    p.add_argument("--client-secret", default="")
    p.add_argument("--token-prefix", default="")
    p.add_argument("--flaky", type=float, default=0)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    args.random = random.Random(args.seed)
    args.out = open(args.log, "a", encoding="utf-8")
    server = Server(("127.0.0.1", args.port), Hook)
    if args.cert:
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(args.port_file, "w", encoding="ascii") as f:
        f.write(str(server.server_address[1]))
    server.serve_forever()


if __name__ == "__main__":
    main()
