#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# tests/SEMANTICS.md from what the semantics suite found in the VMs.
set -u
# shellcheck source=tests/vm/common.sh
. "$(dirname "$0")/../vm/common.sh"

TABLE=$TOP/tests/SEMANTICS.md
PROGRAMS=(special matrix forks ends folios faults)

usage() {
	cat <<-'TEXT'
		Usage: tests/check/semantics.sh compare|write|update

		  compare  does tests/SEMANTICS.md say what the last run in each VM found?
		  write    write it from these runs
		  update   run the semantics suite in each VM, then write

		Exit status: 0 it does (or is written), 1 it differs, 2 usage or no runs.
		Cells that could not be tried are printed as "not tried:"; the table keeps
		what it has of them.
	TEXT
}

# What the suite left: KERNEL, table, row, column and value, with tabs between.
found() {
	local series file
	for series in "${KERNEL_SERIES[@]}"; do
		for file in "$LOGS/vm-$series"{,-*}/semantics.tsv; do
			[ ! -e "$file" ] || sed "s/^/$series\t/" "$file"
		done
	done
}

# A cell is one word when the kernels agree, else "6.12: …; 6.1: …". The value
# "?" means not tried: then what the old table has stands.
print_tables() {
	awk -F '\t' -v kernels="${KERNEL_SERIES[*]}" -v old="$TABLE" '
	function titles(t) {
		title["ways"] = "What can be pinned"
		title["events"] = "What becomes of a pin"
		title["fork"] = "What fork() copies of 16 MiB"
		title["ends"] = "When the pinned process ends"
		title["folios"] = "A huge page that is held by one pin"
		title["faults"] = "Page faults afterwards"
		return title[t]
	}
	function read_old(  line, parts, heads, n, i, at, head) {
		while ((getline line < old) > 0) {
			if (sub(/^## /, "", line)) { at = line; head = 1; continue }
			if (line !~ /^\| /) continue
			n = split(line, parts, / *\| */)
			for (i = 3; i < n; i++)
				if (head) heads[i] = parts[i]
				else known[at, parts[2], heads[i]] = parts[i]
			if (line !~ /^\| ---/) head = 0
		}
	}
	function cell(t, r, c,  k, i, n, same, text, v) {
		n = split(kernels, k, " ")
		same = 1
		for (i = 1; i <= n; i++) {
			v[i] = value[k[i], t, r, c]
			if (v[i] == "?") {
				printf "not tried: %s, %s, %s on %s\n", t, r, c, k[i] >"/dev/stderr"
				return (titles(t), r, c) in known ? known[titles(t), r, c] : "not tried"
			}
			if (v[i] != v[1]) same = 0
		}
		if (same) return v[1] == "" ? "–" : v[1]
		for (i = 1; i <= n; i++)
			text = text (i > 1 ? "; " : "") k[i] ": " (v[i] == "" ? "–" : v[i])
		return text
	}
	function print_table(t,  i, j, line) {
		printf "\n## %s\n\n", titles(t)
		line = "| |"
		for (j = 1; j <= columns[t]; j++) line = line " " column[t, j] " |"
		print line
		gsub(/[^|]+/, " --- ", line)
		print line
		for (i = 1; i <= rows[t]; i++) {
			line = "| " row[t, i] " |"
			for (j = 1; j <= columns[t]; j++) line = line " " cell(t, row[t, i], column[t, j]) " |"
			print line
		}
	}
	BEGIN { read_old() }
	{
		if (!(($2, $3) in row_seen)) { row_seen[$2, $3]; row[$2, ++rows[$2]] = $3 }
		if (!(($2, $4) in column_seen)) { column_seen[$2, $4]; column[$2, ++columns[$2]] = $4 }
		value[$1, $2, $3, $4] = $5
	}
	END {
		n = split("ways events fork ends folios faults", order, " ")
		for (i = 1; i <= n; i++) if (rows[order[i]]) print_table(order[i])
	}'
}

generate() {
	cat "$TOP/tests/semantics/legend.md"
	found | print_tables
}

have_runs() {
	local series
	for series in "${KERNEL_SERIES[@]}"; do
		[ -s "$LOGS/vm-$series/semantics.tsv" ] || die "no results of the semantics suite on $series"
	done
}

compare() {
	: >"$LOGS/semantics.missing"
	have_runs
	generate 2>&1 >"$LOGS/SEMANTICS.md" | tee "$LOGS/semantics.missing"
	diff -u --label tests/SEMANTICS.md --label "this run" "$TABLE" "$LOGS/SEMANTICS.md" || {
		say "tests/SEMANTICS.md is not what was found; if that is right: tests/check/semantics.sh write"
		return 1
	}
}

# Printed aside first: the old table is read meanwhile.
write() {
	have_runs
	generate >"$LOGS/SEMANTICS.md" && cp "$LOGS/SEMANTICS.md" "$TABLE"
}

update() {
	local series
	for series in "${KERNEL_SERIES[@]}"; do
		"$TOP/tests/vm/boot" "$series" "${PROGRAMS[@]/#/semantics/}" || exit 1
	done
	write
}

case ${1-} in
compare | write | update) "$1" ;;
--help | -h) usage ;;
*) usage >&2 && exit 2 ;;
esac
