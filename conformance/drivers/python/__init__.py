"""What every driver in Python needs, and the driver of the reference client."""
