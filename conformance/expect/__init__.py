"""The expectations that a case can have, each as a class."""
