"""A board to test on: a real sshd on loopback, run as the current user with keys made for the test.

What it starts finds another home directory and a Python of its own, as on another machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from paredown.hosts.device_package import DevicePackage, device_package
from paredown.hosts.timing_lock import FILE
from paredown.hosts.wheels import venv_key

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
needs_sshd = pytest.mark.skipif(
    not (Path(SSHD).exists() and shutil.which("ssh-keygen")),
    reason="needs a real sshd: apt install openssh-server",
)


@dataclass
class Board:
    """`folder` holds keys, configuration and home; by `ssh_config` it is called `board`."""

    folder: Path
    port: int
    daemon: subprocess.Popen[bytes]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def bin(self) -> Path:
        """The folder whose programs it finds first."""
        return self.folder / "bin"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def kept(self) -> Path:
        return self.home / ".cache" / "paredown"

    def configure(self, *lines: str) -> None:
        """More lines for the client's configuration of this board; the first one of a keyword counts."""
        usual = [
            "HostName 127.0.0.1",
            f"Port {self.port}",
            f"IdentityFile {self.folder / 'key'}",
            "IdentitiesOnly yes",
            f"UserKnownHostsFile {self.folder / 'known_hosts'}",
            "GlobalKnownHostsFile /dev/null",
            "StrictHostKeyChecking yes",
        ]
        self.ssh_config.write_text("Host board\n" + "".join(f"  {line}\n" for line in [*lines, *usual]))

    def connections(self) -> list[psutil.Process]:
        """The processes that carry one connection each, without those that they started."""
        return [] if self.daemon.poll() is not None else psutil.Process(self.daemon.pid).children()

    def cut(self) -> int:
        """Break every connection as a network does: nobody says goodbye. Returns how many there were."""
        found = self.connections()
        for process in found:
            with suppress(psutil.NoSuchProcess):  # it was closed meanwhile
                for one in [*process.children(), process]:
                    if "sshd" in one.name():
                        one.kill()
        return len(found)

    def stop(self) -> None:
        self.cut()
        self.daemon.terminate()
        self.daemon.wait(10)

    def start(self) -> None:
        """Again, on the same port, as after a reboot."""
        self.daemon = _listening(self.folder, self.port)

    def lay_out(self, *runtimes: str) -> None:
        """The device packages as an earlier contact left them, by links to what is installed here."""
        for modules in ((), *((f"paredown.runtimes.{r}",) for r in runtimes)):
            seen, package = {"python": sys.version.split()[0]}, device_package(modules)
            venv = self.kept / "venv" / venv_key(seen, package.pins)
            subprocess.run([self.bin / "python3", "-m", "venv", "--without-pip", venv], check=True)
            packages = venv / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
            borrowed = "".join(f"{p}\n" for p in sys.path if p.endswith("-packages"))
            (packages / "borrowed.pth").write_text(borrowed)


def make_board(folder: Path) -> Board:
    """A board that nobody has contacted yet."""
    for name in ("home", "bin"):
        (folder / name).mkdir()
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    base = Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info[:2]))
    (folder / "bin" / "python3").symlink_to(base)
    port = _free_port()
    kind, key = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    _script(folder / "login", [
        "#!/bin/sh",
        f"export HOME={folder / 'home'} PATH={folder / 'bin'}:/usr/bin:/bin",
        f"export {FILE}={folder / 'timing.lock'}",  # it is locked as a machine of its own
        f"echo x >> {folder / 'logins'}",
        f"[ -e {folder / 'profile'} ] && . {folder / 'profile'}",
        'exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"',
    ])  # fmt: skip
    (folder / "sshd_config").write_text("".join(f"{line}\n" for line in [
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host_key'}", "PidFile none",
        f"AuthorizedKeysFile {folder / 'key.pub'}", "StrictModes no", "UsePAM no",
        "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password",
        "MaxStartups 100", f"ForceCommand {folder / 'login'}",
    ]))  # fmt: skip
    board = Board(folder, port, _listening(folder, port))
    board.configure()
    return board


def wheels_of(package: DevicePackage, folder: Path) -> Path:
    """A folder of wheels made of the packages that are installed here: no network is needed for them."""
    folder.mkdir()
    for pin in package.pins:
        name, _, version = pin.partition("==")
        installed = metadata.distribution(name)
        told = (installed.read_text("WHEEL") or "").splitlines()
        tag = [line.partition(": ")[2] for line in told if line.startswith("Tag:")][-1]
        with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-{tag}.whl", "w") as wheel:
            for file in installed.files or ():
                if ".." not in file.parts and file.locate().is_file():
                    wheel.write(file.locate(), str(file))
    return folder


def _script(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o755)


def _listening(folder: Path, port: int) -> subprocess.Popen[bytes]:
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd asks for it where it could give up privileges
    log = folder / "sshd.log"
    with log.open("ab") as told:
        daemon = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=told)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert daemon.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            return daemon
    raise AssertionError(log.read_text())


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
