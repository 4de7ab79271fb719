"""Starting ranks, watching them, and reporting what a run took."""
