/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "transfer/sftp/ssh2_error.h"

int
ssh2_failed(LIBSSH2_SESSION *session, const char *host, enum err_kind kind,
    const char *what, struct err *e)
{
	char *text = NULL;
	int len = 0;

	libssh2_session_last_error(session, &text, &len, 0);
	return err_set(e, kind, "%s: %s: %.200s", host, what,
	    text != NULL ? text : "no reason given");
}
