# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# For tests of what goes wrong: a scripted S3 server, a tree to send, and
# claims about what came of it.  Sourced.  A test is a row of stories:
#
#	story "what is to happen"
#	rule '{"op": "PutObject", "do": "slow-down"}'
#	sync            ; rc_is 0
#	arrived
#
# Each story has an empty source $src, its own target $dst and state
# directory $state.  The binary is $DRAY.
set -u

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DRAY=${DRAY:-$tests/../build/dray}
case $DRAY in /*) ;; *) DRAY=$PWD/$DRAY ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/dray-faults.XXXXXX")
failures=0
stories=0
pids=()
at_end=()

export AWS_ACCESS_KEY_ID=testaccess AWS_SECRET_ACCESS_KEY=testsecret
export AWS_SHARED_CREDENTIALS_FILE=$work/credentials
export AWS_CONFIG_FILE=$work/config AWS_REGION=us-east-1
export HOME=$work
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
unset AWS_DEFAULT_REGION AWS_CA_BUNDLE http_proxy HTTP_PROXY https_proxy

cleanup() {
	local p command
	for p in "${pids[@]}"; do
		kill "$p" 2>/dev/null && wait "$p" 2>/dev/null
	done
	for command in "${at_end[@]}"; do
		eval "$command"
	done
	if [ -z "${KEEP:-}" ]; then
		chmod -R u+rwX "$work" 2>/dev/null
		rm -rf "$work"
	else
		echo "kept: $work"
	fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
	failures=$((failures + 1))
	printf 'not ok: %s: %s\n' "$title" "$*" | cut -c 1-600
	if [ -s "$dir/err" ]; then
		printf '    stderr of "%s", exit %s:\n' "${last:-}" "${rc:-?}"
		sed 's/^/    | /' "$dir/err" | head -n 12 | cut -c 1-300
	fi
	return 1
}

# The end of each test.
finish() {
	[ "$failures" = 0 ] || exit 1
	exit 0
}

skip() {
	printf 'skipped: %s\n' "$*"
}

# fake [OPTIONS]: starts another server and makes it the one that is used.
fake() {
	local i
	rm -f "$work/port"
	python3 "$tests/fakes/s3fake.py" --port-file "$work/port" "$@" \
		>>"$work/fake.log" 2>&1 &
	fake_pid=$!
	pids+=("$fake_pid")
	for ((i = 0; i < 200; i++)); do
		[ ! -s "$work/port" ] || break
		sleep 0.05
	done
	port=$(cat "$work/port") || exit 1
	endpoint=http://127.0.0.1:$port
}

ask() {
	curl -s --noproxy '*' -m 60 "$@"
}

rule() {
	ask -f -o "$dir/rule" --data-binary "$1" "$endpoint/_fake/rules" ||
		fail "no rule: $1"
}

no_rules() {
	ask -X DELETE -o "$dir/rule" "$endpoint/_fake/rules"
}

new_log() {
	ask -X DELETE -o "$dir/rule" "$endpoint/_fake/log"
}

# requests EXPRESSION: what of the log it is true for (r is a request), as a
# number.
requests() {
	ask "$endpoint/_fake/log" | python3 -c '
import json, sys
def is_part(r):
    "not those that try out what the store is"
    return r["op"] == "UploadPart" and ".dray-probe" not in r["key"]
def is_write(r):
    return (r["method"] in ("PUT", "POST", "DELETE") and
            ".dray-probe" not in r["key"])
print(sum(1 for r in json.load(sys.stdin) if eval(sys.argv[1])))' "$1"
}

# requests_are N EXPRESSION; N may be "<9" or ">9".
requests_are() {
	local n
	n=$(requests "$2")
	case $1 in
	\<*) [ "$n" -lt "${1#<}" ] ;;
	\>*) [ "$n" -gt "${1#>}" ] ;;
	*) [ "$n" = "$1" ] ;;
	esac || fail "$n requests where $2, not $1"
}

story() {
	title=$1
	rc='' last=''
	stories=$((stories + 1))
	dir=$work/$stories
	src=$dir/src state=$dir/state
	dst=s3://test/s$stories
	mkdir -p "$src" "$dir"
	: >"$dir/err"
	if [ -n "${endpoint:-}" ]; then
		no_rules
		new_log
	fi
	[ -z "${VERBOSE:-}" ] || printf '# %s: %s\n' "$stories" "$title"
}

# make_file PATH BYTES: content that no other file has.
make_file() {
	head -c "$2" /dev/urandom >"$src/$1"
}

# A small tree: N files (8) in two directories, and one of 18 MiB with "big".
make_tree() {
	local i
	mkdir -p "$src/d"
	for ((i = 0; i < ${1:-8}; i++)); do
		head -c $((i * 700)) /dev/urandom >"$src/f$i"
		head -c $((i + 1)) /dev/urandom >"$src/d/g$i"
	done
	[ "${2:-}" != big ] || make_file big $((18 << 20))
}

options=(--retries 3 --timeout 5s --multipart-threshold 6M --part-size 5M)

# sync [OPTIONS]: $src to $dst; fills $dir/out, $dir/err and $rc.
sync() {
	start "$@"
	finished
}

# The same in the background, as process $pid.
start() {
	last="sync $*"
	timeout -k 5 90 "$DRAY" sync ${endpoint:+--endpoint-url "$endpoint"} \
		--state-dir "$state" "${options[@]}" "$@" "$src" "$dst" \
		>"$dir/out" 2>"$dir/err" &
	pid=$!
}

finished() {
	wait "$pid"
	rc=$?
	if grep -qE 'Sanitizer|runtime error:' "$dir/err"; then
		cp "$dir/err" "$work.sanitizer"
		fail "the sanitizer has something to say: $work.sanitizer"
	fi
}

# The process of dray itself, not that of timeout.
dray_pid() {
	local i p
	for ((i = 0; i < 100; i++)); do
		p=$(pgrep -P "$pid") && break
		sleep 0.02
	done
	echo "$p"
}

rc_is() {
	[ "$rc" = "$1" ] || fail "exit $rc, not $1"
}

# says REGEX: on standard output or error.
says() {
	grep -qE -e "$1" "$dir/out" "$dir/err" || fail "does not say: $1"
}

says_not() {
	! grep -qE -e "$1" "$dir/out" "$dir/err" || fail "says: $1"
}

# waits N COMMAND: until it succeeds, N seconds at most.
waits() {
	local n=$(($1 * 20))
	shift
	while ! "$@"; do
		n=$((n - 1))
		[ "$n" -gt 0 ] || return 1
		sleep 0.05
	done
}

# held N: N requests are on hold.
held() {
	[ "$(ask "$endpoint/_fake/held")" -ge "$1" ]
}

release() {
	ask -X POST -o "$dir/rule" "$endpoint/_fake/release"
}

seen() {
	[ "$(requests "$1")" -ge "${2:-1}" ]
}

# All regular files of $src are in the fake under $dst, byte for byte, but for
# those whose path matches the regex $1; nothing else is there.
arrived() {
	ask "$endpoint/_fake/objects" >"$dir/objects"
	python3 - "$src" "${dst#s3://test/}" "$dir/objects" "${1:-}" \
		>"$dir/differences" <<'PY' || fail "$(cat "$dir/differences")"
import hashlib, json, os, re, sys, urllib.parse
src, prefix, objects, but = sys.argv[1:]
src, prefix = os.fsencode(src), os.fsencode(prefix) + b"/"
there = {}
for o in json.load(open(objects)):
    key = urllib.parse.unquote_to_bytes(o["key"])
    perm = o["headers"].get("x-amz-meta-file-permissions", "")
    if (key.startswith(prefix) and not key.endswith(b"/") and
            not perm.startswith("012")):
        there[key[len(prefix):]] = (o["size"], o["sha256"])
here = {}
for top, dirs, files in os.walk(src):
    for f in files:
        p = os.path.join(top, f)
        if os.path.islink(p) or not os.path.isfile(p):
            continue
        rel = os.path.relpath(p, src)
        if but and re.search(os.fsencode(but), rel, re.S):
            continue
        data = open(p, "rb").read()
        here[rel] = (len(data), hashlib.sha256(data).hexdigest())
bad = 0
for name in sorted(here.keys() | there.keys()):
    if here.get(name) != there.get(name):
        bad += 1
        if bad <= 5:
            print(name[:80], "source:", here.get(name), "target:",
                  there.get(name))
sys.exit(bad > 0)
PY
}

# uploads_are N: unfinished ones at the fake under $dst.
uploads_are() {
	local n
	n=$(ask "$endpoint/_fake/uploads" | python3 -c '
import json, sys, urllib.parse
print(sum(1 for u in json.load(sys.stdin)
          if urllib.parse.unquote(u["key"]).startswith(sys.argv[1])))' \
		"${dst#s3://test/}/")
	[ "$n" = "$1" ] || fail "$n unfinished uploads at the store, not $1"
}

# The same command again has nothing to send and says all is well.
settled() {
	new_log
	sync "$@"
	rc_is 0
	requests_are 0 'is_write(r)'
}
