/* SPDX-License-Identifier: ISC */
/* What a walk costs: scan ROOT [THREADS]; compare with find -printf. */
#include "config.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "transfer/scan.h"

static atomic_ullong entries;

static bool
take(void *arg, struct scan_batch *b)
{
	(void)arg;
	atomic_fetch_add(&entries, b->n);
	scan_batch_free(b);
	return true;
}

static double
seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct scan_options o = {.links = SCAN_LINKS_KEEP};
	double wall = seconds(CLOCK_MONOTONIC), cpu, n;
	int fd = open(argc > 1 ? argv[1] : ".", O_RDONLY | O_DIRECTORY);
	struct err e = ERR_INIT;
	struct rusage used;
	struct scan *s;

	o.threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	s = scan_start(fd, NULL, &o, take, NULL, NULL, &e);
	if (s == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	scan_join(s);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	n = (double)atomic_load(&entries);
	getrusage(RUSAGE_SELF, &used);
	printf("%.0f entries, %.2f us CPU and %.2f us wall each, %ld MiB\n", n,
	    cpu * 1e6 / n, wall * 1e6 / n, used.ru_maxrss / 1024);
	return 0;
}
