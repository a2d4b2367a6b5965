/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/cli/record.h"
#include "base/auto.h"

/* What a run may do that its retry doesn't: its few items are none to compare
 * a whole target with. */
static const char not_for_retry[] = "reconcile";

/* Text of any kind may be a secret; these kinds of it are not. */
static const char plain_args[] =
    "FILE DIR PATTERN RULE NAME ADDR SIZE DATE TIME MODE N N|N% PERCENT "
    "REF NETWORK RATE";

/* A name alone before the host may be a token, but is none of the plain. */
static bool
has_password(const char *url, bool plain)
{
	const char *scheme = strstr(url, "://");
	const char *user = scheme != NULL ? scheme + 3 : url;
	const char *at = memchr(user, '@', strcspn(user, "/?#"));

	if (at == NULL || (plain && scheme == NULL))
		return false;
	return !plain || memchr(user, ':', (size_t)(at - user)) != NULL;
}

static bool
may_be_secret(const struct option_def *d, const char *value)
{
	if (d->kind != OPTION_STRING && d->kind != OPTION_CUSTOM)
		return false;
	if (value == NULL)
		return false;
	if (words_index(plain_args, d->arg, strlen(d->arg)) != -1)
		return has_password(value, true);
	/* Webhooks are protected by what only their URLs tell. */
	return strcmp(d->arg, "URL") != 0 || d->group == GROUP_EVENTS ||
	    has_password(value, false);
}

static void
add_word(struct buf *out, const struct option_def *d, const char *value)
{
	buf_addf(out, "--%s", d->name);
	if (value != NULL) {
		buf_addc(out, '=');
		/* The retry may be asked for elsewhere. */
		if (strcmp(d->arg, "FILE") == 0 && value[0] != '/' &&
		    strcmp(value, "-") != 0 && strstr(value, "://") == NULL) {
			AUTO(free) char *here = realpath(".", NULL);

			if (here != NULL)
				buf_addf(out, "%s/", here);
		}
		buf_adds(out, value);
	}
	buf_addc(out, '\0');
}

void
record_option(struct options *o, const struct option_def *d, const char *value)
{
	add_word(&o->given, d, value);
	if (d->group == GROUP_SHOW || d->group == GROUP_STATE)
		return;
	if (may_be_secret(d, value)) {
		buf_addf(&o->recorded, "?--%s", d->name);
		buf_addc(&o->recorded, '\0');
	} else {
		add_word(&o->recorded, d, value);
	}
}

/* Whether one of the words of LIST gives option NAME ("--name"). */
static bool
is_given(const struct buf *list, const char *name)
{
	const char *p = buf_str(list), *end = p + list->len;
	size_t n = strlen(name);

	for (; p < end; p += strlen(p) + 1)
		if (strncmp(p, name, n) == 0 && (p[n] == '=' || p[n] == '\0'))
			return true;
	return false;
}

/* Whether the option that WORD gives is one of dray retry, too. */
static bool
is_for_retry(const char *word)
{
	const char *name = word + (*word == '?') + strlen("--");
	size_t n = strcspn(name, "=");
	const struct option_def *d = option_by_name(name, n);

	return d != NULL && (d->verbs & 1u << VERB_RETRY) != 0 &&
	    words_index(not_for_retry, name, n) == -1;
}

/* Appends the words of FROM that count to TEXT; -1 if one is missing. */
static int
take_words(const struct buf *from, const struct buf *given, struct buf *text,
    int *n, struct err *e)
{
	const char *p = buf_str(from), *end = p + from->len;

	for (; p < end; p += strlen(p) + 1) {
		if (from != given && !is_for_retry(p))
			continue;
		if (*p == '?' && !is_given(given, p + 1))
			return err_set(e, ERR_USAGE,
			    "the run was given %s, which is not kept as it "
			    "may hold a password: give it again",
			    p + 1);
		if (*p == '?')
			continue;
		buf_add(text, p, strlen(p) + 1);
		++*n;
	}
	return 0;
}

int
record_combine(const struct buf *recorded, const struct buf *given,
    char ***argv, int *argc, char **text, struct err *e)
{
	AUTO(buf) struct buf words = BUF_INIT(16 << 20);
	char *p;
	int n = 0, i;

	if (take_words(recorded, given, &words, &n, e) == -1 ||
	    take_words(given, given, &words, &n, e) == -1)
		return -1;
	*text = buf_take(&words);
	*argv = calloc((size_t)n + 1, sizeof(**argv));
	if (*text == NULL || *argv == NULL) {
		free(*text);
		free(*argv);
		*text = NULL;
		*argv = NULL;
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	for (i = 0, p = *text; i < n; i++, p += strlen(p) + 1)
		(*argv)[i] = p;
	*argc = n;
	return 0;
}

int
record_known(const struct buf *recorded, char ***argv, int *argc, char **text,
    struct err *e)
{
	const char *p = buf_str(recorded), *end = p + recorded->len;
	AUTO(buf) struct buf known = BUF_INIT(16 << 20);
	const struct buf none = BUF_INIT(1);

	for (; p < end; p += strlen(p) + 1)
		if (*p != '?')
			buf_add(&known, p, strlen(p) + 1);
	if (buf_failed(&known))
		return err_set(e, ERR_NOMEM, "out of memory");
	return record_combine(&known, &none, argv, argc, text, e);
}
