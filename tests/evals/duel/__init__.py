"""Two candidates against each other, from the command line to the pages."""
