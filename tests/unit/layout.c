// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * The layout of the ABI, the same for callers of every size.  Compiling this is
 * the test.  Numbers are only ever added, and every field and constant of the
 * header has its line here.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/pinmem.h>

#define SIZE(type, size) \
	static_assert(sizeof(struct type) == (size), #type)
#define FIELD(type, field, offset) \
	static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define NUMBER(name, number) \
	static_assert((name) == (number), #name)

NUMBER(PINMEM_ABI_VERSION, 1);
NUMBER(PINMEM_IOC_TYPE, 0xF9);
NUMBER(PINMEM_IOC_PIN, 0xF901);
NUMBER(PINMEM_IOC_UNPIN, 0xF902);
NUMBER(PINMEM_IOC_INFO, 0xF903);
NUMBER(PINMEM_IOC_QUERY, 0xF904);
NUMBER(PINMEM_IOC_FEATURES, 0xF905);
NUMBER(PINMEM_IOC_RENEW, 0xF906);
NUMBER(PINMEM_IOC_OPEN, 0xF907);
NUMBER(PINMEM_IOC_READ, 0xF908);
NUMBER(PINMEM_IOC_WRITE, 0xF909);
NUMBER(PINMEM_IOC_EXTENTS, 0xF90A);
NUMBER(PINMEM_TTL_NONE, UINT64_MAX);
NUMBER(PINMEM_COMM_LEN, 16);
NUMBER(PINMEM_GENL_VERSION, 1);
NUMBER(PINMEM_CMD_PIN_GET, 1);

NUMBER(PINMEM_WHY_NONE, 0);
NUMBER(PINMEM_WHY_UNMAPPED, 1);
NUMBER(PINMEM_WHY_ACCESS, 2);
NUMBER(PINMEM_WHY_SPECIAL, 3);
NUMBER(PINMEM_WHY_SECRETMEM, 4);
NUMBER(PINMEM_WHY_FSDAX, 5);
NUMBER(PINMEM_WHY_DIRTY_TRACKING, 6);
NUMBER(PINMEM_WHY_COW_PENDING, 7);
NUMBER(PINMEM_WHY_MEMLOCK, 8);
NUMBER(PINMEM_WHY_LIMIT_TOTAL, 9);
NUMBER(PINMEM_WHY_LIMIT_USER, 10);
NUMBER(PINMEM_WHY_LIMIT_PINS, 11);
NUMBER(PINMEM_WHY_LIMIT_RANGES, 12);
NUMBER(PINMEM_WHY_MIGRATE, 13);
NUMBER(PINMEM_WHY_REFCOUNT, 14);
NUMBER(PINMEM_WHY_INTERRUPTED, 15);
NUMBER(PINMEM_WHY_TARGET_GONE, 16);
NUMBER(PINMEM_WHY_WRONG_MM, 17);
NUMBER(PINMEM_WHY_NOT_MEM, 18);
NUMBER(PINMEM_WHY_NO_MEMORY, 19);
NUMBER(PINMEM_WHY_BAD_RANGE, 20);
NUMBER(PINMEM_WHY_HWPOISON, 21);
NUMBER(PINMEM_WHY_FAULT, 22);
NUMBER(PINMEM_WHY_KEEP_SHORT, 23);
NUMBER(PINMEM_WHY_READ_ONLY, 24);
NUMBER(PINMEM_WHY_CHANGING, 25);
NUMBER(PINMEM_WHY_TTL, 26);
NUMBER(PINMEM_WHY_ENDED, 27);
NUMBER(PINMEM_WHY_GROWING, 28);
NUMBER(PINMEM_WHY_NOT_PAYER, 29);

NUMBER(PINMEM_PIN_WRITE, 1 << 0);
NUMBER(PINMEM_PIN_LONGTERM, 1 << 1);
NUMBER(PINMEM_PIN_KEEP, 1 << 2);
NUMBER(PINMEM_PIN_SLOW, 1 << 3);
NUMBER(PINMEM_PIN_REMOTE, 1 << 4);
NUMBER(PINMEM_PIN_GET, 1 << 5);
NUMBER(PINMEM_PIN_REVOCABLE, 1 << 6);
NUMBER(PINMEM_PIN_GROW, 1 << 7);
NUMBER(PINMEM_PIN_DRY_RUN, 1 << 8);

NUMBER(PINMEM_STATE_LIVE, 1);
NUMBER(PINMEM_STATE_ENDED, 2);

NUMBER(PINMEM_END_NONE, 0);
NUMBER(PINMEM_END_UNPIN, 1);
NUMBER(PINMEM_END_CLOSE, 2);
NUMBER(PINMEM_END_TARGET, 3);
NUMBER(PINMEM_END_TIME, 4);
NUMBER(PINMEM_END_REVOKED, 5);

NUMBER(PINMEM_INFO_AS_MAPPED, 1 << 0);
NUMBER(PINMEM_INFO_OWNER_GONE, 1 << 1);

NUMBER(PINMEM_PAGE_UNMAPPED, 1);
NUMBER(PINMEM_PAGE_INACCESSIBLE, 2);
NUMBER(PINMEM_PAGE_SPECIAL, 3);
NUMBER(PINMEM_PAGE_UNTOUCHED, 4);
NUMBER(PINMEM_PAGE_AWAY, 5);
NUMBER(PINMEM_PAGE_NOT_PINNED, 6);
NUMBER(PINMEM_PAGE_MAYBE, 7);
NUMBER(PINMEM_PAGE_PINNED, 8);

NUMBER(PINMEM_QUERY_REMOTE, 1 << 0);
NUMBER(PINMEM_QUERY_HANDLE, 1 << 1);

NUMBER(PINMEM_FEATURE_REMOTE, 1 << 0);

NUMBER(PINMEM_OPEN_READ_ONLY, 1 << 0);

SIZE(pinmem_ioc_range, 16);
FIELD(pinmem_ioc_range, addr, 0);
FIELD(pinmem_ioc_range, len, 8);

SIZE(pinmem_ioc_pin, 160);
FIELD(pinmem_ioc_pin, size, 0);
FIELD(pinmem_ioc_pin, flags, 4);
FIELD(pinmem_ioc_pin, mem_fd, 8);
FIELD(pinmem_ioc_pin, nr_ranges, 12);
FIELD(pinmem_ioc_pin, ranges, 16);
FIELD(pinmem_ioc_pin, range_size, 24);
FIELD(pinmem_ioc_pin, __reserved, 28);
FIELD(pinmem_ioc_pin, ttl_ns, 32);
FIELD(pinmem_ioc_pin, handle, 40);
FIELD(pinmem_ioc_pin, out_handle, 48);
FIELD(pinmem_ioc_pin, out_bytes, 56);
FIELD(pinmem_ioc_pin, out_why, 64);
FIELD(pinmem_ioc_pin, out_range, 68);
FIELD(pinmem_ioc_pin, out_addr, 72);
FIELD(pinmem_ioc_pin, out_limit, 80);
FIELD(pinmem_ioc_pin, out_use, 88);
FIELD(pinmem_ioc_pin, out_need, 96);
FIELD(pinmem_ioc_pin, out_present, 104);
FIELD(pinmem_ioc_pin, out_absent, 112);
FIELD(pinmem_ioc_pin, out_movable, 120);
FIELD(pinmem_ioc_pin, out_runs, 128);
FIELD(pinmem_ioc_pin, out_memlock_limit, 136);
FIELD(pinmem_ioc_pin, out_memlock_use, 144);
FIELD(pinmem_ioc_pin, out_memlock_need, 152);

SIZE(pinmem_ioc_unpin, 16);
FIELD(pinmem_ioc_unpin, size, 0);
FIELD(pinmem_ioc_unpin, flags, 4);
FIELD(pinmem_ioc_unpin, handle, 8);

SIZE(pinmem_ioc_info, 144);
FIELD(pinmem_ioc_info, size, 0);
FIELD(pinmem_ioc_info, flags, 4);
FIELD(pinmem_ioc_info, handle, 8);
FIELD(pinmem_ioc_info, ranges, 16);
FIELD(pinmem_ioc_info, nr_ranges, 24);
FIELD(pinmem_ioc_info, range_size, 28);
FIELD(pinmem_ioc_info, first_range, 32);
FIELD(pinmem_ioc_info, out_nr_ranges, 36);
FIELD(pinmem_ioc_info, out_ranges, 40);
FIELD(pinmem_ioc_info, out_flags, 44);
FIELD(pinmem_ioc_info, out_info_flags, 48);
FIELD(pinmem_ioc_info, out_state, 52);
FIELD(pinmem_ioc_info, out_end, 56);
FIELD(pinmem_ioc_info, out_owner_uid, 60);
FIELD(pinmem_ioc_info, out_owner_pid, 64);
FIELD(pinmem_ioc_info, out_target_pid, 68);
FIELD(pinmem_ioc_info, out_owner_comm, 72);
FIELD(pinmem_ioc_info, out_target_comm, 88);
FIELD(pinmem_ioc_info, out_bytes, 104);
FIELD(pinmem_ioc_info, out_runs, 112);
FIELD(pinmem_ioc_info, out_age_ns, 120);
FIELD(pinmem_ioc_info, out_left_ns, 128);
FIELD(pinmem_ioc_info, out_handle, 136);

SIZE(pinmem_ioc_run, 32);
FIELD(pinmem_ioc_run, addr, 0);
FIELD(pinmem_ioc_run, len, 8);
FIELD(pinmem_ioc_run, state, 16);
FIELD(pinmem_ioc_run, count, 20);
FIELD(pinmem_ioc_run, own, 24);
FIELD(pinmem_ioc_run, flags, 28);

SIZE(pinmem_ioc_query, 64);
FIELD(pinmem_ioc_query, size, 0);
FIELD(pinmem_ioc_query, flags, 4);
FIELD(pinmem_ioc_query, mem_fd, 8);
FIELD(pinmem_ioc_query, run_size, 12);
FIELD(pinmem_ioc_query, handle, 16);
FIELD(pinmem_ioc_query, start, 24);
FIELD(pinmem_ioc_query, len, 32);
FIELD(pinmem_ioc_query, runs, 40);
FIELD(pinmem_ioc_query, nr_runs, 48);
FIELD(pinmem_ioc_query, out_nr_runs, 52);
FIELD(pinmem_ioc_query, out_next, 56);

SIZE(pinmem_ioc_features, 104);
FIELD(pinmem_ioc_features, size, 0);
FIELD(pinmem_ioc_features, flags, 4);
FIELD(pinmem_ioc_features, out_abi_version, 8);
FIELD(pinmem_ioc_features, out_page_size, 12);
FIELD(pinmem_ioc_features, out_features, 16);
FIELD(pinmem_ioc_features, out_pin_flags, 24);
FIELD(pinmem_ioc_features, out_instance, 32);
FIELD(pinmem_ioc_features, out_max_ranges, 40);
FIELD(pinmem_ioc_features, out_max_pins, 48);
FIELD(pinmem_ioc_features, out_max_user_bytes, 56);
FIELD(pinmem_ioc_features, out_max_bytes, 64);
FIELD(pinmem_ioc_features, out_pins, 72);
FIELD(pinmem_ioc_features, out_user_bytes, 80);
FIELD(pinmem_ioc_features, out_bytes, 88);
FIELD(pinmem_ioc_features, out_short_lease_ns, 96);

SIZE(pinmem_ioc_renew, 24);
FIELD(pinmem_ioc_renew, size, 0);
FIELD(pinmem_ioc_renew, flags, 4);
FIELD(pinmem_ioc_renew, handle, 8);
FIELD(pinmem_ioc_renew, ttl_ns, 16);

SIZE(pinmem_ioc_open, 24);
FIELD(pinmem_ioc_open, size, 0);
FIELD(pinmem_ioc_open, flags, 4);
FIELD(pinmem_ioc_open, handle, 8);
FIELD(pinmem_ioc_open, out_fd, 16);
FIELD(pinmem_ioc_open, out_flags, 20);

SIZE(pinmem_ioc_data, 48);
FIELD(pinmem_ioc_data, size, 0);
FIELD(pinmem_ioc_data, flags, 4);
FIELD(pinmem_ioc_data, handle, 8);
FIELD(pinmem_ioc_data, offset, 16);
FIELD(pinmem_ioc_data, data, 24);
FIELD(pinmem_ioc_data, len, 32);
FIELD(pinmem_ioc_data, out_len, 40);

SIZE(pinmem_ioc_extent, 16);
FIELD(pinmem_ioc_extent, addr, 0);
FIELD(pinmem_ioc_extent, len, 8);

SIZE(pinmem_ioc_extents, 56);
FIELD(pinmem_ioc_extents, size, 0);
FIELD(pinmem_ioc_extents, flags, 4);
FIELD(pinmem_ioc_extents, handle, 8);
FIELD(pinmem_ioc_extents, start, 16);
FIELD(pinmem_ioc_extents, extents, 24);
FIELD(pinmem_ioc_extents, nr_extents, 32);
FIELD(pinmem_ioc_extents, extent_size, 36);
FIELD(pinmem_ioc_extents, out_nr_extents, 40);
FIELD(pinmem_ioc_extents, out_flags, 44);
FIELD(pinmem_ioc_extents, out_next, 48);

NUMBER(PINMEM_A_UNSPEC, 0);
NUMBER(PINMEM_A_PAD, 1);
NUMBER(PINMEM_A_HANDLE, 2);
NUMBER(PINMEM_A_FLAGS, 3);
NUMBER(PINMEM_A_INFO_FLAGS, 4);
NUMBER(PINMEM_A_STATE, 5);
NUMBER(PINMEM_A_END, 6);
NUMBER(PINMEM_A_OWNER_UID, 7);
NUMBER(PINMEM_A_OWNER_PID, 8);
NUMBER(PINMEM_A_OWNER_COMM, 9);
NUMBER(PINMEM_A_TARGET_PID, 10);
NUMBER(PINMEM_A_TARGET_COMM, 11);
NUMBER(PINMEM_A_RANGES, 12);
NUMBER(PINMEM_A_RUNS, 13);
NUMBER(PINMEM_A_BYTES, 14);
NUMBER(PINMEM_A_AGE, 15);
NUMBER(PINMEM_A_INSTANCE, 16);
NUMBER(PINMEM_A_HIDDEN, 17);
NUMBER(PINMEM_A_LEFT, 18);
