#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# pinctl status: whose pins it shows, how, and from where.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

usermod -aG pinmem alice

pin_as() {
	pinctl_as "$1" pin --pid "$VICTIM" "${@:2}"
	done_well
	H=$(handle)
}

nothing_is_shown() {
	run pinctl status
	done_well
	out_is 'no pins'
	err_is ''
	run pinctl status --json
	done_well
	json '.pins == [] and .failed == [] and .total == {pins: 0, bytes: 0}'
	json '.hidden == 0 and .changed == false'
	json '.instance | test("^0x[0-9a-f]+$")'
}

a_table_is_shown() {
	victim_start
	pin_as root "$(range_of anon)" "$(range_of shared)"
	run pinctl status
	done_well
	out_like '^HANDLE  STATE +SIZE +RANGES +RUNS +FLAGS +AGE +LEFT +OWNER +TARGET'
	out_like "
 *$H  live +3 MiB +2 +[0-9]+  longterm,keep +[0-9]+s +-  pinctl \(gone\) +victim\[$VICTIM\]
1 pin, 3 MiB\$"
	unpin_all
}

json_is_shown() {
	victim_start
	pin_as root "$(range_of anon)" --write
	run pinctl --json status
	done_well
	json '(keys | sort) == ["changed", "failed", "hidden", "instance", "pins", "total"]'
	json '.pins[0] | (keys | sort) == ["age_ns", "as_mapped", "bytes", "ended", "flags", "handle",
		"left_ns", "owner", "ranges", "runs", "state", "target"]'
	json ".pins[0] | .handle == \"$(printf '0x%x' "$H")\" and .state == \"live\" and .ended == null"
	json '.pins[0] | .bytes == 2097152 and .ranges == 1 and .runs >= 1 and .as_mapped == false'
	json '.pins[0].age_ns | type == "number" and . > 0'
	json '.pins[0].owner == {uid: 0, pid: null, comm: "pinctl", gone: true}'
	json ".pins[0].target == {pid: $VICTIM, comm: \"victim\"}"
	json '.total == {pins: 1, bytes: 2097152}'
	unpin_all
}

pins_are_chosen() {
	local a b
	victim_start
	pin_as root "$(range_of anon)" && a=$H
	pin_as root "$(range_of shared)" && b=$H
	run pinctl status "$b" --json
	json ".pins | length == 1 and .[0].bytes == 1048576"
	run pinctl status --pid "$VICTIM" --json
	json '.pins | length == 2'
	run pinctl status --pid 1
	out_has 'no pins'
	run pinctl status "$a" 4000000000
	status_is 1
	out_has '1 pin, 2 MiB'
	err_has 'handle 4000000000: you have no such pin'
	run pinctl status 4000000000 --json
	status_is 1
	json '.pins == [] and .failed[0].handle == "0xee6b2800" and .failed[0].error.errno == "ENOENT"'
	unpin_all
}

others_are_counted() {
	victim_start_as alice
	pin_as root "$(range_of anon)"
	pin_as alice "$(range_of shared)"
	pinctl_as alice status
	done_well
	out_has '1 pin, 1 MiB'
	out_has '1 pin of other users not shown'
	pinctl_as bob status
	done_well
	out_is 'no pins
2 pins of other users not shown'
	pinctl_as bob status --json
	json '.pins == [] and .hidden == 2'
	run pinctl status
	out_has '2 pins, 3 MiB'
	out_has '  alice: pinctl (gone)'
	out_hasnt 'not shown'
	must pinctl unpin --all --all-users >/dev/null
}

other_network_namespaces_work() {
	victim_start
	pin_as root "$(range_of anon)"
	run unshare -n pinctl status
	done_well
	out_has '1 pin, 2 MiB'
	unpin_all
}

no_access_to_the_node_is_needed() {
	victim_start
	pin_as root "$(range_of anon)"
	run unshare -m bash -c 'mount --bind /dev/null /dev/pinmem && pinctl status'
	done_well
	out_has '1 pin, 2 MiB'
	unpin_all
}

other_pid_namespaces_see_no_numbers() {
	victim_start
	pin_as root "$(range_of anon)"
	run unshare -pf --mount-proc pinctl status
	done_well
	out_has '  victim[?]'
	run unshare -pf --mount-proc pinctl status --json
	json '.pins[0].target == {pid: null, comm: "victim"}'
	unpin_all
}

lost_output_is_a_failure() {
	local said
	said=$(pinctl status 2>&1 >/dev/full) && fail "status 0"
	[[ $said == *'No space left on device'* ]] || fail "$said"
}

the_command_names_are_escaped() {
	cp "$(command -v sleep)" "$TMP/"$'a\e[31mb'
	"$TMP/"$'a\e[31mb' 1000 &
	VICTIM=$!
	wait_until grep -q 31m "/proc/$VICTIM/comm"
	run pinctl pin --pid "$VICTIM" stack
	done_well
	run pinctl status
	out_has "a\\033[31mb[$VICTIM]"
	run pinctl status --json
	json '.pins[0].target.comm == "a\u001b[31mb"'
	unpin_all
}

test_that "nothing is nothing" nothing_is_shown
test_that "a table and its totals" a_table_is_shown
test_that "JSON of status" json_is_shown
test_that "handles and --pid choose" pins_are_chosen
test_that "other users' pins are counted, and shown to root" others_are_counted
test_that "it works in another network namespace" other_network_namespaces_work
test_that "it needs no device node" no_access_to_the_node_is_needed
test_that "processes not visible here have no number" other_pid_namespaces_see_no_numbers
test_that "lost output is a failure" lost_output_is_a_failure
test_that "names of commands do a terminal no harm" the_command_names_are_escaped
finish
