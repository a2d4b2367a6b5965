/* SPDX-License-Identifier: ISC */
/* https://www.rfc-editor.org/rfc/rfc1813 and rfc5531 */
#include "config.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fakes/nfsfake.h"

#define MESSAGE_MAX 8192
#define CONNECTIONS 16
#define NOENT 2
#define MOUNT_PROGRAM 100005

enum { P_NULL, P_GETATTR, P_SETATTR, P_LOOKUP, P_READ = 6, P_LIST = 17 };
enum { P_REMOVE = 12, P_RMDIR = 13, P_FSINFO = 19, P_MOUNT = 1 };

struct nfsfake nfsfake;

struct message {
	uint8_t data[MESSAGE_MAX];
	size_t at, len;
};

static uint32_t
take(struct message *m)
{
	uint32_t n = 0;

	if (m->len - m->at >= sizeof(n)) {
		memcpy(&n, m->data + m->at, sizeof(n));
		m->at += sizeof(n);
	}
	return ntohl(n);
}

/* A string or handle, NUL-terminated. */
static void
take_text(struct message *m, char *out, size_t size)
{
	size_t n = take(m), padded = (n + 3) / 4 * 4;

	out[0] = '\0';
	if (padded > m->len - m->at)
		return;
	if (n < size) {
		memcpy(out, m->data + m->at, n);
		out[n] = '\0';
	}
	m->at += padded;
}

static void
add(struct message *m, uint32_t n)
{
	n = htonl(n);
	if (sizeof(m->data) - m->len >= sizeof(n)) {
		memcpy(m->data + m->len, &n, sizeof(n));
		m->len += sizeof(n);
	}
}

static void
add_long(struct message *m, uint64_t n)
{
	add(m, (uint32_t)(n >> 32));
	add(m, (uint32_t)n);
}

static void
add_bytes(struct message *m, const char *p, size_t n)
{
	size_t padded = (n + 3) / 4 * 4;

	add(m, (uint32_t)n);
	if (sizeof(m->data) - m->len < padded)
		return;
	memset(m->data + m->len, 0, padded);
	memcpy(m->data + m->len, p, n);
	m->len += padded;
}

static void
add_attributes(struct message *m, bool file)
{
	int i;

	add(m, file && !atomic_load(&nfsfake.is_dir) ? 1 : 2);
	add(m, file ? atomic_load(&nfsfake.mode) : 0755);
	add(m, 1);
	add(m, file ? atomic_load(&nfsfake.uid) : 0);
	add(m, file ? atomic_load(&nfsfake.gid) : 0);
	add_long(m, file ? strlen(NFSFAKE_TEXT) : 0);
	add_long(m, 4096);
	add_long(m, 0);
	add_long(m, 99);
	add_long(m, file ? 2 : 1);
	for (i = 0; i < 3; i++) {
		add(m, NFSFAKE_MTIME_S);
		add(m, 0);
	}
}

static void
look_up(struct message *in, struct message *out)
{
	char dir[64], name[300];

	take_text(in, dir, sizeof(dir));
	take_text(in, name, sizeof(name));
	if (strcmp(name, "f") != 0) {
		add(out, NOENT);
		add(out, 0);
		return;
	}
	add(out, 0);
	add_bytes(out, "file", 4);
	add(out, 1);
	add_attributes(out, true);
	add(out, 0);
}

/* Whether to set ID is refused; if not, it is set. */
static bool
is_refused(struct message *in, atomic_uint *asked, atomic_uint *refused,
    atomic_uint *now, bool apply)
{
	unsigned id;

	if (take(in) == 0)
		return false;
	id = take(in);
	if (apply) {
		atomic_store(now, id);
		return false;
	}
	atomic_fetch_add(asked, 1);
	return id == atomic_load(refused);
}

static void
set_attributes(struct message *in, struct message *out)
{
	bool has_mode, refused = false;
	unsigned mode = 0;
	char fh[64];
	size_t owners;
	int apply;

	take_text(in, fh, sizeof(fh));
	has_mode = take(in) != 0;
	if (has_mode)
		mode = take(in);
	owners = in->at;
	for (apply = 0; apply < 2 && !refused; apply++) {
		in->at = owners;
		refused |= is_refused(in, &nfsfake.uids_asked,
		    &nfsfake.refused_uid, &nfsfake.uid, apply);
		refused |= is_refused(in, &nfsfake.gids_asked,
		    &nfsfake.refused_gid, &nfsfake.gid, apply);
	}
	if (has_mode && !refused)
		atomic_store(&nfsfake.mode, mode);
	add(out, refused ? atomic_load(&nfsfake.refused_status) : 0);
	add(out, 0);
	add(out, 0);
}

static void
read_file(struct message *in, struct message *out)
{
	uint32_t status = atomic_load(&nfsfake.read_status);
	size_t size = strlen(NFSFAKE_TEXT), at, len;
	char fh[64];

	take_text(in, fh, sizeof(fh));
	take(in);
	at = take(in);
	len = take(in);
	at = at < size ? at : size;
	len = len < size - at ? len : size - at;
	add(out, status);
	add(out, 0);
	if (status != 0)
		return;
	add(out, (uint32_t)len);
	add(out, at + len == size);
	add_bytes(out, &NFSFAKE_TEXT[at], len);
}

static void
list(struct message *out)
{
	static const char *const names[] = {"f", "gone"};
	uint32_t i;

	add(out, 0);
	add(out, 0);
	add_long(out, 0);
	for (i = 0; i < 2; i++) {
		add(out, 1);
		add_long(out, 2 + i);
		add_bytes(out, names[i], strlen(names[i]));
		add_long(out, 1 + i);
		add(out, 0);
		add(out, 0);
	}
	add(out, 0);
	add(out, 1);
}

static void
tell_limits(struct message *out)
{
	uint32_t status = atomic_load(&nfsfake.fsinfo_status);
	int i;

	add(out, status);
	add(out, 0);
	for (i = 0; status == 0 && i < 7; i++)
		add(out, 4096);
	if (status != 0)
		return;
	add_long(out, UINT64_C(1) << 40);
	add_long(out, 1);
	add(out, 0);
}

static void
remove_it(struct message *out, uint32_t status)
{
	add(out, status);
	add(out, 0);
	add(out, 0);
}

static void
answer_nfs(uint32_t procedure, struct message *in, struct message *out)
{
	char fh[64];

	switch (procedure) {
	case P_GETATTR:
		take_text(in, fh, sizeof(fh));
		add(out, 0);
		add_attributes(out, strcmp(fh, "file") == 0);
		break;
	case P_SETATTR:
		set_attributes(in, out);
		break;
	case P_LOOKUP:
		look_up(in, out);
		break;
	case P_READ:
		read_file(in, out);
		break;
	case P_REMOVE:
		remove_it(out, atomic_load(&nfsfake.remove_status));
		break;
	case P_RMDIR:
		atomic_fetch_add(&nfsfake.rmdirs, 1);
		remove_it(out, 0);
		break;
	case P_LIST:
		list(out);
		break;
	case P_FSINFO:
		tell_limits(out);
		break;
	case P_NULL:
		break;
	default:
		fprintf(stderr, "nfsfake: procedure %u\n", procedure);
	}
}

static void
answer(struct message *in, struct message *out)
{
	uint32_t xid = take(in), program, procedure;
	char credential[500];

	out->len = 0;
	take(in); /* a call */
	take(in); /* of RPC version 2 */
	program = take(in);
	take(in);
	procedure = take(in);
	take(in);
	take_text(in, credential, sizeof(credential));
	take(in);
	take_text(in, credential, sizeof(credential));
	add(out, 0); /* for the length */
	add(out, xid);
	add(out, 1); /* a reply, accepted, without a verifier, done */
	add(out, 0);
	add(out, 0);
	add(out, 0);
	add(out, 0);
	if (program != MOUNT_PROGRAM) {
		answer_nfs(procedure, in, out);
	} else if (procedure == P_MOUNT) {
		add(out, 0);
		add_bytes(out, "root", 4);
		add(out, 1);
		add(out, 1);
	}
}

/* One call of the connection; false at its end. */
static bool
serve(int fd)
{
	static struct message in, out;
	uint32_t n;

	if (recv(fd, &n, sizeof(n), MSG_WAITALL) != sizeof(n))
		return false;
	in.len = ntohl(n) & 0x7fffffff;
	in.at = 0;
	if (in.len > sizeof(in.data) ||
	    recv(fd, in.data, in.len, MSG_WAITALL) != (ssize_t)in.len)
		return false;
	answer(&in, &out);
	n = htonl(0x80000000 | (uint32_t)(out.len - sizeof(n)));
	memcpy(out.data, &n, sizeof(n));
	return send(fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
}

static void *
server(void *arg)
{
	struct pollfd p[CONNECTIONS];
	nfds_t i, n = 1;

	p[0] = (struct pollfd){.fd = *(int *)arg, .events = POLLIN};
	while (poll(p, n, -1) > 0) {
		for (i = 1; i < n; i++) {
			if (p[i].revents == 0 || serve(p[i].fd))
				continue;
			close(p[i].fd);
			p[i--] = p[--n];
		}
		if (p[0].revents != 0 && n < CONNECTIONS) {
			p[n] = (struct pollfd){.events = POLLIN};
			p[n++].fd = accept(p[0].fd, NULL, NULL);
		}
	}
	return NULL;
}

int
nfsfake_start(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	static int listener;
	pthread_t t;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener == -1 ||
	    bind(listener, (struct sockaddr *)&at, len) == -1 ||
	    listen(listener, 10) == -1 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) == -1 ||
	    pthread_create(&t, NULL, server, &listener) != 0 ||
	    pthread_detach(t) != 0)
		return -1;
	nfsfake.port = ntohs(at.sin_port);
	return 0;
}
