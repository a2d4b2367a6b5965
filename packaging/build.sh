# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034	# for those who source it
#
# What build-deb and build-rpm share: their arguments,
#
#	[--out DIR] [--version VERSION] [--build DIR]
#
#	--out DIR      where the packages go [.]
#	--version V    call it so [what VERSION has]
#	--build DIR    a configured build directory, to save time [a new one]
#
# and make_tree.
set -eu -o pipefail

program=$(basename "$0")
top=$(cd "$(dirname "$0")/.." && pwd)
out=. build='' version=$(cat "$top/VERSION")

die() {
	printf '%s: %s\n' "$program" "$*" >&2
	exit 1
}

while [ $# -gt 0 ]; do
	case $1 in
	--out | --version | --build)
		[ $# -gt 1 ] || die "$1 needs a value"
		declare "${1#--}=$2"
		shift
		;;
	*)
		sed -n '6,10s/^#	\{0,1\}//p' "${BASH_SOURCE[0]}"
		[ "$1" != --help ] || exit 0
		exit 2
		;;
	esac
	shift
done
[[ $version =~ ^[0-9][0-9A-Za-z.+~]*$ ]] || die "--version: makes no sense: $version"
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/$program.XXXXXX")
trap 'rm -rf "$work"' EXIT

# quiet NAME COMMAND...: its output only where it fails
quiet() {
	local log=$work/$1.log
	shift
	"$@" >"$log" 2>&1 </dev/null || {
		tail -n 60 "$log" >&2
		die "failed: $*"
	}
}

# Fails with the packages of Debian that are missing.
needs() {
	local p
	local -a missing=()
	command -v dpkg-query >/dev/null || return 0
	for p; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
			grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} = 0 ] ||
		die "install what is missing: apt-get install ${missing[*]}"
}

configured() { cd "$build" && "$top/configure"; }

# What `make dist` packs, in $tree.
make_tree() {
	if [ -z "$build" ]; then
		build=$work/build
		mkdir "$build"
		[ -x "$top/configure" ] || quiet autogen "$top/autogen.sh"
		quiet configure configured
	fi
	tree=$work/dray-$version
	quiet dist make -C "$build" distdir distdir="$tree"
	printf '%s\n' "$version" >"$tree/VERSION"
}
