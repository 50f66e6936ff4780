# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors

# PINMEM_WITH_DIR(NAME, WHAT, DEFAULT)
# ------------------------------------
# --with-NAMEdir, and NAMEdir for the Makefiles.
AC_DEFUN([PINMEM_WITH_DIR], [
	AC_ARG_WITH([$1dir],
		[AS_HELP_STRING([--with-$1dir=DIR], [directory for $2])],
		[$1dir=$withval], [$1dir=$3])
	AC_SUBST([$1dir])
])

# _PINMEM_ADD_KERNEL(DIR)
# -----------------------
# Adds RELEASE=DIR to KERNELS. The release comes from utsrelease.h, which is
# what the kernel calls itself; Debian's kernel.release may say something else.
AC_DEFUN([_PINMEM_ADD_KERNEL], [
	AS_CASE([$1], [/*], [], [AC_MSG_ERROR([--with-kernel: $1 is not absolute])])
	kernel_release=$($SED -n 's/^#define UTS_RELEASE "\(.*\)".*/\1/p' \
		"$1/include/generated/utsrelease.h" 2>/dev/null)
	AS_IF([test -z "$kernel_release" || test ! -e "$1/Makefile"],
		[AC_MSG_ERROR([$1 is not a prepared kernel tree (Debian: linux-headers-…)])])
	AS_CASE([" $KERNELS"], [*" $kernel_release="*],
		[AC_MSG_ERROR([--with-kernel: $kernel_release is given twice])])
	AS_VAR_APPEND([KERNELS], ["${KERNELS:+ }$kernel_release=$1"])
	AS_VAR_APPEND([kernel_summary], ["${kernel_summary:+, }$kernel_release"])
])

# PINMEM_WITH_KERNEL
# ------------------
# Sets KERNELS, the kernels that the driver is built for, to words of the form
# RELEASE=DIR, and kernel_summary.
AC_DEFUN([PINMEM_WITH_KERNEL], [
	AC_ARG_WITH([kernel],
		[AS_HELP_STRING([--with-kernel=DIR@<:@,DIR...@:>@],
			[build the driver for the kernels with these build trees
			 (default: the newest /lib/modules/*/build)])],
		[], [with_kernel=auto])
	KERNELS=
	kernel_summary=
	AC_MSG_CHECKING([for kernels])
	AS_CASE([$with_kernel],
		[no], [kernel_dirs=],
		[auto|yes], [kernel_dirs=$(ls -d /lib/modules/*/build/include/generated \
			2>/dev/null | sort -V | tail -n 1 | $SED 's|/include/generated$||')],
		[kernel_dirs=$(echo "$with_kernel" | tr ',' ' ')])
	AS_IF([test "$with_kernel" = yes && test -z "$kernel_dirs"],
		[AC_MSG_ERROR([no /lib/modules/*/build found (Debian: linux-headers-amd64)])])
	for kernel_dir in $kernel_dirs; do
		_PINMEM_ADD_KERNEL([$kernel_dir])
	done
	AS_CASE([$with_kernel,$kernel_summary],
		[no,*], [kernel_summary="no (--without-kernel)"],
		[auto,], [kernel_summary="no (no /lib/modules/*/build; see --with-kernel)"])
	AC_MSG_RESULT([$kernel_summary])
	AC_SUBST([KERNELS])
])
