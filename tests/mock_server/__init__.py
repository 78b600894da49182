"""tests mock_server."""
