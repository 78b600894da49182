"""The command `arkor-proto`: what a user types becomes a training run that is followed to its end."""
