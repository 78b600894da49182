"""Control the mock over HTTP, from tests in any language.

A test can start servers, add rules, open gates, read the journal and check what the client did.
"""
