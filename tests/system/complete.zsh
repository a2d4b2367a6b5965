# SPDX-License-Identifier: ISC
# zsh -f complete.zsh SCRIPTS LINE OUT: writes what zsh proposes at the end of
# LINE, with the functions in SCRIPTS, to OUT, one a line.  It is what compadd is
# given and finds fitting, in a shell at a terminal of its own.
zmodload zsh/zpty || exit 1
export SCRIPTS=$1 OUT=$3

zpty shell zsh -f -i
zpty -w shell '
PROMPT= fpath=($SCRIPTS $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
	local -a found counts prefix
	zparseopts -E O:=counts A:=counts D:=counts p:=prefix
	if [[ -z $counts ]]; then
		builtin compadd -A found "$@"
		(( $#found )) && print -rl -- $prefix[2]$^found >>$OUT.new
	fi
	builtin compadd "$@"
}
finish() { : >>$OUT.new && mv $OUT.new $OUT }
zle -N finish
bindkey "^I" complete-word "^X" finish
'
zpty -w -n shell "$2"$'\t\C-x'
until [[ -e $OUT ]]; do
	zpty -r -t shell said || sleep 0.02
done
zpty -d shell
