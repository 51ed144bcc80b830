/* What a module exports: functions, parameters, variables, RPC commands, life-cycle hooks. */
#ifndef SHARDCACHE_MODULE_H
#define SHARDCACHE_MODULE_H

#include "base.h"
#include "pv.h"
#include "rpc.h"

typedef int (*fixup_fn)(void **param, int number);

#define ANY_ROUTE 0xFFFFFFFFu

/* The call takes the message and one pointer per script parameter, and at least two of them. */
struct cmd_export {
	const char *name;
	void *function;
	int param_no;
	fixup_fn fixup;
	fixup_fn free_fixup;
	unsigned int flags;
};
LAYOUT(struct cmd_export, 48);

#define PARAM_STRING 1u
#define PARAM_INT 2u
#define PARAM_USE_FUNC (1u << 31)

/* With PARAM_USE_FUNC, `target` is int (*)(unsigned type, void *value). */
struct param_export {
	const char *name;
	unsigned int type;
	void *target;
};
LAYOUT(struct param_export, 24);

struct module_exports {
	const char *name;
	unsigned int dlflags;
	struct cmd_export *commands;
	struct param_export *parameters;
	struct rpc_export *rpc;
	struct pv_export *variables;
	int (*on_reply)(struct sip_msg *msg);
	int (*init)(void);
	int (*child_init)(int rank);
	void (*destroy)(void);
};
LAYOUT(struct module_exports, 80);

/* A loaded module, as the host keeps it. */
struct sr_module {
	const char *path;
	void *handle;
	struct module_exports exports;
	unsigned int flags;
	struct sr_module *next;
};
LAYOUT(struct sr_module, 112);
PLACE(struct sr_module, next, 104);

/* A function parameter after its fixup. */
#define FPARAM_PVS (1 << 2)
#define FPARAM_STR (1 << 5)
#define FPARAM_PVE (1 << 8)

struct fparam {
	char *original;
	int type;
	union {
		struct kstr text;
		struct pv_elem *format;
		void *room[4];
	} value;
	void *fixed;
};
LAYOUT(struct fparam, 56);

#define PROC_MAIN 0
#define PROC_TIMER (-1)
#define PROC_RPC (-2)
#define PROC_TCP_MAIN (-4)
#define PROC_INIT (-127)
#define PROC_NOCHLDINIT (-128)

#endif
