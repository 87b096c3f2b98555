# SPDX-License-Identifier: GPL-2.0-or-later
"""What the emulated machine boots: Debian's cloud kernel and an initial RAM disk.

The kernel package is fetched once and unpacked, never installed. The RAM disk holds the kernel's
network modules, busybox, and programs of this machine with the libraries they name. Both are kept
in the build directory; the RAM disk is made anew when anything that goes into it has changed.
"""
import fcntl
import hashlib
import os
import pathlib
import re
import shutil

from gretel import BUILD
from net import Failed, run

HERE = pathlib.Path(__file__).resolve().parent
CACHE = BUILD / "peer"
OURS = (HERE / "init", BUILD / "tests/vm/serve")
META = "linux-image-cloud-amd64"

PROGRAMS = ("bash", "dash", "ip", "tc", "bridge", "ss", "nft", "sysctl", "ping", "ethtool", "kmod",
            "tcpdump", "conntrack", "/usr/lib/systemd/systemd-networkd",
            "/usr/lib/systemd/systemd-sysctl")
# Other names of programs. sh is the shell that Debian has, not busybox's, which prefers its own
# applets to programs in PATH.
LINKS = {"usr/bin/sh": "dash", "usr/sbin/modprobe": "../bin/kmod", "usr/sbin/lsmod": "../bin/kmod",
         "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "../run"}
MODULES = ("net", "lib", "crypto", "arch/x86/crypto", "drivers/virtio", "drivers/net/bonding",
           "drivers/net/vxlan", *(f"drivers/net/{name}.ko" for name in
                                  ("virtio_net", "net_failover", "veth", "tun", "dummy", "vrf", "macvlan")))
# systemd-networkd runs as a user of its own.
FILES = {"etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsystemd-network:x:998:998::/:/bin/false\n",
         "etc/group": "root:x:0:\nsystemd-network:x:998:\n",
         "etc/machine-id": "6772657465676c6574726567656c6c65\n"}
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "root", "var", "etc/systemd/network", "usr/lib/busybox")


def _apt(work, *words):
    """apt-get, in the directory where a download goes."""
    return run(["env", "-C", work, "apt-get", "-q", "-o", "APT::Sandbox::User=root", *words], check=False,
               timeout=300)


def _download(work):
    """True when the package that the meta package asks for is in `work`."""
    found = re.search(r"Depends: (linux-image-[\w.+-]+)", run(["apt-cache", "depends", META], check=False).stdout)
    return found and _apt(work, "download", found[1]).returncode == 0


def kernel():
    """The directory of the unpacked kernel package."""
    unpacked = CACHE / "kernel"
    if not unpacked.is_dir():
        work = CACHE / "fetch"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if not _download(work):
            said = _apt(work, "update")
            if not _download(work):
                raise Failed(f"apt finds no kernel for the emulated machine ({META} of Debian 12):\n"
                             f"{said.stdout}{said.stderr}")
        archive, = work.glob("*.deb")
        run(["dpkg-deb", "-x", archive, work / "root"], timeout=120)
        (work / "root").rename(unpacked)
        shutil.rmtree(work)
    return unpacked


def _found(program):
    path = shutil.which(program)
    if not path:
        raise Failed(f"the emulated machine needs {program}: scripts/deps.sh installs it")
    return pathlib.Path(path)


def _libraries(paths):
    """Every library that these programs load, as ldd names them."""
    said = run(["ldd", *paths], check=False).stdout  # a static program makes it fail
    return {pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", said)}


def _contents():
    """The files of this machine that are copied."""
    programs = [_found(program) for program in PROGRAMS]
    ours = [BUILD / "src/cmd" / name for name in ("gretel", "greteld")]  # sent later; their libraries are not
    return sorted({*programs, *_libraries([*programs, *ours])})


def _lay(root, contents, unpacked):
    """The tree of the RAM disk."""
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(exist_ok=True)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    for path in contents:
        there = root / path.relative_to("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)
    for name, text in FILES.items():
        (root / name).write_text(text)
    shutil.copy(_found("busybox"), root / "usr/lib/busybox/busybox")
    for applet in run(["busybox", "--list"]).stdout.split():
        if applet != "busybox":
            (root / "usr/lib/busybox" / applet).symlink_to("busybox")
    for path in OURS:
        shutil.copy(path, root)
        (root / path.name).chmod(0o755)
    source, = (unpacked / "lib/modules").iterdir()
    target = root / "usr/lib/modules" / source.name
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target)
    for name in MODULES:
        there = target / "kernel" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (source / "kernel" / name).is_dir() else shutil.copy)(source / "kernel" / name, there)
    run(["depmod", "-b", root, source.name], timeout=60)


def image():
    """(kernel, RAM disk), both files, made when they are not there yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unpacked, contents = kernel(), _contents()
        stamp = hashlib.sha256()
        for path in (*contents, *OURS, HERE / "image.py"):
            state = os.stat(path)
            stamp.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
        disk = CACHE / f"disk-{stamp.hexdigest()[:16]}.cpio"
        if not disk.exists():
            for old in CACHE.glob("disk-*"):
                old.unlink()
            root = CACHE / "root"
            shutil.rmtree(root, ignore_errors=True)
            _lay(root, contents, unpacked)
            run(["sh", "-c", 'cd "$0" && find . | cpio --quiet -o -H newc >"$1" && mv "$1" "$2"', root,
                 CACHE / "new.cpio", disk], timeout=120)
            shutil.rmtree(root)
        boot, = (unpacked / "boot").glob("vmlinuz-*")
        return boot, disk
