"""Where do trees of files come from? Volumes, folders and configuration, each as one tar stream that stock tar opens.

Belongs here: which files are taken, GNU tar as the producer, what it says, and the check of the stream.
Forbidden: what a policy does about files that change; compression, stores.
"""
