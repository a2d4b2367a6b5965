/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "transfer/sftp/transport.h"

struct transport *
transport_libssh2_open(const struct transport_target *target, struct err *e)
{
	(void)target;
	err_set(e, ERR_UNSUPPORTED, "built without libssh2");
	return NULL;
}
