#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What bash offers on the tab key after pinctl.
set -u
# shellcheck source=tests/vm/tap.sh
. "${top_srcdir:?}/tests/vm/tap.sh"
# shellcheck source=cli/pinctl.bash
. "$top_srcdir/cli/pinctl.bash"

# In place of the real one, which needs the module.
pinctl() {
	printf '%s\n' 'HANDLE  STATE' '     7  live' '    12  live' '2 pins, 3 MiB' |
		sed '$s/^/no /'
}

# offers WORDS LINE...: WORDS, in this order, for the last word of LINE
offers() {
	local words=$1
	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_pinctl 2>/dev/null
	is "${COMPREPLY[*]}" "$words"
}

check "verbs" offers 'pin unpin status query renew read write extents bench help' pinctl ''
check "a part of a verb" offers 'pin' pinctl p
check "verbs after --json" offers 'unpin' pinctl --json u
check "verbs after help" offers 'status' pinctl help s
check "options of pinctl" offers '--json --help --version' pinctl -
check "options of pin" offers '--longterm' pinctl pin --pid 1 --l
check "new options of pin" offers '--revocable --read-only-fd' pinctl pin --pid 1 --re
check "options of unpin" offers '--all --all-users' pinctl unpin --a
check "options of status" offers '--pid --json --help' pinctl status --
check "options of query" offers '--runs' pinctl query --r
check "options of read" offers '--hex --help' pinctl read --h
check "options of renew" offers '--fd' pinctl renew --f
check "options of bench" offers '--memory --mode' pinctl bench --m
check "kinds of memory" offers 'hugetlb-2M hugetlb-1G' pinctl bench --memory h
check "modes" offers 'own remote slow' pinctl bench --mode ''
check "ways of access" offers 'read' pinctl bench --access r
check "nothing else of bench" offers '' pinctl bench ''
check "handles of extents" offers '7' pinctl extents 7
check "ranges of pin" offers 'heap stack anon all map:' pinctl pin --pid 1 ''
check "ranges of query" offers 'anon all' pinctl query --pid 1 a
check "handles of unpin" offers '7 12' pinctl unpin ''
check "handles of query" offers '12' pinctl query 1
check "handles of status" offers '7' pinctl status 7
check "processes" offers "$$" pinctl pin --pid "$$"
finish
