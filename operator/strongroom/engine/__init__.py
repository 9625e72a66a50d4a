"""What does the Docker Engine of this machine hold, and how is it asked?

Belongs here: the connection, containers and volumes as the Engine tells them, programs run inside containers, services stopped and
started again. The only home of the Docker client.
Forbidden: what a backup is; any cluster; an Engine of another machine.
"""
