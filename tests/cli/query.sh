#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# pinctl query: what it tells of handles, ranges and whole processes.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

SUM='(.states | [.other, .unmapped, .inaccessible, .special, .untouched, .away, .not_pinned, .maybe, .pinned] | add)'

a_process_is_a_line_a_mapping() {
	local lines
	victim_start
	run pinctl query --pid "$VICTIM"
	done_well
	err_is ''
	out_like '^ADDRESSES +SIZE +NOT PINNED +MAYBE +PINNED +OURS +NAME'
	out_like "
$(range_of anon) +2 MiB +2 MiB +0 +0 +0  
"
	out_like "
$(range_of none) +1 MiB +0 +0 +0 +0  
"
	out_like "
$(range_of shared) +1 MiB +1 MiB +0 +0 +0  /memfd:victim-shared"
	out_like '\[vvar\]'
	out_like '
[0-9]+ mappings, .* not pinned, 0 maybe pinned, 0 pinned; 0 ours; .* without a page here$'
	lines=$(grep -vc vsyscall "/proc/$VICTIM/maps")
	is "$(wc -l <<<"$OUT")" $((lines + 2)) || fail "$lines lines"
}

a_pin_shows() {
	local h
	victim_start
	run pinctl pin --pid "$VICTIM" "${START[anon]}+1M"
	h=$(handle)
	run pinctl query --pid "$VICTIM" "$(range_of anon)"
	done_well
	out_like "
$(range_of anon) +2 MiB +1 MiB +1 MiB +0 +1 MiB  
1 mapping, 2 MiB: 1 MiB not pinned, 1 MiB maybe pinned, 0 pinned; 1 MiB ours; 0 without a page here\$"
	run pinctl query "$h"
	done_well
	out_like "
1 mapping, 1 MiB: 0 not pinned, 1 MiB maybe pinned, 0 pinned; 1 MiB ours; 0 without a page here\$"
	run pinctl query "$(printf '0x%x' "$h")" --runs
	done_well
	out_like '^ADDRESSES +SIZE +STATE +COUNT +OURS +NAME'
	out_like "
${START[anon]}-[0-9a-f]+ +1 MiB  maybe +1 +1  
"
	must pinctl unpin "$h" >/dev/null
	run pinctl query "$h"
	status_is 1
	err_has "handle $h: you have no such pin"
}

ranges_are_chosen() {
	victim_start
	run pinctl query --pid "$VICTIM" heap stack --json
	done_well
	json '[.mappings[].name] == ["[heap]", "[stack]"]'
	run pinctl query --pid "$VICTIM" "${START[anon]}+3M" --json
	done_well
	json '.mappings | length == 2 and .[1].name == null and .[1].perms == null'
	json '.mappings[1].states.unmapped == 1048576'
	run pinctl query --pid "$VICTIM" "${START[anon]}+3M"
	out_has '(not mapped)'
	run pinctl query --pid "$VICTIM" map:nothing stack
	done_well
	err_has 'note: map:nothing: no such mapping in victim'
	run pinctl query --pid "$VICTIM" map:nothing
	status_is 1
	err_has 'nothing is left to ask about'
}

states_are_told() {
	victim_start
	for row in "anon not_pinned 2097152" "untouched untouched 1048576" "none inaccessible 1048576" \
		"mixed untouched 32768" "mixed not_pinned 32768" "readonly not_pinned 65536"; do
		# shellcheck disable=SC2086  # three words
		set -- $row
		run pinctl query --pid "$VICTIM" "$(range_of "$1")" --json
		done_well
		json ".total.states.$2 == $3"
	done
	run pinctl query --pid "$VICTIM" map:vvar --json
	json '.total.states.special == .total.bytes'
}

json_is_complete() {
	victim_start
	run pinctl pin --pid "$VICTIM" anon
	run pinctl query --pid "$VICTIM" --json
	done_well
	json '(keys | sort) == ["handle", "mappings", "target", "total"]'
	json ".handle == null and .target == {pid: $VICTIM, comm: \"victim\"}"
	json '.mappings | all(.[]; (keys | sort) == ["bytes", "name", "ours", "perms", "runs", "start", "states"])'
	json '[.mappings[].runs[] | (keys | sort) == ["bytes", "count", "own", "start", "state"]] | all'
	json ".mappings | all(.[]; .bytes == $SUM)"
	json ".total.bytes == (.total | $SUM) and .total.bytes == ([.mappings[].bytes] | add)"
	json '.mappings | all(.[]; .bytes == ([.runs[].bytes] | add))'
	json '.total.mappings == (.mappings | length)'
	json '.total.ours > 2097152 and .total.ours == .total.states.maybe + .total.states.pinned'
	json '.mappings | all(.[]; .start | test("^0x[0-9a-f]+$"))'
	run pinctl query "$(pinctl status --json | gojq -r '.pins[0].handle')" --json
	done_well
	json '.handle | test("^0x")'
	json '.total.ours == .total.bytes'
	unpin_all
}

asking_changes_nothing() {
	local before
	victim_start
	before=$(grep -E 'Rss|Anonymous|Referenced' "/proc/$VICTIM/smaps_rollup")
	must pinctl query --pid "$VICTIM" >/dev/null
	must pinctl query --pid "$VICTIM" --runs >/dev/null
	is "$(grep -E 'Rss|Anonymous|Referenced' "/proc/$VICTIM/smaps_rollup")" "$before" || fail "changed"
}

the_target_of_a_handle_may_end() {
	local h
	victim_start
	pinctl pin --pid "$VICTIM" "$(range_of anon)" >"$TMP/pinned"
	h=$(sed 's/^handle \([0-9]*\).*/\1/' "$TMP/pinned")
	kill -KILL "$VICTIM"
	wait_until not pinctl query "$h"
	run pinctl query "$h" --json
	status_is 1
	json '.error.errno == "ENOENT" or .error.errno == "ESRCH"'
}

lost_output_is_a_failure() {
	local said
	victim_start
	said=$(pinctl query --pid "$VICTIM" --json 2>&1 >/dev/full) && fail "status 0"
	[[ $said == *'cannot write the output'* ]] || fail "$said"
}

test_that "a whole process is a line a mapping, and totals" a_process_is_a_line_a_mapping
test_that "a pin shows, by range and by handle" a_pin_shows
test_that "ranges choose" ranges_are_chosen
test_that "states are told" states_are_told
test_that "JSON of query" json_is_complete
test_that "asking changes nothing" asking_changes_nothing
test_that "the process of a handle may end" the_target_of_a_handle_may_end
test_that "lost output is a failure" lost_output_is_a_failure
finish
