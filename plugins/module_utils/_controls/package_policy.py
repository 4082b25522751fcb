# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What has no business on a database host, and what must never be taken from one.

Names are those of the Debian family; a pattern that matches nothing costs nothing. Toolchains are denied by their
programs (``gcc-12``), never by what libraries share with them (``gcc-12-base``, ``libgcc-s1``).
"""

from __future__ import annotations

from .._core.packages import PACKAGE, UNIT, Denial

_COMPILER = "a compiler or build tool helps an intruder to build tools on the host"
_DEBUGGER = "a debugger or tracer reads the memory of the server, and with it data and passwords"
_PLAINTEXT = "sends passwords in clear"
_DESKTOP = "a graphical desktop has no place on a server"
_DISCOVERY = "announces the host on the network, or listens for others that do"
_CLIENT = "a client of another database, not needed to run this one"

DENIED: tuple[Denial, ...] = (
    Denial(
        PACKAGE,
        (
            *("build-essential", "gcc", "gcc-[0-9]", "gcc-[0-9][0-9]", "g++", "g++-[0-9]*", "cpp", "cpp-[0-9]*"),
            *("gcc-*-linux-gnu*", "g++-*-linux-gnu*", "clang", "clang-[0-9]*", "llvm", "llvm-[0-9]*", "tcc", "pcc"),
            *("gfortran", "gfortran-[0-9]*", "gnat", "gnat-[0-9]*", "gdc", "golang", "golang-go", "golang-*-go"),
            *("rustc", "cargo", "nasm", "yasm", "binutils", "make", "cmake", "ninja-build", "meson", "automake"),
            *("autoconf", "libtool", "bison", "flex", "default-jdk*", "openjdk-*-jdk*", "postgresql-server-dev-*"),
        ),
        _COMPILER,
    ),
    Denial(PACKAGE, ("gdb", "gdb-minimal", "gdbserver", "lldb", "lldb-[0-9]*", "strace", "ltrace"), _DEBUGGER),
    Denial(
        PACKAGE,
        (
            *("telnet", "telnetd", "telnet-ssl", "telnetd-ssl", "inetutils-telnet", "inetutils-telnetd"),
            *("rsh-client", "rsh-server", "rsh-redone-*", "inetutils-inetd", "openbsd-inetd", "xinetd"),
            *("ftp", "tnftp", "lftp", "inetutils-ftp", "inetutils-ftpd", "ftpd", "vsftpd", "proftpd*", "pure-ftpd*"),
            *("tftp", "tftp-hpa", "tftpd", "tftpd-hpa", "atftp", "atftpd", "nis", "yp-tools", "ypserv", "ypbind-mt"),
            *("talk", "talkd", "inetutils-talk", "inetutils-talkd", "finger", "fingerd", "rwho", "rwhod", "rusersd"),
        ),
        _PLAINTEXT,
    ),
    Denial(
        PACKAGE,
        (
            *("xserver-xorg", "xserver-xorg-core", "xserver-xephyr", "xvfb", "x11vnc", "tigervnc*server", "tightvnc*"),
            *("xrdp", "lightdm", "gdm3", "sddm", "xdm", "gnome-shell", "plasma-desktop", "task-*-desktop"),
        ),
        _DESKTOP,
    ),
    Denial(PACKAGE, ("avahi-daemon", "avahi-autoipd", "avahi-dnsconfd", "minissdpd", "llmnrd", "wsdd"), _DISCOVERY),
    Denial(PACKAGE, ("cups", "cups-daemon", "cups-browsed", "lpr", "lprng"), "prints: a service nobody needs here"),
    Denial(PACKAGE, ("rpcbind", "nfs-kernel-server"), "portmapper and NFS server: reachable without a login"),
    Denial(
        PACKAGE,
        ("default-mysql-client*", "mysql-client*", "mariadb-client*", "mycli"),
        _CLIENT,
        unless_installed=("mariadb-server*", "mysql-server*", "galera-[0-9]*"),
    ),
    Denial(
        PACKAGE,
        ("postgresql-client", "postgresql-client-[0-9]*", "pgcli"),
        _CLIENT,
        unless_installed=("postgresql-[0-9]", "postgresql-[0-9][0-9]"),
    ),
    Denial(PACKAGE, ("redis-tools", "mongodb-clients", "mongodb-mongosh"), _CLIENT),
    Denial(UNIT, ("avahi-daemon.*", "avahi-dnsconfd.*", "minissdpd.*", "llmnrd.*", "wsdd.*"), _DISCOVERY),
    Denial(UNIT, ("cups.*", "cups-browsed.*", "cups-lpd.*"), "prints: a service nobody needs here"),
    Denial(UNIT, ("rpcbind.*", "nfs-server.*", "nfs-mountd.*"), "portmapper and NFS server: reachable without a login"),
    Denial(
        UNIT,
        (
            *("telnet.socket", "inetd.*", "openbsd-inetd.*", "inetutils-inetd.*", "xinetd.*", "rsh.socket"),
            *("rlogin.socket", "rexec.socket", "vsftpd.*", "proftpd.*", "pure-ftpd.*", "tftp.*", "tftpd-hpa.*"),
            *("atftpd.*", "ypserv.*", "ypbind.*", "nis.*", "talk.socket", "ntalk.socket"),
        ),
        _PLAINTEXT,
    ),
    Denial(UNIT, ("lightdm.*", "gdm.*", "gdm3.*", "sddm.*", "xdm.*", "xrdp.*", "x11vnc.*"), _DESKTOP),
)

# The database and what watches or backs it up, the way in, the package manager, and what Ansible runs on.
PROTECTED_PACKAGES: tuple[str, ...] = (
    *("postgresql", "postgresql-[0-9]", "postgresql-[0-9][0-9]", "postgresql-[0-9]*-*", "postgresql-common"),
    *("postgresql-client-common", "mariadb-server*", "mysql-server*", "galera-[0-9]*", "opengauss*", "pgbackrest"),
    *("mariadb-backup", "barman*", "patroni*", "pgbouncer", "keepalived", "haproxy", "borgbackup", "restic"),
    *("openssh-server", "openssh-sftp-server", "sudo", "systemd", "systemd-sysv", "init", "dbus", "udev"),
    *("apt", "apt-utils", "dpkg", "debconf", "python3", "python3-minimal", "python3-psycopg*", "python3-pymysql"),
    *("python3-apt", "python3-cryptography", "linux-image-*", "nftables", "iproute2", "ifupdown", "netplan.io"),
    *("network-manager", "cloud-init", "ca-certificates", "grub-*", "openssl", "locales", "tzdata", "cron", "chrony"),
)

PROTECTED_UNITS: tuple[str, ...] = (
    *("ssh.*", "sshd.*", "postgresql*", "mariadb*", "mysql*", "opengauss*", "galera*", "systemd-*", "dbus*", "getty*"),
    *("nftables.*", "networking.*", "network*", "NetworkManager*", "netplan*", "bulwark-*", "cron.*", "apt-daily*"),
)
