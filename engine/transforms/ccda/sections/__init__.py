"""One module for each section: resources in, rows and entries out."""
