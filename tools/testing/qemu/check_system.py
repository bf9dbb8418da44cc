# SPDX-License-Identifier: GPL-2.0
"""The package in Debian systems as people have them, on their own kernels."""

import contextlib
import glob
import os
import re
import shutil
import subprocess

import guest
from check_host import SOURCE, command, write
from check_package import ENTER, PACKAGE, SERVICE, package
from scenario import scenario

# Which system.sh has made, by the series of their kernel
SUITES = {"6.1": "bookworm", "6.12": "trixie"}

FSTAB = "myfs /mnt virtiofs defaults 0 0\n"


class System:
    """A Debian system: a directory to install in, of which guests get a disk."""

    def __init__(self, test, top):
        self.test = test
        self.log = test.log_dir + "/system.log"
        self.top = top
        self.share = test.directory("share")
        write(self.share + "/file", "here\n")
        # What the kernel's command line has of GRUB
        self.words = []

    def run(self, *words):
        return command(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", ENTER, self.top, "env",
                        "DEBIAN_FRONTEND=noninteractive", *words], self.log)

    def releases(self):
        """Of its kernels, the oldest first."""
        return sorted(os.listdir(self.top + "/usr/lib/modules"),
                      key=lambda name: [int(n) for n in re.findall(r"\d+", name)])

    def module(self, release):
        """The driver that the package has built for a kernel, or None."""
        found = glob.glob(f"{self.top}/usr/lib/modules/{release}/updates/dkms/virtiofs*.ko*")
        return found[0] if found else None

    def prepare(self):
        """The tests, and a line in fstab."""
        shutil.copytree(SOURCE + "/tools/testing/qemu/guest", self.top + "/guest")
        write(self.top + "/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        write(self.top + "/etc/systemd/system/tests.service", SERVICE)
        write(self.top + "/etc/fstab", FSTAB)
        # As grub-install makes it
        os.makedirs(self.top + "/boot/grub", exist_ok=True)
        code, said = self.run("systemctl", "enable", "tests.service")
        self.test.claim("tests_are_enabled", not code, said)

    def boot(self, who, release, name=None, shares=(), **options):
        """What the tests say in a guest that boots a kernel of these."""
        self.test.boot(f"system {who}", [guest.Share("myfs", self.share), *shares], name=name or who,
                       image=f"{self.top}/boot/vmlinuz-{release}", limit=900,
                       initrd=f"{self.top}/boot/initrd.img-{release}", words=self.words,
                       env={"expect_log": "pcieport|has a virtiofs driver built in|systemd|device-mapper"},
                       **options)

    def boot_disk(self, who, release):
        """The directory as it is now is the guest's disk."""
        disk = self.test.work + "/disk"
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", self.top, disk, "4G"], check=True)
        self.boot(who, release, disk=disk)
        os.unlink(disk)

    def boot_share(self, who, release, name):
        """It is a share, of which the guest has its root."""
        self.boot(who, release, name, [guest.Share("root", self.top)], root="root",
                  init="/usr/lib/systemd/systemd", programs=True)

    def make_initramfs_with_dracut(self, release):
        """As virtiofs-admin.rst says, for a kernel that is not the running one."""
        write(self.top + "/etc/dracut.conf.d/virtiofs.conf", 'add_dracutmodules+=" virtiofs "\n')
        code, said = self.run("dracut", "--force", "--no-hostonly", f"/boot/initrd.img-{release}", release)
        self.test.claim("dracut_makes_an_initramfs", not code, said[-500:])

    def configure_grub(self):
        """What "update-grub" has made in the guest, in its place here as well."""
        shutil.copy(f"{self.top}/usr/share/doc/{PACKAGE}/examples/virtiofs.cfg",
                    self.top + "/etc/default/grub.d/")
        with open(self.share + "/grub.cfg") as file:
            lines = [line.split() for line in file if re.match(r"\s+linux\s", line)]
        wanted = "initcall_blacklist=virtio_fs_init"
        first = lines[0] if lines else []
        self.test.claim("first_entry_leaves_out_the_kernels_driver", wanted in first, str(first))
        self.test.claim("recovery_entry_has_it", lines and all(
            wanted not in line for line in lines if "single" in line or "recovery" in line), str(lines))
        self.words = [word for word in first[2:] if not word.startswith("root=")]


@contextlib.contextmanager
def system(test, suite):
    upper, work = (test.directory(part) for part in ("upper", "work"))
    top = test.directory("system")
    lower = f"{guest.CACHE}/system/{suite}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir={lower},upperdir={upper},workdir={work}", top], check=True)
    try:
        yield System(test, top)
    finally:
        subprocess.run(["umount", top], check=True)


@scenario("system", ours=True, stock=True)
def debian(test):
    """The package is installed, the kernel upgraded, the package purged; systemd mounts the share."""
    suite = SUITES.get(test.kernel.partition("-")[0])
    if not suite:
        test.skip("package_is_installed", "no release of Debian has this kernel as its own")
        return
    deb = package(test, "1.0")
    with system(test, suite) as one:
        one.prepare()
        older, = one.releases()
        shutil.copy(deb, one.top + "/root/package.deb")
        code, said = one.run("apt-get", "-qy", "install", "/root/package.deb")
        test.claim("package_is_installed", not code, said[-500:])
        built = one.module(older) or "none"
        test.claim("package_has_built_for_the_kernel", built != "none", said[-500:])
        if "virtiofs_guest" in built:
            one.boot_disk("kernel", older)
            one.configure_grub()
        code, said = one.run("apt-get", "-qy", "--no-download", "install", "linux-image-cloud-amd64",
                             "linux-headers-cloud-amd64")
        test.claim("kernel_is_upgraded", not code, said[-500:])
        newest = one.releases()[-1]
        test.claim("there_is_another_kernel", newest != older, str(one.releases()))
        test.claim("package_has_built_for_the_other_kernel_before_it_runs", one.module(newest), said[-500:])
        one.boot_disk("package", newest)
        one.boot_share("package", newest, "root")
        code, said = one.run("apt-get", "-qy", "--no-download", "install", "dracut")
        test.claim("dracut_replaces_initramfs_tools", not code, said[-500:])
        one.make_initramfs_with_dracut(newest)
        one.boot_share("package", newest, "dracut")
        code, said = one.run("apt-get", "-qy", "purge", PACKAGE)
        test.claim("package_is_purged", not code, said[-500:])
        # As virtiofs-migration.rst says
        one.make_initramfs_with_dracut(newest)
        test.claim_equal("no_module_is_left", [one.module(release) for release in one.releases()],
                         [None] * len(one.releases()))
        if one.words:
            test.claim("package_says_how_the_kernels_driver_comes_back",
                       "rm /etc/default/grub.d/virtiofs.cfg && update-grub" in said, said[-500:])
            one.words = [word for word in one.words if not word.startswith("initcall_blacklist=")]
        one.boot_disk("purged", newest)
