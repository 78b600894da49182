"""Write the generated files in `spec/`."""
