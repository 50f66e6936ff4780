# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Counting. Every result is a line of its stage's file in $RESULTS_DIR: "pass",
# "fail" or "skip", who says so, and what about; with tabs between
# (tests/vm/tap-results prints the same). A stage is a function that adds some;
# stages can run side by side.

RESULTS_DIR=$LOGS/results
STAGE=check
RESULTS=$RESULTS_DIR/check

# The table of stages and seconds, or nothing; and for those without a line.
BUDGETS=$TOP/tests/check/budgets
DEFAULT_BUDGET=120

start_results() {
	rm -rf "$RESULTS_DIR"
	mkdir -p "$RESULTS_DIR"
	: >"$RESULTS"
}

# What note() says goes to the terminal, also from within a stage.
exec 3>&2
# shellcheck disable=SC2034  # note() uses it
NOTES=3

pass() { printf 'pass\t%s\t%s\n' "$STAGE" "$*" >>"$RESULTS"; }
fail() { printf 'fail\t%s\t%s\n' "$STAGE" "$*" >>"$RESULTS"; }
skip() { printf 'skip\t%s\t%s\n' "$STAGE" "$*" >>"$RESULTS"; }

# count_of VERDICT FILE...
count_of() {
	local verdict=$1
	shift
	cat "$@" | grep -c "^$verdict"
}

# try WHAT COMMAND...: one test, passed when the command succeeds
try() {
	local what=$1
	shift
	echo "== $what: $*"
	if "$@"; then
		pass "$what"
	else
		echo "FAILED: $what"
		fail "$what"
		return 1
	fi
}

# try_silent WHAT COMMAND...: passed when the command finds nothing to say
try_silent() {
	local what=$1 said
	shift
	echo "== $what: $*"
	said=$("$@" 2>&1)
	if [ -z "$said" ]; then
		pass "$what"
	else
		printf '%s\n' "$said" "FAILED: $what"
		fail "$what"
		return 1
	fi
}

# Within its time?
keep_budget() {
	local seconds=$1 budget
	[ -n "$BUDGETS" ] || return 0
	budget=$(list "$BUDGETS" | awk -v stage="$STAGE" '$1 == stage { print $2 }')
	[ "$seconds" -le "${budget:-$DEFAULT_BUDGET}" ] ||
		fail "took $seconds s, and has ${budget:-$DEFAULT_BUDGET} s (tests/check/budgets)"
}

# stage NAME FUNCTION [ARGUMENT...]: runs it, its output to a log of its own, and
# says how it went. A function that fails without a result is one failure.
stage() {
	local passed failed start=$SECONDS
	STAGE=$1 RESULTS=$RESULTS_DIR/$1
	shift
	: >"$RESULTS"
	"$@" >"$LOGS/$STAGE.log" 2>&1 || [ "$(count_of fail "$RESULTS")" -gt 0 ] || fail "$STAGE"
	keep_budget "$((SECONDS - start))"
	passed=$(count_of pass "$RESULTS") failed=$(count_of fail "$RESULTS")
	if [ "$failed" -eq 0 ]; then
		note "$STAGE: ok ($passed)"
	else
		note "$STAGE: $failed FAILED, $passed passed; the end of $LOGS/$STAGE.log:"
		grep -v '^== ' "$LOGS/$STAGE.log" | tail -n 40 | sed 's/^/         /' >&2
	fi
	[ "$failed" -eq 0 ]
}

# How many VMs at once: each keeps a CPU busy for two thirds of its time, as its tests
# wait for much, and has 6 GiB that it may use.
places() {
	awk -v most="$(($(nproc) * 3 / 2))" '/^MemAvailable:/ {
		fit = int($2 / 1048576 / 7)
		print fit < 1 ? 1 : fit < most ? fit : most
	}' /proc/meminfo
}

# beside NAME FUNCTION [ARGUMENT...]: a stage in the background, when there is a
# place for it
beside() {
	while [ "$(jobs -rp | wc -l)" -ge "$PLACES" ]; do
		wait -n
	done
	stage "$@" &
}

# Automake's results of "make check" in a build tree.
count_trs() {
	local tree=$1
	find "$tree" -name '*.trs' -exec awk -v stage="$STAGE" '
		sub(/^:test-result: /, "") {
			result = $1
			sub(/^[A-Z]+ */, "")
			name = FILENAME
			gsub(/.*\/|\.trs$/, "", name)
			verdict = result ~ /^(PASS|XFAIL)$/ ? "pass" : result == "SKIP" ? "skip" : "fail"
			printf "%s\t%s\t%s %s\n", verdict, stage, name, $0
		}' {} + >>"$RESULTS"
}

# Why something was skipped, where, and how often; each is in check.results.
skips() {
	awk -F '\t' '$1 == "skip" {
		sub(/\/.*/, "", $2)
		sub(/^[^:]*: /, "", $3)
		times[$2 ": " $3]++
	}
	END { for (why in times) print "skipped: " why (times[why] > 1 ? " (" times[why] " times)" : "") }' |
		sort
}

# A stage that was killed in the background has said nothing.
silent_stages() {
	find "$RESULTS_DIR" -type f -empty -printf 'fail\t%f\tended without a result\n' |
		LC_ALL=C sort
}

# The end: skips with their reasons, failures, and the one line that counts.
summarise() {
	local passed failed skipped
	silent_stages >>"$RESULTS_DIR/check"
	cat "$RESULTS_DIR"/* >"$LOGS/check.results"
	passed=$(count_of pass "$LOGS/check.results")
	failed=$(count_of fail "$LOGS/check.results")
	skipped=$(count_of skip "$LOGS/check.results")
	skips <"$LOGS/check.results"
	sed -n 's/^fail\t/FAILED: /p' "$LOGS/check.results" | tr '\t' ' '
	if [ "$skipped" -eq 0 ]; then
		echo "$passed passed, $failed failed"
	else
		echo "$passed passed, $failed failed, $skipped skipped"
	fi
	[ "$failed" -eq 0 ]
}
