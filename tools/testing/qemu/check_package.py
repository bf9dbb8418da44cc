# SPDX-License-Identifier: GPL-2.0
"""The scenarios of the Debian package: installed, used in guests, and removed."""

import contextlib
import os
import re
import shutil
import subprocess

import guest
from check_host import SOURCE, command
from scenario import scenario

PACKAGE = "virtiofs-dkms"

# Mounts made for one command end with it.
ENTER = """set -e
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
exec chroot "$0" "$@"
"""


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)


class System:
    """A Debian system to install in: the test root, and what is changed in a layer above it."""

    def __init__(self, test, name):
        self.log = f"{test.log_dir}/{name}.log"
        self.top = test.directory(name)
        self.release = os.listdir(f"{guest.CACHE}/linux/{test.kernel}/install/lib/modules")[0]
        # What the names of its packages have of it.
        self.series = ".".join(self.release.split(".")[:2])
        self.modules = f"{self.top}/lib/modules/{self.release}"

    def run(self, *words):
        return command(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", ENTER, self.top, "env",
                        "DEBIAN_FRONTEND=noninteractive", *words], self.log)

    def install(self, package):
        """dpkg's exit code, and what it said."""
        shutil.copy(package, self.top + "/root/package.deb")
        return self.run("dpkg", "--install", "/root/package.deb")

    def module(self, field=None):
        """The module that would be loaded: its file, or what a field of it says."""
        how = ["-F", field] if field else ["-n"]
        return self.run("modinfo", "-k", self.release, *how, "virtiofs")[1].strip()

    def headers(self):
        return f"{self.top}/usr/src/linux-headers-{self.release}"


@contextlib.contextmanager
def system(test, name):
    """A system that has a test kernel and its headers, as packages would bring them."""
    one = System(test, name)
    upper, work = (test.directory(f"{name}-{part}") for part in ("upper", "work"))
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir=/,upperdir={upper},workdir={work}", one.top], check=True)
    try:
        linux = f"{guest.CACHE}/linux/{test.kernel}"
        shutil.copytree(f"{linux}/install/lib/modules/{one.release}", one.modules, symlinks=True)
        subprocess.run(["scripts/package/install-extmod-build", one.headers()], cwd=linux,
                       check=True, env={**os.environ, "srctree": ".", "SRCARCH": "x86",
                                        "CC": "gcc", "HOSTCC": "gcc"})
        for link in ("build", "source"):
            if os.path.lexists(f"{one.modules}/{link}"):
                os.unlink(f"{one.modules}/{link}")
        os.symlink(f"/usr/src/linux-headers-{one.release}", one.modules + "/build")
        yield one
    finally:
        subprocess.run(["umount", one.top], check=True)


def kernel_source(test, one, sublevel=None):
    """A tarball where linux-source-X.Y has it, with what a build looks at."""
    name = f"linux-source-{one.series}"
    tree = f"{test.work}/{name}"
    shutil.rmtree(tree, ignore_errors=True)
    linux = f"{guest.CACHE}/linux/{test.kernel}"
    shutil.copytree(linux + "/fs/fuse", tree + "/fs/fuse",
                    ignore=lambda _, names: [n for n in names if not n.endswith(".h")])
    with open(linux + "/Makefile") as file:
        makefile = file.read()
    if sublevel is not None:
        makefile = re.sub(r"^SUBLEVEL = .*", f"SUBLEVEL = {sublevel}", makefile, flags=re.M)
    write(tree + "/Makefile", makefile)
    subprocess.run(["tar", "-C", test.work, "-cJf", f"{one.top}/usr/src/{name}.tar.xz", name],
                   check=True)


def package(test, version, also=""):
    """The package, made of a copy of the sources with one more line."""
    source = f"{test.work}/source-{version}"
    shutil.copytree(SOURCE, source,
                    ignore=shutil.ignore_patterns(".*", "out", "*.o", "*.ko", "*.mod*"))
    with open(source + "/virtio_fs.c", "a") as file:
        file.write(also)
    code, said = command([source + "/tools/packaging/build-deb.sh", version, test.work],
                         test.log_dir + "/package.log")
    if code:
        raise RuntimeError("no package: " + said[-300:])
    return f"{test.work}/{PACKAGE}_{version}_all.deb"


def refusals(test, one, deb):
    """What the package does not build for; a build that was refused installs nothing."""
    def refused(name, *wanted):
        code, said = one.install(deb)
        told = "\n".join(line for line in said.splitlines() if line.startswith(PACKAGE + ": "))
        test.claim(f"{name}_is_refused", code and all(text in told for text in wanted), said)
        test.claim(f"{name}_leaves_the_kernels_own_module",
                   one.module().endswith("/kernel/fs/fuse/virtiofs.ko"), one.module())

    here = f"install the package linux-source-{one.series} in its version "
    version = one.run("make", "-s", "-C", f"/lib/modules/{one.release}/build",
                      "kernelversion")[1].strip()
    refused("missing_source", here + version)
    kernel_source(test, one, sublevel=99)
    refused("source_of_another_version", f"is the source of Linux {one.series}.99", here + version)

    config = one.headers() + "/include/config/auto.conf"
    with open(config) as file:
        before = file.read()
    write(config, before.replace("CONFIG_FUSE_FS=y", ""))
    refused("kernel_without_fuse", "without CONFIG_FUSE_FS")
    write(config, before)


@scenario("package", ours=True, once=True)
def dkms(test):
    """The package is installed, upgraded and removed; guests load what that leaves."""
    if "-debug" in test.kernel:
        test.skip("package_is_installed", "it is built for the plain kernel")
        return
    first = package(test, "1.0")
    second = package(test, "1.1", "\nstatic bool second;\nmodule_param(second, bool, 0444);\n")
    states = test.directory("states")

    def keep(name):
        """The modules as they are now, for the guest."""
        shutil.copytree(one.modules, f"{states}/states/{name}/lib/modules/{one.release}",
                        ignore=shutil.ignore_patterns("build"))

    with system(test, "system") as one:
        config = one.headers() + "/include/config/auto.conf"
        with open(config) as file:
            with_builtin = file.read().replace("CONFIG_VIRTIO_FS=m", "CONFIG_VIRTIO_FS=y")
        refusals(test, one, first)
        kernel_source(test, one)
        code, said = one.install(first)
        test.claim("package_is_installed", not code, said)
        test.claim("module_is_the_one_of_the_package",
                   one.module().startswith(f"/lib/modules/{one.release}/updates/"), one.module())
        test.claim_equal("module_is_of_that_kernel", one.module("vermagic").split(" ")[0],
                         one.release)
        code, said = one.run("virtiofs-top", "--once", "--interval", "0.1")
        test.claim("program_of_the_package_runs", "there is no virtiofs device" in said, f"{code} {said}")
        code, said = one.run("ls", "/usr/share/man/man5/virtiofs.5.gz", "/usr/share/man/man1/virtiofs-top.1.gz")
        test.claim("there_are_man_pages", not code, said)
        keep("installed")
        boot_from_the_host(test, one)
        code, said = one.install(second)
        test.claim("package_is_upgraded", not code, said)
        test.claim("upgrade_has_a_module_of_its_own", "second:" in one.module("parm"),
                   one.module("parm"))
        said = one.run("dkms", "status", "-m", "virtiofs")[1]
        test.claim("upgrade_leaves_nothing_of_the_old_version",
                   "/1.1," in said and "/1.0," not in said, said)
        keep("upgraded")
        code, said = one.run("dpkg", "--purge", PACKAGE)
        test.claim("package_is_removed", not code, said)
        test.claim("removal_gives_the_kernels_own_module_back",
                   one.module().endswith("/kernel/fs/fuse/virtiofs.ko"), one.module())
        test.claim_equal("removal_leaves_nothing",
                         [path for path in ("var/lib/dkms/virtiofs", "usr/lib/virtiofs", "etc/default/virtiofs-dkms",
                                            "usr/src/virtiofs-1.0", "usr/src/virtiofs-1.1")
                          if os.path.exists(f"{one.top}/{path}")], [])
        keep("removed")
        write(config, with_builtin)
        code, said = one.install(first)
        test.claim("package_is_installed_where_a_virtiofs_is_built_in", not code, said)
        name = one.run("modinfo", "-k", one.release, "-n", "fs-virtiofs")[1].strip()
        test.claim("module_has_a_name_of_its_own_there", "/virtiofs_guest.ko" in name, name)
        # As where they are removed first
        shutil.move(one.headers(), one.headers() + ".gone")
        code, said = one.run("dpkg", "--purge", PACKAGE)
        test.claim("package_is_removed_without_headers", not code, said)
        test.claim_equal("module_is_gone_as_well",
                         one.run("find", f"/lib/modules/{one.release}", "-name", "virtiofs_guest*")[1], "")
    with open(states + ".cpio", "wb") as archive:
        names = subprocess.run(["find", "."], cwd=states, check=True, stdout=subprocess.PIPE)
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=states,
                       input=names.stdout, stdout=archive, check=True)
    directory = test.directory()
    write(directory + "/file", "here\n")
    # What the kernel's own driver says at each unmount.
    test.boot("package", [guest.Share("myfs", directory)], images=("base", states),
              env={"expect_log": "virtio-fs: response too short"})


# The first process of a guest that runs the tests as a service.
SERVICE = """[Service]
Type=oneshot
ExecStart=/guest/service
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
"""

INITRAMFS = {
    "initramfs-tools": ("mkinitramfs", "-c", "gzip", "-o"),
    "dracut": ("dracut", "--force", "--no-hostonly", "--gzip", "--add", "virtiofs"),
}


def make_bootable(test, one):
    """What an administrator does in a system with the package, and the tests."""
    examples = one.top + "/usr/share/doc/virtiofs-dkms/examples"
    # In the test root it may be a link to the scripts.
    if os.path.lexists(one.top + "/guest"):
        os.unlink(one.top + "/guest")
    shutil.copytree(SOURCE + "/tools/testing/qemu/guest", one.top + "/guest")
    write(one.top + "/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    # What systemd would do once when it finds the system changed takes a minute.
    for done in ("etc", "var"):
        write(f"{one.top}/{done}/.updated", "")
    write(one.top + "/etc/systemd/system/tests.service", SERVICE)
    write(one.top + "/etc/fstab", "extra  /mnt/extra  virtiofs  defaults,nofail  0  0\n")
    shutil.copy(examples + "/srv-myfs.mount", one.top + "/etc/systemd/system")
    shutil.copy(examples + "/90-virtiofs-mount.rules", one.top + "/etc/udev/rules.d")
    code, said = one.run("systemctl", "enable", "srv-myfs.mount", "tests.service")
    test.claim("units_are_enabled", not code, said)


def boot_from_the_host(test, one):
    """The system with the package is a guest's root, once for each maker of initramfs."""
    make_bootable(test, one)
    for tag in ("myfs", "extra", "plugged"):
        write(f"{test.directory('share-' + tag)}/file", tag + "\n")
    for maker, words in INITRAMFS.items():
        code, said = one.run(*words, "/root/initrd", one.release)
        test.claim(f"{maker}_makes_an_initramfs", not code, said)
        shutil.copy(one.top + "/root/initrd", test.work)
        shares = [guest.Share("root", one.top),
                  *(guest.Share(tag, f"{test.work}/share-{tag}")
                    for tag in ("myfs", "extra", "plugged"))]
        test.boot("systemd", shares, name=maker, root="root", programs=True,
                  initrd=test.work + "/initrd", init="/usr/lib/systemd/systemd", limit=900,
                  env={"expect_log": "pcieport"})


# What comes with the package

@scenario("udev")
def udev(test):
    """The rule mounts what is plugged in, whatever its tag is."""
    odd = "a'b $(c) \"d\" %e/ü"
    shares = [guest.Share(tag, test.directory(name)) for tag, name in (("myfs", "plain"),
                                                                      (odd, "odd"))]
    for name in ("plain", "odd"):
        write(f"{test.work}/{name}/file", name + "\n")
    test.boot("udev", shares, images=("base", "udev"), env={"expect_log": "pcieport"})


# The configuration of a kernel for guests

@scenario("guest-config", ours=True)
def guest_config(test):
    """Kconfig takes all of the fragment, with nothing else chosen."""
    fragment = SOURCE + "/tools/packaging/virtiofs-guest.config"
    log = test.log_dir + "/config.log"
    with open(fragment) as file:
        wanted = {line.strip() for line in file if line.startswith("CONFIG_")}
    config = test.work + "/config"
    code, said = command(["make", "-C", f"{guest.CACHE}/linux/{test.kernel}", "allnoconfig",
                          f"KCONFIG_CONFIG={config}", f"KCONFIG_ALLCONFIG={fragment}"], log)
    test.claim("fragment_is_merged", not code, said)
    with open(config) as file:
        taken = {line.strip() for line in file}
    test.claim_equal("kernel_takes_all_of_the_fragment", sorted(wanted - taken), [])
