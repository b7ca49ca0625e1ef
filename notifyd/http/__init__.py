"""HTTP in both directions.

server.py serves a listening socket: bounded connections, routing, schemas, errors and rate limits
that `api` and `relay` share. outgoing.py makes the requests of `delivery` and `platform`.
"""
