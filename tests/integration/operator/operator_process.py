"""An operator as a process of its own, told its settings as JSON: for tests that kill it."""

import json
import sys
from pathlib import Path

from strongroom.controllers.run import run_operator
from strongroom.controllers.settings import OperatorSettings

if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    told["kubeconfig"] = Path(told["kubeconfig"])
    told["namespaces"] = tuple(told["namespaces"])
    sys.exit(run_operator(OperatorSettings(**told)))
