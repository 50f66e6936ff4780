// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * A process whose mappings are known.  It prints "NAME START END" for each, then
 * "ready", and obeys lines on its standard input, each answered likewise:
 *
 *	unmap NAME, pageout NAME, poison NAME, grow, large, secret, silent, hide,
 *	churn, exec
 *
 * It ends with its input.  victim FILE maps that file, too; victim --read FILE
 * only to read it.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

#define KIB	1024ul
#define MIB	(1024 * KIB)
#define BASE	0x100000000000ul
#define STEP	0x40000000ul

static struct region {
	const char *name;
	char *start;
	size_t len;
} regions[32];

static unsigned int nr_regions;

static void die(const char *what)
{
	fprintf(stderr, "victim: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void add(const char *name, void *start, size_t len)
{
	regions[nr_regions++] = (struct region){ name, start, len };
	printf("%s %lx %lx\n", name, (unsigned long)start,
	       (unsigned long)start + len);
}

/* Each at an address of its own, far from the others. */
static char *map(const char *name, size_t len, int prot, int flags, int fd)
{
	void *want = (void *)(BASE + nr_regions * STEP);
	char *p = mmap(want, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (p == MAP_FAILED)
		die(name);
	madvise(p, len, MADV_NOHUGEPAGE);
	add(name, p, len);
	return p;
}

static char *map_anon(const char *name, size_t len)
{
	return map(name, len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int file_of(const char *name, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)len))
		die(name);
	return fd;
}

static void touch(char *p, size_t len, size_t step)
{
	size_t i;

	for (i = 0; i < len; i += step)
		p[i] = 1;
}

static void make_heap(void)
{
	size_t page = (size_t)getpagesize();
	char *p = sbrk(256 * KIB);

	if (p == (void *)-1)
		die("heap");
	touch(p, 256 * KIB, page);
	p = (char *)(((uintptr_t)p + page - 1) & ~(page - 1));
	add("heap", p, 128 * KIB);
}

static void make_secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);

	if (fd < 0 || ftruncate(fd, 64 * KIB))
		return;
	touch(map("secret", 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd),
	      64 * KIB, 4096);
}

static void make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, MIB))
		die(path);
	touch(map("file", MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd), MIB,
	      4096);
}

static void read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	map("file", MIB, PROT_READ, MAP_SHARED, fd);
}

static void make_regions(void)
{
	char *p;

	make_heap();
	touch(map_anon("anon", 2 * MIB), 2 * MIB, 4096);
	map_anon("untouched", MIB);
	touch(map_anon("mixed", 64 * KIB), 64 * KIB, 8192);
	p = map_anon("readonly", 64 * KIB);
	touch(p, 64 * KIB, 4096);
	mprotect(p, 64 * KIB, PROT_READ);
	map("none", MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(map("shared", MIB, PROT_READ | PROT_WRITE, MAP_SHARED,
		  file_of("victim-shared", MIB)), MIB, 4096);
	p = map("text", 4096, PROT_READ, MAP_PRIVATE,
		open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	if (*(volatile char *)p != '\177')
		die("text");
	touch(map("short", 16 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED,
		  file_of("victim-short", 4 * KIB)), 4 * KIB, 4096);
	touch(map("evil", 4 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED,
		  file_of("evil \033[31m\xff name", 4 * KIB)), 4 * KIB, 4096);
}

static struct region *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_regions; i++) {
		if (!strcmp(regions[i].name, name))
			return &regions[i];
	}
	fprintf(stderr, "victim: no region %s\n", name);
	exit(1);
}

/* Faults there wait for an answer that never comes. */
static void make_silent(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	reg.range.start = (uintptr_t)map_anon("silent", 64 * KIB);
	reg.range.len = 64 * KIB;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &reg))
		die("userfaultfd");
}

/* More than one step, of huge pages if there are any. */
static void make_large(void)
{
	char *p = map_anon("large", 320 * MIB);

	madvise(p, 320 * MIB, MADV_HUGEPAGE);
	touch(p, 320 * MIB, 4096);
}

/* Memory that comes and goes, as in any program that is at work. */
static void *churn(void *arg)
{
	char *at = (char *)(BASE + 64 * STEP);
	unsigned int i;

	(void)arg;
	for (i = 0;; i++) {
		char *p = mmap(at + (i % 64) * MIB, 256 * KIB,
			       PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		if (p == MAP_FAILED)
			die("churn");
		touch(p, 256 * KIB, 4096);
		usleep(5000);
		munmap(p, 256 * KIB);
	}
	return NULL;
}

static void survive(int signal)
{
	(void)signal;
}

/* Its first page; who asks for that is told by a signal. */
static void poison(const struct region *region)
{
	signal(SIGBUS, survive);
	if (madvise(region->start, 4096, MADV_HWPOISON))
		die("poison");
}

static void start_churn(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, churn, NULL))
		die("churn");
}

static void obey(char *line)
{
	const char *verb = strtok(line, " \n");
	const char *name = strtok(NULL, " \n");

	if (!verb)
		return;
	if (!strcmp(verb, "unmap"))
		munmap(find(name)->start, find(name)->len);
	else if (!strcmp(verb, "pageout"))
		madvise(find(name)->start, find(name)->len, MADV_PAGEOUT);
	else if (!strcmp(verb, "poison"))
		poison(find(name));
	else if (!strcmp(verb, "silent"))
		make_silent();
	else if (!strcmp(verb, "hide"))
		prctl(PR_SET_DUMPABLE, 0);
	else if (!strcmp(verb, "secret"))
		make_secret();
	else if (!strcmp(verb, "grow"))
		touch(map_anon("big", 80 * MIB), 80 * MIB, 4096);
	else if (!strcmp(verb, "large"))
		make_large();
	else if (!strcmp(verb, "churn"))
		start_churn();
	else if (!strcmp(verb, "exec"))
		execlp("sleep", "sleep", "1000", NULL);
	else
		exit(1);
}

int main(int argc, char **argv)
{
	char line[256];

	prctl(PR_SET_PDEATHSIG, 9);
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_regions();
	if (argc == 2)
		make_file(argv[1]);
	if (argc == 3)
		read_file(argv[2]);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		obey(line);
		puts("ready");
	}
	return 0;
}
