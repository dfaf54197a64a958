"""A supervisor over two children, as a process of its own, for the supervisor's tests."""

import sys
from pathlib import Path

from rushes.ops.supervise import Child, Supervisor

folder, mode = sys.argv[1], sys.argv[2]
script = Path(__file__).with_name("child.py")


def say(line: str) -> None:
    print(line, flush=True)


def children(name: str) -> Child:
    own = Path(folder, name)
    own.mkdir()
    return Child(name=name, command=[sys.executable, str(script), str(own), mode])


Supervisor([children("web"), children("worker")], say=say).run()
