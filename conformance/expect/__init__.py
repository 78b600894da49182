"""The kinds of expectation that a case can contain, each implemented by a class."""
