"""The tests of the drivers that the kit brings, and of the clients that it is tried with."""
