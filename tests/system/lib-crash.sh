# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# kill -9 at random instants with a target that is seen as local files: what it
# shows under a final name is whole at every moment, finished parts are kept,
# nothing temporary is left at the end.  CRASH_SEED repeats a run's instants.
#
# To be read after lib.sh.  The test has the function target_url NAME: the URL
# of what is seen as $place/NAME; and in args what dray needs for it.
args=()

# parts_known TASK: finished ones of files that are not.  Of a copy: looking
# must not repair what the crash left.
parts_known() {
	local db=$state/$1/ledger.db copy=$T/copy
	rm -rf "$copy"
	mkdir "$copy"
	[ ! -e "$db" ] || cp "$db" "$copy"
	[ ! -e "$db-wal" ] || cp "$db-wal" "$copy"
	if [ "$(sqlite3 "$copy/ledger.db" 'PRAGMA user_version')" = 0 ]; then
		echo 0
		return
	fi
	sqlite3 "$copy/ledger.db" 'SELECT coalesce(sum(n), 0) FROM
		(SELECT count(*) AS n, sum(p.size) < u.size AS unfinished
		FROM part p JOIN upload u ON u.id = p.upload_id GROUP BY u.id)
		WHERE unfinished'
}
json() { python3 "$here/matrix.py" stat "$T/run.out" "$1"; }

# to NAME: $sync runs the task of that name, to $dst
to() {
	dst=$place/dst-$1
	sync=("$DRAY" sync --json --state-dir "$state" --transfers 4
		--part-size 1M --multipart-threshold 4M "${args[@]}"
		--task "crash-$1" "$src" "$(target_url "dst-$1")")
}

# crash KILLS FILES MIB: a tree of so many files, the biggest of so many MiB
crash() {
	local kills=$1 seed=${CRASH_SEED:-$RANDOM$RANDOM} src=$T/src
	local helper=$here/crash.py round=0 killed=0 kept=0 known=0
	local delay dst rc pid name
	local -a sync
	note "CRASH_SEED=$seed"
	python3 "$helper" tree "$src" "$2" "$3"
	note "$(find "$src" -type f | wc -l) files, $(du -sh \
		--apparent-size "$src" | cut -f1)"
	while [ "$killed" -lt "$kills" ] && read -r delay; do
		to "$round"
		rc=0
		known=$(parts_known "crash-$round")
		"${sync[@]}" >"$T/run.out" 2>"$T/run.err" &
		pid=$!
		sleep "$delay"
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || rc=$?
		if [ "$rc" = 137 ]; then
			killed=$((killed + 1))
			[ ! -d "$dst" ] || python3 "$helper" visible "$src" \
				"$dst" "$T/seen-$round" >"$T/shown" ||
				fail "a file is seen half written after kill $killed"
			continue
		fi
		complete
		rm -rf "$dst"
		round=$((round + 1))
	done < <(python3 "$helper" delays "$seed" $((kills * 5)) 0.02 1)
	finish "$round"
	rm -rf "$dst"

	# not left to chance: a kill while there are finished parts
	for name in a b c d e f g h; do
		to $name
		sync+=(--part-size 64K)
		python3 "$here/matrix.py" kill "$state" "crash-$name" 3 1000 \
			"${sync[@]}" >"$T/run.out" 2>&1 || true
		[ "$(parts_known "crash-$name")" = 0 ] || break
		rm -rf "$dst"
	done
	finish $name
	[ "$known" -gt 0 ] || fail 'no parts were finished at any kill'
	note "$killed kills, $round targets were complete meanwhile," \
		"$kept parts were kept"
	ledger_ok
	touch "$T/then"
	expect_exit 0 "${sync[@]}"
	# the probe may try to write: the root's time is as it was
	[ -z "$(find "$dst" -mindepth 1 -cnewer "$T/then")" ] &&
		[ ! "$dst" -nt "$T/then" ] ||
		fail 'a further run wrote something'
}

# finish NAME: one more run, to its end
finish() {
	rc=0
	known=$(parts_known "crash-$1")
	"${sync[@]}" >"$T/run.out" 2>"$T/run.err" || rc=$?
	complete
}

# A run that was not killed ended with $rc: $dst is as $src.
complete() {
	local resumed
	[ "$rc" = 0 ] || { cat "$T/run.out" "$T/run.err" >&2; fail "exit $rc"; }
	resumed=$(json resumed_parts)
	[ "$resumed" -ge "$known" ] ||
		fail "$known parts were finished, $resumed were kept"
	kept=$((kept + resumed))
	same_tree "$src" "$dst"
	[ -z "$(find "$dst" -name '.dray-*')" ] ||
		fail 'temporary files are left'
}
