/* SPDX-License-Identifier: ISC */
/*
 * One mutex orders all that goes to the terminal.  Lock order: the log's lock,
 * then ours (the log's hooks take it), so nothing is logged while it is held.
 */
#include "config.h"

#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/stop.h"
#include "agent/ui.h"
#include "agent/ui_line.h"
#include "agent/ui_summary.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#define TICK_MS 200
#define FAILURES_LOGGED 50 /* to a terminal; a log file gets all */
#define OUT_MAX (1 << 20)

struct ui {
	const struct options *options;
	const struct run_stats *stats;
	const struct ui_run *run; /* NULL before ui_begin */
	bool live;		  /* the live line */
	bool escapes;		  /* the terminal knows control sequences */
	bool out_is_terminal;
	uint64_t problems; /* seen; the coordinator's */
	uint64_t begun_ms;
	pthread_t thread; /* if threaded */
	bool threaded;

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	/* Under mutex: */
	bool over;
	size_t drawn;	 /* columns of the line that stands there */
	struct buf out;	 /* scratch for standard output */
	struct buf line; /* scratch for the live line */
	struct rate rate;
	uint64_t shown_ms; /* when the last plain or JSON line went out */
};

enum weight { FINE, NOTICE, PROBLEM };

/* What is printed, its name in JSON, and how bad it is. */
static const struct {
	const char *text;
	const char *name;
	enum weight weight;
} actions[] = {
    [UI_SENT] = {"sent", "sent", FINE},
    [UI_ADOPTED] = {"adopted", "adopted", FINE},
    [UI_METADATA] = {"metadata", "metadata", FINE},
    [UI_DIR] = {"directory", "directory", FINE},
    [UI_LINK] = {"link", "link", FINE},
    [UI_DELETED] = {"deleted", "deleted", FINE},
    [UI_SKIPPED] = {"skipped", "skipped", FINE},
    [UI_HARDLINK] = {"hard link", "hardlink", FINE},
    [UI_FAILED] = {"failed", "failed", PROBLEM},
    [UI_CHANGED] = {"changed while read", "changed", PROBLEM},
    [UI_VANISHED] = {"vanished", "vanished", PROBLEM},
    [UI_UNREADABLE] = {"unreadable", "unreadable", PROBLEM},
    [UI_RETRY] = {"to be tried again", "retry", NOTICE},
    [UI_DIFFERS] = {"not verified", "differs", PROBLEM},
    [UI_DRIFT] = {"changed at the target", "drift", PROBLEM},
    [UI_WOULD_SEND] = {"would send", "would_send", FINE},
    [UI_WOULD_MKDIR] = {"would make directory", "would_make_directory", FINE},
    [UI_WOULD_LINK] = {"would make link", "would_make_link", FINE},
    [UI_WOULD_HARDLINK] = {"would hard link", "would_hardlink", FINE},
    [UI_WOULD_ADOPT] = {"would adopt", "would_adopt", FINE},
    [UI_WOULD_SET_METADATA] = {"would set metadata", "would_set_metadata",
	FINE},
    [UI_WOULD_DELETE] = {"would delete", "would_delete", FINE},
};

static void
write_stderr(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(STDERR_FILENO, p, n);

		if (w <= 0)
			return; /* nobody watches any more */
		p += w;
		n -= (size_t)w;
	}
}

/* Takes the live line away.  Under mutex. */
static void
erase(struct ui *u)
{
	if (u->drawn == 0)
		return;
	buf_reset(&u->line);
	if (u->escapes)
		buf_adds(&u->line, "\r\033[K");
	else
		buf_addf(&u->line, "\r%*s\r", (int)u->drawn, "");
	write_stderr(buf_str(&u->line), u->line.len);
	u->drawn = 0;
}

static size_t
terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_col < 2)
		return 80;
	return size.ws_col;
}

static uint64_t
elapsed(const struct ui *u)
{
	return clock_mono_ms() - u->begun_ms;
}

/* Under mutex. */
static struct progress_view
look(struct ui *u)
{
	struct progress_view v = {
	    .stats = stats_snapshot(u->stats),
	    .in_flight = stats_get(u->stats, in_flight),
	    .elapsed_ms = elapsed(u),
	    .scanning = stats_get(u->stats, scanning),
	    .stopping = atomic_load(stop_soon_flag()),
	};

	rate_add(&u->rate, v.elapsed_ms, &v.stats);
	v.sent_per_s = rate_sent(&u->rate);
	v.work_per_s = rate_work(&u->rate);
	return v;
}

/* One write a frame, so that it doesn't flicker.  Under mutex. */
static void
draw(struct ui *u, const struct progress_view *v)
{
	size_t before = u->drawn;

	buf_reset(&u->line);
	buf_addc(&u->line, '\r');
	progress_line(&u->line, v, terminal_columns() - 1);
	u->drawn = u->line.len - 1;
	if (u->escapes)
		buf_adds(&u->line, "\033[K");
	else if (before > u->drawn)
		buf_addf(&u->line, "%*s", (int)(before - u->drawn), "");
	write_stderr(buf_str(&u->line), u->line.len);
}

/* Ends the line in out and writes it to standard output.  A reader that left
 * ends nothing.  Under mutex. */
static void
print_out(struct ui *u)
{
	if (buf_failed(&u->out) || ferror(stdout))
		return;
	if (u->out_is_terminal)
		erase(u);
	fwrite(buf_str(&u->out), 1, u->out.len, stdout);
	if (u->out_is_terminal)
		fflush(stdout);
}

static void
print_progress_json(struct ui *u, const struct progress_view *v)
{
	uint64_t eta = progress_eta_ms(v);
	struct json j;

	buf_reset(&u->out);
	json_begin(&j, &u->out);
	json_object(&j, NULL);
	json_str(&j, "type", "progress");
	json_uint(&j, "elapsed_ms", v->elapsed_ms);
	json_bool(&j, "scanning", v->scanning);
	json_uint(&j, "in_flight", v->in_flight);
	json_uint(&j, "bytes_per_second", v->sent_per_s);
	if (eta != UINT64_MAX)
		json_uint(&j, "eta_ms", eta);
	ui_stats_json(&j, &v->stats);
	json_object_end(&j);
	buf_addc(&u->out, '\n');
	print_out(u);
	fflush(stdout);
}

static void
print_progress_plain(struct ui *u, const struct progress_view *v)
{
	char time[32];

	buf_reset(&u->line);
	buf_addf(&u->line, "dray: %s: ",
	    text_duration(v->elapsed_ms / 1000 * 1000, time, sizeof(time)));
	progress_line(&u->line, v, 0);
	buf_addc(&u->line, '\n');
	write_stderr(buf_str(&u->line), u->line.len);
}

/* Five times a second.  Under mutex. */
static void
tick(struct ui *u)
{
	const struct options *o = u->options;
	struct progress_view v = look(u);
	bool due = o->stats_ms > 0 && o->verbosity >= 0 &&
	    v.elapsed_ms >= u->shown_ms + o->stats_ms;

	if (due)
		u->shown_ms = v.elapsed_ms;
	if (due && o->json)
		print_progress_json(u, &v);
	else if (due && !u->live)
		print_progress_plain(u, &v);
	if (u->live)
		draw(u, &v);
	if (!ferror(stdout))
		fflush(stdout);
}

static void *
ui_thread(void *arg)
{
	struct ui *u = arg;
	bool told = false;

	pthread_mutex_lock(&u->mutex);
	while (!u->over) {
		struct timespec deadline = clock_deadline(TICK_MS);

		pthread_cond_timedwait(&u->wake, &u->mutex, &deadline);
		if (u->over)
			break;
		tick(u);
		if (!atomic_load(stop_soon_flag()) || told)
			continue;
		told = true;
		pthread_mutex_unlock(&u->mutex);
		if (atomic_load(stop_window_flag()))
			log_warn("the time is over: what is under way is "
				 "finished first");
		else
			log_warn("stopping: what is under way is finished "
				 "first%s",
			    isatty(STDERR_FILENO)
				? "; once more (Ctrl-C) stops at once"
				: "");
		pthread_mutex_lock(&u->mutex);
	}
	pthread_mutex_unlock(&u->mutex);
	return NULL;
}

static void
before_log(void *arg)
{
	struct ui *u = arg;

	pthread_mutex_lock(&u->mutex);
	erase(u);
}

static void
after_log(void *arg)
{
	struct ui *u = arg;

	pthread_mutex_unlock(&u->mutex);
}

struct ui *
ui_new(const struct options *o, const struct run_stats *stats, struct err *e)
{
	struct ui *u = calloc(1, sizeof(*u));
	const char *term = getenv("TERM");
	bool terminal = isatty(STDERR_FILENO) == 1;

	if (u == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	u->options = o;
	u->stats = stats;
	u->live = o->progress == PROGRESS_ON ||
	    (o->progress == PROGRESS_AUTO && terminal && !o->json);
	u->escapes = terminal && term != NULL && strcmp(term, "dumb") != 0;
	u->out_is_terminal = isatty(STDOUT_FILENO) == 1;
	buf_init(&u->out, OUT_MAX);
	buf_init(&u->line, OUT_MAX);
	pthread_mutex_init(&u->mutex, NULL);
	clock_cond_init(&u->wake);
	return u;
}

/* No more progress from now on. */
static void
stop_drawing(struct ui *u)
{
	if (!u->threaded)
		return;
	pthread_mutex_lock(&u->mutex);
	u->over = true;
	pthread_cond_signal(&u->wake);
	pthread_mutex_unlock(&u->mutex);
	pthread_join(u->thread, NULL);
	u->threaded = false;
	log_set_hooks(NULL, NULL, NULL);
	erase(u);
}

void
ui_free(struct ui *u)
{
	if (u == NULL)
		return;
	stop_drawing(u);
	pthread_cond_destroy(&u->wake);
	pthread_mutex_destroy(&u->mutex);
	buf_free(&u->out);
	buf_free(&u->line);
	free(u);
}

static void
print_start_json(struct ui *u)
{
	const struct ui_run *r = u->run;
	struct json j;

	buf_reset(&u->out);
	json_begin(&j, &u->out);
	json_object(&j, NULL);
	json_str(&j, "type", "start");
	json_str(&j, "version", PACKAGE_VERSION);
	json_str(&j, "task", r->task);
	json_uint(&j, "run", r->run_id);
	json_name(&j, "source", r->source, strlen(r->source));
	json_name(&j, "target", r->target, strlen(r->target));
	json_str(&j, "probe", r->probe);
	json_bool(&j, "dry_run", r->dry_run);
	json_object_end(&j);
	buf_addc(&u->out, '\n');
	print_out(u);
}

void
ui_begin(struct ui *u, const struct ui_run *r)
{
	u->run = r;
	u->begun_ms = clock_mono_ms();
	if (u->options->json)
		print_start_json(u);
	log_info("%s -> %s: %s", r->source, r->target, r->probe);
	log_set_hooks(before_log, after_log, u);
	u->threaded = pthread_create(&u->thread, NULL, ui_thread, u) == 0;
	if (!u->threaded)
		log_set_hooks(NULL, NULL, NULL);
}

static void
print_item_json(struct ui *u, enum ui_action action, const char *path,
    size_t len, uint64_t size, const struct err *err)
{
	struct json j;

	pthread_mutex_lock(&u->mutex);
	buf_reset(&u->out);
	json_begin(&j, &u->out);
	json_object(&j, NULL);
	json_str(&j, "type", "item");
	json_str(&j, "action", actions[action].name);
	json_name(&j, "path", path, len);
	json_uint(&j, "size", size);
	if (err != NULL) {
		if (err->kind != ERR_NONE)
			json_str(&j, "error", err_kind_name(err->kind));
		json_str(&j, "message", err->msg);
	}
	json_object_end(&j);
	buf_addc(&u->out, '\n');
	print_out(u);
	pthread_mutex_unlock(&u->mutex);
}

static void
print_item(struct ui *u, enum ui_action action, const char *path, size_t len,
    const struct err *why)
{
	pthread_mutex_lock(&u->mutex);
	buf_reset(&u->out);
	buf_addf(&u->out, "%-9s ", actions[action].text);
	text_escape(&u->out, path, len);
	if (why != NULL)
		buf_addf(&u->out, ": %s", why->msg);
	buf_addc(&u->out, '\n');
	print_out(u);
	pthread_mutex_unlock(&u->mutex);
}

/* What went wrong is for the log.  A store's message may hold any bytes. */
static void
log_item(struct ui *u, enum ui_action action, const char *path, size_t len,
    const struct err *err)
{
	AUTO(buf) struct buf text = BUF_INIT(OUT_MAX);

	if (actions[action].weight == PROBLEM && u->options->log_file == NULL &&
	    ++u->problems > FAILURES_LOGGED)
		return;
	if (len > 0)
		text_escape(&text, path, len);
	else
		buf_adds(&text, "the source's root");
	buf_adds(&text, ": ");
	if (err != NULL && action != UI_FAILED)
		buf_addf(&text, "%s: ", actions[action].text);
	if (err != NULL)
		text_escape(&text, err->msg, strlen(err->msg));
	else
		buf_adds(&text, actions[action].text);
	if (action == UI_RETRY)
		log_info("%s", buf_str(&text));
	else if (action == UI_FAILED || action == UI_UNREADABLE ||
	    action == UI_DIFFERS)
		log_error("%s", buf_str(&text));
	else
		log_warn("%s", buf_str(&text));
}

void
ui_item(struct ui *u, enum ui_action action, const char *path, size_t len,
    uint64_t size, const struct err *err)
{
	const struct options *o = u->options;
	bool fine = actions[action].weight == FINE;

	if (o->json && (!fine || (o->verbosity >= 0 && !o->no_items)))
		print_item_json(u, action, path, len, size, err);
	if (!fine)
		log_item(u, action, path, len, err);
	else if (!o->json &&
	    (o->verbosity > 0 ||
		(action >= UI_WOULD_SEND && o->verbosity == 0)))
		print_item(u, action, path, len, err);
}

void
ui_print(struct ui *u, const char *text, size_t len)
{
	pthread_mutex_lock(&u->mutex);
	buf_reset(&u->out);
	buf_add(&u->out, text, len);
	print_out(u);
	pthread_mutex_unlock(&u->mutex);
}

void
ui_stop(struct ui *u)
{
	stop_drawing(u);
}

void
ui_end(struct ui *u, enum run_outcome outcome, const struct stats_snapshot *s,
    uint64_t elapsed_ms, const struct err *why)
{
	const struct options *o = u->options;
	const struct ui_summary summary = {
	    .options = o,
	    .run = u->run,
	    .outcome = outcome,
	    .stats = s,
	    .elapsed_ms = elapsed_ms,
	    .why = why,
	};

	stop_drawing(u);
	if (u->problems > FAILURES_LOGGED)
		log_error("and %llu more; dray report lists all",
		    (unsigned long long)(u->problems - FAILURES_LOGGED));
	if (why != NULL && why->kind != ERR_STOPPED)
		log_error("%s", why->msg);
	buf_reset(&u->out);
	if (o->json) {
		ui_summary_json(&u->out, &summary);
		buf_addc(&u->out, '\n');
	} else if (o->verbosity >= 0 || outcome != RUN_OK) {
		ui_summary_text(&u->out, &summary);
	}
	print_out(u);
	fflush(stdout);
}
