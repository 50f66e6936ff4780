# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Gates for all sources. Each finding is printed; each file, or each rule, is a
# test. Those of the driver and of library and tool are in files of their own.

# Everything in the tree that is not ignored, committed or not.
our_files() {
	git -C "$TOP" -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" |
		sort -u | while read -r file; do
		[ ! -f "$TOP/$file" ] || printf '%s\n' "$file"
	done
}

is_shell_script() {
	head -n 1 "$1" | grep -qE '^#!.*\b(ba|da)?sh\b|^# shellcheck shell='
}

shellcheck_gate() {
	local file
	cd "$TOP" || return
	while read -r file; do
		! is_shell_script "$file" || try "$file" shellcheck -x -P SCRIPTDIR -P "$TOP" "$file"
	done < <(our_files)
}

# What is in the kernel tests no kernel versions; one file here is there to. And
# every header of tracepoints in the kernel is laid out as ours is.
checkpatch_ignores() {
	case $1 in
	driver/pinmem_compat.h) echo --ignore=LINUX_VERSION_CODE,CONSTANT_COMPARISON ;;
	driver/pinmem_trace.h) echo --ignore=OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT ;;
	esac
}

checkpatch_gate() {
	local file dir
	dir=$(kernel_scripts_dir) && cd "$TOP" || return
	while read -r file; do
		# shellcheck disable=SC2046  # one word or none
		try_silent "$file" "$dir/checkpatch.pl" --no-tree --strict --terse --quiet \
			--show-types --no-summary $(checkpatch_ignores "$file") --file "$file"
	done < <(our_files 'driver/*.[ch]' 'driver/uapi/linux/*.h')
}

# "filp" is the kernel's word for a struct file; Nd and Fo are macros of mdoc.
codespell_gate() {
	local -a files
	cd "$TOP" || return
	mapfile -t files < <(our_files | grep -v '^LICENSES/')
	try codespell codespell -L filp,nd,fo "${files[@]}"
}

has_licence_tag() {
	case $1 in
	LICENSES/* | COPYING*) return 0 ;;
	esac
	[ -e "$1.license" ] || [[ $1 == *.license ]] || head -n 12 "$1" | grep -q 'SPDX-License-Identifier:'
}

licence_gate() {
	local file
	cd "$TOP" || return
	while read -r file; do
		try "$file" has_licence_tag "$file"
	done < <(our_files)
}
