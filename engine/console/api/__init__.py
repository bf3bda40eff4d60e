"""The REST API: the same questions and moves as the pages, for programs."""
