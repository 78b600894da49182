"""The suite for transports: three that keep the contract, and many that do not."""
