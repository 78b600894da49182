"""Two backends that share nothing with the mock, nginx, and the tests that drive them over sockets."""
