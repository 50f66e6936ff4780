# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# libFuzzer's fuzzers of the library and of the tool: each some time, from the
# seeds in tests/fuzz/corpus/. What makes one crash is left in $LOGS/crashes.

FUZZ_RUNS=${FUZZ_RUNS:-100000}

# The fuzzers' TAP becomes lines of the results.
run_fuzzers() {
	local crashes=$LOGS/crashes ok name
	mkdir -p "$crashes"
	rm -f "$crashes"/*
	top_builddir=$BUILD/fuzz "$TOP/tests/fuzz/corpus.sh" "$FUZZ_RUNS" "$crashes" >"$LOGS/fuzzers.tap"
	cat "$LOGS/fuzzers.tap"
	while read -r ok name; do
		if [ "$ok" = ok ]; then pass "$name"; else fail "$name"; fi
	done < <(sed -n -e 's/^ok [0-9]* - /ok /p' -e 's/^not ok [0-9]* - /failed /p' "$LOGS/fuzzers.tap")
	try "every fuzzer ran" all_ran "$LOGS/fuzzers.tap"
	try_silent "no input makes one crash" ls "$crashes"
}

all_ran() {
	local plan
	plan=$(sed -n 's/^1\.\.//p' "$1")
	[ "${plan:-0}" -gt 0 ] && [ "$(grep -c '^ok ' "$1")" -eq "$plan" ]
}

fuzz_stage() {
	try configure configure_tree fuzz --enable-werror --without-kernel --enable-fuzzers \
		CC=clang CXX=clang++ CFLAGS='-g -O1' &&
		try make make_tree fuzz all &&
		try "make fuzzers" make_tree fuzz -C tests fuzzers &&
		run_fuzzers
}
