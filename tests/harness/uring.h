/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_URING_H
#define PINMEM_TEST_URING_H

/*
 * io_uring's registered buffers are longterm pins that somebody else holds, and
 * are charged in the same count against RLIMIT_MEMLOCK: nothing else tells how
 * much of that is left.
 */

#include <stddef.h>

/* A ring that has this memory registered, or -1 with errno. */
int uring_register(void *addr, size_t len);
void uring_unregister(int ring);

/*
 * How many pages the caller's user can still register, tried from 0 to max.
 * Pages are only charged when the caller has no CAP_IPC_LOCK.
 */
long uring_room(long max);

#endif /* PINMEM_TEST_URING_H */
