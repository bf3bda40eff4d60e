"""From a journaled message to its outcome: prepare, identify, render."""
