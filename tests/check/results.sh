# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Counting. Every result is a line of $RESULTS: "pass", "fail" or "skip", who
# says so, and what about; with tabs between (tests/vm/tap-results prints the
# same). A stage is a function that adds some.

RESULTS=$LOGS/check.results
STAGE=check

start_results() { : >"$RESULTS"; }

# What note() says goes to the terminal, also from within a stage.
exec 3>&2
# shellcheck disable=SC2034  # note() uses it
NOTES=3

pass() { printf 'pass\t%s\t%s\n' "$STAGE" "$*" >>"$RESULTS"; }
fail() { printf 'fail\t%s\t%s\n' "$STAGE" "$*" >>"$RESULTS"; }
skip() { printf 'skip\t%s\t%s\n' "$STAGE" "$*" >>"$RESULTS"; }

count_of() { grep -c "^$1" "$RESULTS"; }

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

# stage NAME FUNCTION [ARGUMENT...]: runs it, its output to a log of its own, and
# says how it went. A function that fails without a result is one failure.
stage() {
	local passed failed
	STAGE=$1
	shift
	passed=$(count_of pass) failed=$(count_of fail)
	"$@" >"$LOGS/$STAGE.log" 2>&1 ||
		[ "$(count_of fail)" -gt "$failed" ] || fail "$STAGE"
	passed=$(($(count_of pass) - passed)) failed=$(($(count_of fail) - failed))
	if [ "$failed" -eq 0 ]; then
		note "$STAGE: ok ($passed)"
	else
		note "$STAGE: $failed FAILED, $passed passed; the end of $LOGS/$STAGE.log:"
		grep -v '^== ' "$LOGS/$STAGE.log" | tail -n 20 | sed 's/^/         /' >&2
	fi
	[ "$failed" -eq 0 ]
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

# The end: skips with their reasons, failures, and the one line that counts.
summarise() {
	local passed failed skipped
	passed=$(count_of pass) failed=$(count_of fail) skipped=$(count_of skip)
	sed -n 's/^skip\t/skipped: /p' "$RESULTS" | tr '\t' ' '
	sed -n 's/^fail\t/FAILED: /p' "$RESULTS" | tr '\t' ' '
	if [ "$skipped" -eq 0 ]; then
		echo "$passed passed, $failed failed"
	else
		echo "$passed passed, $failed failed, $skipped skipped"
	fi
	[ "$failed" -eq 0 ]
}
