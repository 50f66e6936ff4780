/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_ATTACKS_H
#define PINMEM_TEST_ATTACKS_H

/*
 * What a member of the device's group can do with it, as much of it as can be.  An
 * attack is a moment long.
 */

/* A file of another user that everybody may write. */
#define VICTIMS_FILE	"/dev/shm/pinmem-of-another-user"
#define FILE_LEN	(4UL << 20)

/* Each member of the gang begins with that. */
void attack_prepare(void);

/* One of the attacks whose name begins so, at random; "": of all. */
void attack(const char *name);

#endif /* PINMEM_TEST_ATTACKS_H */
