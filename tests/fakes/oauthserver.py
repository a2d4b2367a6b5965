#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A server of tokens and a receiver that wants them, both by Authlib.

    oauthserver.py PORT-FILE LOG CERT KEY SECRET

POST /token: OAuth 2.0 client credentials for client "dray", scope "events", by
client_secret_basic or _post; tokens are good for 31 seconds.  POST /hook: 204
to whoever has one.  Each answer is a line of the log.  TLS only.
"""
import os
import sys
import time

from authlib.integrations.flask_oauth2 import (AuthorizationServer,
                                               ResourceProtector)
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from flask import Flask, request
from werkzeug.serving import make_server

port_file, log_file, cert, key, secret = sys.argv[1:]
tokens = {}


class Client(ClientMixin):
    client_id = "dray"

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return scope if scope == "events" else ""

    def check_client_secret(self, client_secret):
        return client_secret == secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method in ("client_secret_basic", "client_secret_post")

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Token(TokenMixin):
    def __init__(self, made):
        self.scope = made["scope"]
        self.until = time.time() + made["expires_in"]

    def get_scope(self):
        return self.scope

    def is_expired(self):
        return time.time() > self.until

    def is_revoked(self):
        return False


class Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]


class Validator(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return tokens.get(token_string)


app = Flask(__name__)
app.config["OAUTH2_SCOPES_SUPPORTED"] = ["events"]
app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": 31}
server = AuthorizationServer(
    app, query_client=lambda name: Client() if name == "dray" else None,
    save_token=lambda made, _: tokens.update({made["access_token"]:
                                              Token(made)}))
server.register_grant(Grant)
protect = ResourceProtector()
protect.register_token_validator(Validator())


@app.route("/token", methods=["POST"])
def token():
    return server.create_token_response()


@app.route("/hook", methods=["POST"])
@protect("events")
def hook():
    return "", 204


@app.after_request
def note(answer):
    with open(log_file, "a", encoding="ascii") as f:
        f.write("%s %d\n" % (request.path, answer.status_code))
    return answer


httpd = make_server("127.0.0.1", 0, app, threaded=True,
                    ssl_context=(cert, key))
with open(port_file + ".new", "w", encoding="ascii") as f:
    f.write(str(httpd.port))
os.rename(port_file + ".new", port_file)
httpd.serve_forever()
