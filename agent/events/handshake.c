/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "agent/events/handshake.h"
#include "base/text.h"

void
handshake_ask(struct buf *out, const char *origin, uint64_t per_minute)
{
	buf_addf(out, "webhook-request-origin: %s", origin);
	buf_addc(out, '\0');
	if (per_minute == 0)
		return;
	buf_addf(out, "webhook-request-rate: %" PRIu64, per_minute);
	buf_addc(out, '\0');
}

int
handshake_judge(const struct http_headers *h, const char *origin,
    uint64_t asked, uint64_t *per_minute, struct err *e)
{
	const char *allowed = http_header(h, "webhook-allowed-origin");
	const char *rate = http_header(h, "webhook-allowed-rate");
	struct err why = ERR_INIT;
	uint64_t n = 0;

	if (allowed == NULL)
		return err_set(e, ERR_DENIED,
		    "no consent: the answer to OPTIONS (HTTP %d) has no "
		    "WebHook-Allowed-Origin",
		    h->status);
	if (strcmp(allowed, "*") != 0 && strcasecmp(allowed, origin) != 0)
		return err_set(e, ERR_DENIED,
		    "no consent: its WebHook-Allowed-Origin is not %s, which "
		    "origin can change",
		    origin);
	if (rate == NULL && asked > 0)
		return err_set(e, ERR_DENIED,
		    "no consent: the answer to OPTIONS has no "
		    "WebHook-Allowed-Rate");
	if (rate != NULL && strcmp(rate, "*") != 0 &&
	    text_parse_uint(rate, 1, UINT32_MAX, &n, &why) == -1)
		return err_set(e, ERR_DENIED,
		    "no consent: its WebHook-Allowed-Rate is no number of "
		    "requests a minute");
	*per_minute = n;
	return 0;
}
