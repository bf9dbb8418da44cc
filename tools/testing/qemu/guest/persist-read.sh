# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Finds what persist-write.sh left in an earlier boot, and what the host
# changed since.

. /guest/lib.sh

claim driver_loads load
claim share_mounts mount_share
cd /mnt || exit 1
claim_equal lines_are_found "$(md5sum <lines)" "$(seq 20000 | md5sum)"
claim_equal empty_file_is_found "$(stat -c %s empty)" 0
claim_equal sparse_file_is_found "$(stat -c %s sparse) $(tail -c +8384513 sparse | head -n 1)" \
	"8388608 end"
claim_equal sparse_file_is_sparse "$([ "$(stat -c %b sparse)" -lt 64 ] && echo yes)" yes
claim_equal modes_are_found "$(stat -c %a private tool shared | xargs)" "640 4755 1777"
claim_equal owner_is_found "$(stat -c %u:%g private)" 1234:5678
claim_equal links_are_one_file "$(stat -c %i:%h lines lines2 shared/lines3 | uniq | wc -l)" 1
claim_equal link_count_is_found "$(stat -c %h lines)" 3
claim_equal symlink_is_found "$(readlink shared/soft)" ../lines
claim_equal fifo_is_found "$(stat -c %F fifo)" fifo
claim_equal node_is_found "$(stat -c %F:%t:%T null)" "character special file:1:3"
claim_equal times_are_found "$(stat -c %Y tool)" 1000000000
claim_equal xattr_is_found "$(getfattr --only-values -n user.note lines)" remember
claim_equal directories_are_found "$(find a -type d | wc -l)" 8
claim_equal name_in_utf8_is_found "$(cat 'grüße 世界')" ü
claim_equal deleted_stays_deleted "$(find . -name deleted)" ""
claim_equal renamed_stays_renamed "$(cat new)$(find . -name old)" moved
claim_equal file_of_the_host_is_found "$(cat from-host)" "made on the host"
claim_equal change_of_the_host_is_found "$(cat private)" "changed on the host"
cd /
claim share_unmounts umount /mnt
plan
