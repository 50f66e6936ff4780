// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Every kind of memory in every event: is what a pin holds still what the
 * address shows?  The kernel answers: pagemap says in which frame a page is,
 * and what is written on one side has to be read on the other.  Beside the
 * pinned memory lies a twin that is not pinned, to which the event has to
 * happen: else nothing was tried.
 */

#include "balance.h"
#include "cell.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define GET		PINMEM_PIN_GET

#define PINNED_TAG	0x1000
#define TWIN_TAG	0x2000
#define NEW_TAG		0x3000
#define DEADLINE_MS	15000

/* The column for what happens to memory that is not pinned. */
#define TWIN		"not pinned"

static const struct flavour {
	const char *name;
	uint32_t flags;
} flavours[] = {
	{ "read", 0 },
	{ "write", WRITE },
	{ "longterm", LONGTERM },
	{ "longterm write", WRITE | LONGTERM },
	{ "reference", GET },
};

#define FLAVOURS	(sizeof(flavours) / sizeof(flavours[0]))

/* Which of them an event is tried with. */
#define ALL		0x1f
#define PINS		0x0f
#define TWO		0x09	/* slow events: the weakest and the strongest */

/* One pinned area and its twin. */
struct trial {
	const struct kind *kind;
	uint32_t flags;
	int dev;
	uint64_t handle;
	struct area pinned;
	struct area twin;
	uint64_t pinned_pfns[MAX_PAGES];
	uint64_t twin_pfns[MAX_PAGES];
};

struct event {
	const char *name;
	const char *twin;		/* what happens without a pin */
	unsigned int flavours;
	void (*before)(struct trial *trial);
	void (*run)(struct trial *trial);
	void (*after)(struct trial *trial);
	/* What has to become of the pin; NULL where the event makes no sense. */
	const char *(*promise)(const struct kind *kind, uint32_t flags);
};

static size_t twin_moved(const struct trial *trial)
{
	return area_differ(&trial->twin, 0, trial->twin_pfns);
}

static void check_all(size_t is, const struct area *area)
{
	CHECK_EQ(is, area_pages(area));
}

/* Whether the kernel would read from there, or write to there. */
static bool can_be_read(const void *addr)
{
	int ends[2];
	bool can;

	CHECK_OK(pipe(ends));
	can = write(ends[1], addr, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return can;
}

static bool can_be_written(void *addr)
{
	char byte = 0;
	int ends[2];
	bool can;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], &byte, 1), 1);
	can = read(ends[0], addr, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return can;
}

static bool is_mapped(const void *addr)
{
	unsigned char there;

	return mincore((void *)((uintptr_t)addr & ~(PAGE - 1)), PAGE,
		       &there) == 0;
}

/* --- fork ------------------------------------------------------------- */

enum { GO_ON = 1, DONE };

struct forked {
	struct trial *trial;
	bool child_writes;
};

static bool is_private(const struct trial *trial)
{
	return trial->kind->is & PRIVATE;
}

static void check_words(const struct area *area, uint64_t tag)
{
	size_t i;

	for (i = 0; i < area_pages(area); i++)
		CHECK_EQ(*area_word(area, i), tag + i);
}

/* The child got copies of what is pinned, and shares the rest. */
static void look_from_child(struct trial *trial)
{
	size_t pinned = area_differ(&trial->pinned, 0, trial->pinned_pfns);
	size_t twin = area_differ(&trial->twin, 0, trial->twin_pfns);

	if (trial->pinned.kind->is & PRIVATE && !(trial->flags & GET)) {
		check_all(pinned, &trial->pinned);
		CHECK_EQ(twin, 0);
	}
	check_words(&trial->pinned, PINNED_TAG);
	check_words(&trial->twin, TWIN_TAG);
}

static void forked_child(int sock, void *arg)
{
	struct forked *forked = arg;
	struct trial *trial = forked->trial;

	look_from_child(trial);
	peer_say(sock, DONE);
	CHECK_EQ(peer_hear(sock), GO_ON);
	if (forked->child_writes) {
		area_fill(&trial->pinned, NEW_TAG);
		area_fill(&trial->twin, NEW_TAG);
		if (is_private(trial))
			check_all(twin_moved(trial), &trial->twin);
	} else if (is_private(trial)) {
		check_words(&trial->pinned, PINNED_TAG);
		check_words(&trial->twin, TWIN_TAG);
	}
	peer_say(sock, DONE);
}

static void fork_and_write(struct trial *trial, bool child_writes)
{
	struct forked forked = { trial, child_writes };
	struct peer child = peer_start(forked_child, &forked);

	CHECK_EQ(peer_hear(child.sock), DONE);
	if (!child_writes) {
		area_fill(&trial->pinned, PINNED_TAG);
		area_fill(&trial->twin, TWIN_TAG);
		if (is_private(trial))
			check_all(twin_moved(trial), &trial->twin);
	}
	peer_say(child.sock, GO_ON);
	CHECK_EQ(peer_hear(child.sock), DONE);
	peer_join(&child);
	if (is_private(trial)) {
		check_words(&trial->pinned, PINNED_TAG);
		check_words(&trial->twin, TWIN_TAG);
	}
	area_fill(&trial->pinned, PINNED_TAG);
}

static void parent_writes(struct trial *trial)
{
	fork_and_write(trial, false);
}

static void child_writes(struct trial *trial)
{
	fork_and_write(trial, true);
}

static const char *parent_promise(const struct kind *kind, uint32_t flags)
{
	/* Its copies would need pages that are not there. */
	if (kind->is & SCARCE)
		return NULL;
	return kind->is & PRIVATE && flags & GET ? "lost" : "stays";
}

/*
 * When the child has gone, the parent's next write asks for references to the
 * page (do_wp_page()); of a hugetlb page only for mappings (hugetlb_wp()).
 */
static const char *child_promise(const struct kind *kind, uint32_t flags)
{
	if (kind->is & HUGETLB)
		return kind->is & SCARCE ? NULL : "stays";
	return parent_promise(kind, flags);
}

static void fill_twins(struct trial *trial)
{
	area_fill(&trial->pinned, PINNED_TAG);
	area_fill(&trial->twin, NEW_TAG);
}

static void run_vfork(struct trial *trial)
{
	pid_t child = vfork();

	if (child == 0) {
		*(volatile uint64_t *)area_word(&trial->twin, 0) = NEW_TAG;
		_exit(0);
	}
	CHECK_OK(child);
	CHECK_EQ(proc_wait(child), 0);
	CHECK_EQ(*(volatile uint64_t *)area_word(&trial->twin, 0), NEW_TAG);
	CHECK_EQ(twin_moved(trial), 0);
}

static int clone_child(void *arg)
{
	fill_twins(arg);
	return 0;
}

static void run_clone(struct trial *trial)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	pid_t child = clone(clone_child, stack + sizeof(stack),
			    CLONE_VM | SIGCHLD, trial);

	CHECK_OK(child);
	CHECK_EQ(proc_wait(child), 0);
	check_words(&trial->twin, NEW_TAG);
	CHECK_EQ(twin_moved(trial), 0);
}

static const char *stays(const struct kind *kind, uint32_t flags)
{
	(void)kind;
	(void)flags;
	return "stays";
}

/* --- mprotect --------------------------------------------------------- */

static void check_pin_reads(const struct trial *trial)
{
	uint64_t word;

	if (trial->flags & GET)
		return;
	CHECK_OK(ioc_read(trial->dev, trial->handle, 0, &word, sizeof(word),
			  NULL));
	CHECK_EQ(word, PINNED_TAG);
}

static void protect(struct area *area, size_t len, int prot)
{
	CHECK_OK(mprotect(area->addr, len, prot));
	CHECK_EQ(can_be_read(area->addr), prot & PROT_READ);
	CHECK_EQ(can_be_written(area->addr), !!(prot & PROT_WRITE));
	if (len < area->len)
		CHECK(can_be_written(area->addr + len));
}

static void protect_both(struct trial *trial, bool half, int prot)
{
	size_t len = half ? trial->pinned.len / 2 : trial->pinned.room;

	protect(&trial->pinned, len, prot);
	protect(&trial->twin, len, prot);
	check_pin_reads(trial);
	CHECK_EQ(twin_moved(trial), 0);
	if (half && trial->kind->is & THP)
		CHECK_EQ(mm_smaps_kb(trial->twin.addr, "AnonHugePages:"), 0);
	CHECK_OK(mprotect(trial->pinned.addr, len, PROT_READ | PROT_WRITE));
	CHECK_OK(mprotect(trial->twin.addr, len, PROT_READ | PROT_WRITE));
	fill_twins(trial);
	CHECK_EQ(twin_moved(trial), 0);
}

static void protect_none(struct trial *trial)
{
	protect_both(trial, false, PROT_NONE);
}

static void protect_read(struct trial *trial)
{
	protect_both(trial, false, PROT_READ);
}

static void protect_half(struct trial *trial)
{
	protect_both(trial, true, PROT_READ);
}

static const char *stays_half(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & SCARCE ? NULL : "stays";
}

/* --- unmapping -------------------------------------------------------- */

static void unmap_half(struct trial *trial)
{
	CHECK_OK(munmap(trial->pinned.addr, trial->pinned.len / 2));
	CHECK_OK(munmap(trial->twin.addr, trial->twin.len / 2));
	CHECK(!is_mapped(trial->pinned.addr));
	CHECK(is_mapped(trial->pinned.addr + trial->pinned.len / 2));
}

static const char *half_stays(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & SCARCE ? NULL : "half stays, half old page";
}

static void unmap_all(struct trial *trial)
{
	CHECK_OK(munmap(trial->pinned.addr, trial->pinned.room));
	CHECK_OK(munmap(trial->twin.addr, trial->twin.room));
	CHECK(!is_mapped(trial->twin.addr));
}

static const char *old_page(const struct kind *kind, uint32_t flags)
{
	(void)kind;
	(void)flags;
	return "old page";
}

static void remap(struct area *area)
{
	char *from = area->addr, *place;

	place = mmap(NULL, area->room + GIB, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(place != MAP_FAILED);
	place += (GIB - (uintptr_t)place % GIB) % GIB;
	area->addr = mremap(from, area->room, area->room,
			    MREMAP_MAYMOVE | MREMAP_FIXED, place);
	CHECK_MSG(area->addr != MAP_FAILED, "errno %d", errno);
	CHECK(!is_mapped(from));
}

static void move_mapping(struct trial *trial)
{
	remap(&trial->pinned);
	if (trial->kind->is & SCARCE)
		return;
	remap(&trial->twin);
	/* Page tables of shared mappings may be filled anew. */
	mm_read(trial->twin.addr, trial->twin.len);
	CHECK_EQ(twin_moved(trial), 0);
}

static const char *moves_along(const struct kind *kind, uint32_t flags)
{
	(void)kind;
	(void)flags;
	return "moves along";
}

static void discard(struct trial *trial)
{
	uint64_t pfns[MAX_PAGES] = { 0 };

	CHECK_OK(madvise(trial->pinned.addr, trial->pinned.len,
			 MADV_DONTNEED));
	CHECK_EQ(area_differ(&trial->pinned, 0, pfns), 0);
	CHECK_OK(madvise(trial->twin.addr, trial->twin.len, MADV_DONTNEED));
	CHECK_EQ(area_differ(&trial->twin, 0, pfns), 0);
}

/* Of what is shared only the page tables are emptied. */
static const char *discard_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & PRIVATE ? "old page" : "faults";
}

/* --- reclaim ---------------------------------------------------------- */

static bool is_out(const struct area *area)
{
	unsigned char there[MAX_PAGES];
	size_t i;

	if (area->kind->is & SHMEM)
		return mm_smaps_kb(area->addr, "Swap:") * 1024 >=
		       (long)area->len;
	for (i = 0; area->kind->is & PRIVATE && i < area_pages(area); i++) {
		if (!mm_swapped(area_word(area, i)))
			return false;
	}
	if (area->kind->is & PRIVATE)
		return true;
	CHECK_OK(mincore(area->addr, area->len, there));
	for (i = 0; i < area->len / PAGE; i++) {
		if (there[i] & 1)
			return false;
	}
	return true;
}

static void clean(const struct area *area)
{
	if (area->fd >= 0 && area->kind->is & DISK)
		CHECK_OK(fsync(area->fd));
}

static void prepare_swap(struct trial *trial)
{
	(void)trial;
	swap_start();
}

static void end_swap(struct trial *trial)
{
	(void)trial;
	swap_stop();
}

static void prepare_pressure(struct trial *trial)
{
	group_join();
	prepare_swap(trial);
}

static void page_out(struct trial *trial)
{
	madvise(trial->pinned.addr, trial->pinned.len, MADV_PAGEOUT);
	madvise(trial->twin.addr, trial->twin.len, MADV_PAGEOUT);
}

static void reclaim(struct trial *trial)
{
	int fd = open(GROUP "/memory.reclaim", O_WRONLY | O_CLOEXEC);

	(void)trial;
	CHECK_OK(fd);
	/* It fails when so much cannot be had. */
	if (write(fd, "16M", 3) < 0)
		CHECK_EQ(errno, EAGAIN);
	close(fd);
}

static void until_out(struct trial *trial, void (*step)(struct trial *trial))
{
	clean(&trial->pinned);
	clean(&trial->twin);
	step(trial);
	CHECK_WITHIN_MS(DEADLINE_MS,
			is_out(&trial->twin) || (step(trial), false));
}

static void run_page_out(struct trial *trial)
{
	until_out(trial, page_out);
}

static void run_pressure(struct trial *trial)
{
	until_out(trial, reclaim);
}

/*
 * Anonymous pages that are pinned are passed over, as are huge ones to which
 * there are references; all others are unmapped before reclaim sees that
 * somebody holds them (shrink_folio_list()).
 */
static const char *reclaim_promise(const struct kind *kind, uint32_t flags)
{
	if (kind->is & (HUGETLB | DAX))
		return NULL;
	if (kind->is & THP)
		return "stays";
	return kind->is & PRIVATE && !(flags & GET) ? "stays" : "faults";
}

/* --- KSM -------------------------------------------------------------- */

#define KSM	"/sys/kernel/mm/ksm/"

static void fill_alike(struct area *area)
{
	memset(area->addr, 0x77, area->len);
}

static void prepare_ksm(struct trial *trial)
{
	(void)trial;
	if (access(KSM "run", F_OK) < 0)
		SKIP("no KSM");
	mm_write_file(KSM "pages_to_scan", "10000");
	mm_write_file(KSM "sleep_millisecs", "1");
}

static void run_ksm(struct trial *trial)
{
	uint64_t now[MAX_PAGES];

	fill_alike(&trial->pinned);
	fill_alike(&trial->twin);
	CHECK_OK(madvise(trial->pinned.addr, trial->pinned.len,
			 MADV_MERGEABLE));
	CHECK_OK(madvise(trial->twin.addr, trial->twin.len, MADV_MERGEABLE));
	mm_write_file(KSM "run", "1");
	CHECK_WITHIN_MS(DEADLINE_MS, (area_pfns(&trial->twin, 0, now),
				      now[0] && now[0] == now[1]));
	mm_write_file(KSM "run", "0");
}

static void end_ksm(struct trial *trial)
{
	(void)trial;
	mm_write_file(KSM "run", "2");
	mm_write_file(KSM "run", "0");
}

static const char *ksm_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & PRIVATE && !(kind->is & HUGETLB) ? "stays" : NULL;
}

/* --- huge pages ------------------------------------------------------- */

static bool is_huge(const struct area *area)
{
	const char *field = area->kind->is & SHMEM ? "ShmemPmdMapped:" :
						     "AnonHugePages:";

	mm_read(area->addr, PAGE);
	return mm_smaps_kb(area->addr, field) > 0;
}

static void run_collapse(struct trial *trial)
{
	mm_want_huge(trial->pinned.addr, HUGE);
	mm_want_huge(trial->twin.addr, HUGE);
	CHECK_LT(madvise(trial->pinned.addr, HUGE, MADV_COLLAPSE), 0);
	CHECK(!is_huge(&trial->pinned));
	CHECK_WITHIN_MS(DEADLINE_MS,
			madvise(trial->twin.addr, HUGE, MADV_COLLAPSE) == 0);
	CHECK(is_huge(&trial->twin));
	check_all(twin_moved(trial), &trial->twin);
}

static const char *collapse_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & SHMEM || kind->is == PRIVATE ? "stays" : NULL;
}

static bool is_compound(uint64_t pfn)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint64_t flags;

	CHECK_OK(fd);
	CHECK_EQ(pread(fd, &flags, sizeof(flags),
		       (off_t)(pfn * sizeof(flags))), sizeof(flags));
	close(fd);
	return flags >> KPF_COMPOUND_TAIL & 1;
}

#define DEBUGFS	"/sys/kernel/debug"

static void need_debugfs(const char *file)
{
	if (access(file, F_OK) < 0)
		mount("none", DEBUGFS, "debugfs", 0, NULL);
	if (access(file, F_OK) < 0)
		SKIP("no %s", file);
}

static void split(const struct area *area)
{
	char text[128];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(),
		 (unsigned long)area->addr,
		 (unsigned long)(area->addr + area->len));
	mm_write_file(DEBUGFS "/split_huge_pages", text);
}

static void run_split(struct trial *trial)
{
	need_debugfs(DEBUGFS "/split_huge_pages");
	CHECK(is_compound(trial->twin_pfns[1]));
	split(&trial->pinned);
	split(&trial->twin);
	CHECK(is_compound(trial->pinned_pfns[1]));
	CHECK(!is_compound(trial->twin_pfns[1]));
	CHECK_EQ(twin_moved(trial), 0);
}

static const char *split_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & THP ? "stays" : NULL;
}

/* --- moving ----------------------------------------------------------- */

#define OTHER_NODE	-1

/* Huge pages of a pool lie on all nodes: the other one is that of each page. */
static void move_pages_of(const struct area *area, int to)
{
	size_t i, pages = area_pages(area);
	int nodes[MAX_PAGES], status[MAX_PAGES];
	void *at[MAX_PAGES];

	for (i = 0; i < pages; i++) {
		at[i] = area_word(area, i);
		nodes[i] = to == OTHER_NODE ? !mm_node(at[i]) : to;
	}
	CHECK_OK(syscall(SYS_move_pages, 0, pages, at, nodes, status,
			 MPOL_MF_MOVE));
}

static void run_migration(struct trial *trial)
{
	int from = mm_node(trial->twin.addr);

	if (access("/sys/devices/system/node/node1", F_OK) < 0)
		SKIP("not two memory nodes");
	clean(&trial->pinned);
	clean(&trial->twin);
	move_pages_of(&trial->pinned, OTHER_NODE);
	move_pages_of(&trial->twin, OTHER_NODE);
	check_all(twin_moved(trial), &trial->twin);
	CHECK_NE(mm_node(trial->twin.addr), from);
}

static const char *migration_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & (SCARCE | DAX) ? NULL : "stays";
}

#define BALANCING	DEBUGFS "/sched/numa_balancing/"

static void prepare_balancing(struct trial *trial)
{
	(void)trial;
	need_debugfs(BALANCING "scan_delay_ms");
	if (access("/sys/devices/system/node/node1", F_OK) < 0)
		SKIP("not two memory nodes");
	mm_write_file(BALANCING "scan_delay_ms", "50");
	mm_write_file(BALANCING "scan_period_min_ms", "50");
	mm_write_file(BALANCING "scan_period_max_ms", "100");
	mm_write_file("/proc/sys/kernel/numa_balancing", "1");
}

/* From the other node's processor, until the kernel brings the twin there. */
static bool twin_came(struct trial *trial)
{
	mm_read(trial->pinned.addr, trial->pinned.len);
	mm_read(trial->twin.addr, trial->twin.len);
	return twin_moved(trial) > 0;
}

static void run_balancing(struct trial *trial)
{
	unsigned long start = test_now_ms();
	int from = -1;

	/* 6.1 tells no node of an entry that balancing has just made empty. */
	CHECK_WITHIN_MS(DEADLINE_MS, (mm_read(trial->twin.addr, PAGE),
				      from = mm_node(trial->twin.addr),
				      from >= 0));
	/* This flushes what a processor keeps from the lists of pages. */
	move_pages_of(&trial->twin, from);
	stay_on_cpu(!from);
	/* The kernel looks when so much time was spent running. */
	while (!twin_came(trial))
		CHECK_TOOK_MS(start, DEADLINE_MS);
	test_note("after %lu ms", test_now_ms() - start);
	stay_on_cpu(0);
}

static void end_balancing(struct trial *trial)
{
	(void)trial;
	mm_write_file("/proc/sys/kernel/numa_balancing", "0");
}

/* Before 6.7 what shmem maps is passed over (vma_policy_mof()). */
static const char *balancing_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	if (kind->is & (SHMEM | TMPFS) && !kernel_is(6, 7))
		return NULL;
	return kind->is & (HUGETLB | DAX | DISK) ? NULL : "stays";
}

/* --- files ------------------------------------------------------------ */

static void check_cut(const struct area *area)
{
	uint64_t word = 1;

	CHECK_EQ(pread(area->fd, &word, sizeof(word), 0), sizeof(word));
	CHECK_EQ(word, 0);
}

static void truncate_file(const struct area *area)
{
	CHECK_OK(ftruncate(area->fd, 0));
	CHECK(!can_be_read(area->addr));
	CHECK_OK(ftruncate(area->fd, (off_t)area->room));
}

static void run_truncate(struct trial *trial)
{
	truncate_file(&trial->pinned);
	truncate_file(&trial->twin);
	CHECK_EQ(*(volatile uint64_t *)trial->twin.addr, 0);
}

/* An fs-dax file waits for pins to end before it is cut. */
static const char *truncate_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & BACKED && !(kind->is & DAX) ? "old page" : NULL;
}

static void punch(const struct area *area)
{
	if (area->fd < 0)
		CHECK_OK(madvise(area->addr, area->len, MADV_REMOVE));
	else
		CHECK_OK(fallocate(area->fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, (off_t)area->len));
	if (area->fd >= 0 && !(area->kind->is & HUGETLB))
		check_cut(area);
}

static void run_punch(struct trial *trial)
{
	punch(&trial->pinned);
	punch(&trial->twin);
	if (!is_private(trial))
		CHECK_EQ(*(volatile uint64_t *)trial->twin.addr, 0);
}

/* A private mapping keeps the pages that are its own. */
static const char *punch_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	if (kind->is & DAX || !(kind->is & (SHMEM | BACKED)))
		return NULL;
	return kind->is & PRIVATE ? "stays" : "old page";
}

static void run_fsync(struct trial *trial)
{
	CHECK(mm_is_dirty(trial->pinned.addr));
	CHECK(mm_is_dirty(trial->twin.addr));
	clean(&trial->pinned);
	clean(&trial->twin);
	CHECK(!mm_is_dirty(trial->twin.addr));
	CHECK_EQ(twin_moved(trial), 0);
}

static const char *fsync_promise(const struct kind *kind, uint32_t flags)
{
	(void)flags;
	return kind->is & DISK && !(kind->is & DAX) ? "stays" : NULL;
}

static const struct event events[] = {
	{ "fork, the parent writes", "the parent gets another page", ALL,
	  NULL, parent_writes, NULL, parent_promise },
	{ "fork, the child writes", "the child gets another page", ALL,
	  NULL, child_writes, NULL, child_promise },
	{ "vfork", "stays", PINS, NULL, run_vfork, NULL, stays },
	{ "clone(CLONE_VM)", "stays", PINS, NULL, run_clone, NULL, stays },
	{ "mprotect, none and back", "stays", PINS,
	  NULL, protect_none, NULL, stays },
	{ "mprotect, read and back", "stays", ALL,
	  NULL, protect_read, NULL, stays },
	{ "mprotect of half", "stays", PINS,
	  NULL, protect_half, NULL, stays_half },
	{ "munmap of half", "half is freed", PINS,
	  NULL, unmap_half, NULL, half_stays },
	{ "munmap", "is freed", PINS, NULL, unmap_all, NULL, old_page },
	{ "mremap", "moves along", PINS, NULL, move_mapping, NULL,
	  moves_along },
	{ "MADV_DONTNEED", "private: is freed; shared: faults", PINS,
	  NULL, discard, NULL, discard_promise },
	{ "MADV_PAGEOUT", "is swapped out or dropped", ALL,
	  prepare_swap, run_page_out, end_swap, reclaim_promise },
	{ "reclaim", "is swapped out or dropped", TWO,
	  prepare_pressure, run_pressure, end_swap, reclaim_promise },
	{ "KSM", "is merged", TWO, prepare_ksm, run_ksm, end_ksm,
	  ksm_promise },
	{ "MADV_COLLAPSE", "becomes a huge page", PINS,
	  NULL, run_collapse, NULL, collapse_promise },
	{ "split_huge_pages", "is split", ALL, NULL, run_split, NULL,
	  split_promise },
	{ "move_pages", "moves to the other node", ALL,
	  NULL, run_migration, NULL, migration_promise },
	{ "NUMA balancing", "moves to the processor's node", TWO,
	  prepare_balancing, run_balancing, end_balancing,
	  balancing_promise },
	{ "ftruncate", "is freed", PINS, NULL, run_truncate, NULL,
	  truncate_promise },
	{ "punching a hole", "private: stays; shared: is freed", PINS,
	  NULL, run_punch, NULL, punch_promise },
	{ "fsync", "is written", PINS, NULL, run_fsync, NULL, fsync_promise },
};

#define EVENTS	(sizeof(events) / sizeof(events[0]))

/* --- what became of it ------------------------------------------------- */

/* Of one page: the pinned one is here; it was away until touched; it is not. */
enum here { HERE, AWAY, OLD };

static bool may_touch(const struct trial *trial, const void *addr)
{
	return is_mapped(addr) && !(trial->kind->is & SCARCE);
}

/* Reading one page may map its neighbours: all are looked at before. */
static enum here where_is(const struct trial *trial, size_t page, uint64_t was)
{
	const volatile uint64_t *word = area_word(&trial->pinned, page);
	uint64_t pfn = trial->pinned_pfns[page];

	if (was == pfn)
		return HERE;
	if (was || !may_touch(trial, (const void *)word))
		return OLD;
	(void)*word;
	return mm_pfn((const void *)word) == pfn ? AWAY : OLD;
}

static bool pin_can_write(const struct trial *trial)
{
	return trial->flags & WRITE && !(trial->kind->is & DISK);
}

static uint64_t pin_word(const struct trial *trial, size_t page)
{
	uint64_t word;

	CHECK_OK(ioc_read(trial->dev, trial->handle,
			  page * trial->pinned.step, &word, sizeof(word),
			  NULL));
	return word;
}

/* What is written on one side is read on the other. */
static void check_same(const struct trial *trial, size_t page)
{
	volatile uint64_t *word = area_word(&trial->pinned, page);
	uint64_t value = NEW_TAG + page;

	*word = value;
	CHECK_EQ(pin_word(trial, page), value);
	if (!pin_can_write(trial))
		return;
	value++;
	CHECK_OK(ioc_write(trial->dev, trial->handle,
			   page * trial->pinned.step, &value, sizeof(value),
			   NULL));
	CHECK_EQ(*word, value);
}

/* The pin has what was there, and what is there now is none of its. */
static void check_old(const struct trial *trial, size_t page, uint64_t was)
{
	volatile uint64_t *word = area_word(&trial->pinned, page);

	CHECK_EQ(pin_word(trial, page), was);
	if (!may_touch(trial, (const void *)word))
		return;
	*word = NEW_TAG + page;
	CHECK_EQ(pin_word(trial, page), was);
}

static void check_data(const struct trial *trial, size_t page, enum here here)
{
	if (trial->flags & GET)
		return;
	if (here == OLD)
		check_old(trial, page, PINNED_TAG + page);
	else
		check_same(trial, page);
}

static const char *find_out(const struct trial *trial, const char *from)
{
	size_t pages = area_pages(&trial->pinned), found[3] = { 0 }, i;
	uint64_t now[MAX_PAGES];

	area_pfns(&trial->pinned, 0, now);
	for (i = 0; i < pages; i++) {
		enum here here = where_is(trial, i, now[i]);

		found[here]++;
		check_data(trial, i, here);
	}
	test_note("%zu here, %zu away, %zu old", found[HERE], found[AWAY],
		  found[OLD]);
	if (found[OLD] == pages)
		return trial->flags & GET ? "lost" : "old page";
	if (2 * found[OLD] == pages)
		return "half stays, half old page";
	if (found[AWAY] == pages)
		return "faults";
	if (found[HERE] != pages)
		return "mixed";
	return trial->pinned.addr == from ? "stays" : "moves along";
}

static bool is_tried(const struct kind *kind, const struct event *event,
		     size_t flavour)
{
	unsigned int wanted = event->flavours;

	/* It takes long to clear. */
	if (kind->is & SCARCE)
		wanted &= TWO;
	return wanted >> flavour & 1 &&
	       !kind_refuses(kind, flavours[flavour].flags) &&
	       event->promise(kind, flavours[flavour].flags);
}

static void set_up(struct trial *trial, const struct event *event)
{
	if (event->before)
		event->before(trial);
	area_make(&trial->pinned, trial->kind, PINNED_TAG);
	if (trial->kind->is & SCARCE)
		trial->twin = trial->pinned;
	else
		area_make(&trial->twin, trial->kind, TWIN_TAG);
}

static const char *try_flavour(const struct kind *kind,
			       const struct event *event, uint32_t flags)
{
	struct trial trial = { .kind = kind, .flags = flags };
	long long before = mm_pins();
	const char *found, *from;

	trial.dev = ioc_device();
	set_up(&trial, event);
	trial.handle = PIN(trial.dev, trial.pinned.addr, trial.pinned.len,
			   flags);
	area_pfns(&trial.pinned, 0, trial.pinned_pfns);
	area_pfns(&trial.twin, 0, trial.twin_pfns);
	CHECK_EQ(mm_pins() > before, !(flags & GET));
	from = trial.pinned.addr;
	event->run(&trial);
	found = find_out(&trial, from);
	UNPIN(trial.dev, trial.handle);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	area_free(&trial.pinned);
	if (!(kind->is & SCARCE))
		area_free(&trial.twin);
	if (event->after)
		event->after(&trial);
	close(trial.dev);
	return found;
}

/* All pins are alike but those of one flavour, if any; it is named. */
static void run_cell(void)
{
	const struct kind *kind = cell_kind();
	const struct event *event = cell_event();
	const char *word, *pins = NULL, *get = NULL;
	size_t i;

	result("events", event->name, TWIN, "%s", event->twin);
	result_wanted("events", event->name, kind->name);
	if (kind->missing && kind->missing())
		SKIP("%s", kind->missing());
	stay_on_cpu(0);
	for (i = 0; i < FLAVOURS; i++) {
		if (!is_tried(kind, event, i))
			continue;
		test_note("%s", flavours[i].name);
		word = try_flavour(kind, event, flavours[i].flags);
		CHECK_STR(word, event->promise(kind, flavours[i].flags));
		*(flavours[i].flags & GET ? &get : &pins) = word;
	}
	if (get && strcmp(get, pins) != 0)
		result("events", event->name, kind->name, "%s; reference: %s",
		       pins, get);
	else
		result("events", event->name, kind->name, "%s", pins);
}

/*
 * Compaction goes through a zone from both ends: it moves pages from the lowest
 * blocks to the highest that are free in part, until it meets itself.  So the
 * pages of the trial are made the lowest of a zone that is empty else, DMA32,
 * from which memory comes when huge pages have taken what lies above it; and
 * above them are blocks with holes.
 */
#define LOOSE		(96 * MIB)
#define LEFT		(1280 * MIB)
#define LOWEST		128
#define NODE		"/sys/devices/system/node/node0/"
#define POOL		NODE "hugepages/hugepages-2048kB/nr_hugepages"

/* Free pages that a processor keeps for itself are no holes: let it keep few. */
#define KEPT		"/proc/sys/vm/percpu_pagelist_high_fraction"
#define KEEP_FEW	"100000"
#define KEEP_DEFAULT	"0"

struct frame {
	uint64_t pfn;
	char *addr;
};

/* Each zone is compacted for itself, and of what lies above some may be free again. */
#define DMA32_END	(4 * GIB / PAGE)

static struct frame frames[LOOSE / 4096];
static size_t nr_low;			/* of them in DMA32 */
static char *loose;

static void take_what_lies_above(void)
{
	long long left = mm_number(NODE "meminfo", "Node 0 MemFree:") * 1024 -
			 (long long)LEFT;
	char text[32];

	snprintf(text, sizeof(text), "%lld", left / (long long)HUGE);
	mm_write_file(POOL, text);
}

static int by_frame(const void *a, const void *b)
{
	const struct frame *one = a, *two = b;

	return (one->pfn > two->pfn) - (one->pfn < two->pfn);
}

static void find_frames(void)
{
	static uint64_t entries[LOOSE / 4096];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t i;

	CHECK_OK(fd);
	/* In one call: one for each page is slow on the debug kernel. */
	CHECK_EQ(pread(fd, entries, sizeof(entries),
		       (off_t)((uintptr_t)loose / PAGE * sizeof(entries[0]))),
		 sizeof(entries));
	close(fd);
	for (i = 0; i < LOOSE / PAGE; i++) {
		frames[i].addr = loose + i * PAGE;
		frames[i].pfn = entries[i] & ((1ULL << 55) - 1);
	}
	qsort(frames, LOOSE / PAGE, sizeof(frames[0]), by_frame);
	nr_low = 0;
	while (nr_low < LOOSE / PAGE && frames[nr_low].pfn < DMA32_END)
		nr_low++;
}

static void loosen(void)
{
	int i;

	loose = mm_map_touched(LOOSE);
	find_frames();
	for (i = LOWEST - 1; i >= 0; i--)
		CHECK_OK(madvise(frames[i].addr, PAGE, MADV_DONTNEED));
}

/* All of it from one node, or what is lowest would be of another. */
static void stay_on_node(int node)
{
	unsigned long nodes = 1UL << node;

	stay_on_cpu(node);
	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes,
			 8 * sizeof(nodes)));
}

/* Where it has found none for a while, compaction looks at each 32nd frame only. */
static void open_holes_among(size_t from, size_t to)
{
	for (; from < to; from++)
		if (frames[from].pfn % 2 == 0)
			CHECK_OK(madvise(frames[from].addr, PAGE,
					 MADV_DONTNEED));
}

static void open_holes(void)
{
	size_t all = LOOSE / PAGE;

	open_holes_among(nr_low / 2, nr_low);
	open_holes_among((nr_low + all) / 2, all);
}

/* Huge pages are passed over, pinned or not. */
static bool is_compacted(const struct kind *kind)
{
	return !(kind->is & (HUGETLB | THP | DAX));
}

static void set_up_compacted(struct trial *trial, const struct kind *kind)
{
	uint32_t both = WRITE | LONGTERM;

	trial->kind = kind;
	trial->flags = kind_refuses(kind, both) ? LONGTERM : both;
	trial->dev = ioc_device();
	area_make(&trial->pinned, kind, PINNED_TAG);
	area_make(&trial->twin, kind, TWIN_TAG);
	trial->handle = PIN(trial->dev, trial->pinned.addr,
			    trial->pinned.len, trial->flags);
	clean(&trial->pinned);
	clean(&trial->twin);
	area_pfns(&trial->pinned, 0, trial->pinned_pfns);
	area_pfns(&trial->twin, 0, trial->twin_pfns);
}

static bool compact_until_moved(const struct trial *trial)
{
	unsigned long end = test_now_ms() + DEADLINE_MS / 5;

	do {
		mm_write_file("/proc/sys/vm/compact_memory", "1");
		if (twin_moved(trial))
			return true;
	} while (test_now_ms() < end);
	test_note("%zu frames from %#llx on, first hole %#llx, twin at %#llx",
		  nr_low, (unsigned long long)frames[0].pfn,
		  (unsigned long long)frames[nr_low / 2].pfn,
		  (unsigned long long)trial->twin_pfns[0]);
	return false;
}

/* What is made once, as a mounted file system, takes none of the low pages. */
static void make_and_free(const struct kind *kind)
{
	struct area area;

	area_make(&area, kind, PINNED_TAG);
	area_free(&area);
}

/* Whether it moved the twin; what is pinned has to stay in any case. */
static bool try_compaction(const struct kind *kind)
{
	struct trial trial;
	bool moved;

	memset(&trial, 0, sizeof(trial));
	make_and_free(kind);
	loosen();
	set_up_compacted(&trial, kind);
	open_holes();
	moved = compact_until_moved(&trial);
	CHECK_STR(find_out(&trial, trial.pinned.addr), "stays");
	UNPIN(trial.dev, trial.handle);
	area_free(&trial.pinned);
	area_free(&trial.twin);
	close(trial.dev);
	CHECK_OK(munmap(loose, LOOSE));
	return moved;
}

/* In one test: what makes ready for it takes longest. */
TEST_TIMEOUT(compaction_moves_twins_and_leaves_what_is_pinned, 180)
{
	static const char name[] = "compaction";
	size_t i, tries;

	if (access(POOL, F_OK) < 0)
		SKIP("not two memory nodes with huge pages");
	result("events", name, TWIN, "moves");
	for (i = 0; i < nr_kinds; i++) {
		if (is_compacted(&kinds[i]))
			result_wanted("events", name, kinds[i].name);
	}
	stay_on_node(0);
	mm_write_file(KEPT, KEEP_FEW);
	take_what_lies_above();
	for (i = 0; i < nr_kinds; i++) {
		if (!is_compacted(&kinds[i]))
			continue;
		test_note("%s", kinds[i].name);
		for (tries = 0; !try_compaction(&kinds[i]); tries++)
			CHECK_LT(tries, 5);
		result("events", name, kinds[i].name, "stays");
	}
	mm_write_file(POOL, "0");
	mm_write_file(KEPT, KEEP_DEFAULT);
}

/* What the disk has, past what is cached. */
static uint64_t word_on_disk(int fd)
{
	static uint64_t page[4096 / sizeof(uint64_t)]
		__attribute__((aligned(4096)));
	char path[64];
	int direct;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	CHECK_OK(direct);
	CHECK_EQ(pread(direct, page, sizeof(page), 0), sizeof(page));
	close(direct);
	return page[0];
}

static const struct kind *kind_named(const char *name)
{
	size_t i = 0;

	while (strcmp(kinds[i].name, name) != 0)
		i++;
	return &kinds[i];
}

/*
 * A holder that writes by DMA leaves the page as clean as it was: what it wrote
 * is on its way to the disk only after the pin has ended.
 */
TEST(a_pinned_file_page_is_written_back_and_dirty_when_unpinned)
{
	int dev = ioc_device();
	struct area area;
	uint64_t handle, pfn, word = 1;

	area_make(&area, kind_named("ext4, shared"), PINNED_TAG);
	handle = PIN(dev, area.addr, area.len, WRITE);
	pfn = mm_pfn(area.addr);
	*area_word(&area, 0) = NEW_TAG;
	CHECK_ERRNO(ioc_write(dev, handle, 0, &word, sizeof(word), NULL),
		    EOPNOTSUPP);
	CHECK(mm_is_dirty(area.addr));
	CHECK_OK(fsync(area.fd));
	CHECK(!mm_is_dirty(area.addr));
	CHECK_EQ(word_on_disk(area.fd), NEW_TAG);
	CHECK_EQ(mm_pfn(area.addr), pfn);
	UNPIN(dev, handle);
	CHECK(mm_is_dirty(area.addr));
	CHECK_OK(fsync(area.fd));
	CHECK(!mm_is_dirty(area.addr));
	CHECK_EQ(word_on_disk(area.fd), NEW_TAG);
}

static void check_in_file(const char *name)
{
	int dev = ioc_device();
	struct area area;
	uint64_t word = NEW_TAG, found;

	test_note("%s", name);
	area_make(&area, kind_named(name), PINNED_TAG);
	CHECK_OK(ioc_write(dev, PIN(dev, area.addr, area.len, WRITE), 0, &word,
			   sizeof(word), NULL));
	CHECK_EQ(pread(area.fd, &found, sizeof(found), 0), sizeof(found));
	CHECK_EQ(found, NEW_TAG);
	close(dev);
	area_free(&area);
}

TEST(what_is_written_through_a_pin_is_in_the_file)
{
	check_in_file("memfd");
	check_in_file("tmpfs, shared");
	check_in_file("hugetlb 2M, shared");
}

static void __attribute__((constructor)) register_cells(void)
{
	size_t i, j;

	for (i = 0; i < EVENTS; i++) {
		for (j = 0; j < nr_kinds; j++) {
			if (events[i].promise(&kinds[j], 0))
				cell_register(run_cell, &kinds[j], &events[i],
					      events[i].name);
		}
	}
}
