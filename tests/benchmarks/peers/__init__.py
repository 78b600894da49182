"""Our parser and our clients beside every peer that is installed: correctness, speed, growth."""
