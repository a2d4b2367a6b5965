/* SPDX-License-Identifier: ISC */
/*
 * measure FILE COMMAND [ARG...]: runs COMMAND and writes one line to FILE:
 * wall seconds, CPU seconds (user and system, of it and all its children) and
 * peak RSS in KiB (of the biggest process).  Exits as COMMAND did.
 */
#include "config.h"

#include <err.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int
main(int argc, char **argv)
{
	struct timespec a, b;
	struct rusage ru;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3)
		errx(2, "usage: measure FILE COMMAND [ARG...]");
	clock_gettime(CLOCK_MONOTONIC, &a);
	pid = fork();
	if (pid == -1)
		err(1, "fork");
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		err(127, "%s", argv[2]);
	}
	if (wait4(pid, &status, 0, &ru) == -1)
		err(1, "wait4");
	clock_gettime(CLOCK_MONOTONIC, &b);
	f = fopen(argv[1], "w");
	if (f == NULL)
		err(1, "%s", argv[1]);
	fprintf(f, "%.3f %.3f %ld\n",
	    (double)(b.tv_sec - a.tv_sec) +
		(double)(b.tv_nsec - a.tv_nsec) / 1e9,
	    seconds(ru.ru_utime) + seconds(ru.ru_stime), ru.ru_maxrss);
	if (fclose(f) != 0)
		err(1, "%s", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
