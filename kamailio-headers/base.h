/* What every part of the host's interface needs. LP64 only. */
#ifndef SHARDCACHE_BASE_H
#define SHARDCACHE_BASE_H

#include <stddef.h>
#include <stdint.h>

#define LAYOUT(type, size) _Static_assert(sizeof(type) == (size), #type " is not " #size " bytes")
#define PLACE(type, member, at) _Static_assert(offsetof(type, member) == (at), #type "." #member " is not at " #at)

/* Bytes with a length; not NUL-terminated unless the host says so. */
struct kstr {
	char *s;
	int len;
};
LAYOUT(struct kstr, 16);

/* A SIP message. Only its first member is ours to read: every host lays out the rest in its own way. */
struct sip_msg {
	unsigned int id;
};

#endif
