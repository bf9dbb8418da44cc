// SPDX-License-Identifier: GPL-2.0
/*
 * The code behind the trace events.
 */

#define CREATE_TRACE_POINTS
#include "virtiofs_trace.h"
