# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Runs in a Debian system whose root is a directory of the host.

. /guest/lib.sh

# The library that this very shell runs has the device number of the root.
mapped_from_the_root()
{
	awk -v dev="$(printf '%02x:%02x' "$(stat -c %Hd /)" "$(stat -c %Ld /)")" \
		'/libc\.so/ { n++; bad += $4 != dev } END { exit !n || bad }' /proc/$$/maps
}

claim_equal root_is_the_share "$(stat -f -c %T /)" fuse
claim_equal root_is_mounted_by_its_tag \
	"$(sed -n 's: / virtiofs rw.*::p' /proc/mounts)" myfs
claim root_has_the_options_of_the_command_line grep -q '^myfs / virtiofs .*timeout=600' /proc/mounts
claim_equal this_is_debian "$(. /etc/os-release; echo "$ID")" debian
claim dpkg_lists_its_packages sh -c 'dpkg -l >/root/packages'
claim_equal dpkg_knows_its_own_package "$(dpkg-query -W -f '${Status}' dpkg)" \
	"install ok installed"
claim dpkg_finds_its_files_unchanged dpkg --verify coreutils
claim_equal perl_runs "$(perl -e 'use POSIX; print join(",", map { $_ * $_ } 1 .. 5)')" 1,4,9,16,25
claim program_is_mapped_from_the_share mapped_from_the_root
claim file_is_written sh -c 'echo "written by $(uname -r)" >/root/note'
claim user_is_added useradd -m guest
claim_equal user_writes_to_its_home \
	"$(su guest -c 'echo mine >~/file; stat -c %U ~/file')" guest
claim_refused user_cannot_write_to_the_system 'Permission denied|cannot create' \
	su guest -c 'echo x >/etc/passwd'
claim_equal script_runs_by_its_first_line \
	"$(printf '#!/usr/bin/perl\nprint "hello"\n' >/root/s; chmod +x /root/s; /root/s)" hello
plan
