/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/doctor/findings.h"
#include "base/json.h"
#include "base/text.h"

#define TEXT_MAX 2000 /* bytes of what is said of one */

struct finding {
	enum finding_level level;
	const char *what;
	char *text;
	char *next; /* or NULL */
};

struct findings {
	struct finding *all;
	size_t n, cap;
	bool failed;
};

struct findings *
findings_new(void)
{
	return calloc(1, sizeof(struct findings));
}

void
findings_free(struct findings *f)
{
	size_t i;

	if (f == NULL)
		return;
	for (i = 0; i < f->n; i++) {
		free(f->all[i].text);
		free(f->all[i].next);
	}
	free(f->all);
	free(f);
}

static char *__attribute__((format(printf, 2, 0)))
say(struct findings *f, const char *fmt, va_list ap)
{
	char text[TEXT_MAX], *copy;

	vsnprintf(text, sizeof(text), fmt, ap);
	copy = strdup(text);
	f->failed |= copy == NULL;
	return copy;
}

static struct finding *
more_room(struct findings *f)
{
	if (f->n == f->cap) {
		size_t cap = f->cap > 0 ? 2 * f->cap : 32;
		struct finding *all = realloc(f->all, cap * sizeof(*all));

		if (all == NULL) {
			f->failed = true;
			return NULL;
		}
		f->all = all;
		f->cap = cap;
	}
	return &f->all[f->n];
}

void
findings_add(struct findings *f, enum finding_level level, const char *what,
    const char *fmt, ...)
{
	struct finding *one = more_room(f);
	va_list ap;

	if (one == NULL)
		return;
	va_start(ap, fmt);
	*one = (struct finding){
	    .level = level, .what = what, .text = say(f, fmt, ap)};
	va_end(ap);
	f->n += one->text != NULL;
}

void
findings_next(struct findings *f, const char *fmt, ...)
{
	va_list ap;

	if (f->n == 0)
		return;
	va_start(ap, fmt);
	free(f->all[f->n - 1].next);
	f->all[f->n - 1].next = say(f, fmt, ap);
	va_end(ap);
}

size_t
findings_count(const struct findings *f, enum finding_level level)
{
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		n += f->all[i].level == level;
	return n;
}

bool
findings_failed(const struct findings *f)
{
	return f->failed;
}

static const char *
level_name(enum finding_level level)
{
	static const char *const names[FINDING_LEVEL_COUNT] = {
	    [FINDING_OK] = "ok",
	    [FINDING_WARN] = "warn",
	    [FINDING_FAIL] = "fail",
	};

	return names[level];
}

static void
text_line(const struct finding *one, struct buf *out)
{
	buf_addf(out, "%-5s %-15s ", level_name(one->level), one->what);
	text_escape(out, one->text, strlen(one->text));
	buf_addc(out, '\n');
	if (one->next == NULL)
		return;
	buf_addf(out, "%-5s %-15s -> ", "", "");
	text_escape(out, one->next, strlen(one->next));
	buf_addc(out, '\n');
}

static void
count_of(struct buf *out, size_t n, const char *what)
{
	buf_addf(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

void
findings_text(const struct findings *f, bool quiet, struct buf *out)
{
	size_t fails = findings_count(f, FINDING_FAIL);
	size_t warns = findings_count(f, FINDING_WARN);
	size_t i;

	for (i = 0; i < f->n; i++)
		if (!quiet || f->all[i].level != FINDING_OK)
			text_line(&f->all[i], out);
	if (quiet)
		return;
	if (fails == 0 && warns == 0) {
		buf_adds(out, "all well\n");
		return;
	}
	count_of(out, fails, "failure");
	buf_adds(out, ", ");
	count_of(out, warns, "warning");
	buf_addc(out, '\n');
}

void
findings_json(const struct findings *f, struct buf *out)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct finding *one = &f->all[i];
		struct json j;

		json_begin(&j, out);
		json_object(&j, NULL);
		json_str(&j, "type", "finding");
		json_str(&j, "level", level_name(one->level));
		json_str(&j, "what", one->what);
		json_str(&j, "text", one->text);
		if (one->next != NULL)
			json_str(&j, "next", one->next);
		json_object_end(&j);
		buf_addc(out, '\n');
	}
}
