# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# For the tests of pinctl in the VM. A test is a function that is run in a
# subshell of its own; what it started is killed, what it pinned for longer is
# its own to unpin, and the kernel has to be level after it.

HERE=${HERE:-/usr/libexec/pinmem-tests}
# shellcheck source=tests/vm/tap.sh
. "$HERE/tap.sh"

TMP=$(mktemp -d)
chmod 755 "$TMP"
trap 'rm -rf "$TMP"' EXIT

# test_that WHAT FUNCTION [ARGUMENT...]
test_that() {
	check "$1" level_after "${@:2}"
}

level_after() {
	local status
	(trap end_test EXIT && "$@")
	status=$?
	"$HERE/harness/level" || status=1
	return "$status"
}

end_test() {
	local status=$? pids
	mapfile -t pids < <(jobs -p)
	[ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
	wait 2>/dev/null
	exit "$status"
}

fail() {
	echo "failed: $*"
	echo "status: ${STATUS-}"
	printf 'stdout: %s\nstderr: %s\n' "${OUT-}" "${ERR-}"
	exit 1
}

must() { "$@" || fail "$*"; }

# Run a program: STATUS, OUT and ERR tell of it.
run() {
	OUT=$("$@" 2>"$TMP/stderr")
	STATUS=$?
	ERR=$(<"$TMP/stderr")
}

pinctl_as() {
	local user=$1
	shift
	run as "$user" pinctl "$@"
}

# with_memlock SOFT:HARD COMMAND...: as alice
with_memlock() { run prlimit --memlock="$1" setpriv --reuid=alice --regid=alice --init-groups "${@:2}"; }

status_is() { [ "$STATUS" -eq "$1" ] || fail "status $1"; }
out_is() { [ "$OUT" = "$1" ] || fail "stdout is: $1"; }
out_has() { [[ $OUT == *"$1"* ]] || fail "stdout has: $1"; }
out_hasnt() { [[ $OUT != *"$1"* ]] || fail "stdout has not: $1"; }
out_like() { [[ $OUT =~ $1 ]] || fail "stdout is like: $1"; }
err_is() { [ "$ERR" = "$1" ] || fail "stderr is: $1"; }
err_has() { [[ $ERR == *"$1"* ]] || fail "stderr has: $1"; }
err_hasnt() { [[ $ERR != *"$1"* ]] || fail "stderr has not: $1"; }
done_well() { status_is 0; }

# failed_with PART: status 1, nothing on stdout, PART on stderr
failed_with() {
	status_is 1
	out_is ''
	err_has "$1"
}

# json FILTER: it is true of the one document on stdout
json() { gojq -e -s "length == 1 and (.[0] | $1)" <<<"$OUT" >/dev/null || fail "json: $1"; }
json_get() { gojq -r "$1" <<<"$OUT"; }

# The error document: all keys, of the right types.
json_error() {
	json ".error | ([.errno, .message | type] == [\"string\", \"string\"]) and
		(keys | sort) == ([\"errno\", \"reason\", \"address\", \"range\", \"limit\", \"use\",
			\"need\", \"message\"] | sort) and
		.errno == \"$1\" and .reason == $2"
}

# A user without capabilities; the VM has alice (in the group) and bob.
AS=(setpriv --reuid=USER --regid=USER --init-groups --inh-caps=-all)
as() { "${AS[@]/USER/$1}" "${@:2}"; }

# The kernel's own words.
vm_pin() { awk '$1 == "VmPin:" { print $2 }' "/proc/$1/status"; }
rollup() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/smaps_rollup"; }
foll_pins() {
	echo 1 >/proc/sys/vm/stat_refresh
	awk '$1 == "nr_foll_pin_acquired" { n += $2 }
		$1 == "nr_foll_pin_released" { n -= $2 } END { print n + 0 }' /proc/vmstat
}

vm_pin_is() { [ "$(vm_pin "$VICTIM")" -eq "$1" ] || fail "VmPin is $1, not $(vm_pin "$VICTIM")"; }

# wait_until COMMAND...: at most 10 s
wait_until() {
	local tries=200
	until "$@" 2>/dev/null; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "did not happen: $*"
		sleep 0.05
	done
}

comm_is() { [ "$(cat "/proc/$1/comm")" = "$2" ]; }
# What is waited for is asked for often.
no_pins() { [[ $(pinctl status --json) == *'"pins":[]'* ]]; }
is_gone() { ! [ -e "/proc/$1" ]; }

# victim_run COMMAND...: a process with known mappings; VICTIM is its number,
# START[NAME] and END[NAME] are where they are.
declare -A START END
victim_run() {
	# shellcheck disable=SC2034  # where bash puts the pipes
	coproc VICTIM_IO { exec "$@"; }
	VICTIM=$VICTIM_IO_PID
	hear
}

# What it says, until it waits for the next.
hear() {
	local name start end
	while read -r -t 30 name start end <&"${VICTIM_IO[0]}" && [ "$name" != ready ]; do
		START[$name]=$start
		END[$name]=$end
	done
	[ "${name-}" = ready ] || fail "the victim did not get ready"
}

victim_start() { victim_run "$HERE/cli/victim"; }
victim_start_with() { victim_run "$HERE/cli/victim" "$1"; }
victim_start_as() { victim_run "${AS[@]/USER/$1}" "$HERE/cli/victim"; }

range_of() { echo "${START[$1]}-${END[$1]}"; }

# tell WORDS: the victim does so, and has done it
tell() {
	echo "$*" >&"${VICTIM_IO[1]}"
	hear
}

# The handle of the last pin.
handle() { sed -n 's/^handle \([0-9]*\): .*/\1/p' <<<"$OUT"; }

unpin_all() { must pinctl unpin --all >/dev/null; }
