"""The commands of the command line, one module per room of the house."""
