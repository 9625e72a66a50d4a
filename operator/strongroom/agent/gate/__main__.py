"""`python -m strongroom.agent.gate RULES`, in the folder where the socket shall be."""

import sys
from pathlib import Path

from strongroom.agent.gate.rules import read_rules
from strongroom.agent.gate.serving import serve

serve(read_rules(Path(sys.argv[1])))
