"""The systems at the other end, invented: feeds, a sender, stand-in receivers."""
