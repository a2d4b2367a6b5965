# SPDX-License-Identifier: ISC
#
# A verb's manual page, from its own text and the one source of all options:
#	awk -f page.awk options.mdoc dray-VERB.mdoc >dray-VERB.1
# In options.mdoc
#	.\" = NAME VERB...	NAME stands for these verbs from then on
#	.\" @ VERB...		what follows is an entry of these; "all": of any
#	.\" # SECTION = PAGE N	where .Sx SECTION leads to, outside of that page
# and a group of entries begins with .Ss.  A page has them all in the place of
# its line
#	.\" OPTIONS

function words(line, prefix) {
	return substr(line, length(prefix) + 1)
}

# Whether the verbs in LIST, or the names that stand for some, have ours.
function has(list, n, i, w) {
	n = split(list, w, " ")
	for (i = 1; i <= n; i++)
		if (w[i] == verb || w[i] == "all" ||
		    (w[i] in set && has(set[w[i]])))
			return 1
	return 0
}

# A reference to a section that may be in another page.
function section(line, title, rest) {
	title = words(line, ".Sx ")
	rest = ""
	if (match(title, / [.,;:]$/)) {
		rest = substr(title, RSTART)
		title = substr(title, 1, RSTART - 1)
	}
	if (!(title in home))
		oops(FILENAME ":" FNR ": no section " title)
	if (home[title] == page)
		return line
	return ".Sx " title "\n" "in" "\n.Xr " home[title] rest
}

function oops(text) {
	print text | "cat >&2"
	failed = 1
	exit 1
}

function add(line) {
	if (!open_group) {
		options = options ".Ss " group "\n.Bl -tag -width Ds\n"
		open_group = 1
	}
	options = options line "\n"
}

function close_group() {
	if (open_group)
		options = options ".El\n"
	open_group = 0
}

BEGIN {
	page = ARGV[2]
	sub(/.*\//, "", page)
	sub(/\.mdoc$/, "", page)
	verb = substr(page, length("dray-") + 1)
	page = page " 1"
}

FNR == NR && /^\.\\" = / {
	name = $3
	sub(/^\.\\" = [^ ]+ /, "")
	set[name] = $0
	next
}
FNR == NR && /^\.\\" # / {
	title = words($0, ".\\\" # ")
	where = title
	sub(/ = .*/, "", title)
	sub(/.* = /, "", where)
	home[title] = where
	next
}
FNR == NR && /^\.Ss / {
	close_group()
	group = words($0, ".Ss ")
	ours = 0
	next
}
FNR == NR && /^\.\\" @ / {
	ours = has(words($0, ".\\\" @ "))
	next
}
FNR == NR && /^\.\\"/ { next }
FNR == NR && !ours { next }
FNR == NR && /^\.Sx / { add(section($0)); next }
FNR == NR { add($0); next }

/^\.\\" OPTIONS$/ {
	close_group()
	if (options == "")
		oops("no options of " verb)
	printf ".Sh OPTIONS\n%s", options
	found = 1
	next
}
/^\.Sx / { print section($0); next }
{ print }

END {
	if (!failed && !found)
		oops(page ": no line .\\\" OPTIONS")
	if (failed)
		exit 1
}
