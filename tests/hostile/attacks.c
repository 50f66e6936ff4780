// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "attacks.h"
#include "race.h"

#include <fcntl.h>
#include <pinmem.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN		(16 * MIB)
#define HUGE_LEN	(32 * MIB)
#define MANY		3000	/* more than the limits allow */
#define MOST_RANGES	65536U
#define LIMITS		ENOMEM, EDQUOT
#define KIND(modes)	(modes)[race_random(sizeof(modes) / sizeof((modes)[0]))]

static char *memory, *huge;
static int own;				/* one's own device file */
static uint64_t handles[MANY];
static int files[MANY];

static const uint32_t modes[] = {
	0, WRITE, LONGTERM, LONGTERM | WRITE, GET, LONGTERM | PINMEM_PIN_SLOW,
	LONGTERM | REVOCABLE, WRITE | GROW,
};

static bool pin_some(int dev, char *at, size_t len, uint32_t flags,
		     uint64_t *handle)
{
	struct pinmem_ioc_pin pin;

	if (!RACE("pin", ioc_pin_range(dev, at, len, flags, &pin), LIMITS))
		return false;
	*handle = pin.out_handle;
	return true;
}

static void unpin_all(size_t nr)
{
	while (nr)
		CHECK_OK(ioc_unpin(own, handles[--nr]));
}

static int open_device(void)
{
	int dev = open("/dev/pinmem", O_RDWR | O_CLOEXEC);

	RACE("open", dev, EMFILE, ENOMEM);
	return dev;
}

/* As many as there may be, each with a pin and with a file for that. */
static void pins_in_many_files(void)
{
	uint64_t handle;
	int nr, i = 0;

	for (nr = 0; nr < MANY; nr += 2) {
		files[nr] = open_device();
		if (files[nr] < 0)
			break;
		files[nr + 1] = -1;
		if (pin_some(files[nr], memory, PAGE, KIND(modes), &handle))
			files[nr + 1] = ioc_handle_file(files[nr], handle, 0);
	}
	for (; i < nr; i++)
		if (files[i] >= 0)
			close(files[i]);
}

static void pins_up_to_the_limit(void)
{
	size_t pages = 1 + race_random(race_random(2) ? 4 : 400), nr;

	for (nr = 0; nr < MANY; nr++)
		if (!pin_some(own, memory + race_random(1000) * PAGE,
			      pages * PAGE, KIND(modes), &handles[nr]))
			break;
	unpin_all(nr);
}

static void pins_of_many_ranges(void)
{
	static struct pinmem_ioc_range ranges[MOST_RANGES];
	uint32_t i, nr = race_random(2) ? MOST_RANGES : 512;
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, nr, LONGTERM);

	for (i = 0; i < nr; i++)
		ranges[i] = ioc_range(memory + i % 4000 * PAGE, 1);
	if (RACE("pin of ranges", ioc_pin(own, &pin), LIMITS))
		CHECK_OK(ioc_unpin(own, pin.out_handle));
}

static void pins_with_a_short_life(void)
{
	struct pinmem_ioc_pin pin;
	int i;

	for (i = 0; i < 200; i++) {
		if (!RACE("pin for a time",
			  ioc_pin_ttl(own, memory, PAGE, KEEP | LONGTERM,
				      1 + race_random(3 * MS), &pin), LIMITS))
			break;
		RACE("renew", ioc_renew(own, pin.out_handle, MS), ENOENT);
	}
}

static void pins_that_grow(void)
{
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin step;
	int i;

	if (!pin_some(own, memory, PAGE, LONGTERM | GROW, &handles[0]))
		return;
	for (i = 1; i < 300; i++) {
		range = ioc_range(memory + 2 * i * PAGE, PAGE);
		step = ioc_pin_arg(&range, 1, LONGTERM | GROW);
		step.handle = handles[0];
		if (!RACE("step", ioc_pin(own, &step), LIMITS))
			break;
	}
	unpin_all(1);
}

static void pins_that_are_revoked(void)
{
	char *rest = memory + LEN / 2;
	uint64_t handle;
	int i;

	for (i = 0; i < 100; i++)
		if (!pin_some(own, rest + i % 50 * PAGE, PAGE,
			      LONGTERM | KEEP | REVOCABLE, &handle))
			break;
	CHECK_OK(madvise(rest, LEN / 2, MADV_DONTNEED));
	race_count("revoked");
}

/* A page of each, so that none can be split, moved or given back. */
static void pins_in_huge_pages(void)
{
	size_t i, nr = HUGE_LEN / HUGE;

	for (i = 0; i < nr; i++)
		if (!pin_some(own, huge + i * HUGE + race_random(512) * PAGE,
			      PAGE, LONGTERM | WRITE, &handles[i]))
			break;
	CHECK_OK(madvise(huge + race_random((unsigned int)nr) * HUGE, PAGE,
			 MADV_DONTNEED));
	unpin_all(i);
	/* All are whole again. */
	CHECK_OK(madvise(huge, HUGE_LEN, MADV_DONTNEED));
	mm_touch(huge, HUGE_LEN);
}

/* What everybody runs. */
static void files_of_the_library(void)
{
	char *text = (char *)((uintptr_t)getpid & ~(PAGE - 1));
	size_t nr;

	for (nr = 0; nr < MANY; nr++)
		if (!pin_some(own, text, PAGE, LONGTERM, &handles[nr]))
			break;
	unpin_all(nr);
}

static void files_of_a_victim(void)
{
	static const uint32_t kinds[] = {
		LONGTERM | WRITE, WRITE, LONGTERM | WRITE | REVOCABLE,
		LONGTERM | WRITE | KEEP | REVOCABLE, GET,
	};
	int dev = open_device(), fd = open(VICTIMS_FILE, O_RDWR | O_CLOEXEC), i;
	char *mapped;

	CHECK_OK(fd);
	mapped = mm_map_file(fd, FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
	/* Where the file is short for a moment there is no page. */
	for (i = 0; i < 30; i++) {
		RACE("pin of a file",
		     ioc_pin_range(dev, mapped + race_random(1000) * PAGE,
				   16 * PAGE, KIND(kinds), NULL),
		     LIMITS, EFAULT, EBUSY);
		usleep(500);
	}
	CHECK_OK(munmap(mapped, FILE_LEN));
	close(fd);
	close(dev);
}

static void ask_for_lists(void)
{
	struct pinmem_list *list;
	int i;

	for (i = 0; i < 10; i++) {
		CHECK_RET(pinmem_list_get(&list), 0);
		pinmem_list_free(list);
		race_count("lists");
	}
}

/* All of the address space, in as many calls as can be. */
static void ask_about_everything(void)
{
	struct pinmem_ioc_run runs[16];
	struct pinmem_ioc_query query =
		ioc_query_arg(NULL, SIZE_MAX, runs, 1 + race_random(16));
	int i;

	for (i = 0; i < 500; i++) {
		CHECK_OK(ioc_query(own, &query));
		if (!query.out_nr_runs)
			break;
		query.start = query.out_next;
	}
	race_count("queries");
}

/* Children that share a handle file, use it and go. */
static void share_with_children(void)
{
	uint64_t word;
	int fd, i;

	if (!pin_some(own, memory, 64 * PAGE, LONGTERM | WRITE, &handles[0]))
		return;
	fd = ioc_handle_file(own, handles[0], 0);
	CHECK_OK(fd);
	for (i = 0; i < 6; i++) {
		pid_t pid = fork();

		CHECK_OK(pid);
		if (pid)
			continue;
		do {
			i = ioc_read(fd, 0, race_random(64) * PAGE, &word,
				     sizeof(word), NULL);
		} while (i == 0 && race_random(50));
		_exit(0);
	}
	usleep(race_random(5000));
	unpin_all(1);
	close(fd);
	while (wait(NULL) > 0)
		race_count("children");
}

static void share_with_a_remote_child(void)
{
	struct pinmem_ioc_pin pin;
	pid_t pid = fork();
	int mem, i;

	CHECK_OK(pid);
	if (pid == 0)
		for (;;)
			madvise(memory, 64 * PAGE, MADV_DONTNEED);
	mem = proc_open(pid, "mem", O_RDWR);
	CHECK_OK(mem);
	for (i = 0; i < 20; i++)
		RACE("pin of a child",
		     ioc_pin_remote(own, mem, memory, 64 * PAGE,
				    LONGTERM | WRITE | KEEP, &pin), LIMITS);
	kill(pid, SIGKILL);
	proc_wait(pid);
	close(mem);
}

/* Who has pins, kept ones too, and is killed. */
static void share_with_who_leaves_pins_behind(void)
{
	pid_t pid = fork();
	uint64_t handle;
	int i;

	CHECK_OK(pid);
	if (pid == 0) {
		own = open_device();
		for (i = 0; i < 100; i++)
			pin_some(own, memory + i * PAGE, 2 * PAGE,
				 LONGTERM | (i % 2 ? KEEP : 0), &handle);
		raise(SIGKILL);
	}
	proc_wait(pid);
	race_count("left behind");
}

#define ATTACK(function)	{ #function, function }

static const struct {
	const char *name;
	void (*run)(void);
} attacks[] = {
	ATTACK(pins_in_many_files),
	ATTACK(pins_up_to_the_limit),
	ATTACK(pins_of_many_ranges),
	ATTACK(pins_with_a_short_life),
	ATTACK(pins_that_grow),
	ATTACK(pins_that_are_revoked),
	ATTACK(pins_in_huge_pages),
	ATTACK(files_of_the_library),
	ATTACK(files_of_a_victim),
	ATTACK(ask_for_lists),
	ATTACK(ask_about_everything),
	ATTACK(share_with_children),
	ATTACK(share_with_a_remote_child),
	ATTACK(share_with_who_leaves_pins_behind),
};

#define ATTACKS		(sizeof(attacks) / sizeof(attacks[0]))

/* Of huge pages where there are any. */
static char *map_huge(void)
{
	char *at = mm_map(HUGE_LEN + HUGE);

	at += HUGE - (uintptr_t)at % HUGE;
	madvise(at, HUGE_LEN, MADV_HUGEPAGE);
	mm_touch(at, HUGE_LEN);
	return at;
}

void attack_prepare(void)
{
	memory = mm_map_touched(LEN);
	huge = map_huge();
	own = open_device();
	CHECK_OK(own);
}

void attack(const char *name)
{
	size_t i;

	do {
		i = race_random(ATTACKS);
	} while (strncmp(attacks[i].name, name, strlen(name)) != 0);
	attacks[i].run();
}
