/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_MODULE_H
#define PINMEM_TEST_MODULE_H

/* The module comes and goes. */

/* As rmmod(8) does it: -1 with EWOULDBLOCK while it is in use. */
int module_unload(void);

/* As modprobe(8) does it, and the device's node is as udev leaves it then. */
void module_load(void);

/* How many use it. */
long module_refs(void);

#endif /* PINMEM_TEST_MODULE_H */
