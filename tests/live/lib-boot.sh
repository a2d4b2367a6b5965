# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# A Debian that systemd has booted, in a container, for tests that begin with
# lib.sh and this: its tree is $root, it has this machine's network.

[ "$(id -u)" = 0 ] || skip 'a container takes root'
for program in mmdebstrap systemd-nspawn; do
	command -v $program >/dev/null || skip "$program is not installed"
done
root=$T/root
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

# root_make PACKAGE[,PACKAGE...]: a tree with systemd and these, as in
# $root_tar.  $DRAY_TEST_ROOT: a tar that has them already.
root_tar=${DRAY_TEST_ROOT:-$T/root.tar.gz}
root_make() {
	[ -f "$root_tar" ] || mmdebstrap --quiet --variant=minbase \
		--include="systemd,systemd-sysv,dbus${1:+,$1}" "$release" "$root_tar"
	mkdir "$root"
	tar -xf "$root_tar" -C "$root"
}

boot() {
	systemd-nspawn --register=no --keep-unit --quiet --directory="$root" \
		--machine="dray-test-$$" --kill-signal=SIGRTMIN+3 \
		--console=read-only --boot </dev/null >"$T/console" 2>&1 &
	container=$!
	own_pids+=("$container")
	wait_for 60 pgrep -P "$container"
	init=$(pgrep -P "$container")
	wait_for 60 settled
}
settled() {
	inside systemctl is-system-running | grep -E 'running|degraded'
}
inside() {
	nsenter -t "$init" -a env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
halt() {
	kill -RTMIN+3 "$init"
	wait "$container" || true
}
# prop NAME: of the service
prop() { inside systemctl show -P "$1" dray.service; }
