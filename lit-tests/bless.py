"""Rewrites the expectations of golden lit tests. lit runs it when HB_BLESS=1 is set, before the tests.

A golden test is one whose first line begins with `// GOLDEN`. Each of its lines

    // RUN: COMMAND | FileCheck %s --check-prefix=NAME --match-full-lines

is run without FileCheck, and what the command prints becomes the lines `// NAME:`, `// NAME-NEXT:` and `// NAME-EMPTY:` at the end of the
file. Everything else in the file stays.
"""

import pathlib
import re
import subprocess

RUN = re.compile(r"^// RUN: (?P<command>.*?) \| FileCheck %s --check-prefix=(?P<prefix>[A-Z0-9]+) --match-full-lines$")


def is_golden(path):
    with open(path, encoding="utf-8") as file:
        return file.readline().startswith("// GOLDEN")


def expectation(prefix, output):
    """The lines that FileCheck compares with `output`."""
    lines = []
    for line in output.rstrip("\n").split("\n"):
        # FileCheck reads {{ }} as a regular expression and [[ ]] as a variable.
        text = re.sub(r"\{\{|\[\[", lambda found: "{{" + "".join("[" + c + "]" if c == "{" else "\\" + c for c in found[0]) + "}}", line)
        suffix = ("-NEXT:" if lines else ":") if text.strip() else "-EMPTY:"
        lines.append(f"// {prefix}{suffix} {text}".rstrip())
    return lines


def blessed(path, environment, substitutions):
    """The text that the golden test `path` should have."""
    text = path.read_text(encoding="utf-8")
    runs = [match for match in map(RUN.match, text.splitlines()) if match]
    if not runs:
        raise SystemExit(f"{path}: a golden test needs a line '// RUN: COMMAND | FileCheck %s --check-prefix=NAME --match-full-lines'")
    prefixes = {match["prefix"] for match in runs}
    old = re.compile(rf"^// (?:{'|'.join(prefixes)})(?:-NEXT|-EMPTY)?:")
    kept = [line for line in text.rstrip("\n").split("\n") if not old.match(line)]
    for match in runs:
        command = match["command"]
        for name, value in [("%s", str(path)), *substitutions]:
            command = command.replace(name, value)
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{path}: '{command}' failed:\n{done.stderr}")
        kept += expectation(match["prefix"], done.stdout)
    return "\n".join(kept) + "\n"


def bless(folder, environment, substitutions=()):
    """Rewrites every golden test below `folder`; gives the paths of those that changed."""
    changed = []
    for path in sorted(pathlib.Path(folder).rglob("*.mlir")):
        if is_golden(path):
            text = blessed(path, environment, substitutions)
            if text != path.read_text(encoding="utf-8"):
                path.write_text(text, encoding="utf-8")
                changed.append(path)
    return changed
