# SPDX-License-Identifier: GPL-2.0
ifneq ($(KERNELRELEASE),)
# The kbuild half; also the Makefile of fs/virtiofs in a kernel tree.

# The FUSE client's private headers.  The user half says where they are when
# it builds against a package of kernel headers, which comes without them: in a
# tree of the kernel's source, or made from the kernel's BTF.
VIRTIOFS_FUSE_SRC ?= $(srctree)/fs/fuse

# What this kernel has is looked up in its sources, since distributions bring
# later things to older versions.
virtiofs-has = $(shell grep -qs -e '$(2)' $(3) && echo -DVIRTIOFS_HAVE_$(1))

# With O= the sources are not where older kernels say.
home := $(patsubst %/include,%,$(firstword $(wildcard $(src)/include $(srctree)/$(src)/include)))

ccflags-y += -I$(home)/include -include $(home)/include/compat.h
ccflags-y += $(call virtiofs-has,ASSIGN_STR_SRC,define __assign_str.dst. src,\
	$(srctree)/include/trace/stages/stage6_event_callback.h)
ccflags-y += $(call virtiofs-has,FUSE_IDMAP,FUSE_ALLOW_IDMAP,\
	$(srctree)/include/uapi/linux/fuse.h)
ccflags-y += $(call virtiofs-has,FUSE_STATX,FUSE_STATX,\
	$(srctree)/include/uapi/linux/fuse.h)
ccflags-y += $(call virtiofs-has,GROUP_CPUS_NUMMASKS,nummasks,\
	$(srctree)/include/linux/group_cpus.h)
ccflags-y += $(call virtiofs-has,IDMAP,nop_mnt_idmap,\
	$(srctree)/include/linux/mnt_idmapping.h)
ccflags-y += $(call virtiofs-has,INODE_STATE,inode_state_read,\
	$(srctree)/include/linux/fs.h)
ccflags-y += $(call virtiofs-has,KUNIT_DEVICE,kunit_device_register,\
	$(srctree)/include/kunit/device.h)
ccflags-y += $(call virtiofs-has,MAP_OPS,virtio_map_ops,\
	$(srctree)/include/linux/virtio_config.h)
ccflags-y += $(call virtiofs-has,RESET_METHODS,reset_prepare,\
	$(srctree)/include/linux/virtio.h)
ccflags-y += $(call virtiofs-has,SEQ_BUF_STR,seq_buf_str,\
	$(srctree)/include/linux/seq_buf.h)
ccflags-y += $(call virtiofs-has,SHRINK_POINTER,\*s_shrink;,\
	$(srctree)/include/linux/fs.h $(srctree)/include/linux/fs/super_types.h)
ccflags-y += $(call virtiofs-has,UEVENT_CONST,uevent..const struct kobject,\
	$(srctree)/include/linux/kobject.h)
ccflags-y += $(call virtiofs-has,VIRTQUEUE_INFO,^struct virtqueue_info {,\
	$(srctree)/include/linux/virtio_config.h)
ccflags-y += $(call virtiofs-has,WQ_PERCPU,WQ_PERCPU,\
	$(srctree)/include/linux/workqueue.h)

# The FUSE client's private headers are for these files alone.
glue-objs := fuse_glue.o $(addprefix fuse/,req.o init.o complete.o poll.o interrupt.o \
	abandon.o order.o orphan.o watchdog.o inodes.o dirty.o stats.o mount.o)
glue-cflags := -I$(VIRTIOFS_FUSE_SRC)
glue-cflags += $(call virtiofs-has,FUSE_CHAN,fuse_chan_new,\
	$(VIRTIOFS_FUSE_SRC)/dev.h)
glue-cflags += $(call virtiofs-has,FUSE_FOLIOS,folio \*\*folios,\
	$(VIRTIOFS_FUSE_SRC)/fuse_i.h $(VIRTIOFS_FUSE_SRC)/args.h)
glue-cflags += $(call virtiofs-has,FUSE_PINNED,is_pinned,\
	$(VIRTIOFS_FUSE_SRC)/fuse_i.h $(VIRTIOFS_FUSE_SRC)/args.h)
glue-cflags += $(call virtiofs-has,FUSE_SEND_REQ,\*send_req,\
	$(VIRTIOFS_FUSE_SRC)/fuse_i.h $(VIRTIOFS_FUSE_SRC)/dev.h $(VIRTIOFS_FUSE_SRC)/fuse_dev_i.h)
glue-cflags += $(call virtiofs-has,FUSE_VDAX,vdax_mode,\
	$(VIRTIOFS_FUSE_SRC)/fuse_i.h)
glue-cflags += $(call virtiofs-has,FUSE_KVEC_PAGES,use_pages_for_kvec_io,\
	$(VIRTIOFS_FUSE_SRC)/fuse_i.h)
$(foreach obj,$(glue-objs),$(eval CFLAGS_$(obj) := $(glue-cflags)))

obj-$(if $(KBUILD_EXTMOD),m,$(CONFIG_VIRTIO_FS)) += virtiofs.o

virtiofs-y += virtio_fs.o sysfs.o
virtiofs-y += $(glue-objs)
virtiofs-y += virtqueue.o virtqueue_set.o
virtiofs-y += hiprio.o
virtiofs-y += fuse/undo.o
virtiofs-$(CONFIG_BLOCK) += fuse/plug.o
virtiofs-y += trace.o

# The KUnit suites are a part of the module that they test.
kunit := $(if $(KBUILD_EXTMOD),tools/testing/kunit,tests)
kunit-objs := $(patsubst $(home)/%.c,%.o,$(wildcard $(home)/$(kunit)/*.c))
virtiofs-$(CONFIG_VIRTIO_FS_KUNIT_TEST) += $(if $(CONFIG_BLOCK),$(kunit-objs),\
	$(filter-out %/plug_test.o,$(kunit-objs)))
CFLAGS_$(kunit)/abandon_test.o := $(filter %_KVEC_PAGES,$(glue-cflags))
CFLAGS_$(kunit)/undo_test.o := -I$(home)/fuse
CFLAGS_$(kunit)/plug_test.o := -I$(home)/fuse

# Out of a kernel tree
ifneq ($(KBUILD_EXTMOD),)

CFLAGS_virtio_fs.o := $(if $(VIRTIOFS_VERSION),-DVIRTIOFS_VERSION=\"$(VIRTIOFS_VERSION)\")

# The headers were made from the kernel's BTF: is it the one that runs?
ifneq ($(wildcard $(VIRTIOFS_FUSE_SRC)/fuse_btf.h),)
ccflags-y += -DVIRTIOFS_BTF
CFLAGS_fuse/btf.o := $(glue-cflags)
virtiofs-y += fuse/btf.o
endif

# For modprobe a module is there that has the name of a driver which is built in.
ifeq ($(CONFIG_VIRTIO_FS),y)
virtiofs_guest-y := $(virtiofs-y)
obj-m := virtiofs_guest.o
endif

endif # KBUILD_EXTMOD

else # the user half

KDIR ?= /lib/modules/$(shell uname -r)/build

# The kernel's source is next to what was built of it, or given.  Else what is needed of it is
# made from the kernel's BTF.
source := $(or $(KSRC),$(if $(BTF),,$(patsubst %/fs/fuse/fuse_i.h,%,$(firstword $(wildcard \
	$(addsuffix /fs/fuse/fuse_i.h,$(KDIR) $(KDIR)/source))))))
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
fuse-headers = $(if $(source),$(abspath $(source))/fs/fuse,$(CURDIR)/out/btf/$(release))
VERSION ?= $(shell git log -1 --format=%cd --date=format:0.%Y%m%d.%H%M%S 2>/dev/null)
# The kernel's Makefile has a variable of this name.
MAKEOVERRIDES := $(filter-out VERSION=%,$(MAKEOVERRIDES))

ask-kernel = $(MAKE) -s --no-print-directory -C $(1)
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) VIRTIOFS_FUSE_SRC=$(fuse-headers) VIRTIOFS_VERSION=$(firstword $(VERSION))
testing := tools/testing
die = die() { echo "error: $$*" >&2; exit 1; }

help:
	@echo 'make demo          set up a guest on this machine, and see it at work'
	@echo '     shell         a root shell in a guest: SHARE=DIR is its /mnt'
	@echo '     check         run the tests in guests'
	@echo '     kunit         run the KUnit suites alone, without a guest'
	@echo '     fuzz          a guest whose device lies at random'
	@echo '     soak          a guest to which all that can happen does, at random'
	@echo '     bench         measure it against mainline and 9p (QUICK=1: a few minutes)'
	@echo '     lint          check the sources'
	@echo '     distclean     take away all that the eight above have set up'
	@echo
	@echo 'make modules       build virtiofs.ko for the running kernel'
	@echo '     modules_install  ... and have modprobe prefer it to any other'
	@echo '     deb           make a package that builds it for each kernel (DKMS)'
	@echo '     clean         take away what modules has made'
	@echo '     intree        put the driver into the kernel tree KSRC=DIR'
	@echo '     intree-patch  ... or print that as a patch'
	@echo '     series        ... or write it as a series of patches into out/series'
	@echo
	@echo 'KERNEL=7.3|6.12|6.1 kernel of the guest (demo, shell, bench)'
	@echo 'SHARE=DIR          directory of this machine to share (demo, shell)'
	@echo 'KERNELS="7.3 6.12 6.1" kernels to test on; DEBUG=1 their debug builds, VARIANT=kcsan|rt'
	@echo '                   those that see data races, or are real-time (check, fuzz, soak);'
	@echo '                   VARIANT=stock Debian builds of them (check)'
	@echo 'STOCK=all|REGEX    one test on each kernel of the archive of Debian instead (check)'
	@echo 'ACCEL=auto|kvm|tcg what guests run on: KVM where it works, or emulated (check, demo, shell)'
	@echo 'ONLY=REGEX         tests to run, EXCEPT=REGEX those to leave out (check)'
	@echo 'COUNT=N SEED=N     how many lies, and what they begin with (fuzz)'
	@echo 'MINUTES=N          how long (soak; check ONLY=killing)'
	@echo 'ROUNDS=N FILES=N   how often, on how many source files (bench); KEEP=1 keeps the page'
	@echo 'KDIR=DIR           kernel to build for, as /lib/modules/*/build (modules)'
	@echo 'BTF=FILE           vmlinux of that kernel, or another file with its BTF, if neither'
	@echo '                   the headers package nor the kernel has that (modules)'
	@echo 'KSRC=DIR           source of that kernel (modules, intree, intree-patch, series)'
	@echo 'VERSION=1.2        version of the module (modules) and of the package (deb)'

modules: kernel-fits
	$(kbuild) modules

# kbuild leaves out depmod where there is no System.map, as in headers packages.
modules_install: kernel-fits
	$(kbuild) INSTALL_MOD_DIR=updates modules_install
	PATH="$$PATH:/sbin:/usr/sbin" depmod $(addprefix -b ,$(INSTALL_MOD_PATH)) \
		$$($(call ask-kernel,$(KDIR)) kernelrelease)

# A module that was built with other private structures than the kernel's FUSE
# client would load, and then corrupt memory.
kernel-fits: $(if $(source),source-fits,btf-fits)
	@! grep -q '^CONFIG_VIRTIO_FS=y' $(KDIR)/include/config/auto.conf || \
		echo "note: this kernel has a virtiofs built in, so the module is virtiofs_guest. It loads if the kernel's command line has initcall_blacklist=virtio_fs_init"

btf-fits: kernel-takes-module
	@$(die); \
	command -v python3 >/dev/null || die "there is no python3"; \
	! [ -e $(KDIR)/vmlinux ] || ! grep -q '^CONFIG_DEBUG_INFO_BTF_MODULES=y' $(KDIR)/include/config/auto.conf || \
		command -v pahole >/dev/null || die "this kernel's modules are made with pahole, which is not installed"
	@python3 -B tools/btf/fuse_header.py $(addprefix --btf ,$(BTF)) $(KDIR) $(fuse-headers)

source-fits: kernel-takes-module
	@$(die); \
	version=$$($(call ask-kernel,$(KDIR)) kernelversion); \
	[ -r "$(source)/fs/fuse/fuse_i.h" ] || \
		die "fs/fuse/fuse_i.h is not in $(KSRC): give KSRC=DIR, the source of Linux $$version"; \
	source=$$($(call ask-kernel,$(source)) kernelversion); \
	[ "$$source" = "$$version" ] || \
		die "$(source) is the source of Linux $$source, but the kernel in $(KDIR) is $$version"

kernel-takes-module:
	@$(die); \
	config=$(KDIR)/include/config/auto.conf; \
	[ -r $$config ] || \
		die "$(KDIR) is no configured kernel: install your kernel's headers package, or give KDIR=DIR"; \
	for option in FUSE_FS VIRTIO; do \
		grep -q "^CONFIG_$$option=" $$config || \
			die "the kernel in $(KDIR) is configured without CONFIG_$$option"; \
	done

clean:
	rm -rf *.o *.ko *.mod *.mod.c .*.cmd .*.o fuse/*.o fuse/.*.cmd .tmp_versions modules.order Module.symvers out/btf
	rm -f $(testing)/kunit/*.o $(testing)/kunit/.*.cmd

demo shell check kunit fuzz soak:
	@$(testing)/qemu/$@.sh

bench:
	@$(testing)/bench/bench.sh

lint:
	@$(testing)/lint.sh

distclean: clean
	@$(testing)/root/distclean.sh

intree:
	@$(testing)/intree.sh "$(KSRC)"

deb:
	@tools/packaging/deb.sh

intree-patch:
	@$(testing)/intree.sh --patch "$(KSRC)"

series:
	@$(testing)/intree.sh --series "$(KSRC)" out/series

.PHONY: help modules modules_install kernel-fits source-fits btf-fits kernel-takes-module clean demo shell check kunit fuzz \
	soak bench lint distclean deb intree intree-patch series

endif
