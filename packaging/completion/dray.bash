# SPDX-License-Identifier: ISC
# Tasks that have a ledger; tasks of the daemon; subscriptions.
_dray_ledgers() { dray status 2>/dev/null | grep '^[^ ]'; }
_dray_tasks() { dray task list 2>/dev/null | sed '1d;s/ .*//'; }
_dray_subscriptions() { dray subscriptions list 2>/dev/null | sed 's/ .*//'; }

# _dray_propose KIND [WORD...]: what of it begins as $cur does
_dray_propose() {
	local words=
	case $1 in
	files | directories)
		compopt -o filenames
		[ "$1" = files ] && words=-f || words=-d
		mapfile -t COMPREPLY < <(compgen "$words" -- "$cur")
		return
		;;
	words) words=${*:2} ;;
	verbs | ledgers | tasks | subscriptions) words=$("_dray_$1") ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

_dray() {
	local cur=${COMP_WORDS[COMP_CWORD]} verb='' option='' word value
	local -i i operands=0 glued=0
	COMPREPLY=()
	# "=" and ":" are words of their own, so are what is before and behind: of
	# "--x=y" an option and its value, of "s3://x" one operand
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ "$word" = = ]; then
			continue
		elif [[ $word == :* ]]; then
			glued=1
		elif [ $glued = 1 ]; then
			glued=0
		elif [ -n "$option" ]; then
			option=
		elif [[ $word == -?* ]]; then
			_dray_argument "$word" >/dev/null && option=$word
		elif [ -z "$verb" ]; then
			verb=$word
		else
			operands+=1
		fi
	done
	[ "$cur" != = ] || cur=
	# a URL, or what else has a colon in it, is for who types it
	[ $glued = 0 ] && [[ $cur != :* ]] || return 0
	if [ -n "$option" ]; then
		value=$(_dray_argument "$option")
	elif [[ $cur == -* ]]; then
		value="words $(_dray_options "${verb:-help}")"
		[ -n "$verb" ] || value+=--version
	elif [ -z "$verb" ]; then
		value=verbs
	else
		value=$(_dray_operand "$verb" "$operands")
	fi
	# shellcheck disable=SC2086	# KIND and words
	_dray_propose $value
} && complete -F _dray dray
