"""What may a worker in a container ask of the Docker Engine? A small process that passes on just that.

A socket of the Engine is root on the host, so no worker in a container gets one. It gets this gate's: whatever is not on the
short list is refused, and what is passed on is written anew, so that nothing of a request but its checked parts gets through.
Belongs here: the list, strict reading of requests, the passing on of bytes.
Forbidden: imports of other rooms, so that it starts fast and is read in one sitting; any decision about what an order may have.
"""
