/*
 * The host's interface as this module uses it, declared by us from measured layouts that every supported
 * host shares (or, where said, in both forms). Nothing else of the host is read or written.
 */
#include "base.h"
#include "db.h"
#include "kemi.h"
#include "log.h"
#include "module.h"
#include "pv.h"
#include "route.h"
#include "rpc.h"
#include "stat.h"
#include "xavp.h"
