"""Runs the scripts that are named, one after the other in this process, and prints {script: its error or null}."""

import json
import runpy
import sys
import traceback
from pathlib import Path

errors = {}
for script in map(Path, sys.argv[1:]):
    sys.path.insert(0, str(script.parent))  # as python does for a script
    try:
        runpy.run_path(str(script), run_name="__main__")
    except Exception:
        errors[script.stem] = traceback.format_exc()
    else:
        errors[script.stem] = None
print(json.dumps(errors))
