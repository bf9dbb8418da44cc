# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Leaves a tree on the share for persist-read.sh and for the host.

. /guest/lib.sh

claim driver_loads load
claim share_mounts mount_share
cd /mnt || exit 1
claim lines_are_written sh -c 'seq 20000 >lines'
claim empty_file_is_made sh -c ': >empty'
claim sparse_file_is_made \
	sh -c 'truncate -s 8M sparse; echo end | dd of=sparse seek=2047 bs=4096 conv=notrunc'
claim modes_are_set sh -c 'echo secret >private; chmod 0640 private
	echo tool >tool; chmod 4755 tool; mkdir shared; chmod 1777 shared'
claim owner_is_set chown 1234:5678 private
claim links_are_made sh -c 'ln lines lines2; ln lines shared/lines3; ln -s ../lines shared/soft'
claim fifo_is_made mkfifo fifo
claim node_is_made mknod null c 1 3
claim times_are_set touch -d @1000000000 tool
claim xattr_is_set setfattr -n user.note -v remember lines
claim deep_directories_are_made mkdir -p a/b/c/d/e/f/g/h
claim name_in_utf8_is_made sh -c 'echo ü >"grüße 世界"'
claim deleted_is_deleted sh -c 'echo x >deleted; rm deleted'
claim renamed_is_renamed sh -c 'echo moved >old; mv old new'
cd /
claim share_unmounts umount /mnt
plan
