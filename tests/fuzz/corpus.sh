#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Runs each of libFuzzer's fuzzers a little, from what is in corpus/ and always
# in the same way: "corpus.sh [RUNS [DIR]]"; DIR gets what made one crash.
#
# A seed is a file: of bytes in hex (.hex), or of text (.txt). In .words each line
# is a seed. Lines that start with "#" are no part of them.

here=$(dirname "$0")
fuzzers=${top_builddir:-../..}/tests/fuzz
runs=${1:-10000}

words_of() { grep -v '^#' "$1"; }

bytes_of() { sed 's/#.*//' "$1" | perl -ne 's/\s//g; print pack("H*", $_)'; }

# seeds FUZZER: puts them into $scratch/seeds
seeds() {
	rm -rf "$scratch/seeds"
	mkdir "$scratch/seeds"
	for file in "$here/corpus/$1"/*; do
		name=$scratch/seeds/${file##*/}
		case $file in
		*.hex) bytes_of "$file" >"$name" ;;
		*.txt) words_of "$file" >"$name" ;;
		*.words)
			number=0
			words_of "$file" | while read -r word; do
				number=$((number + 1))
				printf '%s' "$word" >"$name.$number"
			done
			;;
		*) return 1 ;;
		esac
	done
}

# What it finds goes into the first directory.
run() {
	mkdir -p "$scratch/$1"
	"$fuzzers/$1" -runs="$runs" -seed=1 -max_len=4096 -timeout=20 -print_final_stats=1 \
		-artifact_prefix="$crashes/$1-" "$scratch/$1" "$scratch/seeds" >"$scratch/log" 2>&1
}

units() { sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/log"; }

ran_enough() { [ "$(units)" -ge "$runs" ]; }

features() { sed -n 's/.* ft: \([0-9]*\) .*/\1/p' "$scratch/log" | tail -n 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
crashes=${2:-$scratch}

set -- "$here"/lib_*.c "$here"/cli_*.c
echo "1..$#"
count=0
for source; do
	fuzzer=${source##*/}
	fuzzer=${fuzzer%.c}
	count=$((count + 1))
	if seeds "$fuzzer" && run "$fuzzer" && ran_enough; then
		echo "ok $count - $fuzzer"
	else
		echo "not ok $count - $fuzzer"
		tail -n 40 "$scratch/log" | sed 's/^/# /'
	fi
	echo "# $fuzzer: $(units) runs, $(features) features"
done
