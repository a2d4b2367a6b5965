/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/parse.h"
#include "agent/daemon/conf_words.h"

void
conf_words_free(struct conf_words *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		free(w->words[i]);
	free(w->words);
	free(w->defs);
	*w = (struct conf_words){.n = 0};
}

static int
add(struct conf_words *w, const struct option_def *d, const char *word,
    struct err *e)
{
	if (w->n == w->cap) {
		size_t cap = w->cap > 0 ? 2 * w->cap : 16;
		char **words = realloc(w->words, cap * sizeof(*words));
		const struct option_def **defs;

		if (words != NULL)
			w->words = words;
		defs = realloc(w->defs, cap * sizeof(*defs));
		if (defs != NULL)
			w->defs = defs;
		if (words == NULL || defs == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		w->cap = cap;
	}
	w->words[w->n] = strdup(word);
	if (w->words[w->n] == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->defs[w->n++] = d;
	return 0;
}

int
conf_words_add(
    struct conf_words *w, const char *name, const char *value, struct err *e)
{
	AUTO(buf) struct buf word = BUF_INIT(1 << 17);

	buf_adds(&word, name);
	if (value != NULL)
		buf_addf(&word, "=%s", value);
	if (buf_failed(&word))
		return err_set(e, ERR_NOMEM, "out of memory");
	return add(w, NULL, buf_str(&word), e);
}

static void
take_out(struct conf_words *w, const struct option_def *d)
{
	size_t i, kept = 0;

	for (i = 0; i < w->n; i++)
		if (w->defs[i] == d) {
			free(w->words[i]);
		} else {
			w->words[kept] = w->words[i];
			w->defs[kept++] = w->defs[i];
		}
	w->n = kept;
}

int
conf_words_add_subscriptions(
    struct conf_words *w, const char *dir, struct err *e)
{
	bool missing = access(dir, F_OK) == -1 && errno == ENOENT;

	return conf_words_add(
	    w, "--subscriptions-dir", missing ? "none" : dir, e);
}

int
conf_words_copy(
    struct conf_words *into, const struct conf_words *from, struct err *e)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		if (add(into, from->defs[i], from->words[i], e) == -1)
			return -1;
	return 0;
}

int
conf_bool(const char *value, bool *out, struct err *e)
{
	static const char yes[] = "yes true on 1", no[] = "no false off 0";
	size_t n = strlen(value);

	if (words_index(yes, value, n) == -1 && words_index(no, value, n) == -1)
		return err_set(
		    e, ERR_CONFIG, "neither yes nor no: \"%.100s\"", value);
	*out = words_index(yes, value, n) != -1;
	return 0;
}

/* What a run does is a task's to say; how it is started is the daemon's. */
static bool
is_the_daemons(const struct option_def *d)
{
	static const char own[] = "dry-run dump-filters help";

	return d->group == GROUP_SHOW || d->group == GROUP_STATE ||
	    words_index(own, d->name, strlen(d->name)) != -1;
}

static const struct option_def *
find(const char *key, struct err *e)
{
	size_t len = strlen(key);
	const struct option_def *d = option_by_name(key, len);
	const char *near;

	if (d == NULL) {
		near = option_nearest(key, len, VERB_SYNC);
		err_set(e, ERR_CONFIG, "%.100s: no such key%s%s%s", key,
		    near != NULL ? "; did you mean " : "",
		    near != NULL ? near : "", near != NULL ? "?" : "");
		return NULL;
	}
	if ((d->verbs & 1u << VERB_SYNC) == 0) {
		err_set(e, ERR_CONFIG, "%s is no option of dray sync", d->name);
		return NULL;
	}
	if (is_the_daemons(d)) {
		err_set(e, ERR_CONFIG, "%s: the daemon sees to this itself",
		    d->name);
		return NULL;
	}
	return d;
}

/* Tries the words, as the run will read them. */
static int
try_words(
    char *const *words, size_t n, enum verb_id verb, bool finish, struct err *e)
{
	AUTO(options) struct options o = {0};
	AUTO(free) char **argv = calloc(n + 1, sizeof(*argv));
	int argc = (int)n;

	if (argv == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (n > 0)
		memcpy(argv, words, n * sizeof(*argv));
	if (options_init(&o, e) == -1 ||
	    options_parse(&o, verb, &argc, argv, e) == -1 ||
	    (finish && options_finish(&o, verb, e) == -1)) {
		if (e->kind == ERR_USAGE)
			e->kind = ERR_CONFIG;
		return -1;
	}
	return 0;
}

/* Some are read at once: what would have the daemon wait is refused. */
static int
check_file(const char *path, struct err *e)
{
	struct stat st;

	if (path[0] != '/' && strstr(path, "://") == NULL)
		return err_set(e, ERR_CONFIG,
		    "neither a URL nor a path from the root: \"%.200s\"", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(
		    e, ERR_CONFIG, "not a regular file: %.200s", path);
	return 0;
}

int
conf_words_set(
    struct conf_words *w, const char *key, const char *value, struct err *e)
{
	const struct option_def *d = find(key, e);
	AUTO(buf) struct buf word = BUF_INIT(1 << 16);
	char *text;
	bool on = true;

	if (d == NULL)
		return -1;
	if (d->arg == NULL && conf_bool(value, &on, e) == -1)
		return err_context(e, "%s", d->name);
	if (d->arg != NULL && strcmp(d->arg, "FILE") == 0 &&
	    check_file(value, e) == -1)
		return err_context(e, "%s", d->name);
	buf_addf(&word, "--%s", d->name);
	if (d->arg != NULL)
		buf_addf(&word, "=%s", value);
	if (buf_failed(&word))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!on) {
		take_out(w, d);
		return 0;
	}
	text = word.data;
	if (try_words(&text, 1, VERB_SYNC, false, e) == -1)
		return -1;
	return add(w, d, text, e);
}

int
conf_words_check(const struct conf_words *w, enum verb_id verb, struct err *e)
{
	return try_words(w->words, w->n, verb, true, e);
}
