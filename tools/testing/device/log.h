/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The latest requests and lies, in the order in which they happened, for
 * tests of order and for finding out what a random run did.
 */
#ifndef TESTDEV_LOG_H
#define TESTDEV_LOG_H

#include <stdint.h>
#include <stdio.h>

struct request;

void log_request(const struct request *req);
void log_lie(const struct request *req, const char *lie, int64_t value);
void log_print(FILE *out, unsigned int last);

#endif
