"""The tests of the kit's own drivers, and of the clients that the kit is tried with."""
