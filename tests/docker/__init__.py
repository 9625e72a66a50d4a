"""Docker Engines for tests: real ones of our own, with images built from Debian packages, and a compose stack on them.

Here belongs what starts, fills and ends such an Engine. Nothing here touches an Engine, a bridge or a folder
that these tests did not start: the machine's own Engine is never spoken to.

    engine.py    what tests hold: start, stop, kill, restart, and the docker command line against it
    keeper.py    the process that owns one Engine and ends it when its test process is gone
    slot.py      the names, folders and addresses of one Engine
    daemons.py   containerd and dockerd started with settings that leave the machine as it was
    removal.py   everything of one slot ended and removed
    compose.py   the sample stack as a project of its own
    fixtures.py  engine, second_engine, fresh_engine, compose_stack
"""
