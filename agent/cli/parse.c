/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/parse.h"
#include "agent/cli/record.h"
#include "agent/place.h"
#include "agent/task.h"
#include "base/buf.h"
#include "base/text.h"

#define STATS_UNSET UINT64_MAX
#define STATS_TEXT_MS 30000
#define STATS_JSON_MS 1000

/* Writes the low WIDTH bytes' worth of V; the table knows the field. */
static void
store_uint(struct options *o, const struct option_def *d, uint64_t v)
{
	char *at = (char *)o + d->field;
	uint8_t v8 = (uint8_t)v;
	uint32_t v32 = (uint32_t)v;

	if (d->width == sizeof(v8))
		memcpy(at, &v8, sizeof(v8));
	else if (d->width == sizeof(v32))
		memcpy(at, &v32, sizeof(v32));
	else
		memcpy(at, &v, sizeof(v));
}

static int
set_number(struct options *o, const struct option_def *d, const char *arg,
    struct err *e)
{
	uint64_t v;
	char least[24];

	if (d->kind == OPTION_UINT) {
		if (text_parse_uint(arg, d->min, d->max, &v, e) == -1)
			return -1;
	} else if (d->kind == OPTION_SIZE) {
		if (text_parse_size(arg, d->value, &v, e) == -1)
			return -1;
		if (v < d->min)
			return err_set(e, ERR_USAGE, "at least %s: \"%s\"",
			    text_size(d->min, least, sizeof(least)), arg);
	} else {
		if (text_parse_duration(arg, &v, e) == -1)
			return -1;
		if (v < d->min || (d->max != 0 && v > d->max))
			return err_set(e, ERR_USAGE, "too %s: \"%s\"",
			    v < d->min ? "short" : "long", arg);
	}
	store_uint(o, d, v);
	return 0;
}

static int
set_choice(struct options *o, const struct option_def *d, const char *arg,
    struct err *e)
{
	int i = words_index(d->choices, arg, strlen(arg));

	if (i == -1)
		return err_set(
		    e, ERR_USAGE, "not one of %s: \"%s\"", d->choices, arg);
	if (d->kind == OPTION_ENUM)
		store_uint(o, d, (uint64_t)i);
	else
		memcpy((char *)o + d->field, &arg, sizeof(arg));
	return 0;
}

static int
set_option(struct options *o, const struct option_def *d, const char *arg,
    struct err *e)
{
	switch (d->kind) {
	case OPTION_FLAG:
		store_uint(o, d, d->value);
		return 0;
	case OPTION_UINT:
	case OPTION_SIZE:
	case OPTION_DURATION:
		return set_number(o, d, arg, e);
	case OPTION_CHOICE:
	case OPTION_ENUM:
		return set_choice(o, d, arg, e);
	case OPTION_STRING:
		if (*arg == '\0')
			return err_set(e, ERR_USAGE, "must not be empty");
		memcpy((char *)o + d->field, &arg, sizeof(arg));
		return 0;
	case OPTION_CUSTOM:
		return d->set(o, d->letter, arg, e);
	case OPTION_HELP:
		break;
	}
	return 0;
}

int
options_init(struct options *o, struct err *e)
{
	size_t i;

	*o = (struct options){
	    .stats_ms = STATS_UNSET,
	    .control_fd = -1,
	    .given = BUF_INIT(4 << 20),
	    .recorded = BUF_INIT(4 << 20),
	};
	o->filter = filter_new(e);
	if (o->filter == NULL)
		return -1;
	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];

		if (d->preset != NULL && set_option(o, d, d->preset, e) == -1) {
			options_free(o);
			return err_context(e, "default of --%s", d->name);
		}
	}
	return 0;
}

void
options_free(struct options *o)
{
	filter_free(o->filter);
	o->filter = NULL;
	buf_free(&o->given);
	buf_free(&o->recorded);
	free(o->default_state_dir);
	o->default_state_dir = NULL;
	free(o->default_subscriptions_dir);
	o->default_subscriptions_dir = NULL;
}

/* What was typed and what it means. */
struct typed {
	const struct option_def *def; /* NULL: no such option */
	const char *name;	      /* without dashes; LEN bytes */
	int len;
	const char *dashes;
	const char *value; /* in the same word, or NULL */
	size_t used;	   /* bytes of the word that are done with */
};

static struct typed
read_long(const char *word)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");

	return (struct typed){
	    .def = option_by_name(name, len),
	    .name = name,
	    .len = (int)len,
	    .dashes = "--",
	    .value = name[len] == '=' ? name + len + 1 : NULL,
	    .used = strlen(word),
	};
}

/* One letter of a word like "-xn", AT bytes into it. */
static struct typed
read_short(const char *word, size_t at)
{
	struct typed t = {
	    .def = option_by_letter(word[at]),
	    .name = word + at,
	    .len = 1,
	    .dashes = "-",
	    .used = at + 1,
	};

	if (t.def != NULL && t.def->arg != NULL && word[at + 1] != '\0') {
		t.value = word + at + 1;
		t.used = strlen(word);
	}
	return t;
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Whether the option or options in WORD take the next word as well. */
static bool
wants_next(const char *word)
{
	struct typed t = {.used = 1};

	if (word[1] == '-') {
		t = read_long(word);
		return t.def != NULL && t.def->arg != NULL && t.value == NULL;
	}
	while (word[t.used] != '\0') {
		t = read_short(word, t.used);
		if (t.def != NULL && t.def->arg != NULL)
			return t.value == NULL;
	}
	return false;
}

const char *
options_take_verb(int *argc, char **argv)
{
	const char *verb;
	int i;

	for (i = 0; i < *argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return NULL;
		if (!is_option(argv[i]))
			break;
		i += wants_next(argv[i]);
	}
	if (i >= *argc)
		return NULL;
	verb = argv[i];
	memmove(
	    argv + i, argv + i + 1, (size_t)(*argc - i - 1) * sizeof(*argv));
	--*argc;
	return verb;
}

static int
unknown(const struct typed *t, enum verb_id verb, struct err *e)
{
	const char *near = t->dashes[1] == '-'
	    ? option_nearest(t->name, (size_t)t->len, verb)
	    : NULL;

	if (near != NULL)
		return err_set(e, ERR_USAGE,
		    "no option %s%.*s; did you mean --%s?", t->dashes, t->len,
		    t->name, near);
	return err_set(e, ERR_USAGE, "no option %s%.*s; see dray %s --help",
	    t->dashes, t->len, t->name, verb_table[verb].name);
}

/* An option, but none of VERB. */
static int
refuse(const struct typed *t, enum verb_id verb, struct err *e)
{
	const char *why = verb == VERB_VERIFY ? t->def->not_verify : NULL;

	return err_set(e, ERR_USAGE, "%s%.*s is no option of dray %s%s%s",
	    t->dashes, t->len, t->name, verb_table[verb].name,
	    why != NULL ? ": " : "", why != NULL ? why : "");
}

/* NEXT is the following word or NULL.  Returns how many words were taken of
 * it (0 or 1), or -1. */
static int
apply(struct options *o, enum verb_id verb, const struct typed *t,
    const char *next, struct err *e)
{
	const struct option_def *d = t->def;
	const char *value = t->value;

	if (d == NULL)
		return unknown(t, verb, e);
	if ((d->verbs & 1u << verb) == 0)
		return refuse(t, verb, e);
	if (d->arg == NULL && value != NULL)
		return err_set(e, ERR_USAGE, "%s%.*s takes no value", t->dashes,
		    t->len, t->name);
	if (d->arg != NULL && value == NULL) {
		if (next == NULL)
			return err_set(e, ERR_USAGE, "%s%.*s needs a value: %s",
			    t->dashes, t->len, t->name, d->arg);
		value = next;
	}
	if (set_option(o, d, value, e) == -1)
		return err_context(e, "%s%.*s", t->dashes, t->len, t->name);
	record_option(o, d, d->arg != NULL ? value : NULL);
	if (buf_failed(&o->given) || buf_failed(&o->recorded))
		return err_set(e, ERR_USAGE, "too many options");
	return d->arg != NULL && t->value == NULL;
}

/* All options in the word; -1, 2 if help is asked for, else words taken. */
static int
parse_word(struct options *o, enum verb_id verb, const char *word,
    const char *next, struct err *e)
{
	bool is_long = word[1] == '-';
	struct typed t = {.used = 1};
	int taken = 0;

	do {
		t = is_long ? read_long(word) : read_short(word, t.used);
		if (t.def != NULL && t.def->kind == OPTION_HELP &&
		    t.value == NULL)
			return 2;
		taken = apply(o, verb, &t, next, e);
	} while (taken != -1 && !is_long && word[t.used] != '\0');
	return taken;
}

int
options_parse(
    struct options *o, enum verb_id verb, int *argc, char **argv, struct err *e)
{
	bool ended = false;
	int operands = 0, i;

	for (i = 0; i < *argc; i++) {
		int taken;

		if (ended || !is_option(argv[i])) {
			argv[operands++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			ended = true;
			continue;
		}
		taken = parse_word(
		    o, verb, argv[i], i + 1 < *argc ? argv[i + 1] : NULL, e);
		if (taken == -1)
			return -1;
		if (taken == 2)
			return 1;
		i += taken;
	}
	*argc = operands;
	return 0;
}

/* https://specifications.freedesktop.org/basedir-spec/ : a relative
 * XDG_STATE_HOME is to be ignored. */
static int
find_state_dir(struct options *o, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	const char *xdg = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (geteuid() == 0)
		buf_adds(&path, "/var/lib/dray");
	else if (xdg != NULL && xdg[0] == '/')
		buf_addf(&path, "%s/dray", xdg);
	else if (home != NULL && home[0] == '/')
		buf_addf(&path, "%s/.local/state/dray", home);
	else if (o->state_dir == NULL)
		return err_set(e, ERR_CONFIG,
		    "HOME is not set: say by --state-dir where to keep the "
		    "ledger");
	o->default_state_dir = buf_take(&path);
	if (o->default_state_dir == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (o->state_dir == NULL)
		o->state_dir = o->default_state_dir;
	return 0;
}

/* Where nothing tells whose they are, there are none. */
static int
find_subscriptions(struct options *o, struct err *e)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	if (geteuid() == 0)
		buf_adds(&path, "/etc/dray/subscriptions.d");
	else if (config != NULL && config[0] == '/')
		buf_addf(&path, "%s/dray/subscriptions.d", config);
	else if (home != NULL && home[0] == '/')
		buf_addf(&path, "%s/.config/dray/subscriptions.d", home);
	else
		buf_adds(&path, "/etc/dray/subscriptions.d");
	o->default_subscriptions_dir = buf_take(&path);
	if (o->default_subscriptions_dir == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (o->subscriptions_dir == NULL)
		o->subscriptions_dir = o->default_subscriptions_dir;
	else if (strcmp(o->subscriptions_dir, "none") == 0)
		o->subscriptions_dir = "";
	return 0;
}

/* A buffer holds a part or a whole small file; two of them must fit. */
static int
check_memory(const struct options *o, struct err *e)
{
	bool parts = o->part_bytes >= o->threshold_bytes;
	uint64_t largest = parts ? o->part_bytes : o->threshold_bytes;
	char memory[24], size[24];

	if (o->memory_bytes / 2 >= largest)
		return 0;
	return err_set(e, ERR_USAGE,
	    "--memory: %s can't hold two buffers of %s: raise it, or lower "
	    "--%s",
	    text_size(o->memory_bytes, memory, sizeof(memory)),
	    text_size(largest, size, sizeof(size)),
	    parts ? "part-size" : "multipart-threshold");
}

/* What makes sense together with --delete only. */
static int
check_deletion(const struct options *o, struct err *e)
{
	const struct {
		bool given;
		const char *name;
	} more[] = {
	    {o->max_delete_set, "max-delete"},
	    {o->delete_excluded, "delete-excluded"},
	    {o->ignore_errors, "ignore-errors"},
	};
	size_t i;

	for (i = 0; !o->delete_extra && i < sizeof(more) / sizeof(more[0]); i++)
		if (more[i].given)
			return err_set(e, ERR_USAGE,
			    "--%s goes with --delete: nothing is deleted "
			    "without it",
			    more[i].name);
	return 0;
}

/* Whether what is not named is gone can't be known. */
static int
check_names(const struct options *o, struct err *e)
{
	if (o->files_from != NULL && o->delete_extra)
		return err_set(e, ERR_USAGE,
		    "--files-from and --delete exclude each other: what isn't "
		    "in the list is not looked at, so nothing is known to be "
		    "gone; --changed-from tells of that, too");
	if (o->files_from != NULL && o->changed_from != NULL)
		return err_set(e, ERR_USAGE,
		    "--files-from and --changed-from exclude each other");
	if (o->from0 && o->files_from == NULL && o->changed_from == NULL)
		return err_set(e, ERR_USAGE,
		    "--from0 goes with --files-from or --changed-from");
	return 0;
}

static int
check_comparison(const struct options *o, struct err *e)
{
	if (o->max_size_set && o->max_size < o->min_size)
		return err_set(e, ERR_USAGE,
		    "--max-size is less than --min-size: nothing would be "
		    "left");
	if (o->max_age_ms != 0 && o->max_age_ms < o->min_age_ms)
		return err_set(e, ERR_USAGE,
		    "--max-age is less than --min-age: nothing would be left");
	return 0;
}

static int
check_lock(const struct options *o, struct err *e)
{
	const struct store_config *s = &o->store;

	if ((s->lock_mode == NULL) != (s->lock_until == NULL))
		return err_set(e, ERR_USAGE,
		    "--object-lock-mode and --object-lock-retain-until go "
		    "together");
	if ((s->lock_mode != NULL || s->legal_hold) && s->checksum != NULL &&
	    strcmp(s->checksum, "none") == 0)
		return err_set(e, ERR_USAGE,
		    "S3 locks nothing without a checksum: leave out "
		    "--checksum-algorithm none");
	return 0;
}

int
options_finish(struct options *o, enum verb_id verb, struct err *e)
{
	if (o->manifest != NULL && place_check(o->manifest, e) == -1)
		return err_context(e, "--manifest");
	if (o->metadata_from != NULL && place_check(o->metadata_from, e) == -1)
		return err_context(e, "--metadata-from");
	if (o->task != NULL && task_check_name(o->task, e) == -1)
		return err_context(e, "--task");
	if (check_memory(o, e) == -1 || check_deletion(o, e) == -1 ||
	    check_names(o, e) == -1 || check_comparison(o, e) == -1 ||
	    check_lock(o, e) == -1)
		return -1;
	if (o->overwrite == OVERWRITE_NEVER)
		o->ignore_existing = true;
	if ((option_by_name("state-dir", 9)->verbs & 1u << verb) != 0 &&
	    (find_state_dir(o, e) == -1 || find_subscriptions(o, e) == -1))
		return -1;
	if (o->archive && o->links == SCAN_LINKS_SKIP)
		o->links = SCAN_LINKS_KEEP;
	if (o->json)
		o->format = "json";
	if (verb == VERB_STATUS && strcmp(o->format, "text") != 0 &&
	    strcmp(o->format, "json") != 0)
		return err_set(e, ERR_USAGE,
		    "--format: dray status has text and json, not %s",
		    o->format);
	if (verb == VERB_REPORT && strcmp(o->format, "datasync") == 0 &&
	    o->output == NULL)
		return err_set(e, ERR_USAGE,
		    "--format datasync makes several files: say by --output "
		    "DIR where");
	o->json = strcmp(o->format, "json") == 0;
	if (o->stats_ms == STATS_UNSET)
		o->stats_ms = o->json ? STATS_JSON_MS : STATS_TEXT_MS;
	if (o->verbosity < 0)
		o->progress = PROGRESS_OFF;
	return 0;
}

int
options_check_operands(enum verb_id verb, int n, struct err *e)
{
	const struct verb *v = &verb_table[verb];

	if (n < v->min)
		return err_set(
		    e, ERR_USAGE, "dray %s needs %s", v->name, v->operands);
	if (n > v->max)
		return err_set(e, ERR_USAGE,
		    "dray %s takes %s, not %d operands", v->name,
		    v->max > 0 ? v->operands : "none", n);
	return 0;
}
