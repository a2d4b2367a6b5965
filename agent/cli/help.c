/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/cli/help.h"

#define COLUMNS 80
#define HELP_COLUMN 28 /* where the options' explanations begin */

/* Appends TEXT word by word; lines after the first are indented.  COLUMN is
 * where the first one stands already. */
static void
wrap(struct buf *out, const char *text, size_t indent, size_t column)
{
	bool first = true;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (!first && column + 1 + n > COLUMNS) {
			buf_addf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			buf_addc(out, ' ');
			column++;
		}
		buf_add(out, text, n);
		column += n;
		first = false;
		text += n;
		text += strspn(text, " ");
	}
	buf_addc(out, '\n');
}

static void
show_examples(struct buf *out, const char *examples)
{
	while (*examples != '\0') {
		size_t n = strcspn(examples, "\n");

		buf_adds(out, "  ");
		buf_add(out, examples, n + 1);
		examples += n + 1;
	}
}

/* The default, unless the text tells it or it is that nothing is given. */
static void
explain(struct buf *out, const struct option_def *d)
{
	AUTO(buf) struct buf text = BUF_INIT(1024);

	buf_adds(&text, d->help);
	if (d->preset != NULL)
		buf_addf(&text, " [%s]", d->preset);
	wrap(out, buf_str(&text), HELP_COLUMN, HELP_COLUMN);
}

static void
show_option(struct buf *out, const struct option_def *d)
{
	size_t begin = out->len, width;

	if (d->letter != '\0')
		buf_addf(out, "  -%c, --%s", d->letter, d->name);
	else
		buf_addf(out, "      --%s", d->name);
	if (d->arg != NULL)
		buf_addf(out, " %s", d->arg);
	width = out->len - begin;
	if (width + 2 > HELP_COLUMN) {
		buf_addc(out, '\n');
		width = 0;
	}
	buf_addf(out, "%*s", (int)(HELP_COLUMN - width), "");
	explain(out, d);
}

static void
show_group(struct buf *out, enum verb_id verb, enum option_group group)
{
	bool titled = false;
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];

		if (d->group != group || d->help == NULL ||
		    (d->verbs & 1u << verb) == 0)
			continue;
		if (!titled)
			buf_addf(out, "\n%s:\n", option_group_title(group));
		titled = true;
		show_option(out, d);
	}
}

void
help_verb(struct buf *out, enum verb_id verb)
{
	const struct verb *v = &verb_table[verb];
	int group;

	buf_addf(out, "Usage: dray %s [OPTION]...%s%s\n\n", v->name,
	    v->operands[0] != '\0' ? " " : "", v->operands);
	wrap(out, v->summary, 0, 0);
	wrap(out, v->about, 0, 0);
	buf_adds(out, "\nExamples:\n");
	show_examples(out, v->examples);
	for (group = 0; group < GROUP_COUNT; group++)
		show_group(out, verb, (enum option_group)group);
	buf_adds(out, "\nExit status: ");
	wrap(out,
	    "0 all well, 1 some items failed, 2 usage, 3 settings or "
	    "credentials, 4 store not reached, 5 some sources changed or "
	    "vanished while read, 6 its time was over, 130 interrupted. More "
	    "in dray(1).",
	    0, 13);
}

#define COLUMN 20 /* of the verbs' summaries */

void
help_overview(struct buf *out)
{
	int i;

	wrap(out,
	    "dray moves file trees between directories, S3, SFTP and NFS, "
	    "resumes after "
	    "any interruption and proves what arrived.",
	    0, 0);
	buf_adds(out, "\nUsage: dray VERB [OPTION]... [OPERAND]...\n\n");
	for (i = 0; i < VERB_COUNT; i++) {
		const struct verb *v = &verb_table[i];
		size_t from = out->len;
		int used;

		buf_addf(out, "  %-7s %s", v->name, v->operands);
		used = (int)(out->len - from);
		if (used < COLUMN)
			buf_addf(out, "%*s", COLUMN - used, "");
		else
			buf_addf(out, "\n%*s", COLUMN, "");
		wrap(out, v->summary, COLUMN, COLUMN);
	}
	buf_adds(out, "\nExamples:\n");
	show_examples(out,
	    "dray probe s3://bucket\n"
	    "dray sync -n /data s3://bucket/prefix\n"
	    "dray sync /data s3://bucket/prefix\n"
	    "dray report\n");
	buf_adds(out,
	    "\ndray VERB --help explains a verb; its manual page is "
	    "dray-VERB(1).\n");
}
