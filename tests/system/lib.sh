# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What system tests share: each begins with
#	. "$(dirname "$0")/lib.sh"
# and can be run by itself: DRAY=./dray tests/system/NAME.test (then the server
# is Ceph, started for it).  A test fails by its first command that fails, or
# by fail; skip ends it as not applicable.  Its own files are in $T.
#
# tests/run gives DRAY, DRAY_BUILD (for the bench programs), DRAY_TEST_DIR,
# DRAY_TEST_ENV (the S3 server's env file), DRAY_TEST_SERVICE (its script and
# directory), DRAY_QUICK, DRAY_ALL.
set -eu -o pipefail

fail() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}
skip() {
	printf '%s\n' "$*"
	exit 77
}
note() { printf -- '-- %s\n' "$*"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tests=$(dirname "$here")
DRAY=$(realpath "${DRAY:-./dray}")
[ -x "$DRAY" ] || fail "no program $DRAY"
DRAY_BUILD=$(realpath "${DRAY_BUILD:-$(dirname "$DRAY")}")
own_dir=
if [ -z "${DRAY_TEST_DIR:-}" ]; then
	own_dir=$(mktemp -d "${TMPDIR:-/tmp}/dray-test.XXXXXX")
	chmod 755 "$own_dir"
	DRAY_TEST_DIR=$own_dir
fi
T=$DRAY_TEST_DIR
# shellcheck disable=SC2034	# for the tests
quick=${DRAY_QUICK:-0}
# shellcheck disable=SC2034
everything=${DRAY_ALL:-0}
state=$T/state
own_pids=()
own_service=
own_sshd=
own_nfs=
own_others=
export HOME=$T/home XDG_STATE_HOME=$T/home/state AWS_PAGER='' AWS_MAX_ATTEMPTS=2
export AWS_EC2_METADATA_DISABLED=true LC_ALL=C.UTF-8
mkdir -p "$HOME" "$state"
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN http_proxy HTTP_PROXY

at_end() {
	local rc=$? p
	set +e
	for p in "${own_pids[@]}"; do
		kill "$p" 2>/dev/null
	done
	while mountpoint -q "$T/mnt" 2>/dev/null; do
		umount "$T/mnt" || break
	done
	[ -z "$own_service" ] ||
		"$tests/services/ceph-rgw" stop "$own_service" >/dev/null 2>&1
	[ -z "$own_sshd" ] || "$tests/services/sshd" stop "$own_sshd"
	[ -z "$own_nfs" ] || "$tests/services/ganesha" stop "$own_nfs"
	[ -z "$own_others" ] ||
		"$tests/services/sftp-others" stop "$own_others"
	if [ -n "$own_dir" ] && [ "$rc" = 0 ]; then
		chmod -R u+rwx "$own_dir" 2>/dev/null
		rm -rf "$own_dir"
	elif [ -n "$own_dir" ]; then
		printf 'left in %s\n' "$own_dir" >&2
	fi
	exit "$rc"
}
trap at_end EXIT

# dray VERB ...: with a state directory of the test's own.
dray() {
	local verb=$1
	shift
	"$DRAY" "$verb" --state-dir "$state" "$@"
}

# expect_exit CODE COMMAND...: output in $T/out and $T/err
expect_exit() {
	local want=$1 rc=0
	shift
	printf '$ %s\n' "$*"
	"$@" >"$T/out" 2>"$T/err" || rc=$?
	# WANT may be a pattern, as "[01]"
	# shellcheck disable=SC2053
	if [[ $rc != $want ]]; then
		head -c 4000 "$T/out" "$T/err" >&2
		fail "exit $rc, not $want: $*"
	fi
}

# each COMMAND...: a case of its own; the test fails at its end if one did
cases_failed=0
each() {
	local rc=0
	(
		trap - EXIT
		"$@"
	) || rc=$?
	[ "$rc" = 0 ] || cases_failed=$((cases_failed + 1))
}
cases_end() { [ "$cases_failed" = 0 ] || fail "$cases_failed cases failed"; }

# What the last expect_exit printed has TEXT (extended regular expression).
said() {
	grep -qiE -- "$1" "$T/out" "$T/err" || {
		head -c 4000 "$T/out" "$T/err" >&2
		fail "nothing said of: $1"
	}
}
said_not() {
	! grep -qiE -- "$1" "$T/out" "$T/err" || fail "should not say: $1"
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || fail "waited in vain for: $*"
		sleep 0.05
	done
}

# background COMMAND...: pid in $!, ended with the test
background() {
	"$@" &
	own_pids+=($!)
}

# The real S3 server.  s3_begin makes a bucket of the test's own: $bucket, and
# sets the credentials.  $S3 are dray's arguments.
s3_begin() {
	if [ -z "${DRAY_TEST_ENV:-}" ]; then
		own_service=$T/ceph
		"$tests/services/ceph-rgw" start "$own_service" >/dev/null
		DRAY_TEST_ENV=$own_service/env
		DRAY_TEST_SERVICE="$tests/services/ceph-rgw $own_service"
	fi
	# shellcheck source=/dev/null
	. "$DRAY_TEST_ENV"
	bucket=$(basename "$0" .test)-$$-$RANDOM
	bucket=${bucket//_/-}
	"$tests/services/s3-bucket" "$DRAY_TEST_ENV" "$bucket"
	S3=(--endpoint-url "$S3_ENDPOINT" --region "$AWS_REGION")
}

# service VERB: flush, restart
service() {
	local -a s
	read -r -a s <<<"$DRAY_TEST_SERVICE"
	"${s[0]}" "$1" "${s[1]}"
}

# true, saying why, if there can't be such a server here
sftp_cannot() {
	[ ! -x /usr/sbin/sshd ] && ! command -v sshd >/dev/null &&
		echo 'openssh-server is not installed'
}
nfs_cannot() {
	if [ "$(id -u)" != 0 ]; then
		echo 'the NFS server needs root'
	elif ! command -v ganesha.nfsd >/dev/null; then
		echo 'nfs-ganesha is not installed'
	else
		! "$DRAY" sync -n --state-dir "$state" "$T" \
			'nfs://127.0.0.1/x?nosuch=1' >"$T/err" 2>&1 &&
			grep -q 'built without' "$T/err" &&
			echo 'built without libnfs'
	fi
}

# A real SSH server of the test's own.  $SFTP_URL is its root, $SFTP are dray's
# arguments.
sftp_begin() {
	local why
	! why=$(sftp_cannot) || skip "$why"
	"$tests/services/sshd" start "$T/sshd" >/dev/null
	own_sshd=$T/sshd
	# shellcheck source=/dev/null
	. "$T/sshd/env"
	unset SSH_AUTH_SOCK
	# shellcheck disable=SC2034
	SFTP=(--sftp-identity "$SFTP_KEY" --sftp-known-hosts "$SFTP_KNOWN")
}

# A real NFS server of the test's own; nfs_at PATH is the URL of PATH in
# $NFS_DATA.
nfs_begin() {
	local why
	! why=$(nfs_cannot) || skip "$why"
	own_nfs=$T/nfs
	"$tests/services/ganesha" start "$own_nfs" >/dev/null
	# shellcheck source=/dev/null
	. "$own_nfs/env"
}
nfs_at() { printf 'nfs://127.0.0.1/data/%s?%s\n' "$1" "$NFS_QUERY"; }

# Debian's awscli; another python's may be first in PATH.
aws() {
	local a=/usr/bin/aws
	[ -x $a ] || a=$(type -P aws) || skip 'awscli is not installed'
	"$a" --endpoint-url "$S3_ENDPOINT" "$@"
}

# Requests that the server's own log has on $bucket: method, target, status and
# bytes, one a line.  Ceph only.
requests() {
	[ "$S3_SERVER" = ceph ] || fail 'only Ceph logs requests this way'
	service flush
	sed -nE "s|.* beast: .*\"([A-Z]+) (/${bucket}[/? ][^\"]*) HTTP/1.1\" ([0-9]+) ([0-9]+) .*|\1 \2 \3 \4|p" \
		"$S3_ACCESS_LOG"
}
request_count() { requests | grep -cE "${1:-.}" || true; }

# same_tree A B: names, types, bytes; the arguments of diff -r otherwise
same_tree() {
	diff -r --no-dereference "$@" || fail "trees differ: $1 $2"
}

# same_remote DIR PREFIX: reads all back with awscli and compares.  Empty
# directories and specials don't count.
same_remote() {
	local back=$T/back
	rm -rf "$back"
	mkdir -p "$back"
	# directories are objects "dir/"; awscli skips what ends in a slash
	aws s3 sync --only-show-errors "s3://$bucket/$2" "$back" >"$T/sync.out" \
		2>&1 || { cat "$T/sync.out" >&2; fail 'awscli could not read back'; }
	diff <(cd "$1" && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2) \
		<(cd "$back" && find . -type f -exec sha256sum {} + |
			LC_ALL=C sort -k2) >"$T/diff" ||
		{ head -n 20 "$T/diff" >&2; fail "s3://$bucket/$2 differs from $1"; }
	rm -rf "$back"
}

no_uploads_left() {
	local left
	# shellcheck disable=SC2016
	left=$(aws s3api list-multipart-uploads --bucket "$bucket" \
		--query 'length(Uploads||`[]`)' --output text)
	[ "${left:-0}" = 0 ] || [ "$left" = None ] ||
		fail "$left multipart uploads are left behind"
}

# ledger_ok: each ledger in the state directory is whole
ledger_ok() {
	local db n=0
	while read -r db; do
		[ "$(sqlite3 "$db" 'PRAGMA integrity_check')" = ok ] ||
			fail "$db: integrity_check"
		n=$((n + 1))
	done < <(find "$state" -name ledger.db)
	[ "$n" -gt 0 ] || fail "no ledger in $state"
}

# The scripted server.  fake_begin [OPTION...]: $FAKE is its URL.
fake_begin() {
	background python3 "$tests/fakes/s3fake.py" --port-file "$T/fake.port" \
		"$@" >"$T/fake.log" 2>&1
	fake_pid=${own_pids[-1]}
	wait_for 40 test -s "$T/fake.port"
	FAKE=http://127.0.0.1:$(cat "$T/fake.port")
	S3_ENDPOINT=$FAKE bucket=test
	export AWS_ACCESS_KEY_ID=fake AWS_SECRET_ACCESS_KEY=fakefake
	unset AWS_REGION AWS_DEFAULT_REGION
	S3=(--endpoint-url "$FAKE" --region us-east-1)
}
fake_end() {
	kill "$fake_pid" 2>/dev/null || true
	wait "$fake_pid" 2>/dev/null || true
	rm -f "$T/fake.port"
}
fake() { curl -sS --noproxy '*' -m 20 "$FAKE/_fake/$1" "${@:2}"; }
# fault RULE...: each a JSON object
fault() {
	local r
	for r; do
		[ "$(fake rules --data-binary "$r")" = '{}' ] ||
			fail "not a rule: $r"
	done
}
# fake_log PYTHON-EXPRESSION of r, a request: how many there are
fake_count() {
	fake log | python3 -c '
import json, sys
print(sum(1 for r in json.load(sys.stdin) if eval(sys.argv[1])))' "$1"
}
# fake_has DIR PREFIX: the objects are the files of DIR, by SHA-256
fake_has() {
	fake objects | python3 -c '
import hashlib, json, os, sys, urllib.parse
root, prefix = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2])
want, got = {}, {}
for d, _, files in os.walk(root):
    for f in files:
        p = os.path.join(d, f)
        if os.path.isfile(p) and not os.path.islink(p):
            with open(p, "rb") as h:
                want[os.path.relpath(p, root)] = hashlib.sha256(
                    h.read()).hexdigest()
for o in json.load(sys.stdin):
    k = urllib.parse.unquote_to_bytes(o["key"])
    if k.startswith(prefix + b"/") and not k.endswith(b"/"):
        got[k[len(prefix) + 1:]] = o["sha256"]
bad = [k for k in set(want) | set(got) if want.get(k) != got.get(k)]
for k in sorted(bad)[:10]:
    print("differs:", k, want.get(k), got.get(k))
sys.exit(bool(bad))' "$1" "$2" || fail "the store does not hold $1"
}

# The discarding endpoint: $SINK is its URL.
sink_begin() {
	background "$DRAY_BUILD/tests/bench/sink" --port-file "$T/sink.port" \
		"$@" >"$T/sink.log" 2>&1
	wait_for 40 test -s "$T/sink.port"
	SINK=http://127.0.0.1:$(cat "$T/sink.port")
	export AWS_ACCESS_KEY_ID=sink AWS_SECRET_ACCESS_KEY=sinksink
	# shellcheck disable=SC2034
	S3=(--endpoint-url "$SINK" --region us-east-1)
}
sink_stat() {
	curl -sS --noproxy '*' "$SINK/_sink/stats" |
		python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# random_file PATH BYTES [SEED]: the same bytes each time
random_file() {
	mkdir -p "$(dirname "$1")"
	openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff \
		-iv "$(printf %032x "${3:-1}")" </dev/zero 2>/dev/null |
		head -c "$2" >"$1" || true
}

# make_tree DIR: some files of many kinds that every S3 server can hold
make_tree() {
	local i
	mkdir -p "$1/a/b/c" "$1/many" "$1/empty-dir"
	: >"$1/empty"
	: >"$1/a/b/also empty"
	random_file "$1/one" 1
	random_file "$1/a/4k" 4096 2
	random_file "$1/a/b/just under" $((8 * 1048576 - 1)) 3
	random_file "$1/a/b/c/just at" $((8 * 1048576)) 4
	random_file "$1/big" $((21 * 1048576 + 17)) 5
	for ((i = 0; i < 60; i++)); do
		echo "file $i" >"$1/many/$i"
	done
	echo odd >"$1/a/ sp ace +%&=?#;,@:'\"()[]{}!\$*|<>~\`^"
	echo uni >"$1/a/äöü-日本語-🚚"
	echo dots >"$1/a/..hidden..."
	echo back >"$1/a/back\\slash"
	echo dash >"$1/a/-n"
}
