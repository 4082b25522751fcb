# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity on a copy of the checkout (what git tracks or would), where Ansible wants a collection to lie."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

from layout import BUILD, ROOT, TOOLS, VENV, tool_environment
from old_python import find_old_python
from progress import answer, main_or_exit

SANITY = BUILD / "sanity"
COPY = SANITY / "ansible_collections" / "bulwark" / "database"
# Its own home: ansible-test keeps virtual environments there, and finds our stand-in for its script that fetches pip.
HOME = SANITY / "home"
PIP_CONFIGURATIONS = (".config/pip", ".pip")
INTERPRETERS = SANITY / "bin"


def copy_checkout() -> None:
    """Make the copy equal to the checkout."""
    listing = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    shutil.rmtree(COPY, ignore_errors=True)
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)
    # A repository of its own, or git would say that all of it is ignored, and ansible-test would have nothing to do.
    subprocess.run(["git", "init", "--quiet", str(COPY)], check=True, capture_output=True)


def prepare_home() -> None:
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    script = (
        "from ansible_test._internal.python_requirements import get_venv_packages as packages; "
        "from ansible_test._internal.host_configs import NativePythonConfig; import sys; "
        "print(packages(NativePythonConfig(version=f'{sys.version_info[0]}.{sys.version_info[1]}'))['pip'])"
    )
    version = answer([str(VENV / "bin" / "python"), "-c", script])
    shutil.copy2(TOOLS / "pip_bootstrap.py", cache / f"get_pip_{version.replace('.', '_')}.py")
    for name in PIP_CONFIGURATIONS:
        theirs, ours = Path.home() / name, HOME / name
        if theirs.exists() and not ours.exists():
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.symlink_to(theirs)


def sanity_environment() -> dict[str, str]:
    """pyenv's shims answer for versions that they then don't start: the oldest supported Python is shown as itself."""
    environment = {**tool_environment(), "HOME": str(HOME)}
    shutil.rmtree(INTERPRETERS, ignore_errors=True)
    INTERPRETERS.mkdir(parents=True)
    oldest = find_old_python()
    if oldest:
        (INTERPRETERS / "python3.9").symlink_to(oldest)
    directories = [name for name in environment["PATH"].split(os.pathsep) if Path(name).name != "shims"]
    environment["PATH"] = os.pathsep.join([directories[0], str(INTERPRETERS), *directories[1:]])
    return environment


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="directory for JUnit files")
    parser.add_argument("arguments", nargs="*", help="for ansible-test sanity, after --")
    given = parser.parse_args()
    copy_checkout()
    prepare_home()
    command = ["ansible-test", "sanity", "--venv", "--color", "no", "--junit", *given.arguments]
    done = subprocess.run(command, cwd=COPY, env=sanity_environment(), stdin=subprocess.DEVNULL, check=False)
    for path in (COPY / "tests" / "output" / "junit").glob("*.xml") if given.results else ():
        shutil.copy2(path, given.results / path.name)
    return done.returncode


if __name__ == "__main__":
    main_or_exit(main)
