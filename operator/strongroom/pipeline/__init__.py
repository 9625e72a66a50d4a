"""What happens to bytes on their way? Stages and their inverses: digest, compress, count, verify while streaming.

Belongs here: streaming transformations with bounded memory; keys and signatures of what they end in.
Forbidden: knowing where bytes come from or go to.
"""
