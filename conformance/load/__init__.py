"""Puts load on a backend with the blocking client on Locust: jobs are created, followed, cancelled."""
