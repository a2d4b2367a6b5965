/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/control_in.h"
#include "agent/daemon/timetable.h"
#include "agent/steer.h"
#include "agent/stop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

/* After the end of its time what is under way may go on for so long. */
#define GRACE_MS 10000
#define TABLE_MS 30000

struct steer {
	struct limit *limit;
	struct timetable *table; /* of the limit, or NULL */
	struct zone *zone;
	struct control_in in; /* its fd is -1 where nothing comes */
	uint64_t until_ms;    /* 0: any time */
	bool is_over;	      /* its time; until_ms is the grace's end */
	int end_fd;	      /* readable: the thread is to end */
	pthread_t thread;
};

static void
end_time(struct steer *s)
{
	if (s->is_over) {
		s->until_ms = 0;
		stop_at_once();
		return;
	}
	s->is_over = true;
	s->until_ms = clock_mono_ms() + GRACE_MS;
	stop_for_window();
}

static void
obey(void *arg, const struct control *order)
{
	struct steer *s = arg;
	char rate[24];

	if (order->has_bwlimit) {
		/* From now on it is this. */
		timetable_free(TAKE(s->table));
		limit_set(s->limit, order->bwlimit);
		log_info("control: bandwidth limit %s%s",
		    order->bwlimit == 0
			? "off"
			: text_size(order->bwlimit, rate, sizeof(rate)),
		    order->bwlimit == 0 ? "" : "/s");
	}
	if (order->stop == CONTROL_STOP_WINDOW && !s->is_over)
		end_time(s);
	else if (order->stop == CONTROL_STOP_NOW)
		stop_at_once();
}

/* Milliseconds until the time is over, for poll(). */
static int
time_left(const struct steer *s)
{
	uint64_t now = clock_mono_ms();

	if (s->until_ms == 0)
		return -1;
	if (now >= s->until_ms)
		return 0;
	return s->until_ms - now < INT_MAX ? (int)(s->until_ms - now) : INT_MAX;
}

/* Milliseconds until the limit is to be looked up again: the clock may be set
 * meanwhile. */
static int
keep_to_table(struct steer *s)
{
	int64_t now_us = clock_wall_ns() / 1000, change;

	if (s->table == NULL)
		return -1;
	limit_set(s->limit, timetable_rate(s->table, s->zone, now_us));
	change = timetable_change(s->table, s->zone, now_us);
	if (change - now_us >= (int64_t)TABLE_MS * 1000)
		return TABLE_MS;
	return (int)((change - now_us) / 1000) + 1;
}

static int
sooner(int a, int b)
{
	return a == -1 || (b != -1 && b < a) ? b : a;
}

static void *
watch(void *arg)
{
	struct steer *s = arg;

	for (;;) {
		struct pollfd p[2] = {
		    {.fd = s->end_fd, .events = POLLIN},
		    {.fd = s->in.fd, .events = POLLIN},
		};
		int n = poll(p, 2, sooner(time_left(s), keep_to_table(s)));

		if (n == -1 && errno != EINTR)
			return NULL;
		if (n > 0 && p[0].revents != 0)
			return NULL;
		if (n > 0 && p[1].revents != 0 &&
		    !control_in_read(&s->in, obey, s))
			s->in.fd = -1;
		if (time_left(s) == 0)
			end_time(s);
	}
}

/* Signals are for the other threads: what they interrupt is there. */
static int
start_thread(struct steer *s, struct err *e)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->thread, NULL, watch, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0 ? 0 : err_set(e, ERR_SYS, "a thread can't be started");
}

static void
release(struct steer *s)
{
	if (s->end_fd != -1)
		close(s->end_fd);
	control_in_free(&s->in);
	timetable_free(s->table);
	zone_free(s->zone);
	free(s);
}

/* The limit by the time of day, where that is wished for. */
static int
read_table(struct steer *s, const char *text, struct err *e)
{
	if (text == NULL)
		return 0;
	s->table = timetable_new(text, e);
	s->zone = s->table != NULL ? zone_local(e) : NULL;
	if (s->zone == NULL)
		return err_context(e, "--bwlimit");
	keep_to_table(s);
	return 0;
}

int
steer_start(const struct options *o, struct steer **out, struct err *e)
{
	struct steer *s;

	*out = NULL;
	limit_set(o->store.limit, o->bwlimit);
	if (o->control_fd == -1 && o->max_duration_ms == 0 &&
	    o->bwlimit_table == NULL)
		return 0;
	/* Programs that the run starts have no part in it. */
	if (o->control_fd != -1 &&
	    fcntl(o->control_fd, F_SETFD, FD_CLOEXEC) == -1)
		return err_set(
		    e, ERR_USAGE, "--control-fd %d: not open", o->control_fd);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->limit = o->store.limit;
	if (o->max_duration_ms > 0)
		s->until_ms = clock_mono_ms() + o->max_duration_ms;
	control_in_init(&s->in, o->control_fd);
	s->end_fd = eventfd(0, EFD_CLOEXEC);
	if (s->end_fd == -1)
		err_sys(e, "eventfd");
	if (s->end_fd == -1 || read_table(s, o->bwlimit_table, e) == -1 ||
	    start_thread(s, e) == -1) {
		release(s);
		return -1;
	}
	*out = s;
	return 0;
}

void
steer_end(struct steer *s)
{
	const uint64_t one = 1;

	if (s == NULL)
		return;
	if (write(s->end_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(s->thread, NULL);
	release(s);
}
