"""A small client of the protocol on httpx, written as a user of that library would write it.

It was written from `spec/protocol.md` alone and shares no code with `arkor_proto`. It shows how the
kit judges a common HTTP stack with its defaults, above all a connection pool.
"""
