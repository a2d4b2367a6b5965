# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# For tests of the daemon, after lib.sh: one whose files are in $T, with tasks
# that carry $T/src, its socket $T/control and its log $T/daemon.log.

mkdir -p "$T/tasks.d" "$T/src"
cat >"$T/dray.conf" <<EOF
[daemon]
tasks-dir = $T/tasks.d
state-dir = $state
subscriptions-dir = $T/subs
control = $T/control
max-concurrent-runs = 2
[defaults]
no-fsync = yes
EOF
# conf NAME [LINE...]
conf() {
	printf '%s\n' "source = $T/src" "target = $T/dst-$1" "${@:2}" \
		>"$T/tasks.d/$1.conf"
}
# daemon_begin [OPTION...]: by the command $daemon_by, if there is one
daemon_begin() {
	# shellcheck disable=SC2086	# these are words
	background ${daemon_by:-} "$DRAY" daemon --config "$T/dray.conf" "$@" \
		2>>"$T/daemon.log"
	daemon=$!
	wait_for 10 test -S "$T/control"
	wait_for 10 task list
}
# daemon_end: as systemd does
daemon_end() {
	kill "$daemon"
	wait "$daemon" || fail "the daemon ended with $?"
	[ ! -e "$T/control" ] || fail 'the socket is still there'
}
task() { "$DRAY" task --config "$T/dray.conf" "$@"; }
# state_is NAME STATE
state_is() { task list | grep -qE "^$1 +$2 "; }
logged() { grep -qE -- "$1" "$T/daemon.log" || fail "not logged: $1"; }
