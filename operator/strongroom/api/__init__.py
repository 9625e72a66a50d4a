"""What do the words mean? The custom resources, the work order, the result, the manifest and the errors table, as data.

Belongs here: pydantic models with described, bounded fields, their conditions, labels and CRDs; pure functions over them.
Forbidden: I/O, clocks, randomness, the environment, and imports of any other room.
"""
