"""Random fault schedules, and an oracle that predicts how a correct client handles them."""
