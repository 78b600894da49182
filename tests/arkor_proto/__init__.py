"""tests arkor_proto."""
