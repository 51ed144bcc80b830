/* Script variables. */
#ifndef SHARDCACHE_PV_H
#define SHARDCACHE_PV_H

#include "base.h"

#define PV_VAL_NULL 1
#define PV_VAL_EMPTY 2
#define PV_VAL_STR 4
#define PV_VAL_INT 8
#define PV_TYPE_INT 16

#define PVT_OTHER 22
#define PV_NAME_OTHER 2

/* A value up to 5.6: its number has 32 bits. */
struct pv_value_narrow {
	struct kstr text;
	int32_t number;
	int32_t flags;
};
LAYOUT(struct pv_value_narrow, 24);

/* A value from 5.7 on. */
struct pv_value_wide {
	struct kstr text;
	int64_t number;
	int32_t flags;
};
LAYOUT(struct pv_value_wide, 32);

/* Either of them; which one, the host's series tells. */
union pv_value {
	struct pv_value_narrow narrow;
	struct pv_value_wide wide;
};
LAYOUT(union pv_value, 32);

struct pv_name {
	int type;
	void (*free)(void *name);
	union {
		void *own;
		void *room[3];
	} name;
};
LAYOUT(struct pv_name, 40);
PLACE(struct pv_name, name, 16);

struct pv_index {
	int type;
	union {
		int number;
		void *variable;
	} index;
};
LAYOUT(struct pv_index, 16);

struct pv_param {
	struct pv_name name;
	struct pv_index index;
};
LAYOUT(struct pv_param, 56);

typedef int (*pv_get_fn)(struct sip_msg *msg, struct pv_param *param, union pv_value *value);
typedef int (*pv_set_fn)(struct sip_msg *msg, struct pv_param *param, int op, union pv_value *value);

struct pv_spec {
	int type;
	pv_get_fn get;
	pv_set_fn set;
	struct pv_param param;
	void *transformation;
};
LAYOUT(struct pv_spec, 88);
PLACE(struct pv_spec, transformation, 80);

struct pv_export {
	struct kstr name;
	int type;
	pv_get_fn get;
	pv_set_fn set;
	int (*parse_name)(struct pv_spec *spec, struct kstr *name);
	int (*parse_index)(struct pv_spec *spec, struct kstr *index);
	int (*init)(struct pv_spec *spec, int number);
	int number;
};
LAYOUT(struct pv_export, 72);

/* Text with variables in it: a list of text, variable, text, variable... */
struct pv_elem {
	struct kstr text;
	struct pv_spec *spec;
	struct pv_elem *next;
};
LAYOUT(struct pv_elem, 32);

#endif
