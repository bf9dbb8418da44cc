# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A guest at its installation: takes its files from a share that it may only
# read, and ends with a file system of its own that holds them.

. /guest/lib.sh

claim driver_loads load
mkdir -p /mnt
claim share_mounts_read_only mount -t virtiofs -o ro myfs /mnt
claim_refused write_is_refused 'Read-only file system' touch /mnt/file
claim read_write_is_asked_for mount -o remount,rw /mnt
claim_refused host_refuses_a_write_too 'Read-only file system' touch /mnt/file
claim program_runs_from_the_share /mnt/tools/busybox true
mkdir -p /target
mount -t tmpfs tmpfs /target
claim installer_runs_from_the_share sh /mnt/install.sh /target
claim installed_files_have_their_checksums sh -c 'cd /target && sha256sum -c /mnt/SHA256SUMS'
claim_equal all_files_are_installed "$(find /target -type f | wc -l)" "$files"
claim_equal installed_links_are_links "$(readlink /target/tools/sh)" busybox
claim_equal installed_modes_are_kept "$(stat -c %a /target/tools/busybox)" 755
claim share_unmounts umount /mnt
claim installed_program_runs_without_the_share /target/tools/busybox true
plan
