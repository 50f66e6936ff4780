#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What of driver, library and tool was run: by the suites on the debug kernel, and by
# "make check" in its build tree. tests/COVERAGE.md tells how.
set -u
# shellcheck source=tests/vm/common.sh
. "$(dirname "$0")/../vm/common.sh"

TREE=$BUILD/debug
LIST=$TOP/tests/COVERAGE.md
COUNTS=$LOGS/coverage.tsv
DIFFERS=$LOGS/coverage.differs

usage() {
	cat <<-'TEXT'
		Usage: tests/check/coverage.sh compare|report

		  compare  was as much run as has to be? The functions of the driver of which a
		           line was not, and that tests/COVERAGE.md does not name, are in
		           build/logs/coverage.differs then, and those that it should not name
		  report   print how much of each file was run, and each line that was not

		Both take what the VMs of the last ./check left, tests/vm/boot debug since
		then included (a run that shall be added to others: mv
		build/logs/vm-debug{,-NAME}), and what make -C build/debug check did.

		Exit status: 0 it was, 1 it was not, 2 usage or nothing was run.
	TEXT
}

count() {
	local dir
	local -a dirs=("$TREE")
	for dir in "$LOGS"/{vm,rest,zones,leaks}-debug{,-*}/gcov; do
		[ ! -d "$dir" ] || dirs+=("$dir")
	done
	[ "${#dirs[@]}" -gt 1 ] || die "the debug kernel's VM has not run"
	"$TOP/tests/check/coverage.py" "$TOP" "$TREE" "${dirs[@]}" >"$COUNTS" || die "gcov failed"
}

# A line for each file, and one for each directory.
print_table() {
	awk -F '\t' '
	function add(name, line,  ways) {
		if (!((name, line) in seen)) { seen[name, line]; lines[name]++ }
		if ($4 > 0 && !((name, line) in ran)) { ran[name, line]; run[name]++ }
		all[name] += $5
		taken[name] += $5 - ($6 == "-" ? 0 : split($6, ways, ","))
	}
	function percent(part, whole) { return whole ? 100 * part / whole : 100 }
	{
		add($1, $2)
		add(substr($1, 1, index($1, "/")), $1 ":" $2)
	}
	END {
		for (name in lines)
			printf "%-28s %5d lines %6.2f %%  %5d branches %6.2f %%\n", name,
				lines[name], percent(run[name], lines[name]),
				all[name], percent(taken[name], all[name])
	}' "$COUNTS" | LC_ALL=C sort
}

# What was not run, with the source.
print_rest() {
	awk -F '\t' -v top="$TOP" '
	function source(file, number) {
		if (file != open) {
			for (n = 1; (getline text[n] < (top "/" file)) > 0; n++) { }
			close(top "/" file)
			open = file
		}
		return text[number]
	}
	$4 == 0 || $6 != "-" {
		printf "%s:%d: %s: %s\n%s\n", $1, $2, $3,
			$4 == 0 ? "not run" : "way " $6 " of " $5 " not taken", source($1, $2)
	}' "$COUNTS"
}

# enough NAME LINES BRANCHES: the least that must be run of it, in percent
enough() {
	print_table | awk -v name="$1" -v lines="$2" -v ways="$3" '
		$1 == name {
			if ($4 < lines) printf "%s: %s %% of lines, less than %s\n", name, $4, lines
			if ($7 < ways) printf "%s: %s %% of branches, less than %s\n", name, $7, ways
			found = 1
		}
		END { if (!found) print name ": nothing was counted" }'
}

# The driver is listed by function, as lines move. "(at times)" says that all of
# its lines may have been run, or not. Which lines are run is partly chance, so a
# list that differs fails nothing, and is told in coverage.differs.
compare_list() {
	: >"$DIFFERS"
	awk -F '\t' -v differs="$DIFFERS" '
	FILENAME == ARGV[1] {
		if (!match($0, /^- pinmem_[a-z]*\.c:[a-z0-9_]*/))
			next
		name = substr($0, 3, RLENGTH - 2)
		listed[name]
		if ($0 ~ /^[^:]*:[^:]* \(at times\): /) luck[name]
		next
	}
	sub(/^driver\//, "", $1) {
		known[$1 ":" $3]
		if ($4 == 0) rest[$1 ":" $3]
	}
	END {
		sorted = "sort >\"" differs "\""
		for (name in rest)
			if (!(name in listed)) print name " was not all run, and is not listed" | sorted
		for (name in listed)
			if (!(name in known)) print name " is listed, and is no function"
			else if (!(name in rest) && !(name in luck))
				print name " is listed, and was all run" | sorted
	}' "$LIST" "$COUNTS"
}

compare() {
	local wrong
	count
	print_table
	wrong=$(
		enough driver/ 95 90
		enough lib/ 90 0
		enough cli/ 90 0
		compare_list
	)
	[ -n "$wrong" ] || return 0
	printf 'tests/COVERAGE.md: %s\n' "$wrong"
	print_rest
	return 1
}

report() {
	count
	print_rest
	print_table
}

case ${1-} in
compare | report) "$1" ;;
--help | -h) usage ;;
*) usage >&2 && exit 2 ;;
esac
