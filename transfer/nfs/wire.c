/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "transfer/nfs/wire_in.h"

#include <nfsc/libnfs-raw-mount.h>

#define POLL_MS 100 /* how long the stop flag may go unseen */
#define TIMEOUT_MS 60000
#define CONNECT_TIMEOUT_MS 10000

struct nfs_wire *
nfs_wire_new(const struct nfs_wire_config *config, struct err *e)
{
	struct nfs_wire *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	w->config = *config;
	if (w->config.timeout_ms == 0)
		w->config.timeout_ms = TIMEOUT_MS;
	if (w->config.connect_timeout_ms == 0)
		w->config.connect_timeout_ms = CONNECT_TIMEOUT_MS;
	return w;
}

void
nfs_wire_free(struct nfs_wire *w)
{
	if (w == NULL)
		return;
	nfs_link_close(&w->link);
	free(w);
}

void
nfs_link_close(struct nfs_link *l)
{
	struct nfs_context *nfs = l->nfs;

	l->nfs = NULL;
	l->rpc = NULL;
	/* This calls back for what is under way. */
	if (nfs != NULL)
		nfs_destroy_context(nfs);
	l->pending = 0;
}

/* What people can do about a refused credential is not to try again. */
static bool
is_refusal(const char *why)
{
	return strcasestr(why, "auth") != NULL ||
	    strcasestr(why, "weak") != NULL;
}

int
nfs_link_broke(struct nfs_wire *w, struct nfs_link *l, struct err *e)
{
	char why[sizeof(l->why)];

	snprintf(why, sizeof(why), "%s", l->why);
	if (why[0] == '\0' && l->nfs != NULL) {
		const char *text = nfs_get_error(l->nfs);

		snprintf(why, sizeof(why), "%s", text != NULL ? text : "");
	}
	nfs_link_close(l);
	l->why[0] = '\0';
	return err_set(e, is_refusal(why) ? ERR_DENIED : ERR_NET,
	    "NFS server %.100s: %s", w->config.host,
	    why[0] != '\0' ? why : "the connection broke");
}

/* What isn't even sent: it may be that the call is over 4 KiB, which is all
 * that libnfs takes but for data. */
static int
not_queued(
    struct nfs_wire *w, struct nfs_link *l, const char *what, struct err *e)
{
	const char *why = l->nfs != NULL ? nfs_get_error(l->nfs) : NULL;
	bool too_long = why != NULL && strstr(why, "Failed to encode") != NULL;

	nfs_link_broke(w, l, e);
	return too_long
	    ? err_set(e, ERR_NAME, "%s: too long a name or target", what)
	    : -1;
}

/* The connection is of no use any more; it tells for how long it was silent. */
static int
timed_out(struct nfs_wire *w, struct nfs_link *l, unsigned ms, struct err *e)
{
	nfs_link_close(l);
	return err_set(e, ERR_NET, "NFS server %.100s: no answer for %u s",
	    w->config.host, (ms + 999) / 1000);
}

static bool
is_stopped(const struct nfs_wire *w)
{
	return w->config.stop != NULL &&
	    atomic_load_explicit(w->config.stop, memory_order_relaxed);
}

static int
wait_for(struct nfs_wire *w, struct nfs_link *l, unsigned most, unsigned ms,
    struct err *e)
{
	uint64_t last = clock_mono_ms();

	while (l->pending > most) {
		struct pollfd p = {.fd = rpc_get_fd(l->rpc)};
		int n;

		if (is_stopped(w)) {
			nfs_link_close(l);
			return err_set(e, ERR_STOPPED, "stopped");
		}
		if (p.fd == -1)
			return nfs_link_broke(w, l, e);
		p.events = (short)rpc_which_events(l->rpc);
		n = poll(&p, 1, POLL_MS);
		if (n == -1 && errno != EINTR)
			return nfs_link_broke(w, l, e);
		if (n > 0) {
			if (rpc_service(l->rpc, p.revents) < 0)
				return nfs_link_broke(w, l, e);
			last = clock_mono_ms();
		} else if (clock_mono_ms() - last >= ms) {
			return timed_out(w, l, ms, e);
		}
	}
	return 0;
}

int
nfs_link_wait(
    struct nfs_wire *w, struct nfs_link *l, unsigned most, struct err *e)
{
	return wait_for(w, l, most, w->config.timeout_ms, e);
}

void *
nfs_answer(struct nfs_call *call, int rpc_status, void *data)
{
	struct nfs_link *l = call->link;

	if (l->pending > 0)
		l->pending--;
	if (rpc_status != RPC_STATUS_SUCCESS) {
		call->failed = true;
		/* Not from a link that is being closed. */
		if (rpc_status == RPC_STATUS_ERROR && data != NULL &&
		    l->nfs != NULL && l->why[0] == '\0')
			snprintf(
			    l->why, sizeof(l->why), "%s", (const char *)data);
		return NULL;
	}
	/* All answers begin with it. */
	memcpy(&call->status, data, sizeof(call->status));
	return call->status == 0 ? data : NULL;
}

int
nfs_call_end(struct nfs_wire *w, struct nfs_call *call, bool queued,
    const char *what, struct err *e)
{
	struct nfs_link *l = call->link;

	if (!queued)
		return not_queued(w, l, what, e);
	if (nfs_link_wait(w, l, 0, e) == -1)
		return -1;
	if (call->failed)
		return nfs_link_broke(w, l, e);
	return call->status == 0 ? 0 : nfs_status_error(call->status, what, e);
}

/* https://www.rfc-editor.org/rfc/rfc1813#section-2.6 */
int
nfs_status_error(uint32_t status, const char *what, struct err *e)
{
	switch (status) {
	case NFS3ERR_SERVERFAULT:
	case NFS3ERR_JUKEBOX:
		return err_set(e, ERR_SERVER, "%s: the server %s", what,
		    status == NFS3ERR_JUKEBOX ? "asks to try again later"
					      : "has an internal error");
	case NFS3ERR_IO:
		errno = EIO;
		break;
	case NFS3ERR_NOTEMPTY:
		errno = ENOTEMPTY;
		break;
	case NFS3ERR_NAMETOOLONG:
		errno = ENAMETOOLONG;
		break;
	case NFS3ERR_DQUOT:
		errno = EDQUOT;
		break;
	case NFS3ERR_STALE:
	case NFS3ERR_BADHANDLE:
		errno = ESTALE;
		break;
	case NFS3ERR_BAD_COOKIE:
	case NFS3ERR_NOT_SYNC:
		errno = EAGAIN;
		break;
	case NFS3ERR_NOTSUPP:
		errno = EOPNOTSUPP;
		break;
	case NFS3ERR_REMOTE:
		errno = EREMOTE;
		break;
	default:
		/* The others are what Unix has. */
		if (status == 0 || status > NFS3ERR_MLINK)
			return err_set(e, ERR_PROTOCOL,
			    "%s: the server answers with status %u", what,
			    status);
		errno = (int)status;
	}
	return err_sys(e, "%s", what);
}

bool
nfs_fh_take(struct nfs_fh *out, const nfs_fh3 *in)
{
	if (in->data.data_len == 0 || in->data.data_len > sizeof(out->data))
		return false;
	out->len = in->data.data_len;
	memcpy(out->data, in->data.data_val, out->len);
	return true;
}

static int64_t
time_of(const nfstime3 *t)
{
	uint32_t ns = t->nseconds < 1000000000 ? t->nseconds : 999999999;

	return (int64_t)t->seconds * 1000000000 + ns;
}

void
nfs_stat_take(struct item_stat *out, const fattr3 *in)
{
	mode_t type = S_IFCHR;

	if (in->type == NF3REG)
		type = S_IFREG;
	else if (in->type == NF3DIR)
		type = S_IFDIR;
	else if (in->type == NF3LNK)
		type = S_IFLNK;
	*out = (struct item_stat){
	    .type = item_type_of_mode(type),
	    .mode = type | (in->mode & 07777),
	    .uid = in->uid,
	    .gid = in->gid,
	    .size = in->size,
	    .ino = in->fileid,
	    .dev = in->fsid,
	    .mtime_ns = time_of(&in->mtime),
	    .ctime_ns = time_of(&in->ctime),
	    .atime_ns = time_of(&in->atime),
	    .nlink = in->type == NF3REG ? in->nlink : 0,
	};
}

static void
connected(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_link *l = call->link;

	(void)rpc;
	if (l->pending > 0)
		l->pending--;
	call->failed = status != RPC_STATUS_SUCCESS;
	if (call->failed && l->nfs != NULL)
		snprintf(l->why, sizeof(l->why), "%s",
		    status == RPC_STATUS_ERROR && data != NULL
			? (const char *)data
			: "");
}

/* A context for one connection, with who we are. */
static int
prepare(struct nfs_wire *w, struct nfs_link *l, struct err *e)
{
	uint32_t xid;

	l->nfs = nfs_init_context();
	if (l->nfs == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	l->rpc = nfs_get_rpc_context(l->nfs);
	l->why[0] = '\0';
	l->pending = 0;
	/* We wait, and connect again, by ourselves: what libnfs would send
	 * twice isn't always the same the second time. */
	nfs_set_timeout(l->nfs, 0);
	nfs_set_autoreconnect(l->nfs, 0);
	if (w->config.options.uid >= 0)
		nfs_set_uid(l->nfs, (int)w->config.options.uid);
	if (w->config.options.gid >= 0)
		nfs_set_gid(l->nfs, (int)w->config.options.gid);
	/* Servers know a call that was sent twice by it. */
	if (getrandom(&xid, sizeof(xid), GRND_NONBLOCK) == sizeof(xid))
		rpc_set_next_xid(l->rpc, xid);
	return 0;
}

int
nfs_link_open(struct nfs_wire *w, struct nfs_link *l, int program,
    unsigned port, const char *what, struct err *e)
{
	struct nfs_call call = {.link = l};
	unsigned ms = w->config.connect_timeout_ms;
	int rc;

	nfs_link_close(l);
	if (is_stopped(w))
		return err_set(e, ERR_STOPPED, "stopped");
	if (prepare(w, l, e) == -1)
		return -1;
	l->pending = 1;
	if (port != 0)
		rc = rpc_connect_port_async(l->rpc, w->config.host, (int)port,
		    program, 3, connected, &call);
	else
		rc = rpc_connect_program_async(
		    l->rpc, w->config.host, program, 3, connected, &call);
	if (rc == 0)
		rc = wait_for(w, l, 0, ms, e);
	else
		rc = nfs_link_broke(w, l, e);
	if (rc == 0 && call.failed)
		rc = nfs_link_broke(w, l, e);
	if (rc == 0)
		return 0;
	if (e->kind == ERR_STOPPED)
		return -1;
	return err_context(e, "no connection to the %s service%s", what,
	    port != 0 ? ""
		      : " (the portmapper tells its port, or what the URL "
			"says in nfsport= and mountport=)");
}

static void
mounted(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const mountres3 *r = nfs_answer(call, status, data);

	(void)rpc;
	if (r != NULL) {
		const fhandle3 *fh = &r->mountres3_u.mountinfo.fhandle;

		call->has_fh = nfs_fh_take(call->fh,
		    &(nfs_fh3){.data = {.data_len = fh->fhandle3_len,
				   .data_val = fh->fhandle3_val}});
	}
}

int
nfs_wire_mount(
    struct nfs_wire *w, const char *path, struct nfs_fh *root, struct err *e)
{
	struct nfs_link l = {.nfs = NULL};
	struct nfs_call call = {.link = &l, .fh = root};
	int rc;

	if (nfs_link_open(w, &l, MOUNT_PROGRAM, w->config.options.mount_port,
		"mount", e) == -1)
		return -1;
	rc = nfs_call_end(w, &call,
	    MOUNT3_QUEUE(&l, mnt, mounted, nfs_plain(path), &call), "mount", e);
	nfs_link_close(&l);
	if (rc == 0 && !call.has_fh)
		return err_set(e, ERR_PROTOCOL,
		    "mount: the server sends no usable file handle");
	return rc;
}

static void
exported(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct exportnode x;
	const void *next;
	char *out = call->out;

	(void)rpc;
	if (call->link->pending > 0)
		call->link->pending--;
	call->failed = status != RPC_STATUS_SUCCESS;
	if (call->failed)
		return;
	memcpy(&next, data, sizeof(next));
	for (; next != NULL; next = x.ex_next) {
		size_t len;

		/* libnfs doesn't align them. */
		memcpy(&x, next, sizeof(x));
		len = strlen(x.ex_dir);
		if (call->len + len + 3 > call->size)
			break;
		call->len +=
		    (size_t)snprintf(out + call->len, call->size - call->len,
			"%s%s", call->len > 0 ? ", " : "", x.ex_dir);
	}
}

void
nfs_wire_exports(struct nfs_wire *w, char *out, size_t size)
{
	struct nfs_link l = {.nfs = NULL};
	struct nfs_call call = {.link = &l, .out = out, .size = size};
	struct err e = ERR_INIT;

	out[0] = '\0';
	if (nfs_link_open(w, &l, MOUNT_PROGRAM, w->config.options.mount_port,
		"mount", &e) == -1)
		return;
	nfs_call_end(
	    w, &call, MOUNT3_QUEUE(&l, export, exported, &call), "exports", &e);
	nfs_link_close(&l);
}
