/* What a database driver (module db_<scheme>) offers: it fills a db_func when its command db_bind_api is called. */
#ifndef SHARDCACHE_DB_H
#define SHARDCACHE_DB_H

#include "base.h"

#define DB_INT 0
#define DB_BIGINT 1
#define DB_DOUBLE 2
#define DB_STRING 3
#define DB_STR 4
#define DB_DATETIME 5
#define DB_BLOB 6
#define DB_BITMAP 7
#define DB_UINT 8
#define DB_UBIGINT 9

/* A value to bind, or one of a result: then it lives until the result is freed. NULL when `nul` is not 0. */
struct db_val {
	int type;
	int nul;
	int free;
	union {
		int number;
		long long wide;
		double real;
		long seconds;
		const char *string;
		struct kstr text;
		unsigned int natural;
		unsigned long long wide_natural;
	} val;
};
LAYOUT(struct db_val, 32);
PLACE(struct db_val, val, 16);

struct db_row {
	struct db_val *values;
	int n;
};
LAYOUT(struct db_row, 16);

/* `n` rows are here, of those that the query has in all. */
struct db_res {
	struct kstr **names;
	int *types;
	int columns;
	int flags;
	struct db_row *rows;
	int n;
	int all;
	int last;
	void *own;
};
LAYOUT(struct db_res, 56);
PLACE(struct db_res, rows, 24);
PLACE(struct db_res, own, 48);

/* A connection; the driver's own. It keeps the name of the table by pointer. */
struct db_con {
	const struct kstr *table;
};

/* Numbers and results are below 0 for an error. Names of columns go unquoted into the statement, values quoted. */
typedef int (*db_query_fn)(struct db_con *con, struct kstr **keys, const char **ops, const struct db_val *vals,
	struct kstr **columns, int n, int columns_n, struct kstr *order, struct db_res **res);

struct db_func {
	unsigned int capabilities;
	int (*use_table)(struct db_con *con, const struct kstr *table);
	struct db_con *(*init)(const struct kstr *url);
	void *init2;
	void (*close)(struct db_con *con);
	db_query_fn query;
	int (*fetch_result)(const struct db_con *con, struct db_res **res, int rows);
	int (*raw_query)(const struct db_con *con, const struct kstr *sql, struct db_res **res);
	int (*free_result)(struct db_con *con, struct db_res *res);
	int (*insert)(const struct db_con *con, struct kstr **keys, const struct db_val *vals, int n);
	int (*remove)(const struct db_con *con, struct kstr **keys, const char **ops, const struct db_val *vals, int n);
	int (*update)(const struct db_con *con, struct kstr **keys, const char **ops, const struct db_val *vals,
		struct kstr **set_keys, const struct db_val *set_vals, int n, int set_n);
	void *rest[11];
};
LAYOUT(struct db_func, 184);
PLACE(struct db_func, query, 40);
PLACE(struct db_func, free_result, 64);
PLACE(struct db_func, update, 88);

typedef int (*db_bind_fn)(struct db_func *driver);

#endif
