// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Lines of /proc/PID/maps, and sets of ranges. */

#include "pinctl.h"
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mapping parsed(const char *line)
{
	static char copy[8192];
	struct mapping mapping;

	CHECK(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	test_note("%.100s", line);
	CHECK_RET(mapping_parse(copy, &mapping), 0);
	return mapping;
}

static void is_no_mapping(const char *line)
{
	struct mapping mapping;
	char copy[256];

	CHECK(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	test_note("%s", line);
	CHECK_RET(mapping_parse(copy, &mapping), -EINVAL);
}

TEST(a_line_has_addresses_rights_inode_and_name)
{
	struct mapping m = parsed("55d0c0a00000-55d0c0b21000 rw-p 00000000 "
				  "fe:01 1234567                  /usr/bin/redis");

	CHECK_EQ(m.start, 0x55d0c0a00000);
	CHECK_EQ(m.end, 0x55d0c0b21000);
	CHECK_STR(m.perms, "rw-p");
	CHECK_EQ(m.inode, 1234567);
	CHECK_STR(m.name, "/usr/bin/redis");
}

TEST(a_name_may_be_missing_or_strange)
{
	char line[6000];

	CHECK_STR(parsed("1000-2000 rw-p 00000000 00:00 0 ").name, "");
	CHECK_STR(parsed("1000-2000 rw-p 00000000 00:00 0").name, "");
	CHECK_STR(parsed("1000-2000 r--s 0 00:01 7   /a b  c (deleted)").name,
		  "/a b  c (deleted)");
	CHECK_STR(parsed("1000-2000 r--s 0 00:01 7   /a\\012b").name,
		  "/a\\012b");
	CHECK_STR(parsed("1000-2000 r--s 0 00:01 7   /\x1b[31m\xff").name,
		  "/\x1b[31m\xff");
	strcpy(line, "1000-2000 r--s 0 00:01 7 /");
	memset(line + strlen(line), 'x', 5000);
	line[26 + 5000] = '\0';
	CHECK_EQ(strlen(parsed(line).name), 5001);
}

TEST(what_is_no_line_of_maps_is_refused)
{
	is_no_mapping("");
	is_no_mapping("heap");
	is_no_mapping("1000-2000");
	is_no_mapping("1000-2000 rw-p");
	is_no_mapping("1000-2000 rw-p 0 00:00");
	is_no_mapping("1000-2000 rw-p 0 00:00 x");
	is_no_mapping("1000-2000 rw-p 0 00:00 7x");
	is_no_mapping("1000-2000 rwwp 0 00:00 0");
	is_no_mapping("1000-2000 rw- 0 00:00 0");
	is_no_mapping("2000-1000 rw-p 0 00:00 0");
	is_no_mapping("1000-1000 rw-p 0 00:00 0");
	is_no_mapping("-1000-2000 rw-p 0 00:00 0");
	is_no_mapping(" 1000-2000 rw-p 0 00:00 0");
	is_no_mapping("10000000000000000-20000000000000000 rw-p 0 00:00 0");
	is_no_mapping("Size:                132 kB");
}

static bool is_anon(const char *line)
{
	struct mapping m = parsed(line);

	return mapping_is_anon(&m);
}

static bool is_kernel(const char *line)
{
	struct mapping m = parsed(line);

	return mapping_is_kernel(&m);
}

TEST(anonymous_is_private_and_has_no_file)
{
	CHECK(is_anon("1000-2000 rw-p 0 00:00 0"));
	CHECK(is_anon("1000-2000 ---p 0 00:00 0"));
	CHECK(is_anon("1000-2000 rw-p 0 00:00 0 [heap]"));
	CHECK(is_anon("1000-2000 rw-p 0 00:00 0 [stack]"));
	CHECK(is_anon("1000-2000 rw-p 0 00:00 0 [anon:glibc: malloc]"));
	CHECK(is_anon("1000-2000 rw-p 0 00:0f 99 /anon_hugepage (deleted)"));
	CHECK(!is_anon("1000-2000 rw-s 0 00:0f 99 /anon_hugepage (deleted)"));
	CHECK(!is_anon("1000-2000 rw-s 0 00:01 9 /dev/zero (deleted)"));
	CHECK(!is_anon("1000-2000 rw-s 0 00:01 9 [anon_shmem:x]"));
	CHECK(!is_anon("1000-2000 rw-p 0 fe:01 9 /bin/data"));
	CHECK(!is_anon("1000-2000 r-xp 0 00:00 0 [vdso]"));
	CHECK(!is_anon("1000-2000 r--p 0 00:00 0 [vvar]"));
	CHECK(!is_anon("1000-2000 --xp 0 00:00 0 [vsyscall]"));
}

TEST(the_kernels_own_mappings_are_known)
{
	CHECK(is_kernel("1000-2000 r-xp 0 00:00 0 [vdso]"));
	CHECK(is_kernel("1000-2000 r--p 0 00:00 0 [vvar_vclock]"));
	CHECK(is_kernel("1000-2000 --xp 0 00:00 0 [vsyscall]"));
	CHECK(!is_kernel("1000-2000 rw-p 0 00:00 0 [heap]"));
	CHECK(!is_kernel("1000-2000 rw-p 0 00:00 0"));
	CHECK(!is_kernel("1000-2000 rw-p 0 fe:01 9 [vdso]"));
}

TEST(maps_are_searched_by_address)
{
	struct maps maps = { 0 };

	CHECK_RET(maps_parse(&maps, strdup(
			     "1000-2000 rw-p 0 00:00 0 [heap]\n"
			     "2000-4000 r--p 0 00:00 0\n"
			     "8000-9000 r--p 0 00:00 0 [stack]\n")), 0);
	CHECK_EQ(maps.n, 3);
	CHECK(maps_find(&maps, 0) == &maps.v[0]);
	CHECK(maps_find(&maps, 0x1fff) == &maps.v[0]);
	CHECK(maps_find(&maps, 0x2000) == &maps.v[1]);
	CHECK(maps_find(&maps, 0x4000) == &maps.v[2]);
	CHECK(maps_find(&maps, 0x8fff) == &maps.v[2]);
	CHECK(!maps_find(&maps, 0x9000));
	maps_free(&maps);
	CHECK(!maps_find(&maps, 0));
}

TEST(maps_with_a_line_that_is_none_are_refused)
{
	struct maps maps = { 0 };

	CHECK_RET(maps_parse(&maps, strdup(
			     "1000-2000 rw-p 0 00:00 0\nnonsense\n")), -EINVAL);
	maps_free(&maps);
}

TEST(the_maps_of_a_process_are_read)
{
	int dir = open("/proc/self", O_PATH | O_DIRECTORY);
	struct maps maps = { 0 };
	const struct mapping *mapping;

	CHECK_OK(dir);
	CHECK_RET(maps_read(&maps, dir), 0);
	mapping = maps_find(&maps, (uintptr_t)maps_read);
	CHECK(mapping);
	CHECK_STR(mapping->perms, "r-xp");
	CHECK(strstr(mapping->name, "cli_maps"));
	CHECK_RET(maps_read(&maps, dir), 0);
	CHECK(maps.n > 3);
	maps_free(&maps);
	close(dir);
}

TEST(ranges_are_sorted_and_joined)
{
	struct ranges ranges = { 0 };

	ranges_merge(&ranges);
	CHECK_EQ(ranges.n, 0);
	ranges_add(&ranges, 0x8000, 0x9000);
	ranges_add(&ranges, 0x1000, 0x3000);
	ranges_add(&ranges, 0x2000, 0x4000);
	ranges_add(&ranges, 0x1000, 0x2000);
	ranges_add(&ranges, 0x4000, 0x5000);
	ranges_merge(&ranges);
	CHECK_EQ(ranges.n, 2);
	CHECK_EQ(ranges.v[0].start, 0x1000);
	CHECK_EQ(ranges.v[0].end, 0x5000);
	CHECK_EQ(ranges.v[1].start, 0x8000);
	CHECK_EQ(ranges.v[1].end, 0x9000);
	CHECK(ranges_contain(&ranges, 0x1000));
	CHECK(ranges_contain(&ranges, 0x4fff));
	CHECK(!ranges_contain(&ranges, 0x5000));
	CHECK(!ranges_contain(&ranges, 0xfff));
	ranges_free(&ranges);
}

TEST(ranges_are_rounded_to_whole_pages)
{
	struct range range = { 0x1001, 0x1002 };

	CHECK_RET(range_round(&range, 4096), 0);
	CHECK_EQ(range.start, 0x1000);
	CHECK_EQ(range.end, 0x2000);
	CHECK_RET(range_round(&range, 4096), 0);
	CHECK_EQ(range.end, 0x2000);
	CHECK_RET(range_round(&range, 65536), 0);
	CHECK_EQ(range.start, 0);
	CHECK_EQ(range.end, 0x10000);
	range = (struct range){ 0, UINT64_MAX };
	CHECK_RET(range_round(&range, 4096), -ERANGE);
	range = (struct range){ 0, UINT64_MAX - 4095 };
	CHECK_RET(range_round(&range, 4096), 0);
}
