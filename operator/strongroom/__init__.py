"""Strongroom: backups for Docker hosts, declared as custom resources.

One shape everywhere: policy -> run -> Job -> worker -> artifact. The control side (controllers, kube, apiserver) decides and
never touches data; the data side (worker, sources, stores, pipeline) moves data and holds no API credentials. They meet in `api`.
"""

__version__ = "0.1.0"
