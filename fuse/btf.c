// SPDX-License-Identifier: GPL-2.0
/*
 * Is this the kernel that the module was built for?  The FUSE client's structures are taken from
 * that kernel's BTF (tools/btf), and another one may have others.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/build_bug.h>
#include <linux/crc32.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kconfig.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include "conn.h"
#include "fuse_btf.h"

/**
 * struct btf_file - a file in which the running kernel says its types
 * @path: where it is
 * @crc: its CRC-32 where the module was built, as of zlib
 */
struct btf_file {
	const char *path;
	u32 crc;
};

static const struct btf_file btf_files[] __initconst = { FUSE_BTF_FILES };

/* A bit field has no offsetof(), but the compiler knows which bits it sets */
#define BTF_CHECK_BITS(type, member, offset, bits)				\
{										\
	struct type x = {};							\
	const unsigned int at = (offset), mask = (1U << (bits)) - 1;		\
										\
	x.member = mask;							\
	BUILD_BUG_ON(((u8 *)&x)[at / 8] != mask << at % 8);			\
}

static __always_inline void btf_check_bits(void)
{
	FUSE_BTF_BITS(BTF_CHECK_BITS)
}

static int __init btf_read_crc(const char *path, u32 *crc)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	ssize_t len = -ENOMEM;
	loff_t pos = 0;
	void *buf;

	if (IS_ERR(file))
		return PTR_ERR(file);
	*crc = ~0;
	buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	while (buf && (len = kernel_read(file, buf, PAGE_SIZE, &pos)) > 0)
		*crc = crc32_le(*crc, buf, len);
	*crc = ~*crc;
	kfree(buf);
	filp_close(file, NULL);
	return len;
}

/**
 * virtiofs_btf_check() - refuse a kernel whose structures may be others
 *
 * With CONFIG_MODVERSIONS the kernel compares what it exports with the headers package, and lets
 * other builds pass; that will do if the BTF is of the same package.  A file that is not there,
 * as without sysfs, says nothing.
 *
 * Context: module init, sleeps.
 * Return: 0, -ENOEXEC, or what the reading of a file ended with.
 */
int __init virtiofs_btf_check(void)
{
	unsigned int i;
	int err;
	u32 crc;

	btf_check_bits();
	if (IS_ENABLED(CONFIG_MODVERSIONS) && FUSE_BTF_OF_HEADERS)
		return 0;
	for (i = 0; i < ARRAY_SIZE(btf_files); i++) {
		err = btf_read_crc(btf_files[i].path, &crc);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		if (crc == btf_files[i].crc)
			continue;
		pr_err("virtiofs: built for another build of Linux %s than this one, build the module anew\n",
		       utsname()->release);
		return -ENOEXEC;
	}
	return 0;
}
