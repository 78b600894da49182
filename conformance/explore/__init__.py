"""Random schedules of faults, and an oracle that predicts how a correct client handles them."""
