# SPDX-License-Identifier: ISC
# Tasks that have a ledger; tasks of the daemon; subscriptions.
_dray_ledgers() {
	compadd -- ${(f)"$(dray status 2>/dev/null | grep '^[^ ]')"}
}
_dray_tasks() {
	compadd -- ${(f)"$(dray task list 2>/dev/null | sed '1d;s/ .*//')"}
}
_dray_subscriptions() {
	compadd -- ${(f)"$(dray subscriptions list 2>/dev/null | sed 's/ .*//')"}
}

_dray() {
	local curcontext=$curcontext context state state_descr line
	typeset -A opt_args
	_arguments -C '(- *)'{-h,--help}'[Show the verbs]' \
		"(- *)--version[Tell dray's version]" \
		'1:verb:_dray_verbs' '*::operand:->verb' && return
	[[ $state == verb ]] && _dray_verb $words[1]
}

_dray "$@"
