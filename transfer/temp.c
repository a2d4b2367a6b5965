/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "transfer/temp.h"
#include "verify/digest.h"

#define PREFIX_LEN (sizeof(TEMP_PREFIX) - 1)
#define OWNER_LEN 8

uint32_t
temp_owner(const char *owner)
{
	uint64_t crc;
	uint32_t number;

	if (owner == NULL)
		return 0;
	crc = crc64nvme(0, owner, strlen(owner));
	number = (uint32_t)(crc ^ crc >> 32);
	return number != 0 ? number : 1;
}

static void
put_name(uint32_t owner, uint32_t rest, char *out)
{
	snprintf(out, TEMP_NAME_SIZE, TEMP_PREFIX "%08" PRIx32 "%08" PRIx32,
	    owner, rest);
}

void
temp_name(uint32_t owner, char *out)
{
	uint32_t random[2];

	/* Exclusive creation guards; this makes a second try unlikely. */
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(random)) {
		random[0] = (uint32_t)clock_wall_ns();
		random[1] = (uint32_t)getpid();
	}
	put_name(owner != 0 ? owner : random[1], random[0], out);
}

void
temp_fixed_name(uint32_t owner, char *out)
{
	if (owner == 0)
		temp_name(owner, out);
	else
		put_name(owner, 0, out);
}

bool
temp_is_name(const char *name, size_t n)
{
	size_t i;

	if (n != PREFIX_LEN + 16 || memcmp(name, TEMP_PREFIX, PREFIX_LEN) != 0)
		return false;
	for (i = PREFIX_LEN; i < n; i++)
		if (!(name[i] >= '0' && name[i] <= '9') &&
		    !(name[i] >= 'a' && name[i] <= 'f'))
			return false;
	return true;
}

bool
temp_is_of(uint32_t owner, const char *name, size_t n)
{
	char own[TEMP_NAME_SIZE];

	if (!temp_is_name(name, n))
		return false;
	put_name(owner, 0, own);
	return owner == 0 || memcmp(name, own, PREFIX_LEN + OWNER_LEN) == 0;
}

bool
temp_is_nameless(const char *name)
{
	size_t n;

	if (strncmp(name, ".nfs", 4) != 0)
		return false;
	n = strspn(name + 4, "0123456789abcdefABCDEF");
	return n >= 16 && n <= 24 && name[4 + n] == '\0';
}

int
temp_check_id(const char *id, struct err *e)
{
	if (!temp_is_name(id, strlen(id)))
		return err_set(
		    e, ERR_GONE, "not an upload of this store: %.60s", id);
	return 0;
}
