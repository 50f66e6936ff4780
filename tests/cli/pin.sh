#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# pinctl pin: words and addresses, what is passed over, and what is pinned then
# as the kernel tells it.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

KEPT='kept until process'

pins_an_address_range() {
	local before h
	victim_start
	before=$(foll_pins)
	run pinctl pin --pid "$VICTIM" "$(range_of anon)"
	done_well
	err_is ''
	h=$(handle)
	out_is "handle $h: 2 MiB in 1 range, kept until process $VICTIM ends or pinctl unpin $h"
	vm_pin_is 2048
	[ $(($(foll_pins) - before)) -eq 512 ] || fail "512 pins, not $(foll_pins)"
	must pinctl unpin "$h" >/dev/null
	vm_pin_is 0
}

writes_of_a_range() {
	local start word
	victim_start
	start=${START[anon]}
	for word in "$start+64K" "0x$start+65536" "$start+0x10000" "$start-${start%0000}fff1" \
		"${start%0000}f00f+1" "$start-${start%00000}10000 rw-p 00000000 00:00 0"; do
		run pinctl pin --pid "$VICTIM" "$word"
		done_well
		unpin_all
	done
	run pinctl pin --pid "$VICTIM" "$start+1"
	done_well
	out_has ': 4 KiB in 1 range, '
	vm_pin_is 4
	unpin_all
}

overlap_is_pinned_once() {
	victim_start
	run pinctl pin --pid "$VICTIM" "${START[anon]}+64K" "${START[anon]}+32K" "${START[anon]}+128K" \
		"${START[shared]}+4K"
	done_well
	out_has ': 132 KiB in 2 ranges, '
	vm_pin_is 132
	unpin_all
}

heap_is_part_of_anon() {
	local anon
	victim_start
	run pinctl pin --pid "$VICTIM" anon --json
	done_well
	anon=$(json_get .pin.bytes)
	unpin_all
	run pinctl pin --pid "$VICTIM" heap anon stack --json
	done_well
	json ".pin.bytes == $anon"
	vm_pin_is $((anon / 1024))
	unpin_all
	run pinctl pin --pid "$VICTIM" heap
	done_well
	err_hasnt 'no such mapping'
	unpin_all
}

untouched_is_passed_over() {
	local before
	victim_start
	before=$(rollup "$VICTIM" Anonymous)
	run pinctl pin --pid "$VICTIM" anon
	done_well
	err_like_passed 'of memory never touched passed over; --populate fills and pins it'
	err_has 'that cannot be read passed over'
	out_has "$KEPT"
	is "$(rollup "$VICTIM" Anonymous)" "$before" || fail "Anonymous grew"
	unpin_all
}

err_like_passed() {
	[[ $ERR =~ 'pinctl: note: '[0-9]+' mapping'.*' '[KM]iB" $1" ]] || fail "stderr has: $1"
}

untouched_pages_between_are_passed_over() {
	victim_start
	run pinctl pin --pid "$VICTIM" anon --json
	done_well
	json '[.passed_over[] | select(.why == "untouched" and .mappings >= 2 and
		.bytes >= 1048576 + 32768)] | length == 1'
	run pinctl query --pid "$VICTIM" "$(range_of mixed)" --json
	json '.total.states.untouched == 32768 and .total.ours == 32768'
	unpin_all
}

populate_fills() {
	local before
	victim_start
	before=$(rollup "$VICTIM" Anonymous)
	run pinctl pin --pid "$VICTIM" anon --populate
	done_well
	err_hasnt 'never touched'
	[ "$(rollup "$VICTIM" Anonymous)" -ge $((before + 1024 + 32)) ] || fail "not filled"
	unpin_all
}

addresses_are_not_trimmed() {
	victim_start
	run pinctl pin --pid "$VICTIM" "$(range_of mixed)"
	done_well
	vm_pin_is 64
	unpin_all
}

all_copies_nothing() {
	local before
	victim_start
	before=$(rollup "$VICTIM" Anonymous)
	run pinctl pin --pid "$VICTIM" all
	done_well
	err_like_passed 'of program text passed over: a long-term pin would give this process its own copy; name them with map: if you want that'
	is "$(rollup "$VICTIM" Anonymous)" "$before" || fail "Anonymous grew"
	unpin_all
	is "$(rollup "$VICTIM" Anonymous)" "$before" || fail "Anonymous grew"
}

map_takes_text() {
	victim_start
	run pinctl pin --pid "$VICTIM" map:libc.so
	done_well
	err_hasnt 'program text'
	[ "$(vm_pin "$VICTIM")" -gt 100 ] || fail "libc is more"
	unpin_all
	run pinctl pin --pid "$VICTIM" map:victim-shared
	done_well
	vm_pin_is 1024
	unpin_all
}

write_passes_over_what_cannot_be_written() {
	victim_start
	run pinctl pin --pid "$VICTIM" anon --write
	done_well
	err_like_passed 'that cannot be written passed over; without --write pinctl takes them'
	run pinctl status --json
	json '.pins | length == 1'
	json '.pins[0].flags | sort == ["keep", "longterm", "write"]'
	unpin_all
	run pinctl pin --pid "$VICTIM" --write "$(range_of readonly)"
	failed_with "0x${START[readonly]} in victim[$VICTIM] cannot be written: pin it without --write, or leave it out"
	run pinctl pin --pid "$VICTIM" "$(range_of readonly)"
	done_well
	run pinctl status --json
	json '.pins[0].as_mapped | type == "boolean"'
	unpin_all
}

past_the_end_of_a_file_is_passed_over() {
	victim_start
	run pinctl pin --pid "$VICTIM" map:victim-short
	done_well
	vm_pin_is 4
	err_has '1 mapping, 12 KiB past the end of a file, or unreadable, passed over'
	unpin_all
	run pinctl pin --pid "$VICTIM" "$(range_of short)"
	failed_with 'the page cannot be brought in (past the end of the file, or a read error): leave it out'
}

secret_memory_is_passed_over() {
	victim_start
	tell secret
	[ -n "${START[secret]-}" ] || fail "no memfd_secret() here"
	run pinctl pin --pid "$VICTIM" "$(range_of secret)"
	status_is 1
	err_has 'leave it out'
	run pinctl pin --pid "$VICTIM" all
	done_well
	unpin_all
}

files_with_dirty_tracking_are_passed_over() {
	local disk=$TMP/disk
	mkdir "$disk"
	must mkfs.ext4 -qF "${PINMEM_SCRATCH_DISK:?}"
	must mount "$PINMEM_SCRATCH_DISK" "$disk"
	victim_start_with "$disk/file"
	run pinctl pin --pid "$VICTIM" --write "$(range_of file)"
	failed_with 'a shared file mapping whose filesystem tracks writes: it cannot be pinned longterm for writing'
	run pinctl pin --pid "$VICTIM" --write all
	done_well
	err_has '1 mapping, 1 MiB of shared files whose filesystem tracks writes passed over'
	unpin_all
	run pinctl pin --pid "$VICTIM" map:disk/file
	done_well
	vm_pin_is 1024
	unpin_all
	kill -KILL "$VICTIM"
	wait_until umount "$disk"
	wipefs -qa "$PINMEM_SCRATCH_DISK"
}

nothing_left_is_a_failure() {
	victim_start
	run pinctl pin --pid "$VICTIM" map:no-such-name
	failed_with "nothing is left to pin in victim[$VICTIM]"
	err_has "note: map:no-such-name: no mapping of victim has that in its name"
	run pinctl pin --pid "$VICTIM" map:vvar
	failed_with 'nothing is left to pin'
	run pinctl pin --pid "$VICTIM" map:no-such-name stack
	done_well
	unpin_all
}

no_heap_is_a_note() {
	sleep 1000 &
	VICTIM=$!
	wait_until comm_is "$VICTIM" sleep
	run pinctl pin --pid "$VICTIM" map:no-heap-here anon
	done_well
	err_has 'note: map:no-heap-here: no mapping of sleep has that in its name'
	unpin_all
}

bad_addresses_fail() {
	victim_start
	run pinctl pin --pid "$VICTIM" "$(range_of none)"
	failed_with "0x${START[none]} in victim[$VICTIM] cannot be read: leave it out"
	run pinctl pin --pid "$VICTIM" 1000+4K
	failed_with "0x1000 in victim[$VICTIM]: nothing is mapped there: /proc/PID/maps shows what is"
	run pinctl pin --pid "$VICTIM" "${START[anon]}+3M"
	failed_with "0x${END[anon]} in victim[$VICTIM]: nothing is mapped there"
	run pinctl pin --pid "$VICTIM" ffff888000000000+4K
	failed_with 'nothing is mapped there'
	run pinctl pin --pid "$VICTIM" 0+4K
	failed_with '0x0 in victim'
	run pinctl pin --pid "$VICTIM" anon 1000+4K
	status_is 1
	err_has '0x1000 in victim'
	run pinctl pin --pid "$VICTIM" fffffffffffff000-ffffffffffffffff
	failed_with 'fffffffffffff000-ffffffffffffffff ends beyond the address space'
	vm_pin_is 0
}

bad_addresses_fail_in_json() {
	victim_start
	run pinctl --json pin --pid "$VICTIM" "${START[anon]}+3M"
	status_is 1
	err_has "0x${END[anon]} in victim[$VICTIM]"
	json_error EFAULT '"unmapped"'
	json ".error.address == \"0x${END[anon]}\""
	json ".error.range == {start: \"0x${START[anon]}\", bytes: 3145728}"
	json '.error | .limit == null and .use == null and .need == null'
}

is_zombie() { grep -q '^State:.Z' "/proc/$1/status"; }

# A child of a program that never asks for it: it ends when that program runs, as
# the shell would ask for it.
start_zombie() {
	mkfifo "$TMP/end"
	bash -c "cat '$TMP/end' & exec sleep 1000" &
	VICTIM=$!
	wait_until comm_is "$VICTIM" sleep
	ZOMBIE=$(xargs <"/proc/$VICTIM/task/$VICTIM/children")
	: >"$TMP/end"
	wait_until is_zombie "$ZOMBIE"
}

bad_processes_fail() {
	run pinctl pin --pid 2147483647 anon
	failed_with 'there is no process 2147483647'
	run pinctl pin --pid 2 anon
	failed_with 'kthreadd[2] is a kernel thread: it has no user memory'
	start_zombie
	run pinctl pin --pid "$ZOMBIE" anon
	failed_with 'has ended, and waits for its parent'
}

json_of_a_pin() {
	local h
	victim_start
	run pinctl pin --pid "$VICTIM" anon map:nothing --json
	done_well
	err_is ''
	json '.pin | (keys | sort) == ["bytes", "flags", "handle", "left_ns", "ranges", "target"]'
	json '.pin.handle | test("^0x[0-9a-f]+$")'
	json ".pin.target == {pid: $VICTIM, comm: \"victim\"}"
	json '.pin.flags == ["longterm", "keep"]'
	json '[.pin.bytes, .pin.ranges, .private_bytes | type] == ["number", "number", "number"]'
	json '.pin.bytes == .private_bytes'
	json '.unmatched == ["map:nothing"]'
	json '.passed_over | all(.[]; [.why, .mappings, .bytes | type] == ["string", "number", "number"])'
	json '[.passed_over[].why] | index("no_access") and index("untouched")'
	h=$(json_get .pin.handle)
	must pinctl unpin "$h" >/dev/null
	run pinctl --json pin --pid "$VICTIM" stack
	done_well
	json '.pin.bytes > 0'
	unpin_all
}

slow_and_longterm_are_taken() {
	victim_start
	run pinctl pin --slow --longterm --pid="$VICTIM" "$(range_of shared)"
	done_well
	run pinctl status --json
	json '.pins[0].flags | sort == ["keep", "longterm", "slow"]'
	unpin_all
}

fork_is_warned_of() {
	local note='note: every fork() of'
	victim_start
	run pinctl pin --pid "$VICTIM" "$(range_of anon)"
	err_hasnt "$note"
	unpin_all
	tell grow
	run pinctl pin --pid "$VICTIM" anon
	done_well
	err_has "$note"
	unpin_all
}

swapped_memory_counts_as_touched() {
	must mkswap -f "${PINMEM_SCRATCH_DISK:?}" >/dev/null
	must swapon "$PINMEM_SCRATCH_DISK"
	victim_start
	tell pageout anon
	[ "$(awk '$1 == "VmSwap:" { print $2 }' "/proc/$VICTIM/status")" -ge 1024 ] || fail "not swapped"
	run pinctl query --pid "$VICTIM" "$(range_of anon)" --json
	json '.total.states.away >= 1048576'
	run pinctl pin --pid "$VICTIM" anon
	done_well
	run pinctl query --pid "$VICTIM" "$(range_of anon)" --json
	json '.total.states.away == 0 and .total.ours == 2097152'
	unpin_all
	kill -KILL "$VICTIM"
	swapoff "$PINMEM_SCRATCH_DISK"
	wipefs -qa "$PINMEM_SCRATCH_DISK"
}

words_follow_a_process_at_work() {
	victim_start
	tell churn
	for _ in 1 2 3 4 5 6 7 8; do
		run pinctl pin --pid "$VICTIM" anon
		done_well
		unpin_all
	done
}

exec_ends_the_pin() {
	victim_start
	run pinctl pin --pid "$VICTIM" anon
	done_well
	echo exec >&"${VICTIM_IO[1]}"
	wait_until no_pins
}

exit_ends_the_pin() {
	victim_start
	run pinctl pin --pid "$VICTIM" anon
	done_well
	kill -KILL "$VICTIM"
	wait_until no_pins
}

an_unwritten_handle_is_unpinned() {
	victim_start
	ERR=$(pinctl pin --pid "$VICTIM" "$(range_of anon)" 2>&1 >/dev/full)
	STATUS=$?
	status_is 1
	err_has 'unpinned again, since the handle could not be written'
	vm_pin_is 0
	must fails_to_nobody
	vm_pin_is 0
}

# Its reader is gone before it writes.
fails_to_nobody() {
	local pipe=$TMP/pipe
	mkfifo "$pipe"
	exec 9<>"$pipe"
	exec 8>"$pipe"
	exec 9<&-
	! pinctl pin --pid "$VICTIM" "$(range_of anon)" >&8
}

strange_names_are_escaped() {
	victim_start
	run pinctl query --pid "$VICTIM" map:evil
	done_well
	out_has 'evil \033[31m\377 name'
	[[ $OUT != *$'\e'* ]] || fail "an escape got out"
	run pinctl query --pid "$VICTIM" map:evil --json
	json '.mappings[0].name | test("evil \u001b\\[31m\\\\377 name")'
}

test_that "a range of addresses is pinned, as VmPin and vmstat tell" pins_an_address_range
test_that "a range can be written in many ways" writes_of_a_range
test_that "overlap is pinned and charged once" overlap_is_pinned_once
test_that "heap and stack are part of anon" heap_is_part_of_anon
test_that "untouched memory is passed over, and stays untouched" untouched_is_passed_over
test_that "untouched pages between touched ones are passed over" untouched_pages_between_are_passed_over
test_that "--populate fills and pins it" populate_fills
test_that "addresses are taken as they are" addresses_are_not_trimmed
test_that "all gives the process no copies" all_copies_nothing
test_that "map: takes program text" map_takes_text
test_that "--write passes over what cannot be written" write_passes_over_what_cannot_be_written
test_that "past the end of a file is passed over" past_the_end_of_a_file_is_passed_over
test_that "memfd_secret is passed over" secret_memory_is_passed_over
test_that "shared files with dirty tracking are passed over" files_with_dirty_tracking_are_passed_over
test_that "nothing left is a failure" nothing_left_is_a_failure
test_that "a word that matches nothing is a note" no_heap_is_a_note
test_that "bad addresses fail, say where, and change nothing" bad_addresses_fail
test_that "bad addresses fail in JSON" bad_addresses_fail_in_json
test_that "no process, a kernel thread, a zombie" bad_processes_fail
test_that "JSON of a pin" json_of_a_pin
test_that "--slow and --longterm" slow_and_longterm_are_taken
test_that "fork() is warned of above 64 MiB" fork_is_warned_of
test_that "swapped memory counts as touched" swapped_memory_counts_as_touched
test_that "words follow a process that is at work" words_follow_a_process_at_work
test_that "exec of the process ends the pin" exec_ends_the_pin
test_that "its exit ends the pin" exit_ends_the_pin
test_that "a pin whose handle cannot be written does not stay" an_unwritten_handle_is_unpinned
test_that "strange names do a terminal no harm" strange_names_are_escaped
finish
