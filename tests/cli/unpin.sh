#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# pinctl unpin: by handle, by process, all, of whom, and what it leaves alone.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

usermod -aG pinmem alice

# pin_as USER NAME: pins that mapping of the victim; H is its handle
pin_as() {
	pinctl_as "$1" pin --pid "$VICTIM" "$(range_of "$2")"
	done_well
	H=$(handle)
}

nr_pins() { pinctl status --json | gojq '.pins | length'; }
pins_are() { [ "$(nr_pins)" -eq "$1" ] || fail "$1 pins, not $(nr_pins)"; }

by_handle() {
	local a b
	victim_start
	pin_as root anon && a=$H
	pin_as root shared && b=$H
	run pinctl unpin "$a" "$(printf '0x%x' "$b")"
	done_well
	err_is ''
	out_is "handle $a: unpinned, 2 MiB of victim[$VICTIM]
handle $b: unpinned, 1 MiB of victim[$VICTIM]
2 pins, 3 MiB"
	vm_pin_is 0
}

goes_on_after_a_failure() {
	victim_start
	pin_as root anon
	run pinctl unpin 4000000000 "$H" "$H"
	status_is 1
	out_is "handle $H: unpinned, 2 MiB of victim[$VICTIM]"
	err_has 'handle 4000000000: you have no such pin'
	err_has "handle $H: you have no such pin"
	vm_pin_is 0
}

a_pid_in_place_of_a_handle() {
	sleep 1000 &
	run pinctl unpin $!
	failed_with "handle $!: you have no such pin, but there is a process $!: did you mean --pid $!?"
}

by_process() {
	local other
	victim_start
	pin_as root anon
	pin_as root shared
	other=$VICTIM
	sleep 1000 &
	run pinctl pin --pid $! stack
	done_well
	run pinctl unpin --pid "$other"
	done_well
	out_has '2 pins, 3 MiB'
	pins_are 1
	run pinctl unpin --pid "$other"
	done_well
	out_is 'nothing to unpin'
	unpin_all
	pins_are 0
}

all_is_of_ones_own_user() {
	local roots
	victim_start_as alice
	pin_as root anon
	roots=$H
	pin_as alice shared
	run pinctl unpin --all
	done_well
	out_is "handle $roots: unpinned, 2 MiB of victim[$VICTIM]"
	pins_are 1
	pin_as root anon
	pinctl_as alice unpin --all
	done_well
	out_has "unpinned, 1 MiB of victim[$VICTIM]"
	pins_are 1
	unpin_all
}

of_all_users_is_for_root() {
	victim_start_as alice
	pin_as alice shared
	pinctl_as alice unpin --all --all-users
	failed_with '--all-users is for root only'
	run pinctl unpin --pid "$VICTIM"
	out_is 'nothing to unpin'
	pins_are 1
	run pinctl unpin --pid "$VICTIM" --all-users
	done_well
	out_has 'unpinned, 1 MiB'
	pin_as alice shared
	run pinctl unpin --all --all-users --json
	done_well
	json '.unpinned[0].owner.uid == 1000'
	pins_are 0
}

files_pins_are_left_alone() {
	victim_start
	rm -f "$TMP/held"
	pinctl pin --pid "$VICTIM" "$(range_of anon)" --hold >"$TMP/held" &
	wait_until test -s "$TMP/held"
	run pinctl unpin --all
	done_well
	out_is 'nothing to unpin'
	err_has "left alone: owner: pinctl[$!], ends with it"
	run pinctl unpin --pid "$VICTIM"
	err_has "left alone: owner: pinctl[$!], ends with it"
	run pinctl unpin --all --json
	done_well
	json ".unpinned == [] and .left_alone[0].owner.pid == $!"
	vm_pin_is 2048
	kill -TERM $!
	wait $!
	vm_pin_is 0
}

anothers_is_no_such_pin() {
	victim_start_as alice
	pin_as root anon
	pinctl_as alice unpin "$H"
	failed_with "handle $H: you have no such pin"
	run pinctl unpin "$H"
	done_well
}

root_ends_anothers_by_handle() {
	victim_start_as alice
	pin_as alice anon
	run pinctl unpin "$H"
	done_well
	pins_are 0
}

json_of_unpin() {
	victim_start
	pin_as root anon
	run pinctl unpin "$H" 4000000000 --json
	status_is 1
	json '(keys | sort) == ["failed", "left_alone", "total", "unpinned"]'
	json ".unpinned[0].handle == \"$(printf '0x%x' "$H")\" and .unpinned[0].bytes == 2097152"
	json '.failed == [{handle: "0xee6b2800", error: .failed[0].error}]'
	json '.failed[0].error.errno == "ENOENT"'
	json '.total == {pins: 1, bytes: 2097152}'
	run pinctl unpin --all --json
	done_well
	json '.unpinned == [] and .failed == []'
}

lost_output_is_a_failure() {
	victim_start
	pin_as root anon
	pinctl unpin "$H" >/dev/full 2>"$TMP/said"
	STATUS=$? ERR=$(<"$TMP/said")
	status_is 1
	err_has 'cannot write the output: No space left on device'
	vm_pin_is 0
}

test_that "by handle, decimal or 0x" by_handle
test_that "goes on after a failure, status 1" goes_on_after_a_failure
test_that "a process number in place of a handle" a_pid_in_place_of_a_handle
test_that "by process" by_process
test_that "--all is of one's own user, for root, too" all_is_of_ones_own_user
test_that "--all-users is for root" of_all_users_is_for_root
test_that "what an open file owns is named and left alone" files_pins_are_left_alone
test_that "another user's pin is no such pin" anothers_is_no_such_pin
test_that "root ends another user's pin by handle" root_ends_anothers_by_handle
test_that "JSON of unpin" json_of_unpin
test_that "lost output is a failure" lost_output_is_a_failure
finish
