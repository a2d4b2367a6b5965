/* SPDX-License-Identifier: ISC */
/* Stands in for transfer/filter.c: keeps the rules as text. */
#include "config.h"

#include <stdlib.h>

#include "transfer/filter.h"

struct filter {
	struct buf rules;
};

struct filter *
filter_new(struct err *e)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (f == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	else
		buf_init(&f->rules, 10000);
	return f;
}

void
filter_free(struct filter *f)
{
	if (f != NULL)
		buf_free(&f->rules);
	free(f);
}

int
filter_include(struct filter *f, const char *pattern, struct err *e)
{
	(void)e;
	buf_addf(&f->rules, "+ %s\n", pattern);
	return 0;
}

int
filter_exclude(struct filter *f, const char *pattern, struct err *e)
{
	(void)e;
	buf_addf(&f->rules, "- %s\n", pattern);
	return 0;
}

int
filter_rule(struct filter *f, const char *rule, struct err *e)
{
	(void)e;
	buf_addf(&f->rules, "%s\n", rule);
	return 0;
}

int
filter_file(struct filter *f, const char *path, char how, struct err *e)
{
	(void)e;
	buf_addf(&f->rules, "%c %s\n", how, path);
	return 0;
}

void
filter_dump(const struct filter *f, struct buf *out)
{
	buf_adds(out, buf_str(&f->rules));
}
