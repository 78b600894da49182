"""Find the common causes of a run's failures by comparing them with the reference client."""
