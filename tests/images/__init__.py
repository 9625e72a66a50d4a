"""Recipes of images for tests, from Debian packages alone: no registry is needed.

Each folder is one image; build.py makes them all once and keeps the Engine's data root with them for later Engines.
"""
