# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# In the VM: pinmem's files for udev, sysusers and modules-load are kept aside
# by the image.

ASIDE=/usr/libexec/pinmem-tests/aside

# put DIRECTORY: copies what was kept aside of it into its place, anew
put() {
	(cd "$ASIDE" && find . -type f -path "*/$1/*" -exec cp --parents -t / {} +)
}
