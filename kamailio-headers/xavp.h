/* Structured script variables. The code of a list value depends on the host's series; NULL, number and text do not. */
#ifndef SHARDCACHE_XAVP_H
#define SHARDCACHE_XAVP_H

#include "base.h"

#define XAVP_NULL 0
#define XAVP_INT 1
#define XAVP_STR 2

struct xavp;

struct xavp_value {
	int type;
	union {
		long number;
		struct kstr text;
		struct xavp *list;
	} value;
};
LAYOUT(struct xavp_value, 24);

struct xavp {
	unsigned int hash;
	struct kstr name;
	struct xavp_value value;
	struct xavp *next;
};
LAYOUT(struct xavp, 56);

#endif
