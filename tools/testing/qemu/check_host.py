# SPDX-License-Identifier: GPL-2.0
"""The scenarios without a guest: what is built, put into a kernel tree, and refused."""

import glob
import os
import shutil
import subprocess

import guest
import tap
from scenario import Test, scenario, tmpfs

SOURCE = os.path.realpath(__file__).rsplit("/", 4)[0]
TESTING = SOURCE + "/tools/testing"
SELFTESTS = "tools/testing/selftests/filesystems/virtiofs"


def command(words, log, **options):
    """Runs a command; what it says goes to the log, and is returned with its exit code."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    with open(log, "a") as file:
        file.write(f"$ {' '.join(words)}\n{done.stdout}\n")
    return done.returncode, done.stdout


def refused_because(code, said, reason):
    """Is that the one line of an error, and an exit code that tells it?"""
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    return code and len(errors) == 1 and reason in errors[0]


def write(path, content=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)


def kunit_uml(test, build, options=()):
    if "-debug" in test.kernel:
        test.skip("suites_run_on_uml", "a debug kernel is for guests")
        return
    tree = f"{guest.CACHE}/linux/{test.kernel}-uml"
    os.makedirs(f"{guest.CACHE}/uml", exist_ok=True)
    with open(test.log_dir + "/kunit.log", "w+") as log:
        done = subprocess.run(
            ["tools/testing/kunit/kunit.py", "run", "--arch=um", "--raw_output=kunit",
             f"--build_dir={guest.CACHE}/uml/{build}", "--kunitconfig=fs/virtiofs/tests",
             f"--jobs={os.cpu_count()}", "--timeout=600", *options, "virtiofs_*"],
            cwd=tree, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        log.seek(0)
        said = log.read().splitlines()
    test.results += tap.parse(tap.programs(said))
    test.claim("suites_run_on_uml", any(line.startswith("ok ") for line in said) and
               not done.returncode, "\n".join(said[-5:]))


@scenario("kunit-uml", ours=True, once=True)
def kunit_uml_64(test):
    """The same on a kernel that runs as a program, by the kernel's own tool."""
    kunit_uml(test, test.kernel)


@scenario("kunit-uml-32", ours=True, once=True)
def kunit_uml_32(test):
    """The same where a long has 32 bits."""
    kunit_uml(test, f"{test.kernel}-32",
              ["--make_options=SUBARCH=i386", "--make_options=CROSS_COMPILE=i686-linux-gnu-",
               "--kconfig_add=CONFIG_STATIC_LINK=y"])


@scenario("top", ours=True, once=True)
def top(test):
    """virtiofs-top on a fake tree, in a terminal of its own."""
    code, said = command([TESTING + "/top/test_top.py"], test.log_dir + "/top.log",
                         env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    test.results += tap.parse(["# program test_top", *said.splitlines(), f"# exit {code} test_top"])


# Building against a kernel

CONFIG = "CONFIG_FUSE_FS=y\nCONFIG_VIRTIO=y\nCONFIG_VIRTIO_FS=m\n"


def read_lines(path):
    with open(path) as file:
        return file.read().splitlines()


def fake_tree(path, version, config=None, client=True):
    """As much of a kernel as is looked at before anything is built for it."""
    major, _, minor = version.partition(".")
    write(path + "/Makefile", f"VERSION = {major}\nkernelversion:; @echo $(VERSION).{minor}\n")
    if config is not None:
        write(path + "/include/config/auto.conf", config)
        write(path + "/include/generated/utsrelease.h", f'#define UTS_RELEASE "{version}"\n')
        write(path + "/include/uapi/linux/fuse.h")
    if client:
        write(path + "/fs/fuse/fuse_i.h")
    return path


def refusals_of_a_build(test):
    """Trees that "make modules" does not build for, and what it says."""
    def tree(name, *args, **options):
        return fake_tree(f"{test.work}/trees/{name}", *args, **options)

    good = tree("good", "7.3.1", CONFIG)
    older = tree("older", "6.1.2")
    return {
        "no_kernel": ([f"KDIR={test.work}/nothing"], "is no configured kernel"),
        "kernel_that_is_not_configured": ([f"KDIR={tree('raw', '7.3.1')}"],
                                          "is no configured kernel"),
        "kernel_without_fuse": ([f"KDIR={tree('fuseless', '7.3.1', 'CONFIG_VIRTIO=y')}"],
                                "without CONFIG_FUSE_FS"),
        "kernel_without_virtio": ([f"KDIR={tree('virtioless', '7.3.1', 'CONFIG_FUSE_FS=m')}"],
                                  "without CONFIG_VIRTIO"),
        "kernel_without_btf_or_source": (
            [f"KDIR={tree('headers', '7.3.1', CONFIG, client=False)}"],
            "no BTF of Linux 7.3.1 was found: give KSRC=DIR"),
        "file_without_btf": ([f"KDIR={tree('other', '7.3.1', CONFIG, client=False)}",
                              f"BTF={SOURCE}/Makefile"], "there is no BTF in"),
        "source_that_is_none": ([f"KDIR={good}", f"KSRC={test.work}/nothing"],
                                "fs/fuse/fuse_i.h is not in"),
        "source_of_another_version": ([f"KDIR={good}", f"KSRC={older}"],
                                      "is the source of Linux 6.1.2, but the kernel in"),
        "source_of_another_series": ([f"KDIR={good}", f"KSRC={tree('series', '6.3.1')}",
                                      "VERSION=1.0"],
                                     "is the source of Linux 6.3.1, but the kernel in"),
    }


@scenario("modules", ours=True)
def modules(test):
    """The module as a user builds and installs it, and builds that cannot be good."""
    log = test.log_dir + "/modules.log"
    source = test.work + "/source"
    kernel = f"{guest.CACHE}/linux/{test.kernel}"
    stage = test.work + "/stage"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns(".*", "*.o", "*.ko", "*.mod*"))

    for name, (words, wanted) in refusals_of_a_build(test).items():
        for target in ("modules", "modules_install"):
            code, said = command(["make", "-s", "-C", source, target, *words], log)
            test.claim(f"{name}_is_refused_by_{target}", refused_because(code, said, wanted), said)
    for target in ("modules", "modules_install"):
        code, said = command(["make", "-C", source, target, f"KDIR={kernel}", f"KSRC={kernel}",
                              f"INSTALL_MOD_PATH={stage}"], log)
        test.claim_equal(f"{target}_succeeds", code, 0)
    release = os.listdir(kernel + "/install/lib/modules")[0]
    installed = f"{stage}/lib/modules/{release}"
    test.claim("module_is_in_the_updates_directory",
               os.path.getsize(installed + "/updates/virtiofs.ko") > 0)
    with open(installed + "/modules.dep") as dep:
        test.claim("depmod_knows_the_module", "updates/virtiofs.ko:" in dep.read())
    _, magic = command(["modinfo", "-F", "vermagic", installed + "/updates/virtiofs.ko"], log)
    test.claim_equal("module_is_of_that_kernel", magic.split(" ")[0], release)

    command(["make", "-s", "-C", source, "clean"], log)
    left = [name for where, _, names in os.walk(source) for name in names
            if name.endswith((".o", ".ko", ".cmd", ".mod", ".mod.c"))]
    test.claim_equal("clean_takes_away_all_that_was_made", left, [])


# In a kernel tree

# What the driver's place in a tree is made of, besides what it brings along.
TOUCHED = ("MAINTAINERS", "fs/Kconfig", "fs/Makefile", "fs/fuse", "Documentation/filesystems",
           "Documentation/ABI/testing/sysfs-fs-virtiofs", "tools/testing/selftests/*",
           "tools/testing/selftests/kselftest", "scripts/subarch.include", "usr/include")


def part_of_tree(kernel, path):
    """A tree with only these files of a kernel's, in a repository."""
    tree = f"{guest.CACHE}/linux/{kernel}"
    for name in TOUCHED:
        for source in glob.glob(f"{tree}/{name}"):
            to = path + source.removeprefix(tree)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            if not os.path.isdir(source):
                shutil.copy(source, to)
            elif not name.endswith("/*"):
                shutil.copytree(source, to, ignore=shutil.ignore_patterns("*.o", ".*"))
    return path


def git(path, *words):
    return ["git", "-C", path, "-c", "user.name=check", "-c", "user.email=check@localhost", *words]


@scenario("intree", ours=True)
def intree(test):
    """The driver in a kernel tree: as a patch, as a module, with its selftests."""
    log = test.log_dir + "/intree.log"
    kernel = f"{guest.CACHE}/linux/{test.kernel}"
    one, other, third = (part_of_tree(test.kernel, f"{test.work}/{name}")
                         for name in ("one", "other", "third"))
    patch = test.work + "/x.patch"

    with open(patch, "w") as file, open(log, "w") as errors:
        made = subprocess.run([TESTING + "/intree.sh", "--patch", one], stdout=file,
                              stderr=errors)
    test.claim_equal("patch_is_made", made.returncode, 0)
    for words in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "tree"]):
        command(git(one, *words), log)
    code, said = command(git(one, "am", "-q", patch), log)
    test.claim("patch_is_taken_by_git_am", not code, said)
    for turn in ("once", "twice"):
        code, said = command([TESTING + "/intree.sh", other], log)
        test.claim(f"driver_is_put_into_the_tree_{turn}", not code, said)
        # An earlier version may have had other files
        open(other + "/fs/virtiofs/tests/old_test.c", "w").close()
    code, said = command([TESTING + "/intree.sh", other], log)
    _, said = command(["diff", "-r", "-x", ".git", one, other], log)
    test.claim_equal("patch_does_what_the_script_does", said, "")

    code, said = command([TESTING + "/intree.sh", "--series", third, test.work + "/series"], log)
    test.claim("series_is_written", not code, said)
    parts = sorted(glob.glob(test.work + "/series/*.patch"))[1:]
    for words in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "tree"]):
        command(git(third, *words), log)
    # What is not configured yet cannot break a build
    outside = [line for part in parts[:-1] for line in read_lines(part)
               if line.startswith("+++ ") and
               not line.startswith(("+++ b/fs/virtiofs/", "+++ b/MAINTAINERS"))]
    test.claim_equal("all_but_the_last_add_files_alone", outside, [])
    code, said = command(git(third, "am", "-q", *parts), log)
    test.claim("series_is_taken_by_git_am", not code and len(parts) >= 15, said)
    _, said = command(["diff", "-r", "-x", ".git", third, other], log)
    test.claim_equal("series_does_what_the_script_does", said, "")

    code, _ = command(["make", "-C", kernel, f"M={one}/fs/virtiofs", "CONFIG_VIRTIO_FS=m",
                       "CONFIG_VIRTIO_FS_KUNIT_TEST=", "modules"], log)
    test.claim("driver_of_the_tree_builds_as_a_module",
               not code and os.path.exists(one + "/fs/virtiofs/virtiofs.ko"))
    with open(one + "/tools/testing/selftests/kselftest_harness.h") as harness:
        if "FIXTURE_TEARDOWN_PARENT" not in harness.read():
            test.skip("selftests_build_in_the_tree", "its harness does not clean up in the parent")
            return
    code, _ = command(["make", "-C", one + "/tools/testing/selftests",
                       "TARGETS=filesystems/virtiofs", "install",
                       f"INSTALL_PATH={test.work}/installed"], log)
    test.claim_equal("selftests_build_in_the_tree", code, 0)
    with open(f"{one}/{SELFTESTS}/Makefile") as makefile:
        programs = [line.split()[-1] for line in makefile if line.startswith("TEST_GEN_PROGS")]
    installed = f"{test.work}/installed/filesystems/virtiofs"
    test.claim_equal("selftests_are_installed",
                     [name for name in programs if not os.path.exists(f"{installed}/{name}")], [])


# Setting up

@scenario("refusals", ours=True)
def refusals(test):
    """What the commands for a person refuse, in one line, with nothing left behind."""
    log = test.log_dir + "/refusals.log"
    cache = test.work + "/cache"
    # What is not refused must not go on to change anything: there is a debootstrap, so
    # that none is installed, and it fails.
    known = programs_without(test.work + "/bin", ("debootstrap",))
    write(known + "/debootstrap", "#!/bin/sh\nexit 1\n")
    os.chmod(known + "/debootstrap", 0o755)
    foreign = programs_without(test.work + "/foreign", ("apt-get",))

    def refused(name, script, wanted, before=(), **env):
        env = {"PATH": known, "VIRTIOFS_CACHE": cache, **env}
        code, said = command([*before, "/bin/bash", f"{TESTING}/qemu/{script}.sh"], log, env=env)
        test.claim(f"{name}_is_refused_by_{script}", refused_because(code, said, wanted), said)

    for script in ("demo", "shell", "check"):
        options = {"SHARE": test.work} if script == "shell" else {}
        kernels = "KERNELS" if script == "check" else "KERNEL"
        nobody = ["setpriv", "--reuid", "65534", "--clear-groups"]
        refused("who_is_not_root", script, "must be run as root", nobody, **options)
        for kernel in ("9.9", "7.3-foo", "7"):
            refused(f"kernel_{kernel}", script, f"unknown KERNEL={kernel} (known: ",
                    **options, **{kernels: kernel})
    refused("kernel_of_two_names", "demo", "unknown KERNEL=7.3 6.12", KERNEL="7.3 6.12")
    refused("share_that_is_no_directory", "demo", "is not a directory", SHARE="/etc/passwd")
    refused("share_that_is_no_directory", "shell", "is not a directory", SHARE="/nothing")
    refused("no_share", "shell", "say which directory")
    refused("no_terminal", "shell", "needs a terminal", SHARE=test.work)
    refused("foreign_machine", "demo", "no Debian-like machine", PATH=foreign)
    test.claim("refusals_leave_no_cache_behind", not os.path.exists(cache))

    os.mkdir(cache)
    with tmpfs(cache, "size=16m"):
        refused("small_disk", "demo", "MiB are needed")
        test.claim_equal("small_disk_stays_empty", os.listdir(cache), [])
    refused("mirror_out_of_reach", "demo", "is the mirror ")
    for name, how, wanted in (
            ("full_disk", "echo No space left on device; exit 1", "the disk is full: "),
            ("program_that_is_killed", "kill -9 $$", "memory ran short"),
            ("mirror_without_a_name", "echo Could not resolve; exit 1", "the mirror does not answer")):
        write(known + "/debootstrap", f"#!/bin/sh\n{how}\n")
        code, said = command(["/bin/bash", f"{TESTING}/qemu/demo.sh"], log,
                             env={"PATH": known, "VIRTIOFS_CACHE": cache})
        test.claim(f"{name}_is_named", code and f"warning: {wanted}" in said, said)
    test.claim_equal("nothing_half_done_is_taken_for_done", os.listdir(cache + "/stamps"), [])


    # A scenario that has no place to work in fails alone.
    other = Test("refusals", test.kernel, test.driver)
    other.log_dir, other.work = test.work + "/log", "/proc/work"
    other.run()
    test.claim_equal("scenario_without_a_directory_fails_alone",
                     [(one.status, one.name) for one in other.results],
                     [(tap.FAIL, "host: scenario_comes_to_its_end")])


def programs_without(path, names):
    """A directory for PATH with all programs but these."""
    os.mkdir(path)
    for name in os.listdir("/usr/bin") + os.listdir("/usr/sbin"):
        if name not in names and not os.path.lexists(f"{path}/{name}"):
            os.symlink(shutil.which(name) or f"/usr/bin/{name}", f"{path}/{name}")
    return path
