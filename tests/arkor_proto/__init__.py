"""The tests of `arkor_proto`."""
