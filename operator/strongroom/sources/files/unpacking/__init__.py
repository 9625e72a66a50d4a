"""How does an archive of files become files again? Guarded, extracted in isolation, surveyed; all of it or nothing.

Belongs here: what an archive may hold, the program that extracts, and the look at what it has made.
Forbidden: knowing where the files are to go; trusting an archive for having come from a store.
"""
