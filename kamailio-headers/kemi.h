/* Functions for the embedded script languages. The type codes beyond STR depend on the host's series. */
#ifndef SHARDCACHE_KEMI_H
#define SHARDCACHE_KEMI_H

#include "base.h"

#define KEMI_NONE 0
#define KEMI_INT 1
#define KEMI_STR 2
#define KEMI_BOOL 4

struct kemi_export {
	struct kstr module;
	struct kstr name;
	int returns;
	void *function;
	int params[6];
};
LAYOUT(struct kemi_export, 72);

struct kemi_value {
	int type;
	union {
		int number;
		long wide;
		struct kstr text;
		void *pointer;
	} value;
};
LAYOUT(struct kemi_value, 24);
PLACE(struct kemi_value, value, 8);

#endif
