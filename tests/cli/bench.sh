#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# pinctl bench: that it measures what it says, says what it cannot measure, and
# leaves nothing. How long things take is for others to judge.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

THP=/sys/kernel/mm/transparent_hugepage/enabled
POOL=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
RING=/proc/sys/kernel/io_uring_disabled
DEFAULT=(env --default-signal=INT --default-signal=HUP --default-signal=TERM)
usermod -aG pinmem alice

# with_file FILE VALUE COMMAND...: it is as before after that
with_file() {
	local file=$1 was status
	was=$(sed 's/.*\[\(.*\)\].*/\1/' "$file")
	echo "$2" >"$file"
	"${@:3}"
	status=$?
	echo "$was" >"$file"
	return "$status"
}

# With PREEMPT_RT there are none.
has_thp() { [ -e "$THP" ]; }

# The document: what was measured, and why the rest was not, a line each.
ROWS='.results[] | "\(.memory) \(.peer) \(.mode)"'
WHYS='.failed[] | "\(.memory) \(.peer) \(.mode): \(.error.message)"'

# measured ROW...: these, in this order, and nothing else
measured() {
	local rows
	rows=$(json_get "$ROWS")
	[ "$rows" = "$(printf '%s\n' "$@")" ] || fail "measured: $*"
	json 'all(.results[]; [.first_pin_ns, .first_unpin_ns, .pin_ns, .unpin_ns] | min > 0)'
}

# told_why ROW PART...: of each ROW that was not measured, why; and of no other
told_why() {
	local whys rows=$#
	whys=$(json_get "$WHYS")
	[ "$(grep -c . <<<"$whys")" -eq $((rows / 2)) ] || fail "not measured: $whys"
	while [ $# -gt 0 ]; do
		grep -F "$1: " <<<"$whys" | grep -qF "$2" || fail "why not $1: $2"
		shift 2
	done
}

nothing_measured() { json '.results == []'; }

# What has to be told of thp where there is none.
NO_THP=()
has_thp || NO_THP=('thp pinmem own' 'this kernel has no transparent huge pages'
	'thp io_uring -' 'no transparent huge pages' 'thp mlock -' 'no transparent huge pages')

# One pin holds a whole huge page; that of small memory must not have been one.
the_defaults() {
	local -a thp=()
	! has_thp || thp=('thp pinmem own' 'thp io_uring -' 'thp mlock -')
	run with_file "$POOL" 32 pinctl bench --json
	done_well
	err_is ''
	measured 'small pinmem own' 'small io_uring -' 'small mlock -' "${thp[@]}" \
		'hugetlb-2M pinmem own' 'hugetlb-2M io_uring -'
	told_why "${NO_THP[@]}" 'hugetlb-2M mlock -' 'never swapped out'
	json '(keys | sort) == ["clock_ns", "date", "failed", "kernel", "machine", "results"]'
	json ".kernel == \"$(uname -r)\" and .machine == \"$(uname -m)\" and .clock_ns >= 0
		and (.date | fromdate > 0)"
	json 'all(.results[]; (keys | sort) == ["access", "bytes", "calls", "first_pin_ns",
		"first_unpin_ns", "longterm", "memory", "mode", "passes", "peer", "pin_ns", "unpin_ns"])'
	json 'all(.results[]; .bytes == 67108864 and .calls == 1 and .passes == 5 and
		.access == "write" and .longterm == (.peer != "mlock"))'
	json '[.results[] | select(.peer == "pinmem")] | map({(.memory): .}) | add |
		(.thp == null or
			.small.pin_ns > 10 * .thp.pin_ns and .small.unpin_ns > 10 * .thp.unpin_ns) and
		.small.pin_ns > 10 * ."hugetlb-2M".pin_ns and
		.small.unpin_ns > 10 * ."hugetlb-2M".unpin_ns'
}

every_kind_and_mode() {
	local kind huge=''
	local -a rows=()
	! has_thp || huge=thp
	for kind in small $huge hugetlb-2M memfd; do
		rows+=("$kind pinmem own" "$kind pinmem remote" "$kind pinmem slow" "$kind io_uring -")
		[ "$kind" = hugetlb-2M ] || rows+=("$kind mlock -")
	done
	run with_file "$POOL" 4 pinctl bench --json --size 8M --passes 2 \
		--memory "memfd,small${huge:+,thp},hugetlb-2M" --mode remote,slow,own
	done_well
	measured "${rows[@]}"
}

pages_of_1g() {
	run pinctl bench --json --size 1G --memory hugetlb-1G --mode remote --passes 2
	done_well
	measured 'hugetlb-1G pinmem remote' 'hugetlb-1G io_uring -'
}

a_table_is_shown() {
	local row
	local -a rows=('small      pinmem own' 'small      io_uring' 'small      mlock')
	run with_file "$POOL" 0 pinctl bench --size 4M --passes 3
	done_well
	err_is ''
	out_has "4 MiB in a call, for writing, longterm, 3 passes, on Linux $(uname -r)"
	out_like '
 +ns a page +first pass +us a call
MEMORY     HOLDER '
	! has_thp || rows+=('thp        pinmem own')
	for row in "${rows[@]}"; do
		out_like "
$row ( +[0-9]+\.[0-9]){6}
"
	done
	out_has '
hugetlb-2M pinmem own    not measured: needs 2 huge pages of 2 MiB, and 0 of 0 are free: echo 2 | sudo tee '"$POOL"'
hugetlb-2M io_uring      the same
hugetlb-2M mlock         the same'
}

one_page() {
	run pinctl bench --json --size 1 --mode own,remote --memory small,memfd
	done_well
	measured 'small pinmem own' 'small pinmem remote' 'small io_uring -' 'small mlock -' \
		'memfd pinmem own' 'memfd pinmem remote' 'memfd io_uring -' 'memfd mlock -'
	json 'all(.results[]; .bytes == 4096)'
}

reading_and_short() {
	run pinctl bench --json --size 2M --memory memfd --access read --short
	done_well
	measured 'memfd pinmem own' 'memfd io_uring -' 'memfd mlock -'
	json '.results | map([.access, .longterm]) == [["read", false], ["write", true], ["read", false]]'
}

named_and_not_there() {
	run with_file "$POOL" 0 pinctl bench --json --size 4M --memory small,hugetlb-2M
	status_is 1
	err_is 'pinctl: nothing of hugetlb-2M could be measured'
	measured 'small pinmem own' 'small io_uring -' 'small mlock -'
	told_why 'hugetlb-2M pinmem own' 'needs 2 huge pages of 2 MiB, and 0 of 0 are free' \
		'hugetlb-2M io_uring -' 'needs 2 huge pages' 'hugetlb-2M mlock -' 'needs 2 huge pages'
	run pinctl bench --json --size 4K --memory thp
	status_is 1
	nothing_measured
	if has_thp; then
		told_why 'thp pinmem own' "4 KiB is no multiple of its pages' 2 MiB" \
			'thp io_uring -' 'no multiple' 'thp mlock -' 'no multiple'
	else
		told_why "${NO_THP[@]}"
	fi
	run pinctl bench --json --size 1T --memory memfd --mode remote
	status_is 1
	nothing_measured
	told_why 'memfd pinmem remote' 'is available: give a smaller --size' \
		'memfd io_uring -' 'needs 1 TiB' 'memfd mlock -' 'needs 1 TiB'
}

the_advice_for_hugetlb_works() {
	run with_file "$POOL" 0 pinctl bench --size 6M --memory hugetlb-2M
	status_is 1
	advice=$(sed -n "s/.*: echo \([0-9]*\) | sudo tee .*/\1/p" <<<"$OUT")
	run with_file "$POOL" "$advice" pinctl bench --size 6M --memory hugetlb-2M
	done_well
}

no_transparent_huge_pages() {
	run with_file "$THP" never pinctl bench --json --size 4M --memory small,thp --mode remote
	status_is 1
	measured 'small pinmem remote' 'small io_uring -' 'small mlock -'
	told_why 'thp pinmem remote' "echo madvise | sudo tee $THP" \
		'thp io_uring -' 'turned off' 'thp mlock -' 'turned off'
	run with_file "$THP" madvise pinctl bench --json --size 4M --memory thp
	done_well
	measured 'thp pinmem own' 'thp io_uring -' 'thp mlock -'
}

no_io_uring() {
	run with_file "$RING" 2 pinctl bench --json --size 4M --memory small
	done_well
	measured 'small pinmem own' 'small mlock -'
	told_why 'small io_uring -' "echo 0 | sudo tee $RING"
}

limits_of_a_user() {
	with_memlock 1048576:1048576 pinctl bench --json --size 4M --memory small
	status_is 1
	err_is 'pinctl: nothing of small could be measured'
	nothing_measured
	told_why 'small pinmem own' 'needs 4 MiB, 1 MiB allowed (RLIMIT_MEMLOCK' \
		'small io_uring -' 'needs 4 MiB, and RLIMIT_MEMLOCK allows 1 MiB' \
		'small mlock -' 'needs 4 MiB, and RLIMIT_MEMLOCK allows 1 MiB'
	json '.failed[0].error | .reason == "memlock" and .limit == 1048576 and .need == 4194304'
	with_memlock 1048576:1048576 pinctl bench --json --size 256K --memory small --mode own,remote
	done_well
	measured 'small pinmem own' 'small pinmem remote' 'small io_uring -' 'small mlock -'
}

no_device() {
	pinctl_as bob bench --json --size 64K --memory small
	done_well
	measured 'small io_uring -' 'small mlock -'
	told_why 'small pinmem own' 'you are not in group pinmem'
	pinctl_as bob bench --size 64K --memory small --mode remote
	status_is 1
	out_has 'small      pinmem remote not measured: /dev/pinmem: Permission denied'
	err_is 'pinctl: nothing of remote could be measured'
	must modprobe -r pinmem
	run pinctl bench --json --size 64K --memory small
	must modprobe pinmem
	must udevadm settle
	done_well
	told_why 'small pinmem own' 'sudo modprobe pinmem'
}

some_is_pinned() { [ "$(foll_pins)" -gt 0 ]; }
nobody_is_left() { ! pgrep -x pinctl; }

a_signal_leaves_nothing() {
	"${DEFAULT[@]}" pinctl bench --size 64M --memory small --mode remote --passes 4000000 >/dev/null 2>&1 &
	wait_until some_is_pinned
	[ "$(pgrep -cx pinctl)" -eq 2 ] || fail "a process for the memory"
	kill "-$1" $!
	wait_until nobody_is_left
	wait_until no_pins
}

a_terminal_shows_what_it_does() {
	"${DEFAULT[@]}" script -qefc "pinctl bench --size 64M --memory small --passes 4000000" "$TMP/terminal" \
		>/dev/null 2>&1 </dev/null &
	wait_until grep -qF 'pinctl: measuring, 1 s [..........] 0 of 192 MiB' "$TMP/terminal"
	kill -INT "$(pgrep -x pinctl)"
	wait_until nobody_is_left
}

wrong_usage() {
	run pinctl bench "$@"
	status_is 2
	out_is ''
}

test_that "what is measured without options" the_defaults
test_that "every kind of memory, every mode" every_kind_and_mode
test_that "huge pages of 1 GiB" pages_of_1g
test_that "a table" a_table_is_shown
test_that "one page" one_page
test_that "for reading, and short" reading_and_short
test_that "what is named and not there is a failure" named_and_not_there
test_that "the advice for hugetlb works" the_advice_for_hugetlb_works
! has_thp || test_that "transparent huge pages that are turned off" no_transparent_huge_pages
[ ! -e "$RING" ] || test_that "io_uring that is turned off" no_io_uring
test_that "limits of a user" limits_of_a_user
test_that "without the device the others are measured" no_device
for signal in INT TERM KILL; do
	test_that "SIG$signal leaves nothing" a_signal_leaves_nothing "$signal"
done
test_that "a terminal shows what it does" a_terminal_shows_what_it_does
test_that "wrong usage" wrong_usage --passes 1
finish
