/* SPDX-License-Identifier: ISC */
/* Names are bytes: each arrives as it is, or is refused for what it is. */
#include "config.h"

#include "tests/live/conform/conform.h"

#define REFUSED_SHOWN 5
static unsigned refused; /* names, in the case that runs */

/*
 * Puts a file KEY.  False if the store can't hold the name, and then nothing
 * of it may be seen.
 */
static bool
put_named(const char *key)
{
	struct item_stat st = a_file(strlen(key));
	struct err e = ERR_INIT;

	if (OPS->check_key(at.store, key, ITEM_FILE, &e) == 0 &&
	    put_by(at.session, key, &st, key, strlen(key), &e) == 0)
		return true;
	if (e.kind == ERR_NAME) {
		if (refused++ < REFUSED_SHOWN)
			not_held("the name %s: %s", shown(key), e.msg);
		return false;
	}
	remark("the name %s", shown(key));
	FAILS(-1, &e, KIND(ERR_NAME));
	return false;
}

static void
odd_names_arrive_as_they_are(void)
{
	static char long_name[256], all[254][8];
	const char *names[320] = {" ", " head", "tail ", "a b", "-rf", "--",
	    "+", "a+b", "%", "%20", "%2F", "%2e%2e", "new\nline", "\r", "\t",
	    "a\\b", "\\", "'", "\"", "`x`", "$HOME", "*", "?", "[a]", "{b}",
	    "a?b", "a#b", "#", "a&b<c>d", "&amp;", "]]>", "a=b&c", "a;b", "a:b",
	    "a@b", "~", "~t", "!", "|", "...", "..a", ".hidden", "a.",
	    "a|b^c`d{e}[f]", "CON", "nul.txt", "caf\xc3\xa9", "cafe\xcc\x81",
	    "\xe4\xb8\xad\xe6\x96\x87", "\xf0\x9f\x98\x80", "\xef\xbf\xbe",
	    "\xc2\x85", "\xff\xfe not UTF-8", "\xc3", "\xed\xa0\x80", ".dray-x",
	    ".nfs", "CASE", "case", "long"};
	struct listed l;
	size_t n, i;

	for (n = 0; names[n] != NULL; n++)
		;
	/* each byte that a name can have */
	for (i = 1; i < 256; i++) {
		if (i == '/')
			continue;
		snprintf(all[i > '/' ? i - 2 : i - 1], sizeof(all[0]), "c%c",
		    (int)i);
		names[n++] = all[i > '/' ? i - 2 : i - 1];
	}
	memset(long_name, 'l', sizeof(long_name) - 1);
	names[n++] = long_name;
	refused = 0;
	for (i = 0; i < n; i++)
		if (!put_named(names[i]))
			names[i--] = names[--n];
	if (refused > REFUSED_SHOWN)
		not_held("and %u other names", refused - REFUSED_SHOWN);
	l = list_of("", false);
	CLAIM(l.n == n);
	for (i = 0; i < n; i++) {
		if (!CLAIM(listed_find(&l, names[i]) != NULL) ||
		    !holds_text(names[i], names[i]))
			remark("the name %s", shown(names[i]));
	}
	listed_free(&l);
	remove_keys(names, n);
	l = list_of("", false);
	CLAIM(l.n == 0);
	listed_free(&l);
}

static void
odd_directories_hold_what_is_in_them(void)
{
	static const char *const dirs[] = {"a b", "%2F", "new\nline",
	    "\xff\xfe", "+&=?#", "-rf", "tail ", "...", "caf\xc3\xa9"};
	char key[100], inner[100];
	size_t i;

	refused = 0;
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct listed l;

		snprintf(key, sizeof(key), "%s/%s", dirs[i], dirs[i]);
		snprintf(inner, sizeof(inner), "%s/", dirs[i]);
		if (!put_named(key))
			continue;
		make_dir(dirs[i]);
		l = list_of(dirs[i], false);
		CLAIM(l.n == 1 && listed_find(&l, key) != NULL);
		listed_free(&l);
		holds_text(key, key);
		remove_key(key);
		remove_key(inner);
		CLAIM(is_absent(inner));
	}
}

/* DEPTH directories of LEN bytes each, and a file. */
static void
try_depth(unsigned depth, size_t len)
{
	AUTO(free) char *key = calloc(depth, len + 1);
	AUTO(free) char *dir = NULL;
	struct listed l;
	size_t size = depth * (len + 1);

	if (key == NULL)
		return;
	memset(key, 'd', size);
	for (; depth > 0; depth--)
		key[depth * (len + 1) - 1] = '/';
	key[size - 1] = '\0';
	if (!put_named(key))
		return;
	holds_text(key, key);
	dir = strdup(key);
	*strrchr(dir, '/') = '\0';
	l = list_of(dir, false);
	CLAIM(l.n == 1 && listed_find(&l, key) != NULL);
	listed_free(&l);
	l = list_of("", true);
	CLAIM(listed_find(&l, key) != NULL);
	listed_free(&l);
	clear_store();
}

static void
deep_paths_are_kept(void)
{
	refused = 0;
	try_depth(100, 1);
	try_depth(4, 200);
	try_depth(17, 240);
	try_depth(500, 1);
}

static void
what_is_too_long_is_named(void)
{
	char key[2048];
	struct item_stat st = a_file(1);
	struct err e = ERR_INIT;

	if (HAS(STORE_HAS_DIRS)) {
		memset(key, 'k', 256);
		key[256] = '\0';
	} else {
		memset(key, 'k', sizeof(key) - 1);
		key[sizeof(key) - 1] = '\0';
	}
	if (OPS->check_key(at.store, key, ITEM_FILE, &e) == 0 &&
	    put_by(at.session, key, &st, "x", 1, &e) == 0)
		holds_text(key, "x");
	else
		FAILS(-1, &e, KIND(ERR_NAME));
}

const struct conform_case name_cases[] = {
    CASE(odd_names_arrive_as_they_are),
    CASE(odd_directories_hold_what_is_in_them),
    CASE(deep_paths_are_kept),
    CASE(what_is_too_long_is_named),
    {0},
};
