"""What is fuzzed: a file for each target, none of which needs a fuzzer.

`target` takes any bytes, and raises if what they do is not right. `seeds` are inputs to begin with,
`TOKENS` the words of their language.
"""
