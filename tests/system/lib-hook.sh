# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2034
#
# A webhook receiver of the test's own (tests/fakes/hookfake.py), for those
# that begin with lib.sh and this.

secret=whsec_$(head -c 32 /dev/urandom | base64)
umask 077
printf '%s\n' "$secret" >"$T/secret"
umask 022
log=$T/hook.log
hook_pid=

# hook_begin [OPTION...]: $HOOK is its URL, $hook are dray's options but for
# the URL
hook_begin() {
	rm -f "$T/hook.port"
	background python3 "$tests/fakes/hookfake.py" \
		--port-file "$T/hook.port" --log "$log" --secret "$secret" "$@" \
		>"$T/hook.out" 2>&1
	hook_pid=${own_pids[-1]}
	wait_for 40 test -s "$T/hook.port"
	HOOK=http://127.0.0.1:$(cat "$T/hook.port")
	hook=(--webhook-secret "file:$T/secret" --webhook-allow 127.0.0.1)
}
hook_end() {
	kill "$hook_pid" 2>/dev/null || true
	wait "$hook_pid" 2>/dev/null || true
}

# got PYTHON-EXPRESSION of r, a line of the log: how many there are
got() {
	python3 -c '
import json, sys
rows = [json.loads(l) for l in open(sys.argv[2], encoding="utf-8")]
print(sum(1 for r in rows if eval(sys.argv[1])))' "$1" "$log"
}
# got_is N PYTHON-EXPRESSION
got_is() {
	local n
	n=$(got "$2")
	[ "$n" = "$1" ] || fail "$n, not $1, requests with $2"
}
forget_log() { : >"$log"; }
