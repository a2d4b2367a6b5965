/* SPDX-License-Identifier: ISC */
/*
 * What a server's answer means for the request that it answers, and whether it
 * is one.  Pure.
 */
#ifndef TRANSFER_SFTP_ANSWER_H
#define TRANSFER_SFTP_ANSWER_H

#include "transfer/sftp/conn.h"
#include "transfer/sftp/proto.h"

/*
 * Fills R's outputs and status from REPLY, which came on the connection's
 * GENERATION.  ERR_PROTOCOL if that can't be the answer to what was asked: the
 * connection is worth nothing then.
 */
int answer_take(struct request *r, uint32_t generation,
    const struct proto_reply *reply, struct err *e);

#endif
