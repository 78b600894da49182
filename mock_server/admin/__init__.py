"""Control the mock over HTTP, from tests in any language.

A test can start servers, change rules, release gates, read the journal and run checks.
"""
