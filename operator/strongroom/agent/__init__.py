"""Who runs the Jobs on a Docker host? Claims the Jobs addressed to its host and runs each as a worker.

Belongs here: registration, claiming, secrets as files, processes, deadlines, adoption after a restart.
Forbidden: reading or storing backup data; incoming connections.
"""
