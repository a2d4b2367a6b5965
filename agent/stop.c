/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "agent/stop.h"

/* Lock-free, hence safe in a signal handler. */
static atomic_int signals_seen;
static atomic_bool soon;
static atomic_bool now;
static atomic_bool window;

static void
on_signal(int number)
{
	int seen = atomic_fetch_add(&signals_seen, 1) + 1;

	(void)number;
	atomic_store(&soon, true);
	if (seen >= 2)
		atomic_store(&now, true);
	if (seen >= 3)
		_exit(130);
}

void
stop_init(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {
	    .sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction old;
	size_t i;

	sigemptyset(&action.sa_mask);
	sigemptyset(&ignore.sa_mask);
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			sigaction(ends[i], &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

void
stop_for_window(void)
{
	if (!atomic_load(&soon))
		atomic_store(&window, true);
	atomic_store(&soon, true);
}

void
stop_at_once(void)
{
	atomic_store(&soon, true);
	atomic_store(&now, true);
}

const atomic_bool *
stop_window_flag(void)
{
	return &window;
}

const atomic_bool *
stop_soon_flag(void)
{
	return &soon;
}

const atomic_bool *
stop_now_flag(void)
{
	return &now;
}
