# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program is one file of the same bytes wherever it is made: in a checkout, in a zip, on a host by Ansible."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._io.backup_program import build_program
from backup_site import PYTHON

UTILITIES = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
ROOT = "ansible_collections.bulwark.database.plugins.module_utils"
MODULE = f"""#!/usr/bin/python
from __future__ import annotations
import hashlib
from ansible.module_utils.basic import AnsibleModule
from {ROOT}._io.backup_program import build_program
from {ROOT}._job import command_line

def main() -> None:
    module = AnsibleModule(argument_spec={{}})
    module.exit_json(sha256=hashlib.sha256(build_program()).hexdigest(), loaded=command_line.__file__)

if __name__ == "__main__":
    main()
"""


def test_the_program_starts_alone_and_in_isolation(tmp_path: Path) -> None:
    program = tmp_path / "bulwark-backup.pyz"
    program.write_bytes(build_program())
    done = subprocess.run([PYTHON, "-I", str(program), "--help"], check=True, capture_output=True, text=True, cwd="/")
    assert "collect" in done.stdout
    with zipfile.ZipFile(program) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    # nothing of Ansible, no driver, nothing that the program does not use
    assert {Path(name).parts[1] for name in names if "/" in name} <= {"__init__.py", "_core", "_io", "_job"}
    assert not any("postgresql.py" in name and "backup" not in name for name in names)


def test_it_has_the_same_bytes_when_the_sources_lie_in_a_zip(tmp_path: Path) -> None:
    """As Ansible's own zip has them: packages with an empty __init__.py each."""
    carried = tmp_path / "carried.zip"
    with zipfile.ZipFile(carried, "w") as archive:
        package = ""
        for part in [*ROOT.split("."), "_io", "_core", "_job"]:
            package = f"{ROOT.replace('.', '/')}/{part}/" if part.startswith("_") else f"{package}{part}/"
            archive.writestr(f"{package}__init__.py", "")
        for layer in ("_core", "_io", "_job"):
            for path in sorted((UTILITIES / layer).glob("*.py")):
                archive.write(path, f"{ROOT.replace('.', '/')}/{layer}/{path.name}")
    script = (
        f"import sys, hashlib; sys.path.insert(0, {str(carried)!r}); "
        f"from {ROOT}._io.backup_program import build_program; "
        "print(hashlib.sha256(build_program()).hexdigest())"
    )
    done = subprocess.run([PYTHON, "-I", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == hashlib.sha256(build_program()).hexdigest()


def test_it_has_the_same_bytes_when_a_module_makes_it_on_a_host_through_ansible(tmp_path: Path) -> None:
    """The collection as it is, and one module more."""
    collection = tmp_path / "collections" / "ansible_collections" / "bulwark" / "database"
    shutil.copytree(UTILITIES.parent, collection / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("galaxy.yml", "meta"):
        source = UTILITIES.parents[1] / name
        shutil.copytree(source, collection / name) if source.is_dir() else shutil.copy(source, collection / name)
    (collection / "plugins" / "modules" / "carries_the_program.py").write_text(MODULE, encoding="utf-8")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "ansible"), "localhost", "-m", "bulwark.database.carries_the_program"),
            *("-e", f"ansible_python_interpreter={PYTHON}"),
        ],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "LC_ALL": "C.UTF-8",
        },
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    assert ".zip/" in answer["loaded"]
    assert answer["sha256"] == hashlib.sha256(build_program()).hexdigest()
