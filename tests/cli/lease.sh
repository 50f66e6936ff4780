#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# pinctl: pins that end by time, renew, plain references, and a pin's own file
# for a command: read, write, extents.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

usermod -aG pinmem alice
LEASE=/sys/module/pinmem/parameters/short_lease_ms

is_unpinned() { [ "$(vm_pin "$VICTIM")" -eq 0 ]; }
set_lease() { echo "$1" >"$LEASE"; }

# pin ARGUMENT...: of 2 MiB
pin() { run pinctl pin --pid "$VICTIM" "$(range_of anon)" "$@"; }

short_ends_by_itself() {
	victim_start
	set_lease 1500
	pin --short
	set_lease 60000
	done_well
	out_is "handle $(handle): 2 MiB in 1 range, kept until process $VICTIM ends or pinctl unpin $(handle); ends in 2 s"
	vm_pin_is 2048
	wait_until is_unpinned
	must no_pins
}

short_says_a_minute() {
	victim_start
	pin --short
	out_like '; ends in 60 s$'
	run pinctl status
	out_like '  short,keep +[0-9]+s +(60|59)s  '
	unpin_all
}

ttl_is_kept() {
	victim_start
	pin --ttl 90s --json
	done_well
	json '.pin.left_ns > 80000000000 and .pin.left_ns <= 90000000000'
	run pinctl status --json
	json '.pins[0].left_ns > 80000000000 and .pins[0].left_ns <= 90000000000'
	json '.pins[0].flags == ["longterm", "keep"]'
	unpin_all
	pin --ttl 700ms
	out_like '; ends in [0-9]+ ms$'
	wait_until is_unpinned
	must no_pins
}

without_ttl_nothing_ends() {
	victim_start
	pin --json
	json '.pin.left_ns == null'
	run pinctl status --json
	json '.pins[0].left_ns == null'
	run pinctl status
	out_like '  longterm,keep +[0-9]+s +-  '
	unpin_all
}

renew_lets_it_live() {
	local h
	victim_start
	pin --ttl 2s
	h=$(handle)
	run pinctl renew "$h" 5m
	done_well
	out_is "handle $h: ends in 300 s"
	run pinctl renew "$h" none --json
	json ".renewed.handle == \"$(printf '0x%x' "$h")\" and .renewed.left_ns == null"
	sleep 2.5
	vm_pin_is 2048
	run pinctl renew "$h" 300ms
	done_well
	wait_until is_unpinned
	run pinctl renew "$h" 5s
	failed_with "handle $h: "
}

renew_explains_itself() {
	victim_start
	pin
	run pinctl renew "$(handle)" 5s
	failed_with 'it was made without --ttl, and does not end by time'
	unpin_all
	pin --short
	run pinctl renew "$(handle)" 5s
	failed_with 'a pin that is not longterm ends when it was to: pin again'
	unpin_all
	run pinctl renew 999999999 5s --json
	json_error ENOENT null
}

a_user_cannot_make_short_pins_last() {
	victim_start_as alice
	pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)" --short --ttl 2m
	failed_with 'a pin that is not longterm may last 60 s: give a shorter --ttl'
	pinctl_as alice --json pin --pid "$VICTIM" "$(range_of anon)" --short --ttl 2m
	json_error EPERM '"ttl"'
	json '.error.limit == 60000000000 and .error.need == 120000000000'
	run pinctl pin --pid "$VICTIM" "$(range_of anon)" --short --ttl 2m
	done_well
	out_like '; ends in 120 s$'
	unpin_all
}

hold_tells_that_the_time_is_over() {
	victim_start
	pin --hold --ttl 500ms
	status_is 1
	out_like 'held until .*; ends in [0-9]+ ms$'
	err_has 'ended (time): its time was over'
}

without_a_lease_it_needs_an_end() {
	victim_start
	set_lease 0
	pin --short
	set_lease 60000
	failed_with 'must not be left behind without an end'
}

get_is_no_pin() {
	local before
	victim_start
	before=$(foll_pins)
	pin --get --json
	done_well
	json '.pin.flags == ["keep", "get"]'
	[ "$(foll_pins)" -eq "$before" ] || fail "pins: $before, $(foll_pins)"
	run pinctl status
	out_like '  short,keep,get  '
	run pinctl query --pid "$VICTIM" "$(range_of anon)" --json
	json '.total.states.pinned + .total.states.maybe == 0 and .total.ours == 2097152'
	unpin_all
}

a_command_reads_and_writes() {
	victim_start
	pin --write -- sh -c "printf 'from outside' | pinctl write 0 4090 && pinctl read \$PINMEM_HANDLE 4090 12"
	done_well
	out_is "handle 0: 12 bytes written at offset 4090
from outside"
	dd if="/proc/$VICTIM/mem" bs=1 skip=$((16#${START[anon]} + 4090)) count=12 2>/dev/null |
		grep -q '^from outside$' || fail 'the owner sees it'
	vm_pin_is 0
	must no_pins
}

hex_is_for_people() {
	victim_start
	pin -- pinctl read 0 0 20 --hex
	done_well
	out_is '00000000  01 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
00000010  00 00 00 00                                       |....|'
}

a_read_only_file_is_for_looking() {
	victim_start
	pin --write --read-only-fd -- pinctl read 0 0 1 --hex
	done_well
	out_has '00000000  01 '
	pin --write --read-only-fd -- sh -c 'echo x | pinctl write 0 0'
	status_is 1
	err_has 'may be written through one that is not read-only'
	pin --ttl 60s --read-only-fd -- pinctl renew 0 60s
	status_is 1
	err_has 'this file of it is read-only (pinctl pin --read-only-fd)'
	vm_pin_is 0
	must no_pins
}

the_end_of_the_pin_is_told() {
	victim_start
	pin --write -- pinctl read 0 2097150 4K
	done_well
	err_has 'ends at offset 2097152'
	pin --write -- sh -c 'echo 12345 | pinctl write 0 2097150'
	status_is 1
	err_has 'ends at offset 2097152: 2 bytes were written, and there is more'
}

a_command_has_its_own_status() {
	victim_start
	pin -- sh -c 'exit 42'
	status_is 42
	out_is ''
	vm_pin_is 0
	pin -- /no/such/program
	failed_with '/no/such/program: No such file or directory'
	vm_pin_is 0
	pin -- sh -c 'kill -TERM $$; sleep 10'
	status_is 143
	must no_pins
}

another_s_data_is_refused() {
	victim_start
	pin
	run pinctl read "$(handle_of_status)" 0 16
	failed_with 'what a pin holds is told through its own file only'
	run pinctl write "$(handle_of_status)" 0 </dev/null
	done_well
	run sh -c "echo x | pinctl write $(handle_of_status) 0"
	failed_with 'what a pin holds is told through its own file only'
	run pinctl extents "$(handle_of_status)"
	failed_with 'what a pin holds is told through its own file only'
	unpin_all
}
handle_of_status() { pinctl status --json | gojq -r '.pins[0].handle'; }

refusals_are_explained() {
	victim_start
	pin -- sh -c 'echo x | pinctl write 0 0'
	status_is 1
	err_has 'it is pinned for reading: pin it with --write'
	pin --get -- pinctl read 0 0 1
	status_is 1
	err_has 'the pin was made with --get, which gives no data'
	run pinctl read 0 0 1 --fd 0 </dev/null
	failed_with 'file descriptor 0 is no handle file of pinmem'
	run pinctl read 0 0 1 --fd 77
	failed_with 'file descriptor 77 is no handle file of pinmem'
	must no_pins
}

extents_are_those_of_pagemap() {
	local pfn
	victim_start
	pin -- pinctl extents 0 --json
	done_well
	json '(keys | sort) == ["extents", "handle", "total"] and .total.bytes == 2097152'
	json '.extents | length > 0 and ([.[].bytes] | add) == 2097152'
	json '.extents[0] | (keys | sort) == ["address", "bytes", "offset"] and .offset == 0'
	pfn=$(dd if="/proc/$VICTIM/pagemap" bs=8 skip=$((16#${START[anon]} >> 12)) count=1 2>/dev/null |
		od -An -tu8)
	[ $(($(json_get '.extents[0].address'))) -eq $(((pfn & ((1 << 55) - 1)) * 4096)) ] || fail pagemap
	pin -- pinctl extents 0
	out_like '^ADDRESS +BYTES +OFFSET'
	out_like 'extents?, 2 MiB$'
}

extents_are_for_lasting_pins() {
	victim_start
	pin --ttl 60s -- pinctl extents 0
	status_is 1
	err_has 'must not end behind its back'
	pin --revocable -- pinctl extents 0
	status_is 1
	err_has 'must not end behind its back'
	pin --short -- pinctl extents 0
	status_is 1
	err_has 'must not end behind its back'
	must no_pins
}

a_user_gets_data_and_no_addresses() {
	victim_start_as alice
	pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)" -- pinctl read 0 0 1 --hex
	done_well
	out_has '00000000  01 '
	pinctl_as alice pin --pid "$VICTIM" "$(range_of anon)" -- pinctl extents 0
	status_is 1
	err_has 'physical addresses are told to root only'
}

test_that "a short pin ends by itself" short_ends_by_itself
test_that "a short pin lasts a minute" short_says_a_minute
test_that "--ttl is kept, and shown" ttl_is_kept
test_that "without --ttl nothing ends" without_ttl_nothing_ends
test_that "renew lets a pin live" renew_lets_it_live
test_that "renew says why it cannot" renew_explains_itself
test_that "a user cannot make a short pin last" a_user_cannot_make_short_pins_last
test_that "--hold tells that the time is over" hold_tells_that_the_time_is_over
test_that "without a lease a short pin needs an end" without_a_lease_it_needs_an_end
test_that "--get takes no pins" get_is_no_pin
test_that "a command reads and writes the data" a_command_reads_and_writes
test_that "read --hex" hex_is_for_people
test_that "a read-only file is for looking" a_read_only_file_is_for_looking
test_that "the end of the pin is told" the_end_of_the_pin_is_told
test_that "a command has its own status" a_command_has_its_own_status
test_that "a pin's data is not told through another file" another_s_data_is_refused
test_that "refused data is explained" refusals_are_explained
test_that "extents are those of pagemap" extents_are_those_of_pagemap
test_that "extents are for lasting pins" extents_are_for_lasting_pins
test_that "a user gets data, and no addresses" a_user_gets_data_and_no_addresses
finish
