"""What a channel file says: its values, how it is read, what is checked."""
