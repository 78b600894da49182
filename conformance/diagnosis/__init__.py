"""Find the common causes of a client's failures by comparing it with the reference client."""
