"""Answers from the patient index: who is meant, and by which numbers they are known."""
