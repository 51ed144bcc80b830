/* RPC commands. */
#ifndef SHARDCACHE_RPC_H
#define SHARDCACHE_RPC_H

#include "base.h"

#define RPC_RET_ARRAY 1u

/* All variadic, all safe to call only while the command runs. */
struct rpc_api {
	void (*fault)(void *ctx, int code, const char *format, ...);
	int (*send)(void *ctx);
	int (*add)(void *ctx, const char *format, ...);
	int (*scan)(void *ctx, const char *format, ...);
	int (*rpl_printf)(void *ctx, const char *format, ...);
	int (*struct_add)(void *handle, const char *format, ...);
	int (*array_add)(void *handle, const char *format, ...);
	int (*struct_scan)(void *handle, const char *format, ...);
	int (*struct_printf)(void *handle, const char *name, const char *format, ...);
	void *rest[3];
};
LAYOUT(struct rpc_api, 96);
PLACE(struct rpc_api, struct_printf, 64);

/* `doc` points at two texts, the second NULL. */
struct rpc_export {
	const char *name;
	void (*function)(struct rpc_api *rpc, void *ctx);
	const char **doc;
	unsigned int flags;
};
LAYOUT(struct rpc_export, 32);

#endif
