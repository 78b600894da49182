"""Random schedules of faults, and the oracle that knows what a client must do with them."""
