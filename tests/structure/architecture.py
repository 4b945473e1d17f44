# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Reads what may include what from docs/architecture.md, and what does include what from the sources.

The table stands under the heading "Where things live". Its first column names a folder or files, its last
column what they may include: short folder names ("store" is server/store), library names, "all above" (every
folder of the rows before), or nothing. A folder may always include itself. Text in parentheses is for people.
"""
import os
import re
from pathlib import Path

HEADING = "Where things live"
ROOTS = ("common", "server", "tools")
SUFFIXES = (".h", ".cc")

# Libraries that one folder wraps, so that the rest does not see them: header -> the folders.
WRAPPED = {
    r"event2/.*|event\.h": {"server/net"},
    r"xercesc/.*": {"common/xml"},
    r"sqlite3\.h": {"server/store"},
    r"toml\+\+/.*|toml\.hpp": {"server/config"},
    r"openssl/.*": {"common/dump"},
    r"systemd/sd-daemon\.h": {"server/service"},
    r"systemd/sd-journal\.h": {"server/logging"},
    r"systemd/.*": {"server/service", "server/logging"},
    r"CLI/.*": {"server", "tools/crnpctl"},
    r"grpc.*|google/protobuf/.*|etcd\.(grpc\.)?pb\.h": {"server/etcd"},
}
# Words of the last column that are no folders of ours.
LIBRARIES = {"std", "spdlog", "fmt"}


class Table:
    """The rows: which folder may include which folders."""

    def __init__(self, text):
        self.allowed = {}  # folder -> set of folders
        rows = list(self._rows(text))
        folders = {folder for names, _ in rows for folder in names}
        above = set()
        self.errors = []
        for names, cell in rows:
            targets = self._targets(cell, folders, above, names)
            for name in names:
                self.allowed.setdefault(name, set()).update(targets | {name})
            above.update(names)

    @staticmethod
    def _rows(text):
        match = re.search(rf"^#+ *{HEADING} *$(.*?)(?=^#+ |\Z)", text, re.M | re.S)
        for line in match.group(1).splitlines() if match else ():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            names = re.findall(r"`([^`]+)`", cells[0]) if line.lstrip().startswith("|") else []
            folders = {folder for folder in map(_folder_of, names) if folder}
            if folders and len(cells) >= 3:
                yield sorted(folders), cells[-1]

    def _targets(self, cell, folders, above, names):
        targets = set()
        for word in re.sub(r"\([^)]*\)|`", "", cell).split(","):
            word = word.strip().rstrip("/")
            if word == "all above":
                targets |= above
            elif word and word not in LIBRARIES:
                found = {f for f in folders if f == word or f.split("/")[-1] == word}
                if len(found) == 1:
                    targets |= found
                else:
                    self.errors.append(f"the table's row for {names[0]} says '{word}', which is no folder of it")
        return targets


def _folder_of(name):
    """`server/store/` -> server/store, `server/main.cc` -> server; None outside of the roots."""
    folder = name.rstrip("/") if name.endswith("/") else os.path.dirname(name)
    return folder if folder.split("/")[0] in ROOTS else None


def sources(root):
    for top in ROOTS:
        for path in sorted(Path(root, top).rglob("*")):
            if path.suffix in SUFFIXES:
                yield path.relative_to(root)


def includes(root, path):
    """(line number, '<' or '"', what stands between)"""
    for number, line in enumerate(Path(root, path).read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1), match.group(2)


def check_includes(root):
    """Every include of the tree against the table; returns what is wrong, one line each."""
    document = Path(root, "docs/architecture.md")
    if not document.exists():
        return [f"there is no docs/architecture.md with a table under '{HEADING}'"]
    table = Table(document.read_text(encoding="utf-8"))
    if not table.allowed:
        return [f"docs/architecture.md has no table under '{HEADING}'"]
    wrong = list(table.errors)
    for path in sources(root):
        folder = path.parent.as_posix()
        if folder not in table.allowed:
            wrong.append(f"{path}: its folder is not in the table of docs/architecture.md")
            continue
        for number, kind, target in includes(root, path):
            trouble = (_wrong_library(folder, target) if kind == "<"
                       else _wrong_folder(root, table.allowed[folder], folder, target))
            if trouble:
                wrong.append(f"{path}:{number}: {trouble}")
    return wrong


def _wrong_library(folder, target):
    for pattern, owners in WRAPPED.items():
        if re.fullmatch(pattern, target):
            return None if folder in owners else f"<{target}> is for {' and '.join(sorted(owners))} only"
    return None


def _wrong_folder(root, allowed, folder, target):
    name = os.path.dirname(target)
    if not name and any(Path(root, folder).glob("*.h.in")):
        return None  # written by the build, from a template in this folder
    if name.split("/")[0] not in ROOTS:
        return f'"{target}" is not written from the project\'s root, or is none of its own'
    if name not in allowed:
        return f'{folder} may not include {name} ("{target}")'
    return None


def check_cycles(root):
    """Folders that include each other, directly or in a circle."""
    graph = {}
    for path in sources(root):
        folder = path.parent.as_posix()
        for _, kind, target in includes(root, path):
            name = os.path.dirname(target)
            if kind == '"' and name and name != folder:
                graph.setdefault(folder, set()).add(name)
    done = set()

    def walk(folder, trail):
        if folder in trail:
            return [" -> ".join([*trail[trail.index(folder):], folder])]
        if folder in done:
            return []
        found = [cycle for name in sorted(graph.get(folder, ())) for cycle in walk(name, [*trail, folder])]
        done.add(folder)
        return found

    return [f"folders include each other: {cycle}" for folder in sorted(graph) for cycle in walk(folder, [])]


LICENCE = ("Copyright the crnpd authors", "SPDX-License-Identifier: Apache-2.0")
LICENSED = (".h", ".cc", ".py", ".sh", ".java")


def check_licences(root):
    """The two lines at the top of every source file, below a script's #! line."""
    paths = [path for top in (*ROOTS, "tests") for path in sorted(Path(root, top).rglob("*"))
             if path.suffix in LICENSED and "corpus" not in path.parts]
    paths += [path for path in (Path(root, "dev"), Path(root, ".ci/run")) if path.exists()]
    wrong = []
    for path in paths:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = lines[1:] if lines and lines[0].startswith("#!") else lines
        if [line.lstrip("/# ").rstrip() for line in lines[:2]] != list(LICENCE):
            wrong.append(f"{path.relative_to(root)}: the two licence lines are not at its top")
    return wrong


CHECKS = (check_includes, check_cycles, check_licences)
