/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>

#include "transfer/http.h"
#include "transfer/http_curl.h"

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void
init_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int
http_library(struct err *e)
{
	pthread_once(&curl_once, init_curl);
	if (curl_ready == CURLE_OK)
		return 0;
	return err_set(
	    e, ERR_CONFIG, "libcurl: %s", curl_easy_strerror(curl_ready));
}

const char *
http_library_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

static void
set_protocols(CURL *c, bool plain)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(
	    c, CURLOPT_PROTOCOLS_STR, plain ? "http,https" : "https");
#else
	curl_easy_setopt(c, CURLOPT_PROTOCOLS,
	    (long)(CURLPROTO_HTTPS | (plain ? CURLPROTO_HTTP : 0)));
#endif
}

void
http_curl_common(CURL *c, char *error, bool plain, unsigned connect_ms)
{
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "dray/" PACKAGE_VERSION);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	set_protocols(c, plain);
}
