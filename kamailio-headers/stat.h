/* Statistics. With STAT_IS_FUNC, `source` is long (*)(void). */
#ifndef SHARDCACHE_STAT_H
#define SHARDCACHE_STAT_H

#define STAT_NO_RESET 1
#define STAT_IS_FUNC 8

struct stat_export {
	const char *name;
	int flags;
	void *source;
};
_Static_assert(sizeof(struct stat_export) == 24, "struct stat_export is not 24 bytes");

#endif
