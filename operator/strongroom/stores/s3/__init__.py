"""How does a bucket keep the contract? Connection, uploads, reads, deletion by version, and what each failure means.

Belongs here: everything that speaks S3, and boto3, which has no other home.
Forbidden: making or changing a bucket, and lifting anybody's lock.
"""
