/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_MM_H
#define PINMEM_TEST_MM_H

/*
 * Memory of every kind, and what the kernel itself says of it.  All of it ends
 * the test when it fails, and ends it as skipped when this machine cannot.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE	mm_page_size()
#define MIB	(1UL << 20)
#define GIB	(1UL << 30)
#define HUGE	(2 * MIB)
#define TIB	(1ULL << 40)

/*
 * The same program is built for 64 and for 32 bit: where its addresses end, a
 * large part of them, and an address of the kernel, which a 32-bit program
 * cannot point to, but name in a struct.
 */
#define MM_IS_64	(sizeof(void *) == 8)
#define MM_END		(MM_IS_64 ? (1ULL << 47) - PAGE : (1ULL << 32) - 2 * PAGE)
#define MM_MUCH		(MM_IS_64 ? 16 * TIB : GIB)
#define MM_KERNEL	0xffff888000000000ULL

size_t mm_page_size(void);

/* Private anonymous memory of base pages, for reading and writing. */
void *mm_map(size_t len);

/* Its pages are there, each with its own number in the first word. */
void *mm_map_touched(size_t len);

/* Memory of base pages from here on, also where there are no others. */
void mm_no_huge(void *addr, size_t len);

/* And of huge ones where that is possible; the kernel has such pages. */
void mm_want_huge(void *addr, size_t len);

/* Writes to, or reads from, each page. */
void mm_touch(void *addr, size_t len);
void mm_read(const void *addr, size_t len);

/* Anonymous memory whose pages are all huge (THP), aligned to them. */
void *mm_map_thp(size_t len);

/* Whether that is what a mapping of so many bytes consists of. */
bool mm_is_all_huge(const void *addr, size_t len);

/* hugetlb pages of this size, touched; makes as many as it needs. */
void *mm_map_hugetlb(size_t len, size_t page);

/* How many there are in the pool of 2 MiB pages, free or used. */
long mm_hugetlb_pool(void);
void mm_set_hugetlb_pool(long pages);

void *mm_map_secret(size_t len);

/* The lowest address of the stack. */
char *mm_stack_start(void);

/* A page of VM_PFNMAP memory: [vvar], which only reads; and a page of the
 * BIOS through /dev/mem, which may be written to.
 */
void *mm_map_special(void);
void *mm_map_special_writable(void);

/* A new file of this length, its pages written; and a mapping of one. */
int mm_file(const char *dir, size_t len);
int mm_memfd(size_t len);
void *mm_map_file(int fd, size_t len, int prot, int flags);

/* Directories on which files can be made; gone at the end of the test. */
const char *mm_dir_ext4(void);
const char *mm_dir_tmpfs(void);

/* The same of a new fs-dax, which only the VM of tests/zones has. */
const char *mm_dir_dax(void);

/* Whatever disk the tests may overwrite; NULL if there is none. */
const char *mm_scratch_disk(void);

/* Swaps on the scratch disk until mm_swap_off(). */
void mm_swap_on(void);
void mm_swap_off(void);

/*
 * Memory whose faults wait until somebody answers, which nobody does but
 * mm_answer(): every first touch; or every write to pages that are there.  The
 * userfaultfd is what answers are given through.
 */
void *mm_map_unanswered(size_t len, int *uffd);
int mm_make_unanswered(void *addr, size_t len);
int mm_protect_unanswered(void *addr, size_t len);

/* Returns when somebody waits there. */
void mm_await_fault(int uffd);

/* Gives a zero page, or one of this data, to who waits for this one; or lets
 * writers go on.
 */
void mm_answer(int uffd, void *page);
void mm_answer_with(int uffd, void *page, const void *data);
void mm_answer_write(int uffd, void *page);

/* /proc/PID/pagemap; pid 0 is the caller. */
uint64_t mm_pagemap(pid_t pid, const void *addr);
uint64_t mm_pfn(const void *addr);
uint64_t mm_pfn_of(pid_t pid, const void *addr);
bool mm_present(const void *addr);
bool mm_swapped(const void *addr);

/* Broken memory (MADV_HWPOISON) is good again; it must not be mapped any more. */
void mm_unpoison(uint64_t pfn);

/* A line of /proc/PID/status or smaps_rollup in KiB, as "VmPin:". */
long mm_status_kb(pid_t pid, const char *field);
long mm_rollup_kb(pid_t pid, const char *field);

/* A line of /proc/self/smaps for the mapping of the address. */
long mm_smaps_kb(const void *addr, const char *field);

/* A flag of the page in /proc/kpageflags. */
bool mm_is_dirty(const void *addr);

/* The node of a page; whether move_pages(2) could move it to the other one. */
int mm_node(const void *addr);
bool mm_move_away(const void *addr);

/* How many of the pages it could. */
size_t mm_move_all(const void *addr, size_t len);

/*
 * How many pins there are in the whole system, as the kernel counts them
 * (nr_foll_pin_acquired less nr_foll_pin_released): one for a page or for a huge
 * page that is held by one.
 */
long long mm_pins(void);

/* A line of a file as "nr_free_pages 123" or "MemFree: 123 kB". */
long long mm_number(const char *path, const char *name);

void mm_write_file(const char *path, const char *text);

#endif /* PINMEM_TEST_MM_H */
