"""A small client of the protocol on httpx, as a user of that library would write one.

It was written from `spec/protocol.md` alone and shares no code with `arkor_proto`: the kit is tried
on a usual HTTP stack with its usual defaults, a connection pool above all.
"""
