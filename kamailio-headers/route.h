/* Routes of the script, run from a process of our own. */
#ifndef SHARDCACHE_ROUTE_H
#define SHARDCACHE_ROUTE_H

#include "base.h"

#define EVENT_ROUTE (1 | 512)

struct route_list {
	void **routes;
	int next;
	int entries;
};
_Static_assert(offsetof(struct route_list, entries) == 12, "struct route_list.entries is not at 12");

/* In the second number of a context, once its route has ended. */
#define SCRIPT_ENDS 1u

/* Larger than any host's: three numbers and a jump buffer, zeroed before use. */
struct run_ctx {
	uint64_t room[128];
};

/* What a timer loop of the host calls, in a process of ours. */
typedef void (*tick_fn)(unsigned int now_ms, void *arg);

#endif
