/* The C compiler's own word on our declarations: every assertion of the headers is checked for the target. */
#include "kamailio.h"
