/* SPDX-License-Identifier: ISC */
/*
 * The packets of the SSH File Transfer Protocol, version 3:
 * https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02
 * with OpenSSH's extensions (its file PROTOCOL, section 4).  Pure.
 *
 * What a server sends is read with every length checked; pointers lead into
 * the packet.
 */
#ifndef TRANSFER_SFTP_PROTO_H
#define TRANSFER_SFTP_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* No packet is longer, whoever sends it: 256 KiB is what servers take, and
 * some send a little more.  Without the length itself. */
#define PROTO_PACKET_MAX ((size_t)(256 << 10) + 4096)
#define PROTO_HANDLE_MAX 256
/* What every server takes in one packet, with room for a long handle. */
#define PROTO_DATA_DEFAULT 32000u

enum proto_type {
	PROTO_INIT = 1,
	PROTO_VERSION = 2,
	PROTO_OPEN = 3,
	PROTO_CLOSE = 4,
	PROTO_READ = 5,
	PROTO_WRITE = 6,
	PROTO_LSTAT = 7,
	PROTO_FSTAT = 8,
	PROTO_SETSTAT = 9,
	PROTO_FSETSTAT = 10,
	PROTO_OPENDIR = 11,
	PROTO_READDIR = 12,
	PROTO_REMOVE = 13,
	PROTO_MKDIR = 14,
	PROTO_RMDIR = 15,
	PROTO_REALPATH = 16,
	PROTO_STAT = 17,
	PROTO_RENAME = 18,
	PROTO_READLINK = 19,
	PROTO_SYMLINK = 20,
	PROTO_STATUS = 101,
	PROTO_HANDLE = 102,
	PROTO_DATA = 103,
	PROTO_NAME = 104,
	PROTO_ATTRS = 105,
	PROTO_EXTENDED = 200,
	PROTO_EXTENDED_REPLY = 201,
};

enum proto_status {
	PROTO_OK = 0,
	PROTO_EOF = 1,
	PROTO_NO_SUCH_FILE = 2,
	PROTO_PERMISSION_DENIED = 3,
	PROTO_FAILURE = 4,
	PROTO_BAD_MESSAGE = 5,
	PROTO_NO_CONNECTION = 6,
	PROTO_CONNECTION_LOST = 7,
	PROTO_OP_UNSUPPORTED = 8,
};

enum proto_open {
	PROTO_OPEN_READ = 1,
	PROTO_OPEN_WRITE = 2,
	PROTO_OPEN_CREAT = 8,
	PROTO_OPEN_EXCL = 32,
};

enum proto_attr {
	PROTO_ATTR_SIZE = 1,
	PROTO_ATTR_OWNER = 2,
	PROTO_ATTR_MODE = 4,
	PROTO_ATTR_TIMES = 8,
};

struct proto_attrs {
	uint32_t have; /* enum proto_attr bits: which of the others count */
	uint64_t size;
	uint32_t uid, gid;
	uint32_t mode;
	uint32_t atime, mtime; /* seconds since 1970 */
};

/* What a server said that it can do. */
enum proto_feature {
	PROTO_HAS_POSIX_RENAME = 1,
	PROTO_HAS_FSYNC = 2,
	PROTO_HAS_STATVFS = 4,
	PROTO_HAS_LSETSTAT = 8,
	PROTO_HAS_LIMITS = 16,
	PROTO_HAS_HARDLINK = 32,
};

struct proto_limits {
	uint64_t packet, read, write, handles; /* 0: not told */
};

/* https://pubs.opengroup.org/onlinepubs/9699919799/basedefs/sys_statvfs.h.html
 */
struct proto_statvfs {
	uint64_t block; /* bytes in a unit of the next */
	uint64_t blocks, available;
	uint64_t files, files_available;
	bool read_only;
};

/*
 * Writing.  A packet is what stands between proto_begin, which returns where
 * it starts, and proto_end; DATA_LEN bytes of a string at its end (whose
 * length was written with proto_u32) may be sent from elsewhere.  The request's
 * id is set by proto_set_id.  Check buf_failed().
 */
size_t proto_begin(struct buf *b, enum proto_type type);
void proto_u32(struct buf *b, uint32_t v);
void proto_u64(struct buf *b, uint64_t v);
void proto_string(struct buf *b, const void *p, size_t n);
void proto_attrs(struct buf *b, const struct proto_attrs *a);
void proto_end(struct buf *b, size_t start, size_t data_len);
void proto_set_id(void *packet, uint32_t id);
/* The greeting: it has no id. */
void proto_init(struct buf *b);

/*
 * The length of the packet that begins with the N bytes at P, without those
 * four that hold it: 0 if it isn't known yet.  ERR_PROTOCOL if none is so
 * long or so short.
 */
int proto_length(const uint8_t *p, size_t n, size_t *out, struct err *e);

struct proto_in {
	const uint8_t *p;
	size_t left;
	bool bad; /* something was cut off, or longer than it may be */
};

/* A reply.  Which fields count depends on type. */
struct proto_reply {
	enum proto_type type;
	uint32_t id;
	uint32_t status; /* STATUS */
	const uint8_t *data;
	size_t len; /* of data: HANDLE, DATA; STATUS: the message */
	uint32_t n; /* NAME: names in rest */
	struct proto_attrs attrs; /* ATTRS */
	struct proto_in rest;	  /* NAME, EXTENDED_REPLY */
};

/* Reads the LEN bytes that follow the length.  ERR_PROTOCOL. */
int proto_reply(
    const uint8_t *p, size_t len, struct proto_reply *out, struct err *e);
/* The answer to the greeting.  ERR_PROTOCOL, ERR_UNSUPPORTED. */
int proto_version(
    const uint8_t *p, size_t len, unsigned *features, struct err *e);

struct proto_name {
	const char *name; /* not NUL-terminated */
	size_t len;
	struct proto_attrs attrs;
};

/* The next of a NAME reply's names.  ERR_PROTOCOL. */
int proto_next_name(struct proto_in *in, struct proto_name *out, struct err *e);
/* What limits@openssh.com and statvfs@openssh.com answer.  ERR_PROTOCOL. */
int proto_get_limits(
    struct proto_in in, struct proto_limits *out, struct err *e);
int proto_get_statvfs(
    struct proto_in in, struct proto_statvfs *out, struct err *e);

#endif
