"""What is worth waking somebody for: rules, what is usual, incidents, notification."""
