"""Load-test a backend with Locust and the blocking client: create, follow and cancel jobs."""
