# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Gates for the driver's sources and objects: the kernel's rules and ours.

without_comments() { gcc -fpreprocessed -dD -E -P -x c "$1" 2>/dev/null; }

# found_outside PATTERN FILE...: prints where the driver's other files match
found_outside() {
	local pattern=$1 file
	shift
	while read -r file; do
		[[ " $* " == *" $file "* ]] || without_comments "$file" | grep -E --label="$file" -H -- "\\b($pattern)"
	done < <(our_files 'driver/*.[ch]')
}

GUP_API='pin_user_page|unpin_user_|unpin_folio|memfd_pin_folios|get_user_pages|fixup_user_fault|FOLL_'
TABLE_API='(pgd|p4d|pud|pmd|pte)_(offset|lock|present|leaf|trans_|special|pfn|page)|(pgd|p4d|pud|pmd|pte)p_get|'\
'huge_pte|hugetlb_walk|follow_pte|follow_pfn|walk_page_|apply_to_(existing_)?page_range'

# The driver's functions from which pages are faulted in, pinned or unpinned, and
# what they call for it. Names are not told apart by file: too many are found
# rather than too few.
reaching_gup() {
	local file
	for file in driver/*.c; do
		without_comments "$file"
		echo "}"
	done | awk '
		/^}/ { head = "" }
		/^[a-z]/ && match($0, /[a-z0-9_]+\(/) {
			head = substr($0, RSTART, RLENGTH - 1)
			$0 = substr($0, RSTART + RLENGTH)
		}
		head {
			while (match($0, /[a-z0-9_]+\(/)) {
				called = substr($0, RSTART, RLENGTH - 1)
				callers[called] = callers[called] " " head
				$0 = substr($0, RSTART + RLENGTH)
			}
		}
		function reach(name, i, by) {
			if (name in seen)
				return
			seen[name]
			print name
			for (i = split(callers[name], by); i > 0; i--)
				reach(by[i])
		}
		END {
			for (name in callers)
				if (name ~ /^(pin_user_page|unpin_user_|unpin_folio|get_user_pages|fixup_user_fault)/)
					reach(name)
		}'
}

# run_cocci SCRIPT: with the options that the script itself names
run_cocci() {
	# shellcheck disable=SC2046  # options are words
	spatch -D report --no-show-diff --very-quiet --cocci-file "$1" \
		$(sed -n 's|^// Options: *||p' "$1") driver/*.c | sed '/^$/d'
}

locks_over_gup() {
	local script=$BUILD/locks.cocci
	mkdir -p "$BUILD"
	sed "s/PINS/$(reaching_gup | paste -s -d '|')/" tests/check/locks.cocci >"$script"
	run_cocci "$script"
}

house_rules_gate() {
	cd "$TOP" || return
	try_silent "only pinmem_gup.c calls the GUP API" \
		found_outside "$GUP_API" driver/pinmem_gup.c driver/pinmem_compat.h
	try_silent "only pinmem_walk.c reads page tables" \
		found_outside "$TABLE_API" driver/pinmem_walk.c driver/pinmem_compat.h
	try_silent "only pinmem_compat.h tests kernel versions" \
		found_outside 'LINUX_VERSION_CODE|KERNEL_VERSION' driver/pinmem_compat.h
	try_silent "no WARN and no BUG" found_outside '(VM_)?(WARN|BUG)(_[A-Z_]+)?\('
	try_silent "no lock is held while pages are pinned or unpinned" locks_over_gup
	try_silent "every suite runs on the debug kernel" diff \
		<(list tests/vm/suite | sort) <(list tests/vm/suite-{debug,rest} | sort)
}

# Of the kernel's scripts not those that need an OCaml compiler, nor stream_open,
# which prints warnings about itself.
cocci_gate() {
	local script dir
	dir=$(kernel_scripts_dir) && cd "$TOP" || return
	while read -r script; do
		try_silent "${script#"$dir"/coccinelle/}" run_cocci "$script"
	done < <(find "$dir/coccinelle" -name '*.cocci' ! -name stream_open.cocci \
		-exec grep -L ocaml {} + | sort)
}

# The rooms of the driver from its header, top to bottom: number and name.
rooms() {
	sed -n '/^ \* The rooms of the house/,/^ \*\//s/^ \*\t\([a-z, ]*\)\t.*/\1/p' \
		"$TOP/driver/pinmem_private.h" | tr -d , |
		awk '{ for (i = 1; i <= NF; i++) print NR, $i }'
}

# calls_up DIR: prints which objects there call a function of a higher room.
# That main has the instance's number, which others read, is no call.
calls_up() {
	{
		rooms
		cd "$1" && nm -A --format=posix pinmem_[a-z]*.o
	} | awk '
		NF == 2 { floor["pinmem_" $2 ".o"] = $1; next }
		{ sub(/:$/, "", $1) }
		!($1 in floor) && !strange[$1]++ { print $1 " is in no room of pinmem_private.h" }
		$3 == "T" { home[$2] = $1 }
		$3 == "U" { calls[$1 " " $2] }
		END {
			for (call in calls) {
				split(call, part, " ")
				if (part[2] in home && floor[home[part[2]]] < floor[part[1]])
					print part[1] " calls " part[2] " of " home[part[2]]
			}
		}'
}

rooms_gate() {
	local series release
	for series in "${KERNEL_SERIES[@]}"; do
		release=$(kernel_release "$series")
		try_silent "no room calls a higher one, $series" calls_up "$BUILD/gcc/driver/$release"
	done
}
