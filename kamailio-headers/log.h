/* Logging: the data behind the host's log lines. */
#ifndef SHARDCACHE_LOG_H
#define SHARDCACHE_LOG_H

#include "base.h"

struct log_level {
	const char *name;
	int syslog;
};
LAYOUT(struct log_level, 16);

/* One structured log line. */
struct log_line {
	int facility;
	int level;
	const char *level_name;
	const char *file;
	int line;
	const char *module;
	const char *function;
	const char *prefix;
	int pid;
	int process;
	void *room;
};
LAYOUT(struct log_line, 72);
PLACE(struct log_line, pid, 56);

typedef void (*log_fn)(int priority, const char *format, ...);
typedef void (*slog_fn)(struct log_line *line, const char *format, ...);

#endif
