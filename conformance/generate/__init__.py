"""Write the generated files of `spec/`."""
