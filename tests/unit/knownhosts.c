/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "base/text.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/sftp/knownhosts.h"

/* Two keys that ssh-keygen made, and what it hashed a name to. */
#define KEY                                                            \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPrypknyn+TEouY11AhaMLHz" \
	"SOh2Kk1yBoHZW6iiaGFU"
#define OTHER                                                          \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOPW2Y5NViHls1Gu+fyQRSmP" \
	"jnA1DNuQwctYYzTEsDUa"
#define HASHED "|1|dL+ex0/w5fSdsZMocgxoit8MidM=|YESmUUtQu0yKbcN+gnYrjtTHy8o="
#define HASHED_HOST "127.0.0.1"
#define HASHED_PORT 23571

static struct err e;
static unsigned char key[51];

static struct knownhosts *
learn(const char *host, unsigned port, const char *const *lines)
{
	struct knownhosts *k = knownhosts_new(host, port, &e);
	unsigned number = 0;

	if (k == NULL)
		abort();
	for (; *lines != NULL; lines++)
		if (knownhosts_line(k, "file", ++number, *lines, &e) == -1)
			abort();
	return k;
}

/* What the lines tell of KEY at HOST and PORT, and which of them. */
static enum knownhosts_verdict
verdict(
    const char *host, unsigned port, unsigned *line, const char *const *lines)
{
	AUTO(knownhosts) struct knownhosts *k = learn(host, port, lines);
	struct knownhosts_where where;
	enum knownhosts_verdict v =
	    knownhosts_check(k, key, sizeof(key), &where);

	*line = where.line;
	CHECK((where.file == NULL) == (v == KNOWNHOSTS_UNKNOWN));
	return v;
}

#define IS(want, want_line, host, port, ...)                              \
	do {                                                              \
		unsigned line_;                                           \
		CHECK_UINT(verdict(host, port, &line_,                    \
			       (const char *const[]){__VA_ARGS__, NULL}), \
		    KNOWNHOSTS_##want);                                   \
		CHECK_UINT(line_, want_line);                             \
	} while (0)

static void
a_name_and_its_key_are_known(void)
{
	IS(SAME, 1, "host", 22, "host " KEY);
	IS(SAME, 1, "HOST", 22, " Host\t" KEY " comment\n");
	IS(SAME, 2, "host", 22, "other " OTHER, "a,host,b " KEY);
	IS(SAME, 2, "host", 22, "host " OTHER, "host " KEY);
	IS(UNKNOWN, 0, "host", 22, "hos " KEY, "hostt " KEY, "ahost " KEY);
	IS(UNKNOWN, 0, "host", 22, "# host " KEY, "#host " KEY, "");
	IS(SAME, 1, "::1", 22, "::1 " KEY);
}

static void
a_port_is_part_of_the_name(void)
{
	IS(SAME, 1, "host", 2222, "[host]:2222 " KEY);
	IS(SAME, 1, "::1", 2222, "[::1]:2222 " KEY);
	IS(UNKNOWN, 0, "host", 2222, "[host]:2223 " KEY);
	IS(UNKNOWN, 0, "host", 22, "[host]:2222 " KEY);
	/* As ssh does: without one it is taken where nothing else is known,
	 * and doesn't tell that the key has changed. */
	IS(SAME, 1, "host", 2222, "host " KEY);
	IS(UNKNOWN, 0, "host", 2222, "host " OTHER);
	IS(OTHER, 2, "host", 2222, "host " KEY, "[host]:2222 " OTHER);
}

static void
another_key_is_not_the_one(void)
{
	IS(OTHER, 1, "host", 22, "host " OTHER);
	IS(OTHER, 1, "host", 22, "* " OTHER, "host " OTHER);
}

static void
patterns_match_as_a_shell_s(void)
{
	IS(SAME, 1, "a.dom", 22, "*.dom " KEY);
	IS(SAME, 1, "a.dom", 22, "?.d?m " KEY);
	IS(SAME, 1, "a.dom", 22, "**a*.*m* " KEY);
	IS(SAME, 1, "aab.dom", 22, "*ab.dom " KEY);
	IS(UNKNOWN, 0, "a.dom", 22, "?.dom? " KEY, "*.do " KEY, "??.dom " KEY);
	IS(SAME, 1, "127.0.0.1", 2222, "[127.0.0.*]:2222 " KEY);
	IS(SAME, 1, "127.0.0.1", 2222, "* " KEY);
}

static void
what_is_excluded_is_not_matched(void)
{
	IS(UNKNOWN, 0, "host", 22, "host,!host " KEY);
	IS(UNKNOWN, 0, "host", 22, "!host,host " KEY);
	IS(UNKNOWN, 0, "a.dom", 22, "*,!*.dom " KEY);
	IS(SAME, 1, "a.dam", 22, "*,!*.dom " KEY);
	IS(UNKNOWN, 0, "a.dam", 22, "!*.dom " KEY);
}

static void
hashed_names_are_known(void)
{
	IS(SAME, 1, HASHED_HOST, HASHED_PORT, HASHED " " KEY);
	IS(OTHER, 1, HASHED_HOST, HASHED_PORT, HASHED " " OTHER);
	IS(UNKNOWN, 0, HASHED_HOST, 22, HASHED " " KEY);
	IS(UNKNOWN, 0, HASHED_HOST, HASHED_PORT, HASHED "x " KEY,
	    "|1|dL+ex0/w5fSdsZMocgxoit8MidM=| " KEY, "|1|* " KEY, "|1|" KEY,
	    "|2" HASHED " " KEY);
}

static void
a_revoked_key_is_refused_whatever_else_is_said(void)
{
	IS(REVOKED, 2, "host", 22, "host " KEY, "@revoked host " KEY);
	IS(REVOKED, 1, "host", 22, "@revoked * " KEY, "host " KEY);
	/* ssh overlooks this one: it wants a space after the marker. */
	IS(REVOKED, 1, "host", 2222, "@revoked\t*\t" KEY, "[host]:2222 " KEY);
	IS(REVOKED, 1, "a.dom", 22, "@revoked *.dom " KEY, "a.dom " KEY);
	IS(REVOKED, 1, HASHED_HOST, HASHED_PORT, "@revoked " HASHED " " KEY);
	IS(REVOKED, 1, "host", 22, "@revoked * " KEY);
	IS(SAME, 2, "host", 22, "@revoked * " OTHER, "host " KEY);
	IS(SAME, 2, "host", 22, "@revoked other " KEY, "host " KEY);
}

static void
an_authority_is_no_host_key(void)
{
	static const char *const line[] = {
	    "host " OTHER, "@cert-authority host " KEY, NULL};
	static const char *const none[] = {
	    "host " OTHER, "@cert-authority other " KEY, NULL};
	AUTO(knownhosts) struct knownhosts *k = learn("host", 22, line);
	AUTO(knownhosts) struct knownhosts *other = learn("host", 22, none);
	struct knownhosts_where where = {0};

	IS(UNKNOWN, 0, "host", 22, "@cert-authority host " KEY);
	CHECK(knownhosts_authority(k, &where) && where.line == 2);
	CHECK_STR(where.file, "file");
	CHECK(!knownhosts_authority(other, &where));
}

static void
lines_that_make_no_sense_tell_nothing(void)
{
	IS(UNKNOWN, 0, "host", 22, "host", "host ssh-ed25519", "@revoked",
	    "@other host " KEY, "@ host " KEY,
	    "host ssh-rsa" /* of another type than its bytes */
	    " AAAAC3NzaC1lZDI1NTE5AAAAIPrypknyn+TEouY11AhaMLHzSOh2Kk1yBoHZW6ii"
	    "aGFU",
	    "host ssh-ed25519 =", "host ssh-ed25519 ====",
	    "host ssh-ed25519 AAAA", "host x AAAAAXg");
}

static void
kinds_of_keys_that_count_are_told(void)
{
	static const char *const lines[] = {"host ssh-rsa AAAAB3NzaC1yc2E=",
	    "[host]:2222 " KEY, "[host]:2222 ssh-dss AAAAB3NzaC1kc3M=",
	    "@revoked * ssh-dss AAAAB3NzaC1kc3M=", NULL};
	AUTO(knownhosts) struct knownhosts *k = learn("host", 2222, lines);
	AUTO(knownhosts) struct knownhosts *plain = learn("host", 22, lines);

	CHECK(knownhosts_has(k, "ssh-ed25519"));
	CHECK(!knownhosts_has(k, "ssh-rsa") && !knownhosts_has(k, "ssh-dss"));
	CHECK(knownhosts_has(plain, "ssh-rsa"));
	CHECK(!knownhosts_has(plain, "ssh-ed25519"));
}

static void
only_so_much_is_read(void)
{
	AUTO(knownhosts) struct knownhosts *k = knownhosts_new("h", 22, &e);
	AUTO(free) char *line = malloc(KNOWNHOSTS_LINE_MAX + 2);
	FILE *f = fopen("known", "w");
	struct knownhosts_where where;
	unsigned i;

	memset(line, 'x', KNOWNHOSTS_LINE_MAX + 1);
	line[KNOWNHOSTS_LINE_MAX + 1] = '\0';
	fprintf(f, "h " KEY "\r\n%s\nh " OTHER, line + 1);
	fclose(f);
	CHECK(knownhosts_file(k, "known", &e) == 0);
	CHECK(knownhosts_check(k, key, sizeof(key), &where) == KNOWNHOSTS_SAME);
	CHECK_STR(where.file, "known");
	f = fopen("known", "a");
	fprintf(f, "\n%s\n", line);
	fclose(f);
	CHECK(knownhosts_file(k, "known", &e) == -1);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, "known:4: ") != NULL);
	CHECK(knownhosts_file(k, "none", &e) == -1 && e.kind == ERR_NOTFOUND);
	for (i = 4; i < KNOWNHOSTS_KEYS_MAX; i++)
		CHECK(knownhosts_line(k, "f", i, "h " KEY, &e) == 0);
	CHECK(knownhosts_line(k, "f", i, "h " KEY, &e) == -1);
	CHECK(e.kind == ERR_CONFIG);
}

int
main(void)
{
	const char *text = strchr(KEY, ' ') + 1;
	int tree;

	if (!text_unbase64(text, strlen(text), key, sizeof(key)))
		abort();
	RUN(a_name_and_its_key_are_known);
	RUN(a_port_is_part_of_the_name);
	RUN(another_key_is_not_the_one);
	RUN(patterns_match_as_a_shell_s);
	RUN(what_is_excluded_is_not_matched);
	RUN(hashed_names_are_known);
	RUN(a_revoked_key_is_refused_whatever_else_is_said);
	RUN(an_authority_is_no_host_key);
	RUN(lines_that_make_no_sense_tell_nothing);
	RUN(kinds_of_keys_that_count_are_told);
	tree = tree_begin();
	if (fchdir(tree) == -1)
		return 99;
	RUN(only_so_much_is_read);
	tree_end(tree);
	return check_end();
}
