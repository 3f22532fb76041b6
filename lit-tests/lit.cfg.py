"""lit configuration. Run by `make test`, or: /usr/lib/llvm-22/bin/lit -v lit-tests [--param tools=target/debug]"""

import os
import sys

import lit.formats

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bless

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
llvm = "/usr/lib/llvm-22/bin"
tools = os.path.join(root, lit_config.params.get("tools", "target/debug"))

# A missing tool would fail every test with a message of the shell.
for folder, tool in [(llvm, "FileCheck"), (llvm, "not"), (tools, "hb-opt")]:
    if not os.path.exists(os.path.join(folder, tool)):
        lit_config.fatal(f"{os.path.join(folder, tool)} is missing: `make test` installs and builds what the tests need")

config.name = "hb"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "bless.py"]
config.test_source_root = os.path.join(root, "lit-tests")
config.test_exec_root = os.path.join(root, "target", "lit")

# Tests name the tools as a user would; ours stand before any of that name on the machine.
config.environment["PATH"] = os.pathsep.join([tools, llvm, os.environ.get("PATH", "")])
config.substitutions.append(("%data", os.path.join(root, "tests", "data")))
config.substitutions.append(("%examples", os.path.join(root, "examples")))

# CONTRIBUTING.md, "Golden files".
if os.environ.get("HB_BLESS") == "1":
    environment = {**os.environ, "PATH": config.environment["PATH"]}
    for path in bless.bless(config.test_source_root, environment):
        lit_config.note(f"rewrote {path}")
