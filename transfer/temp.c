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

uint64_t
temp_owner(const char *owner)
{
	return owner != NULL ? crc64nvme(0, owner, strlen(owner)) : 0;
}

/* What the names for NAME have in common: the upper half. */
static uint64_t
number_of(uint64_t owner, const char *name)
{
	return owner != 0 ? crc64nvme(owner, name, strlen(name)) : 0;
}

void
temp_name(uint64_t owner, const char *name, bool fresh, char *out)
{
	uint64_t number = number_of(owner, name), random = 0;

	/* O_EXCL guards; this only makes a second try unlikely. */
	if ((fresh || number == 0) &&
	    getrandom(&random, sizeof(random), GRND_NONBLOCK) !=
		(ssize_t)sizeof(random))
		random = (uint64_t)clock_wall_ns() ^ (uint64_t)getpid() << 40;
	if (number == 0)
		number = random;
	else if (fresh)
		number ^= random >> 32;
	snprintf(out, TEMP_NAME_SIZE, TEMP_PREFIX "%016" PRIx64, number);
}

size_t
temp_common(uint64_t owner, const char *name, char *out)
{
	if (number_of(owner, name) == 0)
		return 0;
	temp_name(owner, name, false, out);
	return PREFIX_LEN + 8;
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

int
temp_check_id(const char *id, struct err *e)
{
	if (!temp_is_name(id, strlen(id)))
		return err_set(
		    e, ERR_GONE, "not an upload of this store: %.60s", id);
	return 0;
}
