/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "transfer/sftp/cipher.h"

#define FAST "aes128-gcm@openssh.com"
#define ANSWER_MAX ((size_t)256 << 10)
#define ANSWER_MS 2000 /* its configuration may run commands */

extern char **environ;

static bool
has_aes(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
	return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
	return false;
#endif
}

/* All that comes from FD, as long as it comes in time. */
static bool
read_answer(int fd, struct buf *out)
{
	uint64_t until = clock_mono_ms() + ANSWER_MS, now;
	char text[4096];

	while ((now = clock_mono_ms()) < until) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, (int)(until - now)) <= 0)
			continue;
		n = read(fd, text, sizeof(text));
		if (n <= 0)
			return n == 0 && !buf_failed(out);
		buf_add(out, text, (size_t)n);
	}
	return false;
}

/* What ARGS print into *OUT. */
static bool
ask(char *const *args, struct buf *out)
{
	posix_spawn_file_actions_t files;
	int pipes[2], rc;
	pid_t pid;
	bool told;

	if (pipe2(pipes, O_CLOEXEC) == -1)
		return false;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, pipes[1], 1);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawnp(&pid, args[0], &files, NULL, args, environ);
	posix_spawn_file_actions_destroy(&files);
	close(pipes[1]);
	told = rc == 0 && read_answer(pipes[0], out);
	close(pipes[0]);
	if (rc == 0 && !told)
		kill(pid, SIGKILL);
	if (rc == 0)
		waitpid(pid, NULL, 0);
	return told;
}

/* The ciphers that ssh would offer TARGET; DEFAULTS: without its files. */
static char *
offered(const struct transport_target *target, bool defaults)
{
	AUTO(buf) struct buf said = BUF_INIT(ANSWER_MAX);
	AUTO(free) char *host = strdup(target->host);
	AUTO(free)
	char *user = strdup(target->user != NULL ? target->user : "");
	char ssh[] = "ssh", g[] = "-G", f[] = "-F", none[] = "/dev/null",
	     p[] = "-p", l[] = "-l", end[] = "--", port[16];
	char *args[12] = {ssh, g};
	const char *at;
	int n = 2;

	if (host == NULL || user == NULL)
		return NULL;
	if (defaults) {
		args[n++] = f;
		args[n++] = none;
	}
	snprintf(port, sizeof(port), "%u", target->port);
	if (target->port != 0) {
		args[n++] = p;
		args[n++] = port;
	}
	if (user[0] != '\0') {
		args[n++] = l;
		args[n++] = user;
	}
	args[n++] = end;
	args[n] = host;
	if (!ask(args, &said))
		return NULL;
	at = strstr(buf_str(&said), "\nciphers ");
	if (at == NULL)
		return NULL;
	at += strlen("\nciphers ");
	return strndup(at, strcspn(at, "\n"));
}

char *
cipher_list(const struct transport_target *target)
{
	AUTO(free) char *now = NULL, *plain = NULL;
	char *list;

	if (target->ssh != NULL || !has_aes())
		return NULL;
	plain = offered(target, true);
	if (plain == NULL || strstr(plain, FAST) == NULL)
		return NULL;
	now = offered(target, false);
	if (now == NULL || strcmp(now, plain) != 0 ||
	    asprintf(&list, FAST ",%s", plain) == -1)
		return NULL;
	return list;
}
